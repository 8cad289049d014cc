"""What a gateway tells us unasked. It only hurries what the worker would find by itself, so that it may come
twice, late, in any order or never; but a refund that a bank sends back, and a dispute, are told in no other
way."""

from __future__ import annotations

import logging
import uuid

from django.db.models.functions import Now

from bookings.models import PaymentAttempt, Refund
from bookings.operations.settle_refunds import take_back_refund
from bookings.payments.stripe_events import PaymentEvent
from bookings.states import State

logger = logging.getLogger(__name__)


def take_payment_event(event: PaymentEvent) -> None:
    """Wakes what waits for another try after silence; notes what went wrong at the bank."""
    if event.payment_key is not None:
        # A lease that is alive has a token; what waits has none.
        waiting = PaymentAttempt.objects.filter(key=event.payment_key, lease_token=None)
        waiting.filter(state__in=(State.TO_CAPTURE, State.TO_VOID)).update(lease_until=Now())
    if event.refund_key is not None:
        _take_refund_event(event.refund_key, event.failure)
    if event.reference and event.dispute:
        logger.error("payment %s: %s", event.reference, event.dispute)
        PaymentAttempt.objects.filter(reference=event.reference).update(detail=event.dispute[:200])


def _take_refund_event(key: uuid.UUID, failure: str) -> None:
    refunds = Refund.objects.filter(key=key)
    refunds.filter(state=Refund.State.REQUESTED, lease_token=None).update(due_at=Now())
    if failure and (refund := refunds.filter(state=Refund.State.DONE).first()) is not None:
        take_back_refund(refund_pk=refund.pk, why=failure)
