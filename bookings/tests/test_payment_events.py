"""`POST /payment-events/stripe`: signed events hurry the worker, and tell of refunds that came back."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import Client
from stripe import WebhookSignature

from bench.gateway.webhooks import signature
from bookings import ledger
from bookings.models import Booking, PaymentAttempt, Refund
from bookings.operations import mark_refund_paid_otherwise, settle
from bookings.payments.stripe import PAYMENT_KEY, REFUND_KEY
from bookings.public import settle_payments
from bookings.tests.factories import Traveller, payment_of, silence
from flightbook.http.json import encode
from flights.tests.factories import make_flight

pytestmark = pytest.mark.django_db
SECRET = "whsec_of_ours"


@pytest.fixture(autouse=True)
def _secret(settings: Any) -> None:
    settings.STRIPE_WEBHOOK_SECRET = SECRET


def send(thing: dict[str, Any], *, secret: str = SECRET, age: int = 0, signed: str = "") -> Any:
    event = {"id": "evt_1", "object": "event", "type": "x", "data": {"object": thing}}
    payload = encode(event).decode()
    at = int(time.time()) - age
    signed = signed or WebhookSignature.generate_signature_header(payload, secret, at)
    return Client().post(
        "/payment-events/stripe",
        payload,
        content_type="application/json",
        headers={"Stripe-Signature": signed},
    )


def of_payment(payment: PaymentAttempt) -> dict[str, Any]:
    return {"object": "payment_intent", "id": "pi_1", "metadata": {PAYMENT_KEY: str(payment.key)}}


def of_refund(refund: Refund, status: str) -> dict[str, Any]:
    return {"object": "refund", "id": "re_1", "status": status, "metadata": {REFUND_KEY: str(refund.key)}}


def waiting(monkeypatch: pytest.MonkeyPatch) -> Booking:
    """Its capture met silence, and is to be tried again later."""
    booking = Traveller().booked(make_flight())
    with monkeypatch.context() as patched:
        silence(patched, "capture")
        settle_payments()
    return booking


def refunded() -> Refund:
    traveller = Traveller()
    booking = traveller.booked(make_flight(), fare="EFLEX")
    settle_payments()
    traveller.cancel(booking)
    settle_payments()
    return Refund.objects.get(state="done")


class TestTheSignature:
    def test_a_wrong_one_changes_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        payment = payment_of(waiting(monkeypatch))
        for answer in (
            send(of_payment(payment), secret="whsec_of_others"),
            send(of_payment(payment), age=600),
            send(of_payment(payment), signed="t=1"),
            Client().post("/payment-events/stripe", b"\xff", content_type="application/json"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
            assert answer.json()["errors"][0]["pointer"] == "Stripe-Signature"
        assert settle_payments() == 0

    def test_our_own_gateway_signs_as_stripe_does(self) -> None:
        payload, at = encode({"object": "event", "data": {"object": {"object": "charge"}}}), int(time.time())

        answer = Client().post(
            "/payment-events/stripe",
            payload,
            content_type="application/json",
            headers={"Stripe-Signature": signature(payload, SECRET, at)},
        )

        assert answer.status_code == 204

    def test_without_a_secret_none_is_right(self, settings: Any) -> None:
        settings.STRIPE_WEBHOOK_SECRET = ""

        assert send({"object": "payment_intent"}, secret="").status_code == 404


class TestOfAPayment:
    def test_it_wakes_what_waits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        booking = waiting(monkeypatch)
        assert settle_payments() == 0

        for _ in range(2):
            assert send(of_payment(payment_of(booking))).status_code == 204

        assert settle_payments() == 1
        assert payment_of(booking).state == "captured"
        assert send(of_payment(payment_of(booking))).status_code == 204  # late
        assert payment_of(booking).state == "captured"

    def test_a_worker_at_work_is_left_alone(self) -> None:
        booking = Traveller().booked(make_flight())
        settle._lease_payment()

        send(of_payment(payment_of(booking)))

        assert settle_payments() == 0

    def test_a_sale_under_way_is_left_alone(self) -> None:
        user = Traveller().user
        lease = Now() + timedelta(minutes=1)
        payment = PaymentAttempt.objects.create(
            user=user, amount=1, currency="USD", gateway="sandbox", lease_until=lease, state="unknown"
        )

        send(of_payment(payment))

        assert settle_payments() == 0

    @pytest.mark.parametrize("metadata", [None, {}, {PAYMENT_KEY: "theirs"}])
    def test_somebody_elses(self, metadata: Any) -> None:
        assert send({"object": "payment_intent", "metadata": metadata}).status_code == 204
        assert send({"object": "charge"}).status_code == 204

    def test_a_dispute_is_noted(self) -> None:
        booking = Traveller().booked(make_flight())
        reference = payment_of(booking).reference
        thing = {"object": "dispute", "status": "lost", "reason": "fraudulent", "payment_intent": reference}

        assert send(thing).status_code == 204

        assert payment_of(booking).detail == "Disputed (lost): fraudulent"


class TestOfARefund:
    def test_one_that_came_back_is_owed_again(self) -> None:
        refund = refunded()

        for _ in range(2):
            assert send(of_refund(refund, "failed")).status_code == 204

        old, owed = Refund.objects.order_by("pk")
        assert (old.state, owed.state, owed.amount) == ("void", "failed", refund.amount)
        payment = refund.payment
        assert payment.booking_id is not None
        assert ledger.balance(payment.booking_id)[ledger.Account.REFUNDS_DUE] == -refund.amount
        mark_refund_paid_otherwise(refund_pk=owed.pk, note="by cheque", staff="ann")
        assert not any(ledger.balance(payment.booking_id).values())

    def test_good_news_too_late_changes_nothing(self) -> None:
        refund = refunded()
        send(of_refund(refund, "failed"))

        assert send(of_refund(refund, "succeeded")).status_code == 204

        assert list(Refund.objects.order_by("pk").values_list("state", flat=True)) == ["void", "failed"]
