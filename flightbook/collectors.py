"""What a scrape reads from the database: work that waits, what was sold, the audit, the connections.

None of it while the database is away; what scans a table is read once a minute by a process.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from django.db import DatabaseError, InterfaceError, connection
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bookings import public as bookings
from flightbook.audit_runs import last_run
from flightbook.backlog import Queue, queues
from flights import public as flights

logger = logging.getLogger(__name__)
T = TypeVar("T")
STOCK_SECONDS = 60.0
# Checks of the auditor that speak of more sold than there is.
SEAT_CHECKS = ("bookings.seats_sold_once", "flights.counter_in_bounds", "flights.seat_held_once")

_CONNECTIONS = """
SELECT coalesce(state, 'unknown'), count(*) FROM pg_stat_activity
 WHERE datname = current_database() AND backend_type = 'client backend' GROUP BY 1
"""
_ROOM = (
    "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
)


class Remembered(Generic[T]):
    """What `read` found, for so many seconds; asked again, in between, it answers the same."""

    def __init__(self, read: Callable[[], T], seconds: float) -> None:
        self._read, self._seconds = read, seconds
        self._until = 0.0
        self._found: T | None = None

    def __call__(self) -> T:
        if self._found is None or time.monotonic() >= self._until:
            self._found, self._until = self._read(), time.monotonic() + self._seconds
        return self._found

    def forget(self) -> None:
        self._found = None


bookings_by_status = Remembered(bookings.bookings_by_status, STOCK_SECONDS)
seats_on_sale = Remembered(flights.seats_on_sale, STOCK_SECONDS)


class DatabaseCollector(Collector):
    """Everything, or `flightbook_database_up` 0 alone."""

    def collect(self) -> Iterator[Metric]:
        found = self._read()
        up = GaugeMetricFamily("flightbook_database_up", "1 where the database answered this scrape.")
        up.add_metric([], 0 if found is None else 1)
        yield up
        yield from found or ()

    def describe(self) -> list[Metric]:
        return []  # registering must not ask the database

    def _read(self) -> list[Metric] | None:
        waiting = queues()
        if waiting is None:
            return None
        try:
            return [*_backlog(waiting), *_audit(), *_sold(), *_connections()]
        except (DatabaseError, InterfaceError):
            logger.warning("metrics: the database does not answer")
            return None


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"flightbook_{name}", text, labels=labels)


def _backlog(found: list[Queue]) -> Iterator[Metric]:
    waiting = _gauge("backlog", "Rows that wait for a worker.", "queue")
    oldest = _gauge("backlog_oldest_seconds", "Since when the oldest of them waits.", "queue")
    for queue in found:
        waiting.add_metric([queue.name], queue.waiting)
        if queue.oldest_seconds is not None:
            oldest.add_metric([queue.name], queue.oldest_seconds)
    yield from (waiting, oldest)


def _audit() -> Iterator[Metric]:
    """Of the newest run that is finished; nothing before the first."""
    run = last_run()
    if run is None:
        return
    values = {
        "audit_age_seconds": ("Since the auditor's last run ended.", run.seconds_ago),
        "audit_duration_seconds": ("How long it took.", run.duration),
        "audit_failed": ("1 where it could not be run to its end.", float(run.violations is None)),
    }
    for name, (text, value) in values.items():
        gauge = _gauge(name, text)
        gauge.add_metric([], value)
        yield gauge
    if run.violations is None:
        return
    broken = _gauge("audit_violations", "Rows that break an invariant.", "check")
    for check, count in run.violations.items():
        broken.add_metric([check], count)
    oversold = _gauge("oversold", "Cabins and seats sold beyond what there is, by the last audit.")
    oversold.add_metric([], sum(run.violations.get(check, 0) for check in SEAT_CHECKS))
    yield from (broken, oversold)


def _sold() -> Iterator[Metric]:
    counted = _gauge("bookings", "Bookings there are.", "status")
    for status, count in bookings_by_status().items():
        counted.add_metric([status], count)
    names = ("seats_limit", "seats_available", "seats_excess")
    texts = ("Seats that may be sold.", "Seats left to sell.", "Seats sold beyond a changed aircraft's.")
    seats = [_gauge(name, f"{text} Open flights.", "cabin") for name, text in zip(names, texts, strict=True)]
    for cabin, values in seats_on_sale().items():
        for gauge, value in zip(seats, values, strict=True):
            gauge.add_metric([cabin], float(value))
    yield from (counted, *seats)


def _connections() -> Iterator[Metric]:
    """Of the whole database, whoever is asked; the application's limit is the sum over all replicas."""
    taken = _gauge("database_connections", "Connections to this database.", "state")
    room = _gauge("database_connections_max", "How many PostgreSQL lets in.")
    with connection.cursor() as cursor:
        cursor.execute(_CONNECTIONS)
        for state, count in cursor.fetchall():
            taken.add_metric([state], count)
        cursor.execute(_ROOM)
        room.add_metric([], cursor.fetchone()[0])
    yield from (taken, room)
