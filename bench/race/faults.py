"""What goes wrong, and when: the controller's part while the load runs."""

from __future__ import annotations

import itertools
import os
import random
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg2

from bench.race.kill_points import HTTP, POINTS, WORKER, Armoury, KillPoint
from bench.race.servers import Servers

# Points that wait to be passed, at most: more would fire together and hide one another.
_ARMED = 6
_HASTEN = """
UPDATE bookings_booking SET payment_due_by = clock_timestamp() + interval '1 second'
 WHERE id IN (SELECT id FROM bookings_booking WHERE status = 'Held' AND payment_due_by > clock_timestamp()
               ORDER BY random() LIMIT 3)
"""


def _in_turns(points: Sequence[KillPoint]) -> list[KillPoint]:
    """One of the web's, one of the workers', and within each kind far from its neighbours in the code."""
    mixed = [*points[::3], *points[1::3], *points[2::3]]
    web, workers = ([point for point in mixed if point.process == kind] for kind in (HTTP, WORKER))
    pairs = itertools.zip_longest(web, workers)
    return [point for pair in pairs for point in pair if point is not None]


@dataclass
class Toll:
    """What was done to the servers."""

    postgresql: int = 0
    valkey: int = 0
    anywhere: int = 0
    workers_replaced: int = 0
    hastened: int = 0
    recoveries: list[float] = field(default_factory=list)
    unrecovered: int = 0


@dataclass
class Timer:
    """Due every `seconds`, first after as many."""

    seconds: float
    due: float = 0.0

    def is_due(self) -> bool:
        now = time.monotonic()
        if not self.due:
            self.due = now + self.seconds
        if now < self.due:
            return False
        self.due = now + self.seconds
        return True


class Faults:
    """One `step` is one look at the clock: kills what is due, starts again what has died.

    Points are armed in turn, so that each gets its chances; besides, any gunicorn process is killed wherever
    it happens to be.
    """

    def __init__(self, servers: Servers, *, arm_every: float, postgresql_every: float) -> None:
        self.servers, self.toll = servers, Toll()
        self.armoury = Armoury(servers.directory)
        self._points = itertools.cycle(_in_turns(POINTS))
        self._arming = Timer(arm_every)
        self._anywhere = Timer(arm_every * 7)
        self._postgresql = Timer(postgresql_every)
        self._valkey = Timer(postgresql_every * 2.3)
        self._hasten = Timer(1.0)

    def step(self) -> None:
        self.toll.workers_replaced += self.servers.replace_dead_workers()
        if self._arming.is_due():
            self._arm()
        if self._anywhere.is_due():
            self._kill_anywhere()
        if self._hasten.is_due():
            self._hasten_holds()
        if self._valkey.is_due():
            self.servers.valkey.kill_and_restart()
            self.toll.valkey += 1
        if self._postgresql.is_due():
            self._kill_postgresql()

    def _arm(self) -> None:
        if self.armoury.armed() < _ARMED:
            self.armoury.arm(next(point for point in self._points if not self.armoury.is_armed(point)))

    def _kill_anywhere(self) -> None:
        processes = self.servers.web_processes()
        if processes:
            with suppress(ProcessLookupError):
                os.kill(random.choice(processes), signal.SIGKILL)  # noqa: S311 - not a secret
                self.toll.anywhere += 1

    def _kill_postgresql(self) -> None:
        self.toll.recoveries.append(self.servers.postgresql.kill_and_restart())
        self.toll.postgresql += 1
        self.toll.unrecovered += not self.servers.postgresql.has_recovered()

    def _hasten_holds(self) -> None:
        """A hold's half hour is over within a second, for some: a fixture, by SQL."""
        with suppress(psycopg2.OperationalError):
            connection = self.servers.connect()
            try:
                with connection.cursor() as cursor:
                    cursor.execute(_HASTEN)
                    self.toll.hastened += cursor.rowcount
            finally:
                connection.close()
