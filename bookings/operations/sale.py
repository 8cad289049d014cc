"""The sale: the one place where seats are claimed, and the reason why none can be claimed twice.

`write_sale` runs inside one transaction (READ COMMITTED). What it takes, in the order of locks of the house:

1. the idempotency key's row: the answer is stored WHERE the lease is still ours, or all is undone;
2. the booking's own rows, which are new and nobody waits for, and its payment attempt, which becomes
   `to_capture` only if neither the sweeper nor a successor took it;
3. seat numbers in (flight, seat) order: a partial UNIQUE says no;
4. **last, just before COMMIT, the seats of each cabin, in (flight, cabin) order**, by
   `flights.public.claim_seats` (`flights/seat_inventory.py`): one conditional UPDATE each that repeats price,
   fare, protection and closing time, with CHECK `inventory_never_oversold` under it. No read decides
   anything, so two sales can't both take the last seat: the second waits for the first one's COMMIT and then
   finds `available - n >= protected` false.

Deferred foreign keys are checked before step 4, so that the contended row is locked for the COMMIT alone.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db import connection
from django.db.models.functions import Now

from bookings import mails
from bookings.idempotency import Promise
from bookings.models import Booking, BookingStatus, Coupon, Passenger, PaymentAttempt, Segment
from bookings.payments import attempts
from bookings.pricing import Quote
from bookings.states import UNSOLD_PAYMENTS, State
from bookings.types import BookingView, CouponView, SegmentView
from flights.public import assign_seats, claim_seats
from subscriptions.public import follow


class AttemptLost(Exception):
    """The payment was taken from us (its lease was over): the sale must be undone."""


@dataclass(frozen=True)
class Authorised:
    """A payment that the gateway has authorised, to be captured if and only if the sale is written."""

    attempt: PaymentAttempt
    reference: str


def write_sale(
    *,
    quote: Quote,
    promise: Promise,
    payment_method: str,
    payment: Authorised | None = None,
    due_by: dt.datetime | None = None,
) -> BookingView:
    """Sells what was quoted: Confirmed against `payment`, or Held until `due_by`. Inside the caller's
    transaction.

    Raises:
        SoldOut, PriceChanged, SeatTaken, FlightCancelled, FlightDeparted, NotFound, Invalid: all or nothing
        is sold. AttemptLost, LeaseLost: somebody else took the payment or the request over.
    """
    booking = Booking.objects.create(
        user_id=quote.holder.pk,
        status=BookingStatus.HELD if payment is None else BookingStatus.CONFIRMED,
        total=quote.total,
        currency=quote.currency,
        payment_method=payment_method,
        payment_due_by=due_by,
        confirmed_at=None if payment is None else Now(),
    )
    view = _view(booking, quote)
    promise.keep(view)
    if payment is not None:
        take_payment(booking, payment, promise)
    _write_details(booking, quote)
    _assign_seat_numbers(booking, quote)
    for segment in quote.segments:
        follow(user_pk=quote.holder.pk, flight_pk=segment.flight.pk, source=booking.public_id)
    mails.tell_of_sale(view, to=quote.holder.email)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    claim_seats([segment.claim() for segment in quote.segments])
    return view


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


def _write_details(booking: Booking, quote: Quote) -> None:
    passengers = Passenger.objects.bulk_create(
        Passenger(
            booking=booking,
            position=position,
            given_name=passenger.given_name,
            family_name=passenger.family_name,
            type=passenger.type,
        )
        for position, passenger in enumerate(quote.passengers)
    )
    segments = Segment.objects.bulk_create(
        Segment(
            booking=booking,
            position=position,
            flight_id=segment.flight.pk,
            cabin=segment.offer.cabin,
            fare=segment.offer.code,
            refundable=segment.offer.refundable,
            change_fee=segment.offer.change_fee,
            seats_claimed=segment.seats_claimed,
        )
        for position, segment in enumerate(quote.segments)
    )
    Coupon.objects.bulk_create(
        Coupon(segment=segment, passenger=passenger, price=price)
        for segment, quoted in zip(segments, quote.segments, strict=True)
        for passenger, price in zip(passengers, quoted.coupons, strict=True)
    )


def _assign_seat_numbers(booking: Booking, quote: Quote) -> None:
    for segment in sorted(quote.segments, key=lambda segment: segment.flight.pk):
        if segment.seats:
            assign_seats(
                flight_pk=segment.flight.pk,
                cabin=segment.offer.cabin,
                holder=booking.public_id,
                seats=segment.seats,
            )


def _view(booking: Booking, quote: Quote) -> BookingView:
    return BookingView(
        booking_id=booking.public_id,
        record_locator=booking.record_locator,
        user_pk=quote.holder.pk,
        status=booking.status,
        total=quote.total,
        currency=quote.currency,
        payment_method=booking.payment_method,
        payment_due_by=booking.payment_due_by,
        created_at=booking.created_at,
        passengers=quote.passengers,
        segments=tuple(
            SegmentView(
                flight=segment.flight,
                cabin=segment.offer.cabin,
                fare=segment.offer.code,
                refundable=segment.offer.refundable,
                change_fee=segment.offer.change_fee,
                coupons=tuple(CouponView(index, price) for index, price in enumerate(segment.coupons)),
                seats=dict(segment.seats),
                seats_claimed=segment.seats_claimed,
            )
            for segment in quote.segments
        ),
    )
