"""What the database refuses, by the constraint's name."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from flightbook.errors import constraint_name
from flights.models import (
    Airport,
    CabinInventory,
    CabinLayout,
    DisplacedSeat,
    FareFamily,
    Feed,
    FeedConsumer,
    Flight,
    FlightUpdate,
    SeatAssignment,
)
from flights.tests.factories import make_flight

pytestmark = pytest.mark.django_db


def seat(flight: Flight, **fields: Any) -> SeatAssignment:
    values = {"seat": "15A", "cabin": "economy", "holder": "bkg1", "passenger": 0} | fields
    return SeatAssignment.objects.create(flight=flight, **values)


def displaced(flight: Flight, **fields: Any) -> DisplacedSeat:
    values = {"seat": "15A", "cabin": "economy", "holder": "bkg1", "passenger": 0} | fields
    return DisplacedSeat.objects.create(flight=flight, **values)


def update(flight: Flight, **fields: Any) -> FlightUpdate:
    values = {
        "sequence": 1,
        "status": "Delayed",
        "scheduled_departure": flight.scheduled_departure,
        "scheduled_arrival": flight.scheduled_arrival,
        "occurred_at": dt.datetime.now(dt.UTC),
        "source": "test",
    } | fields
    return FlightUpdate.objects.create(flight=flight, **values)


def twice(make: Callable[..., Any], first: dict[str, Any], second: dict[str, Any]) -> Callable[[Flight], Any]:
    return lambda flight: (make(flight, **first), make(flight, **second))


def feed(flight: Flight) -> Feed:
    consumer, _ = FeedConsumer.objects.get_or_create(name="relay")
    return Feed.objects.create(consumer=consumer, flight=flight)


def same_flight(flight: Flight) -> Flight:
    flight.pk = None
    flight._state.adding = True
    flight.save()
    return flight


def rows(model: type[Any], **change: Any) -> Callable[[Flight], Any]:
    return lambda flight: model.objects.update(**change)


FORBIDDEN: dict[str, Callable[[Flight], Any]] = {
    "airport_iata_form": lambda flight: Airport.objects.create(iata="jfk", city="x", country="US"),
    "cabin_layout_unique": lambda flight: CabinLayout.objects.create(
        aircraft_type=flight.aircraft_type, cabin="economy", first_row=1, last_row=2, letters="AB"
    ),
    "cabin_layout_rows": rows(CabinLayout, last_row=0),
    "fare_family_multiplier_positive": rows(FareFamily, multiplier=0),
    "fare_family_protected_share": rows(FareFamily, protected_share=1),
    "fare_family_change_fee": rows(FareFamily, change_fee=-1),
    "flight_unique": same_flight,
    "flight_arrives_after_departure": rows(Flight, scheduled_arrival=dt.datetime(2000, 1, 1, tzinfo=dt.UTC)),
    "flight_status_known": rows(Flight, status="Sleeping"),
    "inventory_unique": lambda flight: CabinInventory.objects.create(
        flight=flight,
        cabin="economy",
        capacity=1,
        available=1,
        base_price=Decimal(1),
        currency="USD",
        closes_at=flight.scheduled_departure,
    ),
    "inventory_never_oversold": rows(CabinInventory, available=-1),
    "inventory_within_capacity": rows(CabinInventory, available=101),
    "inventory_excess_sells_nothing": rows(CabinInventory, excess=1),
    "displaced_once": twice(displaced, {}, {"seat": "15B"}),
    "displaced_settled_somehow": lambda flight: displaced(flight, how="agreed"),
    "inventory_price_positive": rows(CabinInventory, base_price=0),
    "seat_held_once": twice(seat, {}, {"holder": "bkg2"}),
    "seat_one_per_passenger": twice(seat, {}, {"seat": "15B"}),
    "update_sequence_unique": twice(update, {}, {}),
    "update_report_once": twice(update, {"report_id": "r"}, {"report_id": "r", "sequence": 2}),
    "update_sequence_positive": lambda flight: update(flight, sequence=0),
    "feed_unique": lambda flight: (feed(flight), feed(flight)),
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_refused(name: str) -> None:
    flight = make_flight()

    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        FORBIDDEN[name](flight)

    assert constraint_name(caught.value) == name


def test_no_named_constraint_is_left_out() -> None:
    models = (Airport, CabinLayout, FareFamily, Flight, FlightUpdate, Feed)
    scarce = (CabinInventory, SeatAssignment, DisplacedSeat)

    named = {constraint.name for model in (*models, *scarce) for constraint in model._meta.constraints}
    assert named == set(FORBIDDEN)


def test_a_sold_counter_is_updated_in_place() -> None:
    """HOT: no index covers what a sale changes, and the page has room for the next version."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 'flights_cabininventory'")
        assert not [index for (index,) in cursor.fetchall() if "available" in index]
        cursor.execute("SELECT reloptions FROM pg_class WHERE relname = 'flights_cabininventory'")
        assert cursor.fetchone()[0] == ["fillfactor=60"]
