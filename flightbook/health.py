"""Is this process alive, and has it all that it needs?

Who asks does so often and waits for seconds at most, so every look has a time limit of its own, and the
database is asked over a short connection that takes no part in what the requests do with theirs.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import psycopg2
import redis
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.migrations.loader import MigrationLoader

from accounts.public import key_ring
from flightbook import redis_place
from flightbook.replica import PRIMARY, REPLICA

logger = logging.getLogger(__name__)
_TIMES = "-c statement_timeout=1500 -c lock_timeout=1500"
_CONNECT_SECONDS = 2  # libpq knows no less
_LOST_MILLISECONDS = 2500
_TITLES = {
    "database": "Database",
    "standby": "Standby",
    "migrations": "Migrations",
    "redis": "Redis",
    "tokenKeys": "Token keys",
}


@dataclass(frozen=True)
class Check:
    """One dependency. `state` is ``up``, ``degraded`` (away, and we go on without it) or ``down``."""

    name: str
    state: str
    detail: str = ""

    @property
    def title(self) -> str:
        return _TITLES[self.name]


@dataclass(frozen=True)
class Readiness:
    checks: tuple[Check, ...]

    @property
    def missing(self) -> list[str]:
        return [check.name for check in self.checks if check.state == "down"]

    @property
    def state(self) -> str:
        """``ready``, ``degraded`` or ``unavailable``."""
        if self.missing:
            return "unavailable"
        return "degraded" if any(check.state == "degraded" for check in self.checks) else "ready"

    def as_json(self) -> dict[str, dict[str, str]]:
        return {c.name: {"state": c.state} | ({"detail": c.detail} if c.detail else {}) for c in self.checks}


def readiness() -> Readiness:
    """The state of the database, its migrations, Redis and the token keys, in about five seconds at worst."""
    return Readiness((*_database(), *_standby(), _redis(), _token_keys()))


def _database() -> Iterable[Check]:
    try:
        applied = _applied_migrations()
    except psycopg2.Error as error:
        logger.warning("not ready: the database: %s", str(error).strip())
        return Check("database", "down", "It does not answer."), Check("migrations", "down", "Unknown.")
    missing = sorted(f"{app}.{name}" for app, name in _needed_migrations() - applied)
    if missing:
        return Check("database", "up"), Check("migrations", "down", f"Not applied: {', '.join(missing)}.")
    return Check("database", "up"), Check("migrations", "up")


def _standby() -> Iterable[Check]:
    """Only where one is set; without it the primary answers."""
    if REPLICA not in connections.settings:
        return
    try:
        _connect(REPLICA).close()
    except psycopg2.Error as error:
        logger.warning("degraded: the standby: %s", str(error).strip())
        yield Check("standby", "degraded", "It does not answer: the primary does.")
    else:
        yield Check("standby", "up")


def _connect(alias: str) -> Any:
    """A short connection of its own, with time limits."""
    parameters: dict[str, Any] = connections[alias].get_connection_params()
    own = {
        "connect_timeout": _CONNECT_SECONDS,
        "tcp_user_timeout": _LOST_MILLISECONDS,
        "options": _TIMES,
        "cursor_factory": None,
    }
    known = {name: value for name, value in (parameters | own).items() if value is not None}
    return psycopg2.connect(**known)


def _applied_migrations() -> set[tuple[str, str]]:
    database = _connect(PRIMARY)
    try:
        with database.cursor() as cursor:
            cursor.execute("SELECT to_regclass('django_migrations') IS NOT NULL")
            if cursor.fetchone() != (True,):
                return set()
            cursor.execute("SELECT app, name FROM django_migrations")
            return set(cursor.fetchall())
    finally:
        database.close()


@cache
def _needed_migrations() -> set[tuple[str, str]]:
    """Those of this code: they do not change while it runs."""
    return set(MigrationLoader(None).disk_migrations)


def _redis() -> Check:
    client = redis_place.client(settings.REDIS_URL, settings.REDIS_SENTINELS)
    try:
        client.ping()
    except (redis.RedisError, OSError) as error:
        logger.warning("degraded: Redis: %s", error)
        return Check("redis", "degraded", "It does not answer: no live updates, no cache; sale goes on.")
    finally:
        client.close()
    return Check("redis", "up")


def _token_keys() -> Check:
    try:
        key_ring()
    except ImproperlyConfigured as error:
        logger.warning("not ready: %s", error)
        return Check("tokenKeys", "down", "There is no usable key.")
    return Check("tokenKeys", "up")
