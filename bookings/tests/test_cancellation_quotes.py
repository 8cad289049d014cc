"""`POST /cancellation-quotes`, and `POST /cancel-booking` on a quote's terms."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db.models.functions import Now
from django.utils.dateparse import parse_datetime

from bookings.models import Booking, Charge, Quote, Refund
from bookings.public import purge_quotes, settle_payments
from bookings.tests.factories import Traveller, available, check_books, passengers
from flights.public import record_update
from flights.tests.factories import make_flight

pytestmark = pytest.mark.django_db
SOON, LATER = dt.timedelta(days=2), dt.timedelta(days=8)


def quote(traveller: Traveller, booking: Booking, **body: Any) -> Any:
    return traveller.post("/cancellation-quotes", {"bookingId": booking.public_id, **body})


def take(traveller: Traveller, booking: Booking, quote_id: str, **body: Any) -> Any:
    return traveller.post("/cancel-booking", {"bookingId": booking.public_id, "quoteId": quote_id, **body})


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


def minutes_left(body: Any) -> float:
    expires = parse_datetime(body["expiresAt"])
    assert expires is not None
    return (expires - dt.datetime.now(dt.UTC)).total_seconds() / 60


def with_a_seat_fee(booking: Booking) -> None:
    """As the sale writes it, but for the payment."""
    segment, person = booking.segments.get(position=0), booking.passengers.get(position=0)
    Charge.objects.create(
        booking=booking, segment=segment, passenger=person, kind="seat", amount=30, detail="20A"
    )
    Booking.objects.filter(pk=booking.pk).update(total=booking.total + 30)


class TestTheQuote:
    def test_what_comes_back_and_until_when(self) -> None:
        traveller = Traveller()
        flights = make_flight(departs_in=SOON), make_flight(departs_in=SOON)
        booking = traveller.booked(*flights, fares=["EFLEX", "ELIGHT"])

        answer = quote(traveller, booking)

        body = answer.json()
        assert answer.status_code == 201
        assert body["refund"] == {"amount": 160, "currency": "USD", "reason": "fare_refundable"}
        assert [(row["flightId"], row["refunded"], row["rule"]) for row in body["perCoupon"]] == [
            (flights[0].public_id, 160, "fare_refundable"),
            (flights[1].public_id, 0, "fare_not_refundable"),
        ]
        assert all(row["source"] for row in body["perCoupon"])
        assert 14 < minutes_left(body) <= 15
        booking.refresh_from_db()
        assert (booking.status, booking.version) == ("Confirmed", 1)  # nothing has happened yet

    def test_a_seat_fee_comes_back_where_the_law_says_so(self) -> None:
        traveller = Traveller()
        booking = traveller.booked(make_flight(departs_in=LATER))
        with_a_seat_fee(booking)

        [charge] = quote(traveller, booking).json()["perCharge"]
        assert (charge["refunded"], charge["rule"], charge["passenger"]) == (30, "within_24_hours", 0)

        Booking.objects.filter(pk=booking.pk).update(created_at=Now() - dt.timedelta(hours=25))
        [charge] = quote(traveller, booking).json()["perCharge"]
        assert (charge["refunded"], charge["rule"]) == (0, "charge_not_refundable")

    def test_it_ends_when_a_rule_lapses(self) -> None:
        traveller = Traveller()
        booking = traveller.booked(make_flight(departs_in=LATER))
        Booking.objects.filter(pk=booking.pk).update(created_at=Now() - dt.timedelta(hours=23, minutes=55))

        assert 4 < minutes_left(quote(traveller, booking).json()) <= 5

    def test_it_ends_with_the_hold_and_before_the_flight(self) -> None:
        traveller = Traveller()
        flight = make_flight(departs_in=dt.timedelta(hours=2))
        record_update(
            flight_pk=flight.pk,
            status="Scheduled",
            estimated_departure=dt.datetime.now(dt.UTC) + dt.timedelta(minutes=8),
            source="test",
        )
        paid, held = traveller.booked(flight), traveller.held(make_flight())
        Booking.objects.filter(pk=held.pk).update(payment_due_by=Now() + dt.timedelta(minutes=3))

        assert 7 < minutes_left(quote(traveller, paid).json()) <= 8
        body = quote(traveller, held).json()
        assert 2 < minutes_left(body) <= 3
        assert body["refund"] == {"amount": 0, "currency": "USD", "reason": "nothing_paid"}

    def test_refusals_are_those_of_a_cancellation(self) -> None:
        traveller = Traveller()
        booking = traveller.booked(make_flight(), passengers=passengers(2, type="child"))

        assert code(quote(traveller, booking, passengers=[0])) == (409, "not_cancellable")
        assert code(quote(Traveller(), booking)) == (404, "not_found")
        traveller.cancel(booking)
        assert code(quote(traveller, booking)) == (409, "already_cancelled")
        assert not Quote.objects.exists()


class TestTakingIt:
    def test_exactly_that_comes_back(self) -> None:
        traveller, flight = Traveller(), make_flight(economy=10, departs_in=LATER)
        booking = traveller.booked(flight, passengers=passengers(2))
        settle_payments()
        offered = quote(traveller, booking, passengers=[1]).json()
        Booking.objects.filter(pk=booking.pk).update(created_at=Now() - dt.timedelta(hours=25))  # lapsed

        body = take(traveller, booking, offered["quoteId"]).json()

        assert (
            body["refund"]
            == offered["refund"]
            == {"amount": 100, "currency": "USD", "reason": "within_24_hours"}
        )
        assert (body["passengers"], body["perCoupon"]) == ([1], offered["perCoupon"])
        assert int(Refund.objects.get().amount) == 100
        assert Quote.objects.get().used_at is not None
        assert available(flight) == 9
        check_books()

    def test_once(self) -> None:
        traveller = Traveller()
        booking = traveller.booked(make_flight(), passengers=passengers(3))
        offered = quote(traveller, booking, passengers=[1]).json()["quoteId"]
        assert take(traveller, booking, offered).status_code == 200

        assert code(take(traveller, booking, offered)) == (409, "quote_expired")

    def test_not_when_its_time_is_over(self) -> None:
        traveller = Traveller()
        booking = traveller.booked(make_flight())
        offered = quote(traveller, booking).json()["quoteId"]
        Quote.objects.update(expires_at=Now() - dt.timedelta(seconds=1))

        assert code(take(traveller, booking, offered)) == (409, "quote_expired")
        booking.refresh_from_db()
        assert booking.status == "Confirmed"

    def test_not_after_the_booking_was_changed(self) -> None:
        traveller = Traveller()
        booking = traveller.held(make_flight())
        offered = quote(traveller, booking).json()["quoteId"]
        traveller.pay(booking)

        assert code(take(traveller, booking, offered)) == (409, "quote_expired")

    def test_nobody_is_held_to_less_than_the_airline_owes(self) -> None:
        traveller, flight = Traveller(), make_flight(departs_in=SOON)
        booking = traveller.booked(flight)
        offered = quote(traveller, booking).json()
        assert offered["refund"]["amount"] == 0
        record_update(flight_pk=flight.pk, status="Cancelled", source="test")

        assert code(take(traveller, booking, offered["quoteId"])) == (409, "quote_expired")
        assert traveller.cancel(booking).json()["refund"]["amount"] == 100

    def test_only_one_of_this_booking_and_kind(self) -> None:
        traveller = Traveller()
        booking, other = traveller.booked(make_flight()), traveller.booked(make_flight())
        offered = quote(traveller, other).json()["quoteId"]

        assert code(take(traveller, booking, offered)) == (404, "not_found")
        assert code(take(traveller, booking, "qte0")) == (404, "not_found")
        assert code(take(traveller, other, offered, passengers=[0])) == (400, "invalid")
        Quote.objects.update(kind="change")
        assert code(take(traveller, other, offered)) == (404, "not_found")


def test_what_nobody_took_is_purged_in_bites() -> None:
    traveller = Traveller()
    booking = traveller.held(make_flight(), passengers=passengers(2))
    offered = [quote(traveller, booking, passengers=[1]).json()["quoteId"] for _ in range(5)]
    taken, good = offered[:2]
    Quote.objects.exclude(public_id=good).update(expires_at=Now() - dt.timedelta(days=1))
    Quote.objects.filter(public_id=taken).update(used_at=Now())

    assert [purge_quotes(limit=2) for _ in range(3)] == [2, 1, 0]
    assert set(Quote.objects.values_list("public_id", flat=True)) == {taken, good}
