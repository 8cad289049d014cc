"""Public reads on a standby of PostgreSQL (`DATABASE_REPLICA_URL`), while it keeps up with the primary.

Search and the departure board go there: what they show is the same for everybody, and their answers are
allowed to be as old as `REPLICA_LAG_SECONDS`. Whatever belongs to a user, and whatever decides, is read from
the primary: so everyone finds what they have just written, and nothing here knows who is asking.

How far the standby is behind is measured once a second by a process, by positions in the write-ahead log: a
standby that lost its primary cannot tell by itself that it stands still. A standby that is behind, does not
answer, or cancels a read (https://www.postgresql.org/docs/current/hot-standby.html#HOT-STANDBY-CONFLICT) is
left alone for a while, and the primary answers. With the primary away the standby goes on answering.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError, connections

from flightbook import instruments

logger = logging.getLogger(__name__)
T = TypeVar("T")
PRIMARY, REPLICA = "default", "replica"
LOOK_SECONDS, REST_SECONDS = 1.0, 5.0
_AWAY = (OperationalError, InterfaceError)
_WRITTEN = "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"
_REPLAYED = "SELECT pg_last_wal_replay_lsn() - '0/0'::pg_lsn"


def read_public(read: Callable[[str], T]) -> T:
    """What `read` finds, given the alias of the database that it is to ask.

    It is asked a second time, with the primary's, where the standby fails.
    """
    if REPLICA not in connections.settings or not standby.is_fit():
        return read(PRIMARY)
    try:
        found = read(REPLICA)
    except _AWAY as error:
        standby.rest(str(error))
        return read(PRIMARY)
    instruments.standby_reads.inc()
    return found


class Standby:
    """Whether the standby may be asked now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        self._is_fit = False
        self._look_at = 0.0
        # Where the primary's log stood, and when: up to where the standby has come tells how old it is.
        self._written: deque[tuple[float, int]] = deque(maxlen=120)

    def is_fit(self) -> bool:
        """One caller looks, when it is time; the others go by what was seen last."""
        if time.monotonic() >= self._look_at and self._lock.acquire(blocking=False):
            try:
                self._look_at = time.monotonic() + LOOK_SECONDS
                self._look()
            finally:
                self._lock.release()
        return self._is_fit

    def rest(self, reason: str) -> None:
        """Leaves it alone for a while."""
        if self._is_fit:
            logger.warning("the standby is left alone for %.0f s: %s", REST_SECONDS, reason)
        self._is_fit = False
        self._look_at = time.monotonic() + REST_SECONDS
        connections[REPLICA].close()

    def _look(self) -> None:
        now = time.monotonic()
        try:
            self._written.append((now, _position(PRIMARY, _WRITTEN)))
        except _AWAY:
            connections[PRIMARY].close_if_unusable_or_obsolete()
            logger.warning("the primary does not answer: the standby's age is not known")
        try:
            behind = self._behind(now, _position(REPLICA, _REPLAYED))
        except _AWAY as error:
            self.rest(str(error))
            return
        instruments.standby_lag.set(behind)
        if behind > settings.REPLICA_LAG_SECONDS:
            self.rest(f"it is {behind:.1f} s behind")
        else:
            self._is_fit = True

    def _behind(self, now: float, replayed: int) -> float:
        """Seconds: since when the primary's log has been further than the standby's, as far as was seen."""
        further = [at for at, position in self._written if position > replayed]
        return now - further[0] if further else 0.0


def _position(alias: str, question: str) -> int:
    with connections[alias].cursor() as cursor:
        cursor.execute(question)
        row: tuple[Any, ...] | None = cursor.fetchone()
    if row is None or row[0] is None:
        raise OperationalError("it is no standby")
    return int(row[0])


standby = Standby()


class PrimaryRouter:
    """Everything is the primary's unless a read says otherwise; migrations run there alone."""

    def db_for_read(self, model: object, **hints: object) -> str:
        return PRIMARY

    def db_for_write(self, model: object, **hints: object) -> str:
        return PRIMARY

    def allow_relation(self, one: object, other: object, **hints: object) -> bool:
        return True  # the same rows, wherever they were read

    def allow_migrate(self, db: str, app_label: str, **hints: object) -> bool:
        return db == PRIMARY
