"""POST /choose-seats, and what seats cost when they are chosen with the booking."""

from __future__ import annotations

from typing import Any

import pytest

from bookings.models import Booking, Charge, PaymentAttempt
from bookings.public import settle_payments
from bookings.tests.factories import Traveller, check_books, leases_over, overdue, passengers
from flights.models import Flight, SeatAssignment
from flights.tests.factories import make_flight, make_seat_zones

pytestmark = pytest.mark.django_db


@pytest.fixture
def traveller() -> Traveller:
    return Traveller()


@pytest.fixture
def flight() -> Flight:
    """Economy rows 15 to 30 cost something in ELIGHT."""
    flight = make_flight()
    make_seat_zones(flight)
    return flight


def held_seats(flight: Flight) -> dict[int, str]:
    rows = SeatAssignment.objects.filter(flight=flight, released_at=None)
    return dict(rows.values_list("passenger", "seat"))


def amounts(booking: Booking) -> list[Any]:
    booking.refresh_from_db()
    return [
        booking.total,
        *Charge.objects.filter(booking=booking).order_by("pk").values_list("amount", flat=True),
    ]


class TestWithTheBooking:
    def test_a_fare_without_seat_choice_pays_by_row(self, traveller: Traveller, flight: Flight) -> None:
        seats = [
            {"flightId": flight.public_id, "passenger": 0, "seat": "16A"},
            {"flightId": flight.public_id, "passenger": 1, "seat": "40A"},
        ]
        order: dict[str, Any] = {"fare": "ELIGHT", "passengers": passengers(2), "seats": seats}

        assert traveller.book(flight, **order, expectedPrice=200).json()["price"] == 230
        answer = traveller.book(flight, **order, expectedPrice=230)

        assert (answer.status_code, answer.json()["price"]) == (201, 230)
        [charge] = answer.json()["charges"]
        assert charge | {"kind": "seat", "amount": 30, "detail": "16A", "passenger": 0} == charge
        assert PaymentAttempt.objects.get().amount == 230
        check_books()

    def test_another_fare_does_not(self, traveller: Traveller, flight: Flight) -> None:
        seats = [{"flightId": flight.public_id, "passenger": 0, "seat": "16A"}]

        answer = traveller.book(flight, fare="ESTD", seats=seats)

        assert (answer.json()["price"], answer.json()["charges"]) == (125, [])


def test_chosen_later_it_is_paid_then(traveller: Traveller, flight: Flight) -> None:
    booking = traveller.booked(flight, fare="ELIGHT", passengers=passengers(2))

    answer = traveller.choose(booking, flight, {0: "15a", 1: "15B"}, expectedPrice=40)

    assert answer.status_code == 200, answer.content
    assert (answer.json()["amountPaid"], answer.json()["price"]) == (40, 240)
    assert answer.json()["flights"][0]["seats"] == [
        {"passenger": 0, "seat": "15A"},
        {"passenger": 1, "seat": "15B"},
    ]
    assert amounts(booking) == [240, 20, 20]
    assert booking.version == 2
    check_books()
    leases_over()
    settle_payments(limit=10)
    check_books()


def test_to_a_dearer_row_the_difference_and_a_cheaper_one_nothing(
    traveller: Traveller, flight: Flight
) -> None:
    booking = traveller.booked(flight, fare="ELIGHT")
    traveller.choose(booking, flight, {0: "15A"})

    assert traveller.choose(booking, flight, {0: "16A"}).json()["amountPaid"] == 10
    assert traveller.choose(booking, flight, {0: "17A"}).json()["amountPaid"] == 0
    assert traveller.choose(booking, flight, {0: "16B"}).json()["amountPaid"] == 0

    assert amounts(booking) == [130, 20, 10]
    assert held_seats(flight) == {0: "16B"}
    check_books()


def test_a_hold_owes_what_its_seats_cost(traveller: Traveller, flight: Flight) -> None:
    booking = traveller.held(flight, fare="ELIGHT")
    traveller.choose(booking, flight, {0: "16A"})
    assert amounts(booking) == [130, 30]

    traveller.choose(booking, flight, {0: "17A"})

    assert amounts(booking) == [110, 10]
    assert not PaymentAttempt.objects.exists()
    assert traveller.pay(booking).json()["price"] == 110
    check_books()


def test_neighbours_swap(traveller: Traveller, flight: Flight) -> None:
    booking = traveller.booked(flight, fare="ESTD", passengers=passengers(2))
    traveller.choose(booking, flight, {0: "15A", 1: "15B"})

    assert traveller.choose(booking, flight, {0: "15B", 1: "15A"}).status_code == 200
    assert held_seats(flight) == {0: "15B", 1: "15A"}


def test_what_they_have_already_is_no_change(traveller: Traveller, flight: Flight) -> None:
    booking = traveller.booked(flight, fare="ESTD")
    traveller.choose(booking, flight, {0: "15A"})

    assert traveller.choose(booking, flight, {0: "15A"}).status_code == 200
    booking.refresh_from_db()
    assert booking.version == 2


def test_a_seat_that_is_taken_changes_nothing_and_is_not_paid(traveller: Traveller, flight: Flight) -> None:
    other = Traveller()
    other.choose(other.booked(flight, fare="ESTD"), flight, {0: "15A"})
    booking = traveller.booked(flight, fare="ELIGHT", passengers=passengers(2))
    traveller.choose(booking, flight, {0: "20A"})

    answer = traveller.choose(booking, flight, {0: "15B", 1: "15A"})

    assert (answer.status_code, answer.json()["code"]) == (409, "seat_taken")
    assert (answer.json()["flightId"], answer.json()["seats"]) == (flight.public_id, ["15A"])
    assert SeatAssignment.objects.filter(holder=booking.public_id, released_at=None).get().seat == "20A"
    leases_over()
    settle_payments(limit=10)
    assert PaymentAttempt.objects.order_by("-pk")[0].state == "voided"
    check_books()


def test_what_is_not_valid(traveller: Traveller, flight: Flight) -> None:
    party = [*passengers(1), *passengers(1, type="infant")]
    booking = traveller.booked(flight, fare="ESTD", passengers=party)
    own, other = flight.public_id, make_flight().public_id
    wrong: list[tuple[list[tuple[str, int, str]], str]] = [
        ([(own, 5, "15A")], "/seats/0/passenger"),
        ([(own, 1, "15A")], "/seats/0/passenger"),  # the infant
        ([(other, 0, "15A")], "/seats/0/flightId"),
        ([(own, 0, "15A"), (own, 0, "15B")], "/seats/1"),
        ([(own, 0, "99A")], "/seats"),
        ([], "/seats"),
    ]
    for wishes, pointer in wrong:
        seats = [{"flightId": it, "passenger": index, "seat": seat} for it, index, seat in wishes]
        answer = traveller.post("/choose-seats", {"bookingId": booking.public_id, "seats": seats})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer), wishes
    assert held_seats(flight) == {}


def test_bookings_and_flights_that_take_no_more_seats(traveller: Traveller, flight: Flight) -> None:
    gone, late, left = traveller.booked(flight), traveller.held(flight), traveller.booked(flight)
    traveller.cancel(gone)
    overdue(late)
    Flight.objects.update(status="Departed")

    codes = [traveller.choose(it, flight, {0: "40A"}).json()["code"] for it in (gone, late, left)]

    assert codes == ["already_cancelled", "hold_expired", "flight_departed"]
