"""The schedule's import over several connections: needs commits."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from flights.importers import schedule
from flights.importers.schedule import LoadResult, load_days
from flights.models import CabinInventory, Flight, ScheduleDay

pytestmark = pytest.mark.django_db(transaction=True)

FIRST = dt.date(2025, 6, 5)


def test_lanes_share_the_days_and_load_each_once() -> None:
    sums: list[LoadResult] = []
    result = load_days(first=FIRST, days=4, lanes=2, progress=sums.append)
    assert sums[-1] == result
    assert [part.days for part in sums] == [1, 2, 3, 4]
    assert result.flights == Flight.objects.count()
    assert result.inventory == CabinInventory.objects.count()
    assert load_days(first=FIRST, days=4, lanes=2) == LoadResult(skipped_days=4)


def test_two_loaders_at_once_load_a_day_once() -> None:
    def load(_: int) -> LoadResult:
        try:
            return load_days(first=FIRST, days=2)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(load, range(2)))
    assert sum(result.days for result in results) == 2
    assert sum(result.flights for result in results) == Flight.objects.count()


def test_an_error_ends_all_lanes_and_leaves_whole_days(monkeypatch: pytest.MonkeyPatch) -> None:
    real = schedule._leg

    def fails_on_the_third(flight: object, day: dt.date, of_day: dt.date) -> object:
        if day == FIRST + dt.timedelta(days=2):
            raise RuntimeError("the third day")
        return real(flight, day, of_day)  # type: ignore[arg-type]

    monkeypatch.setattr(schedule, "_leg", fails_on_the_third)
    with pytest.raises(RuntimeError, match="the third day"):
        load_days(first=FIRST, days=20, lanes=2)
    days = set(ScheduleDay.objects.values_list("day", flat=True))
    assert len(days) < 4
    assert set(Flight.objects.values_list("departure_date", flat=True)) == days
