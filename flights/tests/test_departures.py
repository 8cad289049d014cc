"""What a departure board shows of the flights."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from flights.models import Flight
from flights.public import airlines, departures, origins
from flights.tests.factories import make_flight

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)


def departing(minutes: int, **fields: Any) -> Flight:
    late = fields.pop("late", None)
    start = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes)
    if late is not None:
        fields["estimated_departure"] = start + dt.timedelta(minutes=late)
    return make_flight(departure=start, economy=0, **fields)


def found(**criteria: Any) -> list[int]:
    return [flight.pk for flight in departures(**({"airport": "JFK"} | criteria))]


def test_in_the_order_of_the_schedule() -> None:
    rows = [departing(minutes) for minutes in (300, 5, 60)]
    delayed = departing(10, late=200)
    assert found() == [rows[1].pk, delayed.pk, rows[2].pk, rows[0].pk]
    assert found(limit=2) == [rows[1].pk, delayed.pk]


def test_what_has_left_goes_after_a_while_and_by_its_estimate() -> None:
    just_left = departing(-9)
    departing(-11)
    still_here = departing(-26 * 60, late=26 * 60 - 5)
    departing(20, late=-40)
    assert found() == [still_here.pk, just_left.pk]


def test_a_day_ahead() -> None:
    departing(24 * 60 + 1)
    inside = departing(24 * 60 - 1)
    assert found() == [inside.pk]


def test_one_airport_and_one_airline() -> None:
    here, other = departing(60), departing(60, airline="DL")
    departing(60, origin="LGA")
    assert found() == [here.pk, other.pk]
    assert found(airline="DL") == [other.pk]
    assert found(airport="XXX") == []


@pytest.mark.parametrize("origin", ["HNL", "SYD"])
def test_at_the_ends_of_the_day(origin: str) -> None:
    """Whatever the day is there, ten hours behind UTC or eleven before it."""
    rows = [departing(minutes, origin=origin) for minutes in (1, 12 * 60, 23 * 60)]
    assert found(airport=origin) == [row.pk for row in rows]


def test_one_query() -> None:
    for minutes in (10, 20, 30):
        departing(minutes)
    with CaptureQueriesContext(connection) as queries:
        assert len(departures(airport="JFK")) == 3
    assert len(queries) == 1


def test_origins_are_the_airports_that_flights_leave() -> None:
    assert origins() == {}
    departing(60, origin="SFO", destination="LAX")
    departing(60, origin="JFK", destination="SEA")
    departing(90, origin="JFK", destination="SEA")
    found = origins()
    assert list(found) == ["JFK", "SFO"]
    assert (found["JFK"].city, found["JFK"].time_zone) == ("New York", "America/New_York")


def test_airlines_by_name() -> None:
    for code in ("UA", "DL", "AA"):
        departing(60, airline=code)
    assert list(airlines().values()) == ["American Airlines", "Delta Air Lines", "United Airlines"]
