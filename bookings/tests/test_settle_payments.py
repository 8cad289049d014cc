"""The worker's part of the money: captures, voids, silence, refunds, refusals for good, and workers that die
or race."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from accounts.models import Mail
from bookings.models import Booking, PaymentAttempt, Refund, SandboxPayment
from bookings.operations import book, payment, settle
from bookings.payments import attempts
from bookings.payments.gateway import Approved, GatewaySilent, Payment
from bookings.payments.sandbox import CAPTURE_REFUSED, NO_ANSWER, NO_ANSWER_CHARGED, SandboxGateway
from bookings.public import backlog, settle_payments
from bookings.tests.factories import Traveller, available, check_books, leases_over, payment_of, silence
from flights.tests.factories import make_flight
from flights.tests.races import together

pytestmark = pytest.mark.django_db
CALLS = ("authorise", "look_up", "capture", "void", "refund")


class TestCapture:
    def test_after_the_sale(self) -> None:
        booking = Traveller().booked(make_flight())

        assert settle_payments() == 1
        assert payment_of(booking).state == "captured"
        assert SandboxPayment.objects.get().state == "captured"
        assert settle_payments() == 0

    def test_silence_is_tried_again_later(self, monkeypatch: pytest.MonkeyPatch) -> None:
        booking = Traveller().booked(make_flight())
        with monkeypatch.context() as patched:
            silence(patched, *CALLS)
            assert settle_payments() == 1
            assert settle_payments() == 0  # not at once
        payment = payment_of(booking)
        assert (payment.state, payment.tries) == ("to_capture", 1)
        leases_over()

        settle_payments()

        assert payment_of(booking).state == "captured"

    def test_a_worker_that_died_after_the_gateway_did_it(self) -> None:
        booking = Traveller().booked(make_flight())
        settle._lease_payment()
        SandboxGateway().capture(attempts.told(payment_of(booking)))
        assert settle_payments() == 0  # its lease is alive
        leases_over()

        settle_payments()

        assert payment_of(booking).state == "captured"

    def test_refused_for_good_cancels_the_booking(self) -> None:
        flight, traveller = make_flight(economy=10), Traveller()
        seats = [{"flightId": flight.public_id, "passenger": 0, "seat": "20A"}]
        booking = traveller.booked(flight, paymentToken=CAPTURE_REFUSED, seats=seats)

        settle_payments()

        booking.refresh_from_db()
        assert (booking.status, booking.end_reason) == ("Cancelled", "capture refused")
        assert payment_of(booking).state == "declined"
        assert available(flight) == 10
        mail = Mail.objects.get(key__endswith="capture-refused")
        assert booking.record_locator in mail.subject
        assert traveller.book(flight, seats=seats).status_code == 201
        check_books()

    def test_refused_after_the_traveller_cancelled(self) -> None:
        traveller = Traveller()
        flights = make_flight(), make_flight()
        booking = traveller.booked(*flights, fares=["ELIGHT", "EFLEX"], paymentToken=CAPTURE_REFUSED)
        Booking.objects.update(created_at=Now() - timedelta(days=2))
        assert traveller.cancel(booking).json()["refund"]["amount"] == 160

        settle_payments()

        assert Refund.objects.get().state == "void"
        assert [available(flight) for flight in flights] == [100, 100]
        check_books()


class TestVoid:
    def test_a_refused_sale(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("bookings.pricing.check_free", lambda **_: None)  # it was free a moment ago
        flight, traveller = make_flight(), Traveller()
        seats = [{"flightId": flight.public_id, "passenger": 0, "seat": "20A"}]
        traveller.booked(flight, seats=seats)
        traveller.book(flight, seats=seats)
        lost = PaymentAttempt.objects.latest("pk")

        settle_payments()

        lost.refresh_from_db()
        assert lost.state == "voided"
        assert SandboxPayment.objects.get(key=lost.key).state == "voided"

    def test_too_late_is_refunded(self) -> None:
        """A capture was under way when the booking was cancelled, by a worker slower than its lease."""
        traveller = Traveller()
        booking = traveller.booked(make_flight(), fare="EFLEX")
        slow = settle._lease_payment()
        assert slow is not None
        leases_over()
        traveller.cancel(booking)
        assert payment_of(booking).state == "to_void"
        settle._capture(slow)
        assert payment_of(booking).state == "to_void"  # the slow worker finishes nothing

        settle_payments()

        assert payment_of(booking).state == "captured"
        assert (Refund.objects.get().state, Refund.objects.get().amount) == ("done", booking.total)
        assert SandboxPayment.objects.get().refunded == booking.total


class TestUnsold:
    """Attempts whose owner is gone: nobody pays without a booking."""

    def _abandoned(self, monkeypatch: pytest.MonkeyPatch, name: str) -> PaymentAttempt:
        def die(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(book, name, die)
            with pytest.raises(KeyboardInterrupt):
                Traveller().book(make_flight(economy=10))
        leases_over()
        return PaymentAttempt.objects.get()

    def test_authorised_and_then_killed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        attempt = self._abandoned(monkeypatch, "_sell")
        assert SandboxPayment.objects.get().state == "authorised"

        settle_payments()

        attempt.refresh_from_db()
        assert attempt.state == "voided"
        assert SandboxPayment.objects.get().state == "voided"

    def test_killed_before_the_gateway_heard_of_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        attempt = self._abandoned(monkeypatch, "authorise")
        assert not SandboxPayment.objects.exists()

        settle_payments()

        attempt.refresh_from_db()
        assert attempt.state == "voided"
        late = SandboxGateway().authorise(attempts.told(attempt))
        assert not isinstance(late, Approved)  # an owner that only slept is too late

    def test_a_slow_owner_does_not_sell_what_the_sweeper_voided(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        flight, real = make_flight(economy=10), payment.authorise

        def slow(attempt: PaymentAttempt, promise: Any) -> Any:
            answer = real(attempt, promise)
            leases_over()
            settle_payments()
            return answer

        monkeypatch.setattr(book, "authorise", slow)
        answer = Traveller().book(flight)

        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert answer["Retry-After"] == "1"
        assert available(flight) == 10
        settle_payments()
        assert PaymentAttempt.objects.get().state == "voided"
        check_books()

    def test_control_without_the_owners_token_it_would_sell_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        flight, real = make_flight(economy=10), payment.authorise

        def slow(attempt: PaymentAttempt, promise: Any) -> Any:
            answer = real(attempt, promise)
            leases_over()
            settle_payments()
            return answer

        monkeypatch.setattr(book, "authorise", slow)
        guard = "AND lease_token = %s AND state = ANY(%s)"
        unguarded = "AND (lease_token = %s OR state = ANY(%s)) IS NOT NULL"
        assert guard in attempts._TAKE
        monkeypatch.setattr(attempts, "_TAKE", attempts._TAKE.replace(guard, unguarded))
        assert Traveller().book(flight).status_code == 201
        assert SandboxPayment.objects.get().state == "voided"  # a paid booking that nobody paid

    @pytest.mark.parametrize(("token", "last"), [(NO_ANSWER, "voided"), (NO_ANSWER_CHARGED, "voided")])
    def test_no_answer_and_nobody_came_again(self, token: str, last: str) -> None:
        flight = make_flight(economy=10)
        Traveller().book(flight, paymentToken=token)
        assert settle_payments() == 0  # the client has a minute to come again
        leases_over()

        settle_payments()

        assert PaymentAttempt.objects.get().state == last
        assert SandboxPayment.objects.get().state == "voided"
        assert available(flight) == 10

    def test_declined_without_an_answer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as patched:
            real = SandboxGateway.authorise

            def lost(self: SandboxGateway, asked: Payment) -> None:
                real(self, asked)
                raise GatewaySilent("lost")

            patched.setattr(SandboxGateway, "authorise", lost)
            Traveller().book(make_flight(), paymentToken="tok_declined")
        leases_over()

        settle_payments()

        assert PaymentAttempt.objects.get().state == "declined"

    def test_silent_to_the_sweeper_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        Traveller().book(make_flight(), paymentToken=NO_ANSWER_CHARGED)
        leases_over()
        with monkeypatch.context() as patched:
            silence(patched, *CALLS)
            settle_payments()
            assert PaymentAttempt.objects.get().state == "unknown"
        leases_over()

        settle_payments()

        assert PaymentAttempt.objects.get().state == "voided"

    def test_the_sweeper_at_work_keeps_the_retry_waiting(self) -> None:
        traveller, flight = Traveller(), make_flight()
        traveller.book(flight, paymentToken=NO_ANSWER_CHARGED, key="k")
        leases_over()
        settle._lease_payment()

        answer = traveller.book(flight, paymentToken=NO_ANSWER_CHARGED, key="k")

        assert (answer.status_code, answer.json()["code"]) == (409, "request_in_progress")

    def test_after_the_sweeper_the_retry_begins_anew(self) -> None:
        traveller, flight = Traveller(), make_flight()
        traveller.book(flight, paymentToken=NO_ANSWER_CHARGED, key="k")
        leases_over()
        settle_payments()

        assert traveller.book(flight, paymentToken=NO_ANSWER_CHARGED, key="k").status_code == 503
        assert traveller.book(flight, paymentToken=NO_ANSWER_CHARGED, key="k").status_code == 201
        states = PaymentAttempt.objects.order_by("pk").values_list("state", flat=True)
        assert list(states) == ["voided", "to_capture"]


def test_backlog() -> None:
    traveller = Traveller()
    traveller.booked(make_flight())
    PaymentAttempt.objects.update(lease_until=Now() - timedelta(minutes=2))

    assert (backlog().payments_open, backlog().payments_overdue) == (1, 1)
    settle_payments()
    assert (backlog().payments_open, backlog().payments_overdue, backlog().holds_overdue) == (0, 0, 0)


@pytest.mark.django_db(transaction=True)
def test_many_workers_do_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    traveller, flight = Traveller(), make_flight()
    for _ in range(12):
        traveller.booked(flight)
    captured: list[Any] = []
    real = SandboxGateway.capture

    def count(self: SandboxGateway, payment: Payment) -> Any:
        captured.append(payment.key)
        return real(self, payment)

    monkeypatch.setattr(SandboxGateway, "capture", count)

    done = together([settle_payments] * 4)

    assert sum(done) == len(captured) == len(set(captured)) == 12
    assert set(PaymentAttempt.objects.values_list("state", flat=True)) == {"captured"}
