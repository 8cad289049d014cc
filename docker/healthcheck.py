"""Is this replica healthy? HTTP pools answer /health/live; relay and worker have their process looked at by the engine."""

import os
import sys
import urllib.request

port = os.environ.get("HEALTH_PORT", "8000")
request = urllib.request.Request(f"http://127.0.0.1:{port}/health/live", headers={"Host": "localhost"})
try:
    with urllib.request.urlopen(request, timeout=3) as answer:
        sys.exit(0 if answer.status == 200 else 1)
except OSError as error:
    sys.exit(str(error))
