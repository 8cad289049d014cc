"""`POST /pay-booking`, and its races with another payment and with the hold's expiry."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db.models.functions import Now

from accounts.models import Mail
from accounts.tests.factories import make_user
from bookings.models import Booking, PaymentAttempt, SandboxPayment
from bookings.operations import pay
from bookings.operations.payment import authorise
from bookings.payments.sandbox import NO_ANSWER_CHARGED
from bookings.public import expire_holds, settle_payments
from bookings.tests.factories import Traveller, available, check_books, leases_over, overdue
from flights.models import CabinInventory
from flights.public import record_update
from flights.tests.factories import make_flight
from flights.tests.races import together

pytestmark = pytest.mark.django_db


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


def test_it_confirms_the_hold_at_its_price() -> None:
    traveller, flight = Traveller(), make_flight(economy=10)
    booking = traveller.held(flight)
    CabinInventory.objects.update(base_price=500)

    answer = traveller.pay(booking)

    body = answer.json()
    assert answer.status_code == 200
    assert (body["status"], body["price"], body["bookingId"]) == ("Confirmed", 100, booking.public_id)
    assert body["message"] == "Flight booked successfully"
    assert "paymentDueBy" not in body
    booking.refresh_from_db()
    assert (booking.status, booking.payment_method) == ("Confirmed", "credit_card")
    assert booking.confirmed_at
    assert PaymentAttempt.objects.get().state == "to_capture"
    assert available(flight) == 9
    assert Mail.objects.filter(key__endswith=":confirmed").count() == 1
    check_books()


def test_again_it_is_paid_already() -> None:
    traveller = Traveller()
    booking = traveller.held(make_flight())
    traveller.pay(booking)

    assert code(traveller.pay(booking)) == (409, "invalid_transition")
    assert PaymentAttempt.objects.count() == 1


def test_declined_it_stays_held() -> None:
    traveller = Traveller()
    booking = traveller.held(make_flight())

    assert code(traveller.pay(booking, token="tok_declined")) == (402, "payment_declined")
    assert traveller.pay(booking).status_code == 200


def test_silence_and_the_retry_under_its_key() -> None:
    traveller = Traveller()
    booking = traveller.held(make_flight())

    assert code(traveller.pay(booking, token=NO_ANSWER_CHARGED, key="k")) == (503, "unavailable")
    assert traveller.pay(booking, token=NO_ANSWER_CHARGED, key="k").status_code == 200
    assert SandboxPayment.objects.count() == 1


def test_an_overdue_hold() -> None:
    traveller, flight = Traveller(), make_flight(economy=10)
    booking = traveller.held(flight)
    overdue(booking)

    assert code(traveller.pay(booking)) == (409, "hold_expired")
    expire_holds()
    assert code(traveller.pay(booking)) == (409, "hold_expired")
    assert not SandboxPayment.objects.exists()


def test_a_hold_that_expires_while_the_gateway_thinks(monkeypatch: pytest.MonkeyPatch) -> None:
    traveller, flight, real = Traveller(), make_flight(economy=10), authorise
    booking = traveller.held(flight)

    def slow(*args: Any) -> Any:
        overdue(booking)
        return real(*args)

    monkeypatch.setattr(pay, "authorise", slow)

    assert code(traveller.pay(booking)) == (409, "hold_expired")
    assert PaymentAttempt.objects.get().state == "to_void"


def test_the_sweeper_was_quicker(monkeypatch: pytest.MonkeyPatch) -> None:
    traveller, real = Traveller(), authorise
    booking = traveller.held(make_flight())

    def slow(*args: Any) -> Any:
        answer = real(*args)
        leases_over()
        settle_payments()
        return answer

    monkeypatch.setattr(pay, "authorise", slow)
    assert code(traveller.pay(booking)) == (503, "unavailable")
    booking.refresh_from_db()
    assert booking.status == "Held"
    monkeypatch.undo()
    assert traveller.pay(booking).status_code == 200


def test_a_cancelled_hold() -> None:
    traveller = Traveller()
    booking = traveller.held(make_flight())
    traveller.cancel(booking)

    assert code(traveller.pay(booking)) == (409, "already_cancelled")


@pytest.mark.parametrize(
    ("status", "problem"), [("Cancelled", "flight_cancelled"), ("Departed", "flight_departed")]
)
def test_a_flight_that_does_not_go(status: str, problem: str) -> None:
    traveller, flight = Traveller(), make_flight()
    booking = traveller.held(flight)
    record_update(flight_pk=flight.pk, status=status, source="test")

    assert code(traveller.pay(booking)) == (409, problem)


def test_somebody_elses() -> None:
    booking = Traveller().held(make_flight())
    stranger = Traveller()

    assert code(stranger.pay(booking)) == (404, "not_found")
    body = {"userId": booking.user.public_id, "bookingId": booking.public_id, "paymentMethod": "credit_card"}
    assert code(stranger.post("/pay-booking", body)) == (404, "not_found")
    assert code(Traveller(make_user()).post("/pay-booking", body)) == (404, "not_found")


def test_a_hold_is_no_payment() -> None:
    traveller = Traveller()
    booking = traveller.held(make_flight())
    body = {"bookingId": booking.public_id, "paymentMethod": "hold"}

    assert code(traveller.post("/pay-booking", body)) == (400, "invalid")


@pytest.mark.django_db(transaction=True)
class TestRaces:
    def test_ten_payments_are_one(self) -> None:
        traveller, flight = Traveller(), make_flight(economy=10)
        booking = traveller.held(flight)
        others = [Traveller(traveller.user) for _ in range(10)]

        answers = [code(answer) for answer in together([partial(other.pay, booking) for other in others])]

        assert sorted(answers) == [(200, ""), *[(409, "invalid_transition")] * 9]
        leases_over()
        settle_payments(limit=50)
        assert SandboxPayment.objects.filter(state="captured").count() == 1
        assert not SandboxPayment.objects.filter(state="authorised").exists()
        check_books()

    def test_payment_against_expiry(self) -> None:
        """Whoever is first: the hold is paid and stays, or it expires and nobody pays."""
        for _ in range(6):
            flight = make_flight(economy=10)
            travellers = [Traveller() for _ in range(4)]
            bookings = [traveller.held(flight) for traveller in travellers]
            Booking.objects.filter(status="Held").update(payment_due_by=Now() + timedelta(milliseconds=60))
            payments = [
                partial(traveller.pay, booking)
                for traveller, booking in zip(travellers, bookings, strict=True)
            ]

            def sweep() -> int:
                expired = 0
                while Booking.objects.filter(status="Held").exists():
                    expired += expire_holds()
                return expired

            *paying, expired = together([*payments, sweep])
            answers = [code(answer) for answer in paying]

            assert set(answers) <= {(200, ""), (409, "hold_expired")}
            paid = answers.count((200, ""))
            assert (paid + expired, available(flight)) == (4, 10 - paid)
            check_books()
