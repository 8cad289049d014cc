"""Is this replica healthy? Ends with 0 if so.

A pool that serves HTTP answers `/health/live`. In relay and worker, which serve none, `HEALTH_PROCESS` is the
name of the command that has to be running: where a server is away, both find their way back by themselves.
"""

import os
import sys
import urllib.request
from http import HTTPStatus
from pathlib import Path


def is_running(command: str) -> bool:
    """Whether some process here is `python manage.py <command>`; not the init, nor the waiting before it."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_text().split("\0")
        except OSError:  # it has ended meanwhile
            continue
        if words[1:3] == ["manage.py", command]:
            return True
    return False


def answers() -> bool:
    port = os.environ.get("HEALTH_PORT", "8000")
    request = urllib.request.Request(f"http://127.0.0.1:{port}/health/live", headers={"Host": "localhost"})
    try:
        with urllib.request.urlopen(request, timeout=3) as answer:  # noqa: S310 - always http
            return bool(answer.status == HTTPStatus.OK)
    except OSError as error:
        sys.stderr.write(f"{error}\n")  # the engine keeps it: `docker inspect`
        return False


if __name__ == "__main__":
    command = os.environ.get("HEALTH_PROCESS")
    sys.exit(0 if (is_running(command) if command else answers()) else 1)
