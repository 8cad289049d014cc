"""The sandbox keeps what a gateway promises."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from bookings.models import SandboxPayment
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
            SandboxGateway().capture(key=attempt.key)

    def test_equal_keys_are_one_payment(self) -> None:
        attempt = payment_of(Traveller().booked(make_flight()))
        asked: dict[str, Any] = {"key": attempt.key, "amount": attempt.amount, "currency": "USD", "token": ""}
        gateway = SandboxGateway()

        assert gateway.authorise(**asked) == gateway.authorise(**asked) == gateway.look_up(key=attempt.key)
        assert gateway.capture(key=attempt.key) == gateway.capture(key=attempt.key)
        assert SandboxPayment.objects.count() == 1

    def test_no_more_comes_back_than_was_taken(self) -> None:
        booking = Traveller().booked(make_flight())
        settle_payments()
        key = payment_of(booking).key
        for refund_key, amount, done in (("0" * 31 + "1", 60, True), ("0" * 31 + "2", 60, False)):
            answer = SandboxGateway().refund(
                key=key, refund_key=uuid.UUID(refund_key), amount=Decimal(amount), currency="USD"
            )
            assert isinstance(answer, Approved) is done
