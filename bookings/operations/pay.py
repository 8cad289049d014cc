"""Paying for a hold. A payment racing the hold's expiry, or another payment: exactly one wins, by the
booking's row."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

from django.db.models import F
from django.db.models.functions import Now

from accounts.public import account
from bookings import mails
from bookings.clock import database_now
from bookings.departures import check_flying
from bookings.idempotency import Promise, decide, let_go_on_failure
from bookings.models import Booking, BookingStatus, PaymentAttempt, Segment
from bookings.operations.payment import authorise, begin_or_resume, give_up_inherited, taken_by_another
from bookings.operations.retries import again_after_deadlock
from bookings.operations.sale import AttemptLost, Authorised, take_payment
from bookings.payments import attempts
from bookings.queries import booking_in_full
from bookings.states import State
from bookings.tickets import issue_tickets
from bookings.types import BookingView
from flightbook.errors import (
    AlreadyCancelled,
    HoldExpired,
    InvalidTransition,
    NotFound,
    PriceChanged,
    Problem,
    Unavailable,
)
from flights.public import flights


def pay_booking(
    *, user_pk: int, booking_id: str, payment_method: str, payment_token: str, promise: Promise
) -> BookingView:
    """Settles a hold: Confirmed against the payment, at the price that was held.

    Raises:
        NotFound; HoldExpired; AlreadyCancelled; InvalidTransition: it is paid already.
        PriceChanged: a traveller was cancelled while it was being paid.
        FlightCancelled, FlightDeparted; PaymentDeclined; Unavailable: the gateway was silent.
        Replayed, RequestInProgress, IdempotencyKeyReused: by the promise.
    """

    def begin() -> PaymentAttempt:
        booking = _payable(user_pk, booking_id)
        return begin_or_resume(
            promise,
            user_pk=user_pk,
            amount=booking.total,
            currency=booking.currency,
            token=payment_token,
            booking=booking,
        )

    with let_go_on_failure(promise):
        attempt = again_after_deadlock(
            lambda: decide(promise, begin, refused=partial(give_up_inherited, promise))
        )
        return _confirm(user_pk, booking_id, payment_method, authorise(attempt, promise), promise)


def _confirm(
    user_pk: int, booking_id: str, payment_method: str, payment: Authorised, promise: Promise
) -> BookingView:
    def refused(problem: Problem) -> bool:
        if not attempts.give_up(payment.attempt, token=promise.token):
            raise AttemptLost
        return True

    def work() -> BookingView:
        promise.link(payment.attempt.pk)  # the key's row is the first lock
        booking = _to_confirmed(user_pk, booking_id, payment_method, payment.attempt.amount)
        take_payment(booking, payment, promise)
        issue_tickets(booking)
        paid = booking_in_full(user_pk=user_pk, booking_id=booking_id)
        promise.keep(paid)
        mails.tell_of_sale(paid, to=account(user_pk).email)
        return paid

    try:
        return again_after_deadlock(lambda: decide(promise, work, refused=refused, begun=True))
    except AttemptLost as lost:
        raise taken_by_another(payment.attempt) from lost
    except Unavailable:
        attempts.wait_for_retry(
            payment.attempt, State.AUTHORISED, token=promise.token, reference=payment.reference
        )
        raise


def _to_confirmed(user_pk: int, booking_id: str, payment_method: str, amount: Decimal) -> Booking:
    rows = Booking.objects.filter(user_id=user_pk, public_id=booking_id)
    open_hold = rows.filter(status=BookingStatus.HELD, payment_due_by__gt=Now())
    confirmed = open_hold.filter(total=amount).update(
        status=BookingStatus.CONFIRMED,
        confirmed_at=Now(),
        payment_method=payment_method,
        version=F("version") + 1,
    )
    if not confirmed:
        raise _why_not(_payable(user_pk, booking_id), amount)
    return rows.get()


def _why_not(booking: Booking, amount: Decimal) -> Problem:
    if booking.total == amount:
        return HoldExpired()
    price = {"price": booking.total, "currency": booking.currency}
    return PriceChanged(detail=f"The price is {booking.total} {booking.currency} now.", extra=price)


def _payable(user_pk: int, booking_id: str) -> Booking:
    booking = Booking.objects.filter(user_id=user_pk, public_id=booking_id).first()
    if booking is None:
        raise NotFound(detail="There is no such booking.")
    if booking.status == BookingStatus.CANCELLED:
        raise AlreadyCancelled
    if booking.status == BookingStatus.CONFIRMED:
        raise InvalidTransition(detail="The booking is paid already.")
    due_by = booking.payment_due_by
    if booking.status == BookingStatus.EXPIRED or due_by is None or due_by <= database_now():
        raise HoldExpired
    standing = booking.segments.filter(status=Segment.Status.BOOKED)
    for flight in flights(standing.values_list("flight_id", flat=True)).values():
        check_flying(flight)
    return booking
