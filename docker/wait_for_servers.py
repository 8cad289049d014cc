"""The image's entry point: waits a bounded time for the database, then becomes the command.

Orders of start (compose's `depends_on`) help on one machine; a cluster has none, so each replica waits for
itself. There it waits for the schema too (`START_WAIT_FOR_SCHEMA`), which a job makes meanwhile. Redis is not
waited for: the system serves without it.
"""

import os
import sys
import time
from pathlib import Path

import psycopg2

WAIT_SECONDS = float(os.environ.get("START_WAIT_SECONDS", "60"))
CODE = Path(os.environ.get("PYTHONPATH", "/srv"))


def database_url() -> str:
    if file := os.environ.get("DATABASE_URL_FILE"):
        return Path(file).read_text().strip()
    return os.environ.get("DATABASE_URL", "")


def needed_migrations() -> set[tuple[str, str]]:
    """Those of this image, by their files; none where nobody waits for them."""
    if os.environ.get("START_WAIT_FOR_SCHEMA") != "true":
        return set()
    return {(path.parts[-3], path.stem) for path in CODE.glob("*/migrations/[0-9]*.py")}


def missing() -> str:
    """What there is to wait for still; nothing where it is empty."""
    try:
        database = psycopg2.connect(database_url(), connect_timeout=3)
    except psycopg2.OperationalError as error:
        return f"PostgreSQL accepts no connection: {error}"
    try:
        needed = needed_migrations()
        if not needed:
            return ""
        with database.cursor() as cursor:
            cursor.execute("SELECT app, name FROM django_migrations")
            absent = sorted(f"{app}.{name}" for app, name in needed - set(cursor.fetchall()))
        return f"The schema lacks {', '.join(absent[:3])} and {len(absent)} in all." if absent else ""
    except psycopg2.Error as error:  # not even the table yet
        return f"The schema is not there: {error}"
    finally:
        database.close()


def main() -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while reason := missing():
        if time.monotonic() > deadline:
            sys.exit(f"Not within {WAIT_SECONDS:.0f} s. {reason}")
        time.sleep(0.5)
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - becoming the command is what it is for


if __name__ == "__main__":
    main()
