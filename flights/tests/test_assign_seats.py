"""Seat numbers: assigned, refused, raced for, freed."""

from __future__ import annotations

from functools import partial

import pytest

from flightbook.errors import Invalid, NotFound, SeatTaken
from flights.models import CabinLayout, Flight, SeatAssignment
from flights.seat_numbers import assign_seats, assigned_seats, release_seats
from flights.tests.factories import make_flight
from flights.tests.races import together


def assign(flight: Flight, holder: str, seats: dict[int, str], cabin: str = "economy") -> None:
    assign_seats(flight_pk=flight.pk, cabin=cabin, holder=holder, seats=seats)


@pytest.mark.django_db
def test_seats_are_held_and_freed() -> None:
    first, second = make_flight(), make_flight()
    assign(first, "bkg1", {0: "15B", 1: "15A"})
    assign(second, "bkg1", {1: "60F"})
    assign(second, "bkg2", {0: "15A"})

    assert assigned_seats(holders=["bkg1", "bkg2", "bkg3"]) == {
        "bkg1": [(first.pk, 0, "15B"), (first.pk, 1, "15A"), (second.pk, 1, "60F")],
        "bkg2": [(second.pk, 0, "15A")],
        "bkg3": [],
    }

    release_seats(holder="bkg1")
    assert assigned_seats(holders=["bkg1"]) == {"bkg1": []}
    assign(first, "bkg4", {0: "15A"})
    assert SeatAssignment.objects.filter(flight=first, seat="15A").count() == 2  # history stays


@pytest.mark.django_db
def test_a_taken_seat_changes_nothing_and_leaves_the_transaction_usable() -> None:
    flight = make_flight()
    assign(flight, "bkg1", {0: "20C"})

    with pytest.raises(SeatTaken) as caught:
        assign(flight, "bkg2", {0: "20B", 1: "20C"})

    assert caught.value.extra == {"flightId": flight.public_id, "seats": ["20C"]}
    assert assigned_seats(holders=["bkg2"]) == {"bkg2": []}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "seat",
    ["14A", "61A", "15G", "15", "A", "", "15a", "015A", "15AA", " 15A", "15A\n", "\uff11\uff15A", "-1A"],
)
def test_a_seat_that_the_cabin_does_not_have(seat: str) -> None:
    with pytest.raises(Invalid) as caught:
        assign(make_flight(), "bkg1", {0: seat})

    assert [error.code for error in caught.value.errors] == ["unknown_seat"]


@pytest.mark.django_db
def test_a_seat_of_another_cabin_a_cabin_without_rows_and_a_seat_twice() -> None:
    flight = make_flight(business=10)

    with pytest.raises(Invalid):
        assign(flight, "bkg1", {0: "15A"}, cabin="business")
    with pytest.raises(Invalid):
        assign(flight, "bkg1", {0: "15A", 1: "15A"})
    CabinLayout.objects.filter(cabin="economy").delete()
    with pytest.raises(Invalid):
        assign(flight, "bkg1", {0: "15A"})


@pytest.mark.django_db
def test_no_such_flight() -> None:
    with pytest.raises(NotFound):
        assign_seats(flight_pk=2**62, cabin="economy", holder="bkg1", seats={0: "15A"})


@pytest.mark.django_db(transaction=True)
def test_a_seat_is_given_once() -> None:
    flight = make_flight()

    # In two orders: without an order of locks among the seats they would deadlock.
    orders = [{0: "30A", 1: "30B"}, {0: "30B", 1: "30A"}]
    outcomes = together([partial(assign, flight, f"bkg{n}", orders[n % 2]) for n in range(8)])

    assert outcomes.count(None) == 1
    assert {type(outcome) for outcome in outcomes if outcome is not None} == {SeatTaken}
    assert SeatAssignment.objects.count() == 2
