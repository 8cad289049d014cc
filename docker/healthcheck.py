"""Is this replica healthy? Ends with 0 if so.

A pool that serves HTTP answers `/health/live`. In relay and worker, which serve none, `HEALTH_PROCESS` is the
name of the command that has to be running: where a server is away, both find their way back by themselves.
"""

import os
import socket
import sys
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
    """By a socket of its own: an HTTP client takes longer to load than all this."""
    port = int(os.environ.get("HEALTH_PORT", "8000"))
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=3) as connection:
            connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return connection.recv(64).startswith(b"HTTP/1.1 200 ")
    except OSError as error:
        sys.stderr.write(f"{error}\n")  # the engine keeps it: `docker inspect`
        return False


if __name__ == "__main__":
    command = os.environ.get("HEALTH_PROCESS")
    sys.exit(0 if (is_running(command) if command else answers()) else 1)
