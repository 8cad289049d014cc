"""Ticket numbers: their form, one a traveller for up to four flights, drawn when the booking is paid."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from bookings.models import Booking, Coupon
from bookings.tests.factories import Traveller, check_books, passengers
from bookings.tickets import number_tickets, tickets_needed
from flights.tests.factories import make_flight

pytestmark = pytest.mark.django_db


def coupons(booking: Booking) -> Iterable[Coupon]:
    rows = Coupon.objects.filter(segment__booking=booking)
    return rows.order_by("passenger__position", "segment__position")


def test_the_numbers() -> None:
    (first, *_, fourth, fifth), (other, *_) = number_tickets(
        "001", [2400000000, 2400000001, 2400000002, 2400000003], passengers=2, flights=5
    )

    assert [tickets_needed(flights) for flights in (1, 4, 5, 6)] == [1, 1, 2, 2]
    assert (first.number, first.coupon, first.check_digit) == ("0012400000000", 1, 2400000000 % 7)
    assert (fourth.number, fourth.coupon) == ("0012400000000", 4)
    assert (fifth.number, fifth.coupon, fifth.check_digit) == ("0012400000001", 1, 2400000001 % 7)
    assert other.number == "0012400000002"


def test_five_flights_are_two_tickets_each() -> None:
    traveller = Traveller()
    people = passengers(2, type="infant")
    booking = traveller.booked(*(make_flight() for _ in range(5)), passengers=people)

    numbers = [(row.ticket_number, row.coupon_number) for row in coupons(booking)]
    assert [place for _, place in numbers] == [1, 2, 3, 4, 1] * 2
    assert len({number for number, _ in numbers}) == 4
    check_books()


def test_a_hold_has_none_until_it_is_paid() -> None:
    traveller = Traveller()
    booking = traveller.held(make_flight(), make_flight(), passengers=passengers(2))
    assert {row.ticket_number for row in coupons(booking)} == {""}

    answer = traveller.pay(booking)

    rows = list(coupons(booking))
    assert [row.coupon_number for row in rows] == [1, 2, 1, 2]
    assert len({row.ticket_number for row in rows}) == 2
    assert shown(answer.json()) == {row.ticket_number for row in rows}
    assert shown(traveller.booking(booking).json()) == shown(answer.json())
    check_books()


def test_the_sale_answers_with_them() -> None:
    traveller = Traveller()
    flight = make_flight()
    answer = traveller.book(flight).json()

    [number] = shown(answer)
    assert number.startswith(flight.airline.ticketing_code)
    assert len(number) == 13


def shown(body: Any) -> set[str]:
    return {coupon["ticketNumber"] for flight in body["flights"] for coupon in flight["coupons"]}
