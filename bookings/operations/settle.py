"""The worker's part of the money: captures, voids, what the gateway never answered, refunds.

Each step is lease (one UPDATE with SKIP LOCKED), COMMIT, call, complete (conditional on the lease's token),
so that the gateway is never called inside a transaction, a dead worker's task comes up again when its lease
is over, and two workers never complete the same one. The gateway knows our keys: a call that is made twice is
done once.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection
from datetime import timedelta

from django.db import transaction
from django.db.models import Sum
from django.db.models.functions import Now

from bookings import mails
from bookings.idempotency import lease_time
from bookings.models import Booking, BookingStatus, PaymentAttempt, Refund
from bookings.operations.endings import end, give_seats_back
from bookings.operations.retries import again_after_deadlock
from bookings.payments import attempts
from bookings.payments.gateway import AlreadyCaptured, Declined, GatewaySilent, gateway
from bookings.queries import booking_in_full
from bookings.states import OPEN_PAYMENTS, UNSOLD_PAYMENTS, State

logger = logging.getLogger(__name__)
LONGEST_WAIT = timedelta(hours=1)


def settle_payments(*, limit: int = 20) -> int:
    """Does at most `limit` payments and as many refunds that are due; how many calls were made. Silence is
    tried again later, at growing intervals."""
    done = 0
    while done < limit and (payment := _lease_payment()) is not None:
        _settle_payment(payment)
        done += 1
    refunded = 0
    while refunded < limit and (refund := _lease_refund()) is not None:
        _settle_refund(refund)
        refunded += 1
    return done + refunded


def _lease_payment() -> PaymentAttempt | None:
    with transaction.atomic():
        due = PaymentAttempt.objects.filter(state__in=OPEN_PAYMENTS, lease_until__lte=Now())
        payment = due.order_by("lease_until").select_for_update(skip_locked=True, no_key=True).first()
        if payment is not None:
            payment.lease_token, payment.tries = uuid.uuid4(), payment.tries + 1
            payment.lease_until = Now() + lease_time()
            payment.save(update_fields=["lease_token", "lease_until", "tries"])
    return payment


def _settle_payment(payment: PaymentAttempt) -> None:
    try:
        if payment.state == State.TO_CAPTURE:
            _capture(payment)
        elif payment.state in UNSOLD_PAYMENTS:
            _end_unsold(payment)
        else:
            _void(payment)
    except GatewaySilent as silence:
        logger.warning("payment %s: the gateway is silent, try %s: %s", payment.key, payment.tries, silence)
        mine = PaymentAttempt.objects.filter(pk=payment.pk, lease_token=payment.lease_token)
        mine.update(lease_until=Now() + _wait(payment.tries))


def _capture(payment: PaymentAttempt) -> None:
    verdict = gateway(payment.gateway).capture(attempts.told(payment))
    if isinstance(verdict, Declined):
        again_after_deadlock(lambda: _undo_uncaptured(payment, verdict))
    else:
        _move(payment, State.CAPTURED, among=(State.TO_CAPTURE,))


def _undo_uncaptured(payment: PaymentAttempt, refusal: Declined) -> None:
    """A capture refused for good: no money, so no booking. The booking's row is locked before the payment's,
    as always."""
    assert payment.booking_id is not None  # what waits to be captured was sold
    with transaction.atomic():
        booking = Booking.objects.select_for_update(no_key=True).get(pk=payment.booking_id)
        if not _move(payment, State.DECLINED, among=(State.TO_CAPTURE,), detail=refusal.reason):
            return
        payment.refunds.filter(state=Refund.State.REQUESTED).update(state=Refund.State.FAILED, done_at=Now())
        if end(booking, status=BookingStatus.CANCELLED, reason="capture refused"):
            mails.tell_of_refused_capture(
                booking_in_full(user_pk=booking.user_id, booking_id=booking.public_id)
            )
            give_seats_back(booking)


def _end_unsold(payment: PaymentAttempt) -> None:
    """An attempt whose owner is gone. From `to_void` on no sale can take it; voiding refuses what might still
    come."""
    verdict = gateway(payment.gateway).look_up(attempts.told(payment))
    if isinstance(verdict, Declined):
        _move(payment, State.DECLINED, among=UNSOLD_PAYMENTS, detail=verdict.reason)
    elif _move(payment, State.TO_VOID, among=UNSOLD_PAYMENTS):
        _void(payment)


def _void(payment: PaymentAttempt) -> None:
    verdict = gateway(payment.gateway).void(attempts.told(payment))
    if isinstance(verdict, AlreadyCaptured):
        _refund_captured(payment)
    else:
        _move(payment, State.VOIDED, among=(State.TO_VOID,))


def _refund_captured(payment: PaymentAttempt) -> None:
    """The void came too late: what was taken goes back as a refund."""
    with transaction.atomic():
        if _move(payment, State.CAPTURED, among=(State.TO_VOID,)):
            asked = payment.refunds.aggregate(sum=Sum("amount"))["sum"] or 0
            Refund.objects.create(
                payment=payment, amount=payment.amount - asked, reason="captured_before_void"
            )


def _move(payment: PaymentAttempt, target: State, *, among: Collection[State], detail: str = "") -> bool:
    """Under our lease only. `among` keeps a slow worker from finishing what was decided otherwise
    meanwhile."""
    return attempts.move(payment.pk, target, among=among, token=payment.lease_token, detail=detail[:200])


def _lease_refund() -> Refund | None:
    """Refunds wait until their payment is captured."""
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


def _settle_refund(refund: Refund) -> None:
    payment = refund.payment
    mine = Refund.objects.filter(pk=refund.pk, lease_token=refund.lease_token, state=Refund.State.REQUESTED)
    try:
        verdict = gateway(payment.gateway).refund(
            attempts.told(payment), refund_key=refund.key, amount=refund.amount
        )
    except GatewaySilent as silence:
        logger.warning("refund %s: the gateway is silent, try %s: %s", refund.key, refund.tries, silence)
        mine.update(due_at=Now() + _wait(refund.tries))
        return
    if isinstance(verdict, Declined):
        logger.error("refund %s was refused: %s", refund.key, verdict.reason)
        mine.update(state=Refund.State.FAILED, done_at=Now())
    else:
        mine.update(state=Refund.State.DONE, done_at=Now(), reference=verdict.reference)


def _wait(tries: int) -> timedelta:
    """2 s, doubling, an hour at most."""
    return min(timedelta(seconds=2 ** min(tries, 12)), LONGEST_WAIT)
