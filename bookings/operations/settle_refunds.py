"""The worker's refunds, in the steps of `settle`; and what becomes of those that a gateway refused or a bank
sent back, which staff decide."""

from __future__ import annotations

import logging
import uuid
from datetime import timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from bookings import ledger, receipts
from bookings.idempotency import lease_time
from bookings.models import Refund
from bookings.payments import attempts
from bookings.payments.gateway import Declined, GatewaySilent, gateway
from bookings.states import State
from flightbook import tracing
from flightbook.errors import InvalidTransition

logger = logging.getLogger(__name__)
LONGEST_WAIT = timedelta(hours=1)


def settle_refunds(*, limit: int) -> int:
    """Asks for at most `limit` refunds that are due; how many. They wait until their payment is captured."""
    done = 0
    while done < limit and (refund := _lease()) is not None:
        with tracing.span("make refund", reason=refund.reason, gateway=refund.payment.gateway):
            _settle(refund)
        done += 1
    return done


def try_refund_again(*, refund_pk: int, staff: str) -> None:
    """A refused refund once more, under a new key: the gateway keeps what it said to the old one.

    Raises:
        InvalidTransition: it was not refused.
    """
    again = _refused(refund_pk).update(
        state=Refund.State.REQUESTED,
        key=uuid.uuid4(),
        due_at=Now(),
        lease_token=None,
        tries=0,
        done_at=None,
        note=f"Again: {staff}"[:200],
    )
    if not again:
        raise InvalidTransition(detail="Only a refund that was refused is tried again.")


@transaction.atomic
def mark_refund_paid_otherwise(*, refund_pk: int, note: str, staff: str) -> None:
    """Staff gave back what a gateway would not: by bank transfer, say. `note` tells how.

    Raises:
        InvalidTransition: the gateway has not refused it.
    """
    paid = _refused(refund_pk).update(
        state=Refund.State.PAID_OTHERWISE, done_at=Now(), note=f"{note} ({staff})"[:200]
    )
    if not paid:
        raise InvalidTransition(detail="Only a refund that was refused is paid in another way.")
    refund = Refund.objects.select_related("payment").get(pk=refund_pk)
    ledger.refunded_otherwise(refund)
    receipts.refund_receipt(refund)


@transaction.atomic
def take_back_refund(*, refund_pk: int, why: str) -> bool:
    """A refund that was made has come back from the traveller's bank. It is owed again, and work for staff.
    False where that is known, or it was not made."""
    made = Refund.objects.filter(pk=refund_pk, state=Refund.State.DONE)
    if not made.update(state=Refund.State.VOID, note=f"Came back: {why}"[:200]):
        return False
    refund = Refund.objects.select_related("payment").get(pk=refund_pk)
    ledger.refund_came_back(refund)
    owed = Refund.objects.create(
        payment=refund.payment,
        amount=refund.amount,
        reason=refund.reason,
        state=Refund.State.FAILED,
        done_at=Now(),
        note=f"The refund of {refund.created_at:%Y-%m-%d} came back: {why}"[:200],
    )
    ledger.refund_due(owed)
    logger.error("refund %s came back from the bank: %s", refund.key, why)
    return True


def wait_after(tries: int) -> timedelta:
    """2 s, doubling, an hour at most."""
    return min(timedelta(seconds=2 ** min(tries, 12)), LONGEST_WAIT)


def _refused(refund_pk: int) -> QuerySet[Refund]:
    return Refund.objects.filter(pk=refund_pk, state=Refund.State.FAILED)


def _lease() -> Refund | None:
    with transaction.atomic():
        due = Refund.objects.filter(
            state=Refund.State.REQUESTED, due_at__lte=Now(), payment__state=State.CAPTURED
        ).select_related("payment")
        refund = due.order_by("due_at").select_for_update(skip_locked=True, no_key=True, of=("self",)).first()
        if refund is not None:
            refund.lease_token, refund.tries = uuid.uuid4(), refund.tries + 1
            refund.due_at = Now() + lease_time()
            refund.save(update_fields=["lease_token", "due_at", "tries"])
    return refund


def _settle(refund: Refund) -> None:
    payment = refund.payment
    mine = Refund.objects.filter(pk=refund.pk, lease_token=refund.lease_token, state=Refund.State.REQUESTED)
    try:
        verdict = gateway(payment.gateway).refund(
            attempts.told(payment), refund_key=refund.key, amount=refund.amount
        )
    except GatewaySilent as silence:
        logger.warning("refund %s: the gateway is silent, try %s: %s", refund.key, refund.tries, silence)
        mine.update(due_at=Now() + wait_after(refund.tries), lease_token=None)
        return
    if isinstance(verdict, Declined):
        logger.error("refund %s was refused: %s", refund.key, verdict.reason)
        mine.update(state=Refund.State.FAILED, done_at=Now(), note=verdict.reason[:200])
        return
    with transaction.atomic():
        if mine.update(state=Refund.State.DONE, done_at=Now(), reference=verdict.reference):
            ledger.refunded(refund)
            receipts.refund_receipt(refund)
