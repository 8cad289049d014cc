"""What laws on passengers' rights ask of a flight: where it leads, and when it was sold to leave."""

from __future__ import annotations

import datetime as dt

import pytest

from flightbook.errors import NotFound
from flights.geography import great_circle_km, route
from flights.models import FlightUpdate
from flights.operations import record_update
from flights.queries import schedules, updates_after
from flights.tests.factories import make_flight
from flights.types import Route

pytestmark = pytest.mark.django_db


def test_a_route() -> None:
    flight = make_flight(origin="JFK", destination="LHR")
    flight.airline.country = "GB"
    flight.airline.save()

    # The distance is well known: 5,540 km, https://www.airmilescalculator.com/distance/jfk-to-lhr/
    found = route(flight.pk)
    assert found == Route("US", "GB", "GB", found.kilometres)
    assert found.kilometres == pytest.approx(5540, abs=10)
    assert great_circle_km("JFK", "???") is None
    with pytest.raises(NotFound):
        route(2**62)


def test_every_schedule_that_was_sold() -> None:
    flight = make_flight()
    sold = flight.scheduled_departure, flight.scheduled_arrival
    hour = dt.timedelta(hours=1)
    record_update(flight_pk=flight.pk, status="Delayed", delay_minutes=30, source="test")
    record_update(flight_pk=flight.pk, status="Delayed", departure=sold[0] + hour, source="test")

    first, last = schedules(flight.pk)

    moved = FlightUpdate.objects.get(sequence=2)
    assert (first.until, first.departure, first.arrival) == (moved.recorded_at, *sold)
    assert (last.until, last.departure, last.arrival) == (None, sold[0] + hour, sold[1] + hour)
    rescheduled = [update.is_rescheduled for update in updates_after(flight_pk=flight.pk, sequence=0)]
    assert rescheduled == [False, True]
    with pytest.raises(NotFound):
        schedules(2**62)
