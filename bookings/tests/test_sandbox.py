"""The sandbox keeps what a gateway promises."""

from __future__ import annotations

import uuid
from decimal import Decimal

import pytest
from django.db import transaction

from bookings.models import SandboxPayment
from bookings.payments import attempts
from bookings.payments.gateway import Approved
from bookings.payments.sandbox import SandboxGateway
from bookings.public import settle_payments
from bookings.tests.factories import Traveller, payment_of
from flights.tests.factories import make_flight

pytestmark = pytest.mark.django_db


class TestTheSandbox:
    def test_it_refuses_to_run_inside_a_transaction_of_ours(self) -> None:
        attempt = payment_of(Traveller().booked(make_flight()))
        with pytest.raises(RuntimeError), transaction.atomic(), transaction.atomic():
            SandboxGateway().capture(attempts.told(attempt))

    def test_equal_keys_are_one_payment(self) -> None:
        attempt = payment_of(Traveller().booked(make_flight()))
        asked, gateway = attempts.told(attempt), SandboxGateway()

        assert gateway.authorise(asked) == gateway.authorise(asked) == gateway.look_up(asked)
        assert gateway.capture(asked) == gateway.capture(asked)
        assert SandboxPayment.objects.count() == 1

    def test_no_more_comes_back_than_was_taken(self) -> None:
        booking = Traveller().booked(make_flight())
        settle_payments()
        payment = attempts.told(payment_of(booking))
        for refund_key, amount, done in (("0" * 31 + "1", 60, True), ("0" * 31 + "2", 60, False)):
            answer = SandboxGateway().refund(
                payment, refund_key=uuid.UUID(refund_key), amount=Decimal(amount)
            )
            assert isinstance(answer, Approved) is done
