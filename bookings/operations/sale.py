"""The sale: the one place where seats are claimed, and the reason why none can be claimed twice.

`write_sale` is one message of statements (`flightbook.statements`), and outside of a transaction one itself
(READ COMMITTED). PostgreSQL runs them in this order, which is the order of locks of the house; each that
finds its condition gone ends the message, and nothing of it stays:

1. the idempotency key's row: the answer is stored WHERE the lease is ours (`idempotency_lease_is_ours`);
2. the booking's own rows, which are new and nobody waits for, and its payment attempt, which becomes
   `to_capture` only if neither the sweeper nor a successor took it (`payment_is_ours`), with its entry in the
   ledger;
3. seat numbers in (flight, seat) order: a partial UNIQUE says no. Only they need a look at what is there, so
   that a sale with chosen seats is a transaction of several messages, in the same order;
4. **last, just before COMMIT, the seats of each cabin, in (flight, cabin) order**, by
   `flights.public.claim_seats` (`flights/seat_inventory.py`): one conditional UPDATE each that repeats price,
   fare, protection and closing time, with CHECK `inventory_never_oversold` under it. No read decides
   anything, so two sales can't both take the last seat: the second waits for the first one's COMMIT and then
   finds `available - n >= protected` false.

Deferred foreign keys are checked before step 4, so that the contended row is locked for the COMMIT alone. The
claims are statements of their own, not parts of one great WITH: of those PostgreSQL promises no order
(https://www.postgresql.org/docs/current/queries-with.html#QUERIES-WITH-MODIFYING).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from decimal import Decimal

from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now

from bookings import ledger, mails
from bookings.idempotency import LEASE_IS_OURS, LeaseLost, Promise
from bookings.models import Booking, BookingStatus, Charge, PaymentAttempt, new_booking_id, new_record_locator
from bookings.operations import sale_rows
from bookings.payments import attempts
from bookings.pricing import Quote
from bookings.states import UNSOLD_PAYMENTS, State
from bookings.tickets import TicketCoupon, draw_serials, no_tickets, number_tickets, tickets_needed
from bookings.types import BookingView, ChargeView, CouponView, SegmentView
from flightbook.errors import constraint_name
from flightbook.statements import CHECK_KEYS_NOW, Statement, run
from flights.public import assign_seats, claim_seats
from subscriptions.public import following


class AttemptLost(Exception):
    """The payment was taken from us (its lease was over): the sale must be undone."""


_LOST: dict[str, type[Exception]] = {
    LEASE_IS_OURS: LeaseLost,
    attempts.PAYMENT_IS_OURS: AttemptLost,
}


@dataclass(frozen=True)
class Authorised:
    """A payment that the gateway has authorised, to be captured if and only if the sale is written."""

    attempt: PaymentAttempt
    reference: str
    # Of its tickets, where they were drawn with the attempt.
    serials: Sequence[int] = ()


def write_sale(
    *,
    quote: Quote,
    promise: Promise,
    payment_method: str,
    payment: Authorised | None = None,
    due_by: dt.datetime | None = None,
) -> BookingView:
    """Sells what was quoted: Confirmed against `payment`, or Held until `due_by`. In a transaction of its
    own, or in a savepoint of the caller's.

    Raises:
        SoldOut, PriceChanged, SeatTaken, FlightCancelled, FlightDeparted, NotFound, Invalid: all or nothing
        is sold. AttemptLost, LeaseLost: somebody else took the payment or the request over.
    """
    tickets = _tickets(quote, payment)
    view = _view(quote, tickets, payment_method=payment_method, is_paid=payment is not None, due_by=due_by)
    writes = [
        *promise.keeping(view),
        sale_rows.new_rows(view, quote, tickets, is_paid=payment is not None),
        *([] if payment is None else _payment(payment, promise)),
        following(
            user_pk=quote.holder.pk,
            flight_pks=[segment.flight.pk for segment in quote.segments],
            source=view.booking_id,
        ),
        mails.letter_of_sale(view, to=quote.holder.email),
    ]
    _write(writes, view.booking_id, quote)
    return view


def _write(writes: Sequence[Statement], booking_id: str, quote: Quote) -> None:
    claims = [segment.claim() for segment in quote.segments]
    has_seats = any(segment.seats for segment in quote.segments)
    try:
        with transaction.atomic() if has_seats or connection.in_atomic_block else nullcontext():
            if has_seats:
                run(writes)
                _assign_seat_numbers(booking_id, quote)
                writes = [CHECK_KEYS_NOW]
            claim_seats(claims, writes)
    except IntegrityError as error:
        lost = _LOST.get(constraint_name(error) or "")
        if lost is None:
            raise
        raise lost from error


def _payment(payment: Authorised, promise: Promise) -> list[Statement]:
    taking = attempts.taking(
        payment.attempt,
        reference=payment.reference,
        token=promise.token,
        booking=sale_rows.THIS_BOOKING,
    )
    return [taking, *sale_rows.ledger_rows(payment.attempt)]


def take_payment(booking: Booking, payment: Authorised, promise: Promise) -> None:
    """Leaves the payment to the worker to be captured.

    Raises:
        AttemptLost: it is not ours any more.
    """
    taken = attempts.move(
        payment.attempt.pk,
        State.TO_CAPTURE,
        among=UNSOLD_PAYMENTS,
        token=promise.token,
        booking=booking,
        reference=payment.reference,
        lease_until=Now(),
        tries=0,
    )
    if not taken:
        raise AttemptLost
    attempt = payment.attempt
    ledger.authorised(
        payment_pk=attempt.pk, booking_pk=booking.pk, amount=attempt.amount, currency=attempt.currency
    )


def _tickets(quote: Quote, payment: Authorised | None) -> list[list[TicketCoupon]]:
    """By passenger, then flight."""
    passengers, flights = len(quote.passengers), len(quote.segments)
    if payment is None:
        return no_tickets(passengers=passengers, flights=flights)
    carrier = quote.segments[0].flight.ticketing_code
    serials = payment.serials or draw_serials(passengers * tickets_needed(flights))
    return number_tickets(carrier, serials, passengers=passengers, flights=flights)


def _assign_seat_numbers(booking_id: str, quote: Quote) -> None:
    for segment in sorted(quote.segments, key=lambda segment: segment.flight.pk):
        if segment.seats:
            assign_seats(
                flight_pk=segment.flight.pk,
                cabin=segment.offer.cabin,
                holder=booking_id,
                seats=segment.seats,
            )


def _view(
    quote: Quote,
    tickets: Sequence[Sequence[TicketCoupon]],
    *,
    payment_method: str,
    is_paid: bool,
    due_by: dt.datetime | None,
) -> BookingView:
    return BookingView(
        booking_id=new_booking_id(),
        record_locator=new_record_locator(),
        user_pk=quote.holder.pk,
        status=BookingStatus.CONFIRMED if is_paid else BookingStatus.HELD,
        total=quote.total,
        currency=quote.currency,
        payment_method=payment_method,
        payment_due_by=due_by,
        created_at=dt.datetime.now(dt.UTC),  # only shown: the row has the database's own
        passengers=quote.passengers,
        segments=tuple(
            SegmentView(
                flight=segment.flight,
                cabin=segment.offer.cabin,
                fare=segment.offer.code,
                refundable=segment.offer.refundable,
                change_fee=segment.offer.change_fee,
                coupons=tuple(
                    CouponView(
                        index,
                        price,
                        ticket_number=tickets[index][position].number,
                        coupon_number=tickets[index][position].coupon,
                    )
                    for index, price in enumerate(segment.coupons)
                ),
                seats=dict(segment.seats),
                seats_claimed=segment.seats_claimed,
            )
            for position, segment in enumerate(quote.segments)
        ),
        charges=_seat_charges(quote),
    )


def _seat_charges(quote: Quote) -> tuple[ChargeView, ...]:
    return tuple(
        ChargeView(
            Charge.Kind.SEAT,
            amount,
            Decimal(0),
            detail=segment.seats[index],
            flight_id=segment.flight.flight_id,
            passenger=index,
        )
        for segment in quote.segments
        for index, amount in sorted(segment.seat_charges.items())
    )
