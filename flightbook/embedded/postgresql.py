"""The embedded PostgreSQL: reached through a socket that its owner alone can open, never over the network."""

import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import psycopg2
from psycopg2 import sql

from flightbook.embedded import places
from flightbook.embedded.failures import EmbeddedError
from flightbook.embedded.server import Server

_MAJOR = "18"
_SUPERUSER = "postgres"
# The application's role owns its database and may make others, as the tests do; it is no superuser.
_ROLE = "flightbook"
_DATABASE = "flightbook"
# The rules of sorting and of upper and lower case come with the server, so that every machine has the same.
_LOCALE = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")


class PostgreSQL(Server):
    """PostgreSQL 18 with the role and the database ``flightbook``; fsync is on where ``durable``."""

    name = "PostgreSQL"
    stop_signal = signal.SIGINT  # "fast": ends the sessions, then writes everything out

    @property
    def url(self) -> str:
        return f"postgres://{_ROLE}@/{_DATABASE}?host={quote(str(self.sockets), safe='')}"

    @property
    def pid_file(self) -> Path:
        return self.data / "postmaster.pid"

    @property
    def marker(self) -> str:
        return str(self.data)

    def command(self) -> Sequence[str | Path]:
        flush = "on" if self.durable else "off"
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": '"{}"'.format(str(self.sockets).replace('"', '""')),
            "unix_socket_permissions": "0700",
            "max_connections": "100" if self.durable else "300",  # several test processes race by threads
            "timezone": "UTC",
            "log_timezone": "UTC",
            "fsync": flush,
            "full_page_writes": flush,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [places.postgresql_binaries() / "postgres", "-D", self.data, *options]

    def prepare(self) -> None:
        """Makes the data directory under another name first: a half-made one never passes for a database."""
        if self.data.exists():
            self._check_version()
            return
        unfinished = self.home / "data.unfinished"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        self._initdb(places.private_directory(unfinished, self.account))
        unfinished.rename(self.data)

    def _check_version(self) -> None:
        version_file = self.data / "PG_VERSION"
        version = version_file.read_text().strip() if version_file.exists() else "none"
        if version != _MAJOR:
            raise EmbeddedError(
                f"{self.data} is no data directory of PostgreSQL {_MAJOR} (its version: {version}): "
                "`make reset` begins with an empty database."
            )

    def _initdb(self, data: Path) -> None:
        initdb = self.spawn(
            [
                places.postgresql_binaries() / "initdb",
                *("-D", data, "-U", _SUPERUSER, "-A", "trust", "--no-instructions"),
                *_LOCALE,
                *(() if self.durable else ("--no-sync",)),
            ]
        )
        if initdb.wait() != 0:
            raise EmbeddedError(f"PostgreSQL could not make its data directory: {self.last_words()}")

    def answers(self) -> bool:
        try:
            connection = psycopg2.connect(
                host=str(self.sockets), port=5432, user=_SUPERUSER, dbname="postgres", connect_timeout=5
            )
        except psycopg2.OperationalError:
            return False
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                _make_database(cursor)
        finally:
            connection.close()
        return True


def _make_database(cursor: psycopg2.extensions.cursor) -> None:
    """Makes the application's role and database where they are missing; either may be, after a kill."""
    role, database = sql.Identifier(_ROLE), sql.Identifier(_DATABASE)
    cursor.execute("SELECT FROM pg_roles WHERE rolname = %s", [_ROLE])
    if cursor.rowcount == 0:
        cursor.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB").format(role))
    cursor.execute("SELECT FROM pg_database WHERE datname = %s", [_DATABASE])
    if cursor.rowcount == 0:
        cursor.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, role))
