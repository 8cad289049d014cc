"""Changing a flight of a booking to another: quoted, then confirmed, as `collect` pays for it.

The old flight's seats go back and the new one's are claimed in one transaction, in the one order of (flight,
cabin), last before COMMIT: all of it or nothing. Of many changes of one booking at once, one finds the
version that it was quoted for; the others wait for its row, and find another.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import F, Max
from django.db.models.functions import Least

from bookings import mails
from bookings.departures import hold_ends
from bookings.disruption import settle
from bookings.idempotency import Promise, decide
from bookings.models import (
    Booking,
    BookingStatus,
    Charge,
    Coupon,
    Disruption,
    PaymentAttempt,
    Quote,
    Segment,
)
from bookings.operations import quotes
from bookings.operations.change_price import NewCoupon, PricedChange, check_live, price_change
from bookings.operations.collect import attempt_for, check_due, collect, find_booking, lock_booking
from bookings.operations.refunds import request_refund
from bookings.operations.retries import again_after_deadlock
from bookings.operations.sale import Authorised, take_payment
from bookings.queries import booking_in_full
from bookings.states import SEGMENT_TRANSITIONS, sources
from bookings.tickets import issue_tickets
from bookings.types import ChangedView, ChangeOrder, ChangePrice, ChangeQuoteView
from flightbook.errors import NotChangeable, PriceChanged
from flights.public import SeatReturn, exchange_seats, release_seats
from subscriptions.public import end_source, follow

REFUND_REASON = "change"


def quote_change(*, order: ChangeOrder, promise: Promise) -> ChangeQuoteView:
    """Says what a change comes to, and until when that holds.

    Raises:
        What `price_change` raises. Replayed, RequestInProgress, IdempotencyKeyReused: by the promise.
    """

    def quote() -> ChangeQuoteView:
        booking = find_booking(order.user_pk, order.booking_id)
        price = price_change(booking, order).price
        amount = price.amount_due - price.refund
        offered = quotes.offer(booking, kind=Quote.Kind.CHANGE, terms=_terms(price), amount=amount)
        view = ChangeQuoteView(offered.public_id, booking.public_id, price, offered.expires_at)
        promise.keep(view)
        return view

    return again_after_deadlock(lambda: decide(promise, quote))


def change_booking(*, order: ChangeOrder, promise: Promise) -> ChangedView:
    """Changes a flight, by a quote or at today's price.

    Raises:
        What `price_change` and `collect` raise. QuoteExpired: the quote no longer holds, or the booking was
        changed since. PriceChanged: something else is due than was quoted or expected; `extra` has it as
        `price`. SoldOut: nothing was changed.
    """

    def begin() -> PaymentAttempt | None:
        booking = find_booking(order.user_pk, order.booking_id)
        due = _priced(booking, order).price.amount_due
        return attempt_for(
            promise, booking, amount=due, method=order.payment_method, token=order.payment_token
        )

    def write(payment: Authorised | None) -> ChangedView:
        booking = lock_booking(order.user_pk, order.booking_id)
        priced = _priced(booking, order, is_final=True)
        authorised = Decimal(0) if payment is None else payment.attempt.amount
        check_due(priced.price.amount_due, expected=authorised, currency=booking.currency)
        return _write(priced, payment, promise)

    return collect(promise, begin=begin, write=write)


def _priced(booking: Booking, order: ChangeOrder, *, is_final: bool = False) -> PricedChange:
    """The change at today's price, which must be the quoted or the expected one; `is_final` uses the quote
    up."""
    check_live(booking)
    if order.quote_id is None:
        priced = price_change(booking, order)
        check_due(priced.price.amount_due, expected=order.expected_price, currency=booking.currency)
        return priced
    quote = quotes.find(booking, kind=Quote.Kind.CHANGE, quote_id=order.quote_id)
    wanted = {name: quote.terms[name] for name in ("flight_id", "new_flight_id", "fare", "cabin")}
    priced = price_change(booking, replace(order, **wanted))
    if _terms(priced.price) != quote.terms:
        price = {"price": priced.price.amount_due, "currency": booking.currency}
        raise PriceChanged(detail="The change comes to something else now.", extra=price)
    if is_final:
        quotes.take(quote, booking)
    return priced


def _terms(price: ChangePrice) -> dict[str, Any]:
    """The offer as a quote keeps it: money as text, so that it comes back exact."""
    values = asdict(price) | {
        "flight_id": price.flight.flight_id,
        "new_flight_id": price.new_flight.flight_id,
    }
    shown = {name: value for name, value in values.items() if name not in ("flight", "new_flight")}
    return {name: str(value) if isinstance(value, Decimal) else value for name, value in shown.items()}


def _write(priced: PricedChange, payment: Authorised | None, promise: Promise) -> ChangedView:
    """Everything of a change, inside the transaction that holds the key's row and the booking's."""
    booking, price = priced.booking, priced.price
    _exchange(priced)
    settle(booking, Disruption.State.REBOOKED, flight_pks=[priced.segment.flight_id])
    _update_booking(priced)
    if payment is not None:
        take_payment(booking, payment, promise)
    request_refund(booking=booking, amount=price.refund, reason=REFUND_REASON)
    if not priced.rule.unpaid:
        issue_tickets(booking)
    end_source(source=booking.public_id, flight_pk=priced.segment.flight_id)
    follow(user_pk=booking.user_id, flight_pk=priced.new_flight.pk, source=booking.public_id)
    release_seats(holder=booking.public_id, flight_pk=priced.segment.flight_id)
    after = booking_in_full(user_pk=booking.user_id, booking_id=booking.public_id)
    changed = ChangedView(after, price)
    promise.keep(changed)
    mails.tell_of_change(changed)
    with connection.cursor() as cursor:  # so that the counters are locked for the COMMIT alone
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    back = SeatReturn(priced.segment.flight_id, priced.segment.cabin, priced.segment.seats_claimed)
    try:
        exchange_seats(claims=[priced.claim()], returns=[back])
    except PriceChanged as moved:  # it tells one adult's fare, not what is due
        about = {"flightId": priced.new_flight.flight_id}
        raise PriceChanged(
            detail="The fare moved this moment. Ask for its price again.", extra=about
        ) from moved
    return changed


def _exchange(priced: PricedChange) -> None:
    """The new segment takes the place of the old one, its coupons that of the old ones."""
    old, place = priced.segment, priced.segment.position
    last = priced.booking.segments.aggregate(last=Max("position"))["last"]
    exchanged = Segment.Status.EXCHANGED
    booked = Segment.objects.filter(pk=old.pk, status__in=sources(SEGMENT_TRANSITIONS, exchanged))
    if not booked.update(status=exchanged, position=last + 1):  # the booking's lock should not let this be
        raise NotChangeable(detail="That flight of the booking was changed this moment.")
    coupons = Coupon.objects.filter(pk__in=[new.coupon.pk for new in priced.coupons])
    coupons.update(status=Coupon.Status.EXCHANGED)
    segment = _new_segment(priced, place)
    segment.save(force_insert=True)
    Coupon.objects.bulk_create(
        Coupon(segment=segment, passenger=new.coupon.passenger, price=new.price) for new in priced.coupons
    )
    Charge.objects.bulk_create(_fee(priced, segment, new) for new in priced.coupons if new.fee)
    charges = Charge.objects.filter(pk__in=[charge.pk for charge in priced.charges])
    if priced.rule.unpaid:
        charges.delete()  # nobody paid it
    else:
        charges.update(refunded=F("amount"))


def _new_segment(priced: PricedChange, position: int) -> Segment:
    conditions = priced.segment if priced.rule.keeps_conditions else priced.offer
    return Segment(
        booking=priced.booking,
        position=position,
        flight_id=priced.new_flight.pk,
        cabin=priced.offer.cabin,
        fare=priced.offer.code,
        refundable=conditions.refundable,
        change_fee=conditions.change_fee,
        seats_claimed=priced.seats,
    )


def _fee(priced: PricedChange, segment: Segment, new: NewCoupon) -> Charge:
    return Charge(
        booking=priced.booking,
        segment=segment,
        passenger=new.coupon.passenger,
        kind=Charge.Kind.CHANGE_FEE,
        amount=new.fee,
        detail=f"{priced.price.flight.flight_number} to {priced.new_flight.flight_number}",
    )


def _update_booking(priced: PricedChange) -> None:
    """Its total and version; a hold lasts as long as the new flight is on sale, at the latest."""
    booking = priced.booking
    values: dict[str, Any] = {"total": priced.price.total, "version": F("version") + 1}
    if booking.status == BookingStatus.HELD:
        ends = hold_ends([priced.new_flight], cabin=priced.offer.cabin)
        values["payment_due_by"] = Least("payment_due_by", ends)
    Booking.objects.filter(pk=booking.pk).update(**values)
