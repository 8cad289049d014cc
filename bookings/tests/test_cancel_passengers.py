"""`POST /cancel-booking` of some travellers of several."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from functools import partial
from threading import Barrier
from typing import Any

import pytest

from accounts.models import Mail
from bookings.models import Booking, Charge, Coupon, Refund
from bookings.operations import cancel, payment
from bookings.public import settle_payments
from bookings.tests.factories import Traveller, available, check_books, passengers, payment_of
from flights.models import SeatAssignment
from flights.tests.factories import make_flight
from flights.tests.races import together

pytestmark = pytest.mark.django_db
LATER = dt.timedelta(days=8)


def leave(traveller: Traveller, booking: Booking, *indices: Any, **body: Any) -> Any:
    return traveller.post(
        "/cancel-booking", {"bookingId": booking.public_id, "passengers": list(indices), **body}
    )


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


def family() -> list[dict[str, str]]:
    """Two adults, a child and an infant."""
    kinds = ["adult", "adult", "child", "infant"]
    return [person | {"type": kind} for person, kind in zip(passengers(4), kinds, strict=True)]


def test_two_of_four() -> None:
    traveller, flights = Traveller(), [make_flight(economy=10, departs_in=LATER) for _ in range(2)]
    seats = [
        {"flightId": flights[0].public_id, "passenger": index, "seat": seat}
        for index, seat in enumerate(["20A", "20B"])
    ]
    booking = traveller.booked(*flights, passengers=family(), seats=seats, fare="EFLEX")
    settle_payments()

    body = leave(traveller, booking, 3, 1).json()

    assert (body["status"], body["passengers"]) == ("Confirmed", [1, 3])
    assert body["refund"] == {"amount": 352, "currency": "USD", "reason": "within_24_hours"}
    assert [(row["passenger"], row["refunded"]) for row in body["perCoupon"]] == [(1, 160), (3, 16)] * 2
    assert [available(flight) for flight in flights] == [8, 8]
    held = SeatAssignment.objects.filter(released_at=None)
    assert list(held.values_list("seat", flat=True)) == ["20A"]
    assert Counter(Coupon.objects.values_list("status", flat=True)) == {"Open": 4, "Cancelled": 4}
    assert int(Refund.objects.get().amount) == 352
    before = booking.total
    booking.refresh_from_db()
    assert (booking.total, booking.version) == (before, 2)
    assert "Given1 Family1, Given3 Family3" in Mail.objects.get(key__endswith=":left-2").text
    shown = traveller.booking(booking).json()["passengers"]
    assert [person.get("isCancelled", False) for person in shown] == [False, True, False, True]
    check_books()
    settle_payments()
    check_books()


def test_the_last_ones_end_the_booking() -> None:
    traveller, flight = Traveller(), make_flight(economy=10, departs_in=LATER)
    booking = traveller.booked(flight, passengers=passengers(3))
    settle_payments()

    assert leave(traveller, booking, 0).json()["refund"]["amount"] == 100
    assert leave(traveller, booking, 1, 2).json()["status"] == "Cancelled"

    assert available(flight) == 10
    assert sorted(int(amount) for amount in Refund.objects.values_list("amount", flat=True)) == [100, 200]
    assert code(leave(traveller, booking, 1)) == (409, "already_cancelled")
    check_books()


def test_the_rest_is_cancelled_for_what_is_left() -> None:
    traveller, flight = Traveller(), make_flight(economy=10, departs_in=LATER)
    booking = traveller.booked(flight, passengers=passengers(3))
    leave(traveller, booking, 0)

    body = traveller.cancel(booking).json()

    assert (body["refund"]["amount"], body["passengers"]) == (200, [1, 2])
    assert available(flight) == 10
    check_books()


def test_nobody_travels_alone_who_may_not() -> None:
    traveller = Traveller()
    booking = traveller.booked(make_flight(departs_in=LATER), passengers=family())

    assert code(leave(traveller, booking, 0, 1)) == (409, "not_cancellable")
    assert leave(traveller, booking, 0).status_code == 200
    assert code(leave(traveller, booking, 1, 2)) == (409, "not_cancellable")  # the infant's lap
    assert code(leave(traveller, booking, 0)) == (409, "already_cancelled")
    assert leave(traveller, booking, 3).status_code == 200  # an infant has no seat to give back
    check_books()


def test_of_a_hold_the_total_sinks() -> None:
    traveller, flight = Traveller(), make_flight(economy=10)
    booking = traveller.held(flight, passengers=passengers(3))
    Charge.objects.create(
        booking=booking, passenger=booking.passengers.get(position=2), kind="seat", amount=7
    )
    Booking.objects.filter(pk=booking.pk).update(total=307)

    body = leave(traveller, booking, 2).json()

    assert (body["status"], body["refund"]["amount"], body["refund"]["reason"]) == ("Held", 0, "nothing_paid")
    booking.refresh_from_db()
    assert (int(booking.total), available(flight)) == (200, 8)
    check_books()
    assert traveller.pay(booking).json()["price"] == 200
    assert int(payment_of(booking).amount) == 200
    check_books()


def test_bad_input() -> None:
    traveller = Traveller()
    booking = traveller.booked(make_flight(), passengers=passengers(3))

    for indices, pointer in (
        ([3], "/passengers/0"),
        ([0, 0], "/passengers"),
        ([], "/passengers"),
        ([-1], "/passengers/0"),
    ):
        answer = leave(traveller, booking, *indices)
        assert code(answer) == (400, "invalid")
        assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]


def test_a_payment_that_was_under_way_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was authorised is not the price any more: 409, and the card is let go."""
    traveller = Traveller()
    booking = traveller.held(make_flight(), passengers=passengers(2))
    real = payment.authorise

    def meanwhile(*args: Any) -> Any:
        answer = real(*args)
        assert leave(traveller, booking, 1).status_code == 200
        return answer

    monkeypatch.setattr("bookings.operations.pay.authorise", meanwhile)
    answer = traveller.pay(booking)

    assert code(answer) == (409, "price_changed")
    assert answer.json()["price"] == 100
    assert payment_of(booking).state == "to_void"


@pytest.mark.django_db(transaction=True)
class TestRaces:
    """Two adults and an infant; each adult is cancelled at once with the other."""

    def _rush(self) -> tuple[Booking, Counter[tuple[int, str]]]:
        traveller = Traveller()
        booking = traveller.booked(
            make_flight(economy=10, departs_in=LATER), passengers=passengers(3, type="infant")
        )
        settle_payments()
        both = [partial(leave, Traveller(traveller.user), booking, index) for index in (0, 1)]
        return booking, Counter(code(answer) for answer in together(both))

    def test_one_of_them_stays_with_the_infant(self) -> None:
        booking, answers = self._rush()

        assert answers == {(200, ""): 1, (409, "not_cancellable"): 1}
        assert booking.passengers.filter(cancelled_at=None).count() == 2
        check_books()

    def test_control_without_the_lock_the_infant_travels_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        both, real = Barrier(2, timeout=10), cancel._party

        def read(user_pk: int, booking_id: str) -> Booking:
            return Booking.objects.get(user_id=user_pk, public_id=booking_id)

        def judged_by_both(*args: Any) -> Any:
            party = real(*args)
            both.wait()
            return party

        monkeypatch.setattr(cancel, "_lock", read)
        monkeypatch.setattr(cancel, "_party", judged_by_both)

        booking, answers = self._rush()

        assert answers == {(200, ""): 2}
        assert [person.type for person in booking.passengers.filter(cancelled_at=None)] == ["infant"]
