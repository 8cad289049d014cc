"""The image's entry point: waits a bounded time for the database, then becomes the command.

Orders of start (compose's `depends_on`) help on one machine; a cluster has none, so each replica waits for
itself. Redis is not waited for: the system serves without it.
"""

import os
import sys
import time
from pathlib import Path

import psycopg2

WAIT_SECONDS = float(os.environ.get("START_WAIT_SECONDS", "60"))


def database_url() -> str:
    if file := os.environ.get("DATABASE_URL_FILE"):
        return Path(file).read_text().strip()
    return os.environ.get("DATABASE_URL", "")


def main() -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            psycopg2.connect(database_url(), connect_timeout=3).close()
            break
        except psycopg2.OperationalError as error:
            if time.monotonic() > deadline:
                sys.exit(f"PostgreSQL did not accept a connection within {WAIT_SECONDS:.0f} s: {error}")
            time.sleep(0.5)
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - becoming the command is what it is for


if __name__ == "__main__":
    main()
