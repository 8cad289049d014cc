"""Refunds: of captured payments, once, and after silence or a dead worker."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from bookings.models import Booking, Refund, SandboxPayment, SandboxRefund
from bookings.operations import settle_refunds
from bookings.payments import attempts
from bookings.payments.sandbox import SandboxGateway
from bookings.public import backlog, settle_payments
from bookings.tests.factories import Traveller, payment_of, silence
from flights.tests.factories import make_flight

pytestmark = pytest.mark.django_db


class TestRefunds:
    def _cancelled_after_capture(self) -> Booking:
        traveller = Traveller()
        booking = traveller.booked(make_flight(), fare="EFLEX")
        settle_payments()
        traveller.cancel(booking)
        return booking

    def test_of_a_captured_payment(self) -> None:
        booking = self._cancelled_after_capture()
        assert Refund.objects.get().state == "requested"

        assert settle_payments() == 1

        refund = Refund.objects.get()
        assert (refund.state, refund.amount) == ("done", booking.total)
        assert refund.reference
        assert SandboxPayment.objects.get().refunded == booking.total

    def test_a_worker_that_died_after_the_gateway_did_it(self) -> None:
        self._cancelled_after_capture()
        leased = settle_refunds._lease()
        assert leased is not None
        payment = leased.payment
        SandboxGateway().refund(attempts.told(payment), refund_key=leased.key, amount=leased.amount)
        assert settle_payments() == 0
        Refund.objects.update(due_at=Now())

        settle_payments()

        assert Refund.objects.get().state == "done"
        assert SandboxRefund.objects.count() == 1

    def test_silence(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._cancelled_after_capture()
        with monkeypatch.context() as patched:
            silence(patched, "refund")
            assert settle_payments() == 1
            assert settle_payments() == 0
        assert Refund.objects.get().state == "requested"
        Refund.objects.update(due_at=Now())
        settle_payments()
        assert Refund.objects.get().state == "done"

    def test_refused(self) -> None:
        self._cancelled_after_capture()
        SandboxPayment.objects.update(currency="EUR")

        settle_payments()

        assert Refund.objects.get().state == "failed"
        assert backlog().refunds_failed == 1

    def test_it_waits_for_the_capture(self) -> None:
        """A part comes back: the payment is captured first, then refunded."""
        traveller = Traveller()
        booking = traveller.booked(make_flight(), make_flight(), fares=["ELIGHT", "EFLEX"])
        Booking.objects.update(created_at=Now() - timedelta(days=2))
        traveller.cancel(booking)
        assert (payment_of(booking).state, Refund.objects.get().state) == ("to_capture", "requested")

        settle_payments()

        sandbox = SandboxPayment.objects.get()
        assert (payment_of(booking).state, Refund.objects.get().state) == ("captured", "done")
        assert (int(sandbox.amount), int(sandbox.refunded)) == (260, 160)
