"""Booking: quote, have the money authorised, sell. The gateway stands between two transactions, never inside
one.

`POST /book-flight` in order:

1. `_begin`: the order is quoted (a filter that may refuse early), then the idempotency key taken and the
   payment attempt written, in one transaction. COMMIT: from here on a crash leaves a trace, which the same
   key resumes or the sweeper voids.
2. `payment.authorise`, outside of any transaction.
3. `_sell`, one transaction: the sale with its answer (`sale.write_sale`); or, where that was refused and so
   undone, the refusal with the attempt's end.

Where no fare was named and the cheapest closed meanwhile, all three run again with the next fare of the same
cabin; so they do where the price moved and no `expectedPrice` forbids it. The payment of the earlier round is
voided.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from bookings.clock import database_now
from bookings.departures import hold_ends
from bookings.idempotency import Promise, decide, let_go_on_failure, under_our_lease
from bookings.models import Booking, BookingStatus, PaymentAttempt, PaymentMethod
from bookings.operations.payment import authorise, begin_or_resume, give_up_inherited, taken_by_another
from bookings.operations.retries import again_after_deadlock
from bookings.operations.sale import AttemptLost, Authorised, write_sale
from bookings.payments import attempts
from bookings.pricing import Quote, quote_order
from bookings.states import State
from bookings.tickets import tickets_needed
from bookings.types import BookingView, Order
from flightbook.errors import HoldLimit, PriceChanged, Problem, SoldOut, Unavailable

# How often an order may follow the fares upwards. Between seats that come back a fare closes to a party only
# once, so that this is more than a cabin has fares; in the last round a refusal is final.
ROUNDS = 8
# What the gateway is asked for: the quote, the attempt, and the serials drawn with it, if they were.
Begun = tuple[Quote, PaymentAttempt, Sequence[int]]


def book_flight(*, order: Order, promise: Promise) -> BookingView:
    """Sells an order, all or nothing: Confirmed against a payment, or Held where it asks for a hold.

    Raises:
        NotFound, Invalid: it asks for what there is not.
        SoldOut, SeatTaken, PriceChanged, FlightCancelled, FlightDeparted, HoldLimit.
        PaymentDeclined; Unavailable: the gateway was silent, or the database too busy.
        Replayed, RequestInProgress, IdempotencyKeyReused: by the promise.
    """
    if order.payment_method == PaymentMethod.HOLD:
        return again_after_deadlock(lambda: decide(promise, lambda: _hold(order, promise)))
    with let_go_on_failure(promise):
        for number in range(ROUNDS):
            quote, attempt, serials = _begin(order, promise, begun=number > 0)
            payment = replace(authorise(attempt, promise), serials=serials)
            view = _sell(order, quote, payment, promise, is_last=number == ROUNDS - 1)
            if view is not None:
                return view
    raise AssertionError("the last round is final")


def _begin(order: Order, promise: Promise, *, begun: bool) -> Begun:
    """In one statement where the key is new and the order can be had; else in one transaction, in which the
    key decides first: it may have an answer already."""
    return (None if begun else _begin_at_once(order, promise)) or _begin_in_turn(order, promise, begun=begun)


def _begin_at_once(order: Order, promise: Promise) -> Begun | None:
    try:
        quote = quote_order(order)
    except Problem:
        return None
    begun = attempts.begin(
        promise,
        user_pk=order.user_pk,
        amount=quote.total,
        currency=quote.currency,
        token=order.payment_token,
        serials=len(quote.passengers) * tickets_needed(len(quote.segments)),
    )
    return None if begun is None else (quote, *begun)


def _begin_in_turn(order: Order, promise: Promise, *, begun: bool) -> Begun:
    def work() -> Begun:
        quote = quote_order(order)
        attempt = begin_or_resume(
            promise,
            user_pk=order.user_pk,
            amount=quote.total,
            currency=quote.currency,
            token=order.payment_token,
        )
        return quote, attempt, []

    return again_after_deadlock(
        lambda: decide(promise, work, refused=partial(give_up_inherited, promise), begun=begun)
    )


def _sell(
    order: Order, quote: Quote, payment: Authorised, promise: Promise, *, is_last: bool
) -> BookingView | None:
    """The booking; None where a new quote may succeed."""

    def refused(problem: Problem) -> bool:
        if not attempts.give_up(payment.attempt, token=promise.token):
            raise AttemptLost
        return is_last or not _may_requote(order, problem)

    def transact() -> BookingView:
        try:
            with under_our_lease():
                return write_sale(
                    quote=quote, promise=promise, payment_method=order.payment_method, payment=payment
                )
        except Problem as problem:
            refusal = problem
        return decide(promise, lambda: _raise(refusal), refused=refused, begun=True)

    try:
        return again_after_deadlock(transact)
    except AttemptLost as lost:
        raise taken_by_another(payment.attempt) from lost
    except Unavailable:
        attempts.wait_for_retry(
            payment.attempt, State.AUTHORISED, token=promise.token, reference=payment.reference
        )
        raise
    except Problem as problem:
        if not is_last and _may_requote(order, problem):
            return None
        attempts.give_up(payment.attempt, token=promise.token)  # a 400 has undone everything else
        raise


def _raise(problem: Problem) -> BookingView:
    raise problem


def _hold(order: Order, promise: Promise) -> BookingView:
    """Takes the seats without payment, in the transaction of its answer."""
    _check_hold_limit(order.user_pk)
    for number in range(ROUNDS):
        quote = quote_order(order)
        try:
            return write_sale(
                quote=quote, promise=promise, payment_method=order.payment_method, due_by=_due_by(quote)
            )
        except (SoldOut, PriceChanged) as problem:
            if number == ROUNDS - 1 or not _may_requote(order, problem):
                raise
    raise AssertionError("the last round is final")


def _due_by(quote: Quote) -> dt.datetime:
    """HOLD_MINUTES from now, while the flights are on sale."""
    flights, cabin = [segment.flight for segment in quote.segments], quote.segments[0].offer.cabin
    until = database_now() + dt.timedelta(minutes=settings.HOLD_MINUTES)
    return min(until, hold_ends(flights, cabin=cabin))


def _check_hold_limit(user_pk: int) -> None:
    _one_at_a_time(user_pk)
    held = Booking.objects.filter(user_id=user_pk, status=BookingStatus.HELD, payment_due_by__gt=Now())
    if (count := held.count()) >= settings.HOLDS_PER_USER:
        raise HoldLimit(detail=f"You have {count} open holds; pay for one or cancel it first.")


def _one_at_a_time(user_pk: int) -> None:
    """Until COMMIT no other hold of this user is made, so that the count still stands when ours is
    written."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('bookings.hold', %s))", [user_pk])


def _may_requote(order: Order, problem: Problem) -> bool:
    return isinstance(problem, PriceChanged) or (isinstance(problem, SoldOut) and order.fares is None)
