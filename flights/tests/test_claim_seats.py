"""Seat counters: claims, returns, the race for the last seat and its control."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F

from flightbook.errors import (
    FlightCancelled,
    FlightDeparted,
    NotFound,
    PriceChanged,
    Problem,
    SoldOut,
    constraint_name,
)
from flights import operations, seat_inventory
from flights.models import CabinInventory, FareFamily, Flight
from flights.tests.factories import make_flight
from flights.tests.races import in_background, together, wait_for_a_lock
from flights.types import SeatClaim

LIGHT, STANDARD, FLEX = Decimal("100.00"), Decimal("125.00"), Decimal("160.00")


def claim(flight: Flight, *, seats: int = 1, fare: str = "EFLEX", price: Decimal = FLEX) -> None:
    with transaction.atomic():
        seat_inventory.claim_seats([SeatClaim(flight.pk, "economy", fare, seats, price)])


def available(flight: Flight, cabin: str = "economy") -> int:
    return CabinInventory.objects.get(flight=flight, cabin=cabin).available


def refusal(flight: Flight, kind: type[Problem], **how: object) -> Problem:
    before = available(flight)
    with pytest.raises(kind) as caught:
        claim(flight, **how)  # type: ignore[arg-type]
    assert available(flight) == before
    assert caught.value.extra["flightId"] == flight.public_id
    return caught.value


@pytest.mark.django_db
class TestClaim:
    def test_takes_the_seats(self) -> None:
        flight = make_flight(economy=10)

        claim(flight, seats=3)

        assert available(flight) == 7

    def test_nested_limits(self) -> None:
        flight = make_flight(economy=10)  # 2 are kept from ELIGHT, 1 from ESTD

        claim(flight, seats=8, fare="ELIGHT", price=LIGHT)
        refusal(flight, SoldOut, fare="ELIGHT", price=LIGHT)
        claim(flight, fare="ESTD", price=STANDARD)
        refusal(flight, SoldOut, fare="ESTD", price=STANDARD)
        claim(flight)
        refusal(flight, SoldOut)
        assert available(flight) == 0

    def test_a_party_too_large(self) -> None:
        refusal(make_flight(economy=3), SoldOut, seats=4)

    def test_another_price(self) -> None:
        flight = make_flight()

        assert refusal(flight, PriceChanged, price=Decimal("159.99")).extra["price"] == FLEX
        CabinInventory.objects.update(base_price=Decimal("110.00"))
        assert refusal(flight, PriceChanged).extra["price"] == Decimal("176.00")

    def test_a_price_is_rounded_half_up(self) -> None:
        flight = make_flight(base_price=Decimal("99.99"))

        claim(flight, fare="ESTD", price=Decimal("124.99"))

    def test_a_closed_fare(self) -> None:
        flight = make_flight()
        FareFamily.objects.filter(code="EFLEX").update(is_open=False)

        refusal(flight, SoldOut)

    def test_a_fare_of_another_cabin(self) -> None:
        refusal(make_flight(business=10), SoldOut, fare="BFLEX", price=Decimal("520.00"))

    def test_a_cancelled_flight(self) -> None:
        flight = make_flight()
        operations.record_update(flight_pk=flight.pk, status="Cancelled", source="test")

        refusal(flight, FlightCancelled)

    def test_a_departed_flight(self) -> None:
        flight = make_flight()
        operations.record_update(flight_pk=flight.pk, status="Departed", source="test")

        refusal(flight, FlightDeparted)

    def test_a_flight_whose_sale_is_over_by_the_databases_clock(self) -> None:
        now = dt.datetime.now(dt.UTC)
        refusal(make_flight(closes_at=now - dt.timedelta(seconds=1)), FlightDeparted)

    def test_no_such_flight(self) -> None:
        make_flight()
        with pytest.raises(NotFound):
            seat_inventory.claim_seats([SeatClaim(2**62, "economy", "EFLEX", 1, FLEX)])

    def test_no_seats(self) -> None:
        with pytest.raises(ValueError, match="at least one"):
            claim(make_flight(), seats=0)

    def test_several_flights_all_or_none(self) -> None:
        plenty, scarce = make_flight(), make_flight(economy=1)
        claims = [SeatClaim(flight.pk, "economy", "EFLEX", 2, FLEX) for flight in (scarce, plenty)]

        with pytest.raises(SoldOut) as caught, transaction.atomic():
            seat_inventory.claim_seats(claims)

        assert caught.value.extra["flightId"] == scarce.public_id
        assert (available(plenty), available(scarce)) == (100, 1)


@pytest.mark.django_db(transaction=True)
def test_outside_of_a_transaction_nothing_is_claimed() -> None:
    flight = make_flight()

    with pytest.raises(transaction.TransactionManagementError):
        seat_inventory.claim_seats([SeatClaim(flight.pk, "economy", "EFLEX", 1, FLEX)])

    assert available(flight) == 100


@pytest.mark.django_db
class TestReturn:
    def test_gives_back(self) -> None:
        flight = make_flight(economy=10)
        claim(flight, seats=4)

        seat_inventory.return_seats(flight_pk=flight.pk, cabin="economy", seats=3)

        assert available(flight) == 9

    def test_never_more_than_there_are(self) -> None:
        flight = make_flight(economy=10)
        claim(flight, seats=1)

        with pytest.raises(IntegrityError) as caught, transaction.atomic():
            seat_inventory.return_seats(flight_pk=flight.pk, cabin="economy", seats=2)

        assert constraint_name(caught.value) == "inventory_within_capacity"

    def test_no_such_cabin(self) -> None:
        with pytest.raises(CabinInventory.DoesNotExist):
            seat_inventory.return_seats(flight_pk=make_flight().pk, cabin="first", seats=1)


@pytest.mark.django_db
def test_offers() -> None:
    flight = make_flight(economy=10, business=5)
    CabinInventory.objects.filter(flight=flight, cabin="economy").update(available=1)
    FareFamily.objects.filter(code="BSTD").update(is_open=False)

    offers = seat_inventory.fare_offers(flight_pk=flight.pk)

    assert [(offer.code, offer.price, offer.seats_left) for offer in offers] == [
        ("ELIGHT", LIGHT, 0),
        ("ESTD", STANDARD, 0),
        ("EFLEX", FLEX, 1),
        ("BFLEX", Decimal("520.00"), 5),
    ]
    assert seat_inventory.fare_offers(flight_pk=flight.pk, cabin="business") == offers[3:]


# --- The race for the last seat, and what it does with the guard off ------------------------------

RIVALS = 8


@pytest.mark.django_db(transaction=True)
def test_the_last_seat_is_sold_once() -> None:
    flight = make_flight(economy=3)

    outcomes = together([lambda: claim(flight)] * RIVALS)

    assert [outcome for outcome in outcomes if outcome is None] == [None] * 3
    assert {type(outcome) for outcome in outcomes if outcome is not None} == {SoldOut}
    assert available(flight) == 0


@pytest.mark.django_db(transaction=True)
def test_control_without_guard_and_check_the_same_race_oversells() -> None:
    flight = make_flight(economy=3)

    with no_check():
        outcomes = together([read_then_write(flight)] * RIVALS)
        assert outcomes == ["sold"] * RIVALS
        assert available(flight) == 3 - RIVALS
        CabinInventory.objects.filter(flight=flight).update(available=0)


@pytest.mark.django_db(transaction=True)
def test_control_without_guard_the_check_stands() -> None:
    flight = make_flight(economy=3)

    outcomes = together([read_then_write(flight)] * RIVALS)

    assert sorted(outcomes) == ["inventory_never_oversold"] * (RIVALS - 3) + ["sold"] * 3
    assert available(flight) == 0


def read_then_write(flight: Flight) -> Callable[[], str | None]:
    """The sale as it is not done: it looks first, and decides by what it saw."""
    all_have_read = threading.Barrier(RIVALS)

    def sell() -> str | None:
        rows = CabinInventory.objects.filter(flight=flight, cabin="economy")
        assert rows.get().available >= 1
        all_have_read.wait(timeout=30)
        try:
            rows.update(available=F("available") - 1)
        except IntegrityError as error:
            return constraint_name(error)
        return "sold"

    return sell


@contextmanager
def no_check() -> Iterator[None]:
    table = "ALTER TABLE flights_cabininventory"
    with connection.cursor() as cursor:
        cursor.execute(f"{table} DROP CONSTRAINT inventory_never_oversold")
        try:
            yield
        finally:
            CabinInventory.objects.filter(available__lt=0).update(available=0)
            cursor.execute(f"{table} ADD CONSTRAINT inventory_never_oversold CHECK (available >= 0)")


@pytest.mark.django_db(transaction=True)
def test_a_cancellation_lets_no_claim_slip_in_after() -> None:
    flight = make_flight()

    with transaction.atomic():
        operations.record_update(flight_pk=flight.pk, status="Cancelled", source="test")
        outcome = in_background(lambda: claim(flight))
        wait_for_a_lock()

    assert isinstance(outcome(), FlightCancelled)
    assert available(flight) == 100
