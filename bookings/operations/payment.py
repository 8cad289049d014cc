"""The gateway's part of a sale, between its two transactions, and how an attempt ends that came to
nothing."""

from __future__ import annotations

from decimal import Decimal

from django.db import transaction
from django.db.models.functions import Now

from bookings.idempotency import LeaseLost, Promise
from bookings.models import Booking, PaymentAttempt
from bookings.operations.sale import Authorised
from bookings.payments import attempts
from bookings.payments.gateway import Approved, Declined, Gateway, GatewaySilent, gateway
from bookings.states import State
from flightbook.errors import PaymentDeclined, Problem, RequestInProgress, Unavailable

RETRY_AFTER = 5  # seconds


def begin_or_resume(
    promise: Promise,
    *,
    user_pk: int,
    amount: Decimal,
    currency: str,
    token: str,
    booking: Booking | None = None,
) -> PaymentAttempt:
    """The attempt to go on with: the dead owner's where it is over the same amount, else a new one, and his
    is given up."""
    earlier = attempts.take_over(promise)
    if earlier is not None:
        if (earlier.amount, earlier.currency) == (amount, currency):
            return earlier
        attempts.give_up(earlier, token=promise.token)
    return attempts.start(
        promise, user_pk=user_pk, amount=amount, currency=currency, token=token, booking=booking
    )


def give_up_inherited(promise: Promise, refusal: Problem) -> bool:
    """Ends a dead owner's attempt where the request is refused before the gateway is asked; True, the refusal
    is final."""
    earlier = attempts.take_over(promise)
    if earlier is not None:
        attempts.give_up(earlier, token=promise.token)
    return True


def authorise(attempt: PaymentAttempt, promise: Promise) -> Authorised:
    """Has the gateway authorise an attempt that was committed before; one that was begun by a dead owner is
    looked up first.

    Called outside of any transaction.

    Raises:
        PaymentDeclined: for good; it is stored as this request's answer.
        Unavailable: the gateway was silent. The attempt waits for the same key, then the sweeper voids it.
    """
    if attempt.state == State.AUTHORISED:
        return Authorised(attempt, attempt.reference)
    try:
        verdict = _ask(gateway(attempt.gateway), attempt)
    except GatewaySilent as silence:
        attempts.wait_for_retry(attempt, State.UNKNOWN, token=promise.token)
        raise Unavailable(
            detail="The payment gateway did not answer. Send the same again, under the same Idempotency-Key.",
            retry_after=RETRY_AFTER,
        ) from silence
    if isinstance(verdict, Declined):
        raise _declined(attempt, promise, verdict)
    return Authorised(attempt, verdict.reference)


def _ask(bank: Gateway, attempt: PaymentAttempt) -> Approved | Declined:
    payment = attempts.told(attempt)
    is_resumed = attempt.tries > 0
    if is_resumed:
        known = bank.look_up(payment)
        if known is not None:
            return known
    return bank.authorise(payment)


def _declined(attempt: PaymentAttempt, promise: Promise, verdict: Declined) -> Problem:
    refusal = PaymentDeclined(detail=verdict.reason)
    try:
        with transaction.atomic():
            if not attempts.move(
                attempt.pk, State.DECLINED, token=promise.token, detail=verdict.reason[:200]
            ):
                return taken_by_another(attempt)
            promise.keep(refusal)
    except LeaseLost:
        return RequestInProgress(detail="Another try of this request went on in its place.", retry_after=1)
    return refusal


def taken_by_another(attempt: PaymentAttempt) -> Problem:
    """What to answer when the sweeper took the attempt because its lease was over. Should the gateway have
    authorised it after that, it is voided once more."""
    attempts.move(attempt.pk, State.TO_VOID, among=(State.VOIDED,), lease_until=Now(), tries=0)
    return Unavailable(detail="The payment took too long and was undone. Nothing was booked.", retry_after=1)
