"""Stripe's events (webhooks): their signature, and what of them concerns us.

https://docs.stripe.com/webhooks: an event comes at least once, in no order, perhaps days late, or never.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import stripe
from django.conf import settings

from bookings.payments.stripe import PAYMENT_KEY, REFUND_KEY
from flightbook.errors import Invalid, NotFound

SIGNATURE = "Stripe-Signature"


@dataclass(frozen=True)
class PaymentEvent:
    """`payment_key` and `refund_key` are ours, None where it is not about one. `failure`: why a refund did
    not reach its card. `dispute`: what a bank says against the payment of that `reference`."""

    payment_key: uuid.UUID | None = None
    refund_key: uuid.UUID | None = None
    failure: str = ""
    reference: str = ""
    dispute: str = ""


def read_event(*, payload: bytes, signature: str) -> PaymentEvent:
    """
    Raises:
        NotFound: we have no secret to verify with.
        Invalid: it is not signed with ours, or was five minutes ago.
    """
    secret = settings.STRIPE_WEBHOOK_SECRET
    if not secret:
        raise NotFound(detail="No events are taken here.")
    try:
        event = stripe.Webhook.construct_event(payload, signature, secret, api_key=settings.STRIPE_SECRET_KEY)
    except (stripe.SignatureVerificationError, ValueError) as error:
        raise Invalid.of(SIGNATURE, "invalid", "The event is not signed as it must be.") from error
    return _of(event.to_dict()["data"]["object"])


def _of(thing: Mapping[str, Any]) -> PaymentEvent:
    if thing["object"] == "payment_intent":
        return PaymentEvent(payment_key=_key(thing, PAYMENT_KEY))
    if thing["object"] == "refund":
        is_lost = thing["status"] in ("failed", "canceled")
        failure = thing.get("failure_reason") or thing["status"] if is_lost else ""
        return PaymentEvent(refund_key=_key(thing, REFUND_KEY), failure=failure)
    if thing["object"] == "dispute":
        text = f"Disputed ({thing['status']}): {thing['reason']}"
        return PaymentEvent(reference=thing.get("payment_intent") or "", dispute=text)
    return PaymentEvent()


def _key(thing: Mapping[str, Any], name: str) -> uuid.UUID | None:
    """Ours, or None for what somebody else made in the same account."""
    try:
        return uuid.UUID((thing.get("metadata") or {}).get(name, ""))
    except ValueError:
        return None
