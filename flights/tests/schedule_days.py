"""Days of the real schedule for the tests of a module, loaded once and rolled back with it.

A day of 2013 is played on itself, so that what was really flown can be looked up.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from pytest_django import DjangoDbBlocker

from flights.importers import statements
from flights.importers.schedule import load_days
from flights.models import Flight


@contextmanager
def loaded(blocker: DjangoDbBlocker, *days: dt.date) -> Iterator[None]:
    """`days` loaded inside a transaction that is rolled back at the end, for a module whose tests are marked
    ``django_db``: without the mark there is no test database, and this would be the real one."""
    with blocker.unblock(), transaction.atomic():
        assert connection.settings_dict["NAME"].startswith("test_")
        for day in days:
            load_days(first=day, days=1)
        # The deferred foreign keys of all rows once, here, and not again at the end of every test.
        connection.check_constraints()
        with connection.cursor() as cursor:  # else the planner takes the tables for empty ones
            cursor.execute(statements.ANALYZE)
        yield
        transaction.set_rollback(True)


def flight(day: str, designator: str, route: str) -> Flight:
    """The flight of ``"B6 701"`` on ``"JFK-SJU"`` that leaves on `day` (ISO 8601)."""
    airline, number = designator.split()
    origin, destination = route.split("-")
    return Flight.objects.select_related("origin", "destination").get(
        departure_date=day, airline=airline, number=int(number), origin=origin, destination=destination
    )


def departs(flight: Flight) -> str:
    """The clock at the origin: ``2013-01-08 21:30``."""
    return f"{flight.scheduled_departure.astimezone(ZoneInfo(flight.origin.time_zone)):%F %R}"


def arrives(flight: Flight) -> str:
    """The clock at the destination."""
    return f"{flight.scheduled_arrival.astimezone(ZoneInfo(flight.destination.time_zone)):%F %R}"
