"""Collecting what a live booking has still to pay for: a dearer flight, a seat. The gateway stands between
two transactions, as in a sale, and where nothing is due it is not asked:

1. `begin`, one transaction under the idempotency key: what is due is found out (a filter that may refuse
   early), the payment attempt written. COMMIT.
2. `payment.authorise`, outside of any transaction.
3. `write`, one transaction: the key's row and the booking's are locked, what is due is found out once more,
   and all is written, the payment to be captured with it; or the refusal with the attempt's end.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import TypeVar

from bookings.idempotency import Promise, decide, let_go_on_failure
from bookings.models import Booking, PaymentAttempt
from bookings.operations.payment import authorise, begin_or_resume, give_up_inherited, taken_by_another
from bookings.operations.retries import again_after_deadlock
from bookings.operations.sale import AttemptLost, Authorised
from bookings.payments import attempts
from bookings.states import State
from flightbook.errors import Invalid, NotFound, PriceChanged, Problem, Unavailable

T = TypeVar("T")


def collect(
    promise: Promise,
    *,
    begin: Callable[[], PaymentAttempt | None],
    write: Callable[[Authorised | None], T],
) -> T:
    """Runs `begin`, has its attempt authorised where there is one, then runs `write` under the key's lock.

    Raises:
        What both raise. PaymentDeclined; Unavailable: the gateway was silent, or the database too busy.
        Replayed, RequestInProgress, IdempotencyKeyReused: by the promise.
    """
    with let_go_on_failure(promise):
        attempt = again_after_deadlock(
            lambda: decide(promise, begin, refused=partial(give_up_inherited, promise))
        )
        payment = None if attempt is None else authorise(attempt, promise)
        return _conclude(promise, payment, write)


def attempt_for(
    promise: Promise, booking: Booking, *, amount: Decimal, method: str | None, token: str
) -> PaymentAttempt | None:
    """The attempt over what is due, for `begin`; None where nothing is.

    Raises:
        Invalid: something is due, and no payment method was named.
    """
    if not amount:
        attempts_left = attempts.take_over(promise)
        if attempts_left is not None:
            attempts.give_up(attempts_left, token=promise.token)
        return None
    if method is None:
        raise Invalid.of(
            "/paymentMethod", "required", f"{amount} {booking.currency} are due. How are they paid?"
        )
    return begin_or_resume(
        promise,
        user_pk=booking.user_id,
        amount=amount,
        currency=booking.currency,
        token=token,
        booking=booking,
    )


def lock_booking(user_pk: int, booking_id: str) -> Booking:
    """The booking, its row locked until the transaction's end.

    Raises:
        NotFound
    """
    rows = Booking.objects.select_for_update(no_key=True).filter(user_id=user_pk, public_id=booking_id)
    return _found(rows.first())


def find_booking(user_pk: int, booking_id: str) -> Booking:
    """
    Raises:
        NotFound
    """
    return _found(Booking.objects.filter(user_id=user_pk, public_id=booking_id).first())


def check_due(due: Decimal, *, expected: Decimal | None, currency: str) -> None:
    """
    Raises:
        PriceChanged: something else is due than what was expected, or authorised.
    """
    if expected is not None and expected != due:
        raise PriceChanged(
            detail=f"{due} {currency} are due now.", extra={"price": due, "currency": currency}
        )


def _found(booking: Booking | None) -> Booking:
    if booking is None:
        raise NotFound(detail="There is no such booking.")
    return booking


def _conclude(promise: Promise, payment: Authorised | None, write: Callable[[Authorised | None], T]) -> T:
    def work() -> T:
        promise.hold()
        return write(payment)

    def refused(problem: Problem) -> bool:
        if payment is not None and not attempts.give_up(payment.attempt, token=promise.token):
            raise AttemptLost
        return True

    try:
        return again_after_deadlock(lambda: decide(promise, work, refused=refused, begun=True))
    except AttemptLost as lost:
        assert payment is not None
        raise taken_by_another(payment.attempt) from lost
    except Unavailable:
        if payment is not None:
            attempts.wait_for_retry(
                payment.attempt, State.AUTHORISED, token=promise.token, reference=payment.reference
            )
        raise
    except Invalid:
        if payment is not None:  # a 400 has undone everything else
            attempts.give_up(payment.attempt, token=promise.token)
        raise
