"""Lays the source's year over coming days: flights out of New York, their derived ways back, their seats and
prices."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.utils import timezone

from flights.importers import statements
from flights.importers.prices import CURRENCY, price_rules
from flights.importers.reference import load_reference
from flights.importers.source import (
    SourceFlight,
    SourceSchedule,
    default_aircraft,
    local_departure,
    routes,
    source_day,
)
from flights.models import ScheduleDay

HOME_ZONE = ZoneInfo("America/New_York")
ONE_DAY = timedelta(days=1)
# Sale ends before departure, as check-in does: 45 minutes is the US airlines' usual limit for checked bags.
CLOSES_BEFORE = timedelta(minutes=45)
RED_EYE_MILES = 1500
# Turnaround by how far the aircraft has come, in miles: unloading, cleaning, fuel, boarding.
TURNAROUNDS = ((500, timedelta(minutes=45)), (1500, timedelta(minutes=60)), (10_000, timedelta(minutes=90)))
# From here on the planner's statistics are worth renewing at once.
ANALYZE_FROM_DAYS = 7


@dataclass(frozen=True)
class LoadResult:
    """What a load added. `skipped_days` were loaded before."""

    days: int = 0
    skipped_days: int = 0
    flights: int = 0
    inventory: int = 0

    def plus(self, other: LoadResult) -> LoadResult:
        return LoadResult(
            self.days + other.days,
            self.skipped_days + other.skipped_days,
            self.flights + other.flights,
            self.inventory + other.inventory,
        )


Progress = Callable[[LoadResult], None]


def today() -> date:
    """The day in New York, where the schedule is at home."""
    return timezone.now().astimezone(HOME_ZONE).date()


def has_schedule() -> bool:
    """Whether this schedule was ever loaded; an airline that enters its own flights has none of it."""
    return ScheduleDay.objects.exists()


def extend_schedule(*, days: int) -> int:
    """Keeps `days` days loaded, today's included; the number of flights added. For a worker to call daily."""
    return load_days(first=today(), days=days).flights


def load_days(*, first: date, days: int, progress: Progress | None = None, lanes: int = 1) -> LoadResult:
    """Loads `days` days of schedule from `first` on (days at the airport of departure), each in its own
    transaction.

    A day is loaded once: one that was loaded before is skipped, whatever has become of its flights, so that
    loading again changes nothing. Flights that a hand has entered under the same natural key stay as they
    are. `progress` is told the sum after each day. With `lanes` above 1 that many threads with a connection
    each share the days out.
    """
    load_reference()
    wanted = [first + timedelta(days=n) for n in range(days)]
    # A way back may leave the day after: the day before the first one is needed as well.
    source = SourceSchedule.read(source_day(day) for day in [first - ONE_DAY, *wanted])
    total = _Sum(progress)
    load = partial(_load_day, staged=lru_cache(maxsize=16)(partial(_staged, source)))
    if lanes == 1:
        for day in wanted:
            total.add(load(day))
    else:
        _load_in_lanes([wanted[lane::lanes] for lane in range(lanes)], load, total)
    if total.result.days >= ANALYZE_FROM_DAYS:
        with connection.cursor() as cursor:
            cursor.execute(statements.ANALYZE)
    return total.result


class _Sum:
    """What all lanes have added so far."""

    def __init__(self, progress: Progress | None) -> None:
        self.result = LoadResult()
        self._progress = progress
        self._lock = threading.Lock()

    def add(self, part: LoadResult) -> None:
        with self._lock:
            self.result = self.result.plus(part)
            if self._progress:
                self._progress(self.result)


def _load_in_lanes(lanes: list[list[date]], load: Callable[[date], LoadResult], total: _Sum) -> None:
    """One error, or an interrupt, ends all lanes after the day that each is at."""
    stop = threading.Event()

    def run(days: list[date]) -> None:
        try:
            for day in days:
                if stop.is_set():
                    return
                total.add(load(day))
        except BaseException:
            stop.set()
            raise
        finally:
            connection.close()

    with ThreadPoolExecutor(len(lanes)) as pool:
        try:
            for lane in [pool.submit(run, days) for days in lanes]:
                lane.result()
        except BaseException:
            stop.set()
            raise


@transaction.atomic
def _load_day(day: date, *, staged: Callable[[date], str]) -> LoadResult:
    with connection.cursor() as cursor:
        cursor.execute(statements.CLAIM_DAY, [day, source_day(day)])
        if cursor.fetchone() is None:
            return LoadResult(skipped_days=1)
        cursor.execute(statements.CREATE_STAGING)
        cursor.copy_expert(statements.COPY_STAGING, io.StringIO(staged(day - ONE_DAY) + staged(day)))
        cursor.execute(statements.SET_PLAN)
        cursor.execute(statements.INSERT_DAY, _parameters(day))
        flights, inventory = cursor.fetchone()
        cursor.execute(statements.RESET_PLAN)
    return LoadResult(days=1, flights=flights, inventory=inventory)


def _parameters(day: date) -> dict[str, Any]:
    rules = price_rules()
    return {
        "day": day,
        "weekdays": rules.series("weekday", range(1, 8)),
        "months": rules.series("month", range(1, 13)),
        "hours": rules.series("hour", range(24)),
        "cabins": list(rules.cabins.keys()),
        "factors": list(rules.cabins.values()),
        "currency": CURRENCY,
        "closes_before": CLOSES_BEFORE,
    }


StagedLeg = tuple[
    str, int, str, str, datetime, timedelta, timedelta, timedelta, bool, str, Decimal, date
]  # the columns of schedule_staging


def _staged(source: SourceSchedule, day: date) -> str:
    """The staging rows, as CSV, of a day's flights out of New York."""
    of_day = source_day(day)
    file = io.StringIO()
    csv.writer(file).writerows(_leg(flight, day, of_day) for flight in source.flights(of_day))
    return file.getvalue()


def _leg(flight: SourceFlight, day: date, of_day: date) -> StagedLeg:
    route = routes()[flight.origin, flight.destination]
    westward = timedelta(minutes=route.westward_minutes)
    return (
        flight.airline,
        flight.number,
        flight.origin,
        flight.destination,
        local_departure(flight, day),
        flight.block,
        flight.block - westward,
        turnaround(route.miles),
        route.miles >= RED_EYE_MILES and westward > timedelta(0),
        flight.aircraft or default_aircraft(flight.airline, route.miles),
        price_rules().route_price(flight.airline, route.miles),
        of_day,
    )


def turnaround(miles: int) -> timedelta:
    """How long an aircraft that has come `miles` stands before it goes back."""
    return next(rest for reach, rest in TURNAROUNDS if miles < reach)
