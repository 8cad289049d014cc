"""The worker's part of the money: captures, voids, what the gateway never answered; and `settle_refunds`.

Each step is lease (one UPDATE with SKIP LOCKED), COMMIT, call, complete (conditional on the lease's token),
so that the gateway is never called inside a transaction, a dead worker's task comes up again when its lease
is over, and two workers never complete the same one. The gateway knows our keys: a call that is made twice is
done once.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection
from contextlib import nullcontext

from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from bookings import ledger, mails, receipts
from bookings.idempotency import lease_time
from bookings.models import Booking, BookingStatus, Coupon, PaymentAttempt, Refund
from bookings.operations.endings import end, give_seats_back
from bookings.operations.refunds import refundable, request_refund
from bookings.operations.retries import again_after_deadlock
from bookings.operations.settle_refunds import settle_refunds, wait_after
from bookings.payments import attempts
from bookings.payments.gateway import AlreadyCaptured, Declined, GatewaySilent, gateway
from bookings.queries import booking_in_full
from bookings.states import OPEN_PAYMENTS, UNSOLD_PAYMENTS, State
from flightbook import tracing
from flightbook.errors import constraint_name
from flightbook.statements import run

logger = logging.getLogger(__name__)


def settle_payments(*, limit: int = 20) -> int:
    """Does at most `limit` payments and as many refunds that are due; how many calls were made. Silence is
    tried again later, at growing intervals."""
    done = 0
    while done < limit and (payment := _lease_payment()) is not None:
        with tracing.span("settle payment", **_told(payment)):
            _settle_payment(payment)
        done += 1
    return done + settle_refunds(limit=limit)


def _lease_payment() -> PaymentAttempt | None:
    with transaction.atomic():
        due = PaymentAttempt.objects.filter(state__in=OPEN_PAYMENTS, lease_until__lte=Now())
        free = due.select_for_update(skip_locked=True, no_key=True, of=("self",))
        payment = free.select_related("booking").order_by("lease_until").first()
        if payment is not None:
            payment.lease_token, payment.tries = uuid.uuid4(), payment.tries + 1
            payment.lease_until = Now() + lease_time()
            payment.save(update_fields=["lease_token", "lease_until", "tries"])
    return payment


def _told(payment: PaymentAttempt) -> dict[str, str]:
    found = {"state": payment.state, "gateway": payment.gateway}
    return found | ({"booking_id": payment.booking.public_id} if payment.booking else {})


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
        mine.update(lease_until=Now() + wait_after(payment.tries), lease_token=None)


def _capture(payment: PaymentAttempt) -> None:
    verdict = gateway(payment.gateway).capture(attempts.told(payment))
    if isinstance(verdict, Declined):
        again_after_deadlock(lambda: _undo_uncaptured(payment, verdict))
        return
    writes = [attempts.capturing(payment), *ledger.capturing(payment), receipts.receipt(payment)]
    try:
        with transaction.atomic() if connection.in_atomic_block else nullcontext():
            run(writes)
    except IntegrityError as error:
        if constraint_name(error) != attempts.PAYMENT_IS_OURS:
            raise


def _undo_uncaptured(payment: PaymentAttempt, refusal: Declined) -> None:
    """A capture refused for good: no money, so no booking, and what other payments of it took goes back. The
    booking's row is locked before the payment's, as always."""
    assert payment.booking_id is not None  # what waits to be captured was sold
    with transaction.atomic():
        booking = Booking.objects.select_for_update(no_key=True).get(pk=payment.booking_id)
        if not _move(payment, State.DECLINED, among=(State.TO_CAPTURE,), detail=refusal.reason):
            return
        ledger.capture_refused(payment)
        _write_off_refunds(payment)
        is_live = end(booking, status=BookingStatus.CANCELLED, reason="capture refused")
        _nothing_was_paid_for(booking)
        if is_live:
            mails.tell_of_refused_capture(
                booking_in_full(user_pk=booking.user_id, booking_id=booking.public_id)
            )
            give_seats_back(booking)


def _write_off_refunds(payment: PaymentAttempt) -> None:
    for refund in payment.refunds.filter(state=Refund.State.REQUESTED).select_related("payment"):
        ledger.nothing_to_refund(refund)
    payment.refunds.filter(state=Refund.State.REQUESTED).update(state=Refund.State.VOID, done_at=Now())


def _nothing_was_paid_for(booking: Booking) -> None:
    standing = Coupon.objects.filter(segment__booking=booking).exclude(status=Coupon.Status.EXCHANGED)
    standing.update(status=Coupon.Status.CANCELLED, refunded=F("price"))
    booking.charges.update(refunded=F("amount"))
    request_refund(booking=booking, amount=refundable(booking), reason="capture_refused")


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
    with transaction.atomic():
        if isinstance(verdict, AlreadyCaptured):
            _refund_captured(payment, verdict.reference)
        elif _move(payment, State.VOIDED, among=(State.TO_VOID,)) and ledger.is_on_the_books(payment):
            ledger.voided(payment)


def _refund_captured(payment: PaymentAttempt, reference: str) -> None:
    """The void came too late: what was taken goes back as a refund. It is due on the books already, unless no
    sale ever took the payment."""
    if not _move(payment, State.CAPTURED, among=(State.TO_VOID,), reference=reference):
        return
    was_sold = ledger.is_on_the_books(payment)
    if not was_sold:
        ledger.authorised(
            payment_pk=payment.pk,
            booking_pk=payment.booking_id,
            amount=payment.amount,
            currency=payment.currency,
        )
    ledger.captured(payment)
    refund = Refund.objects.create(payment=payment, amount=payment.amount, reason="captured_before_void")
    if not was_sold:
        ledger.refund_due(refund)


def _move(payment: PaymentAttempt, target: State, *, among: Collection[State], **values: str) -> bool:
    """Under our lease only. `among` keeps a slow worker from finishing what was decided otherwise
    meanwhile."""
    if "detail" in values:
        values["detail"] = values["detail"][:200]
    return attempts.move(payment.pk, target, among=among, token=payment.lease_token, **values)
