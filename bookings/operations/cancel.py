"""Cancelling: the booking's row is locked, so that of many at once one cancels and the others find it
cancelled."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from django.db.models.functions import Now

from bookings import mails
from bookings.clock import database_now
from bookings.departures import has_left
from bookings.idempotency import Promise, decide
from bookings.models import Booking, BookingStatus, PaymentAttempt, Refund
from bookings.operations.endings import end, give_seats_back
from bookings.operations.retries import again_after_deadlock
from bookings.queries import booking_in_full
from bookings.states import State
from bookings.terms import Entitlement, Facts, FlightFacts, entitlement
from bookings.types import BookingView, CancelledView
from flightbook.errors import AlreadyCancelled, NotCancellable, NotFound
from flights.public import FlightStatus

NOTHING_PAID = "nothing_paid"


def cancel_booking(
    *, user_pk: int, booking_id: str, promise: Promise, reason: str = "traveller"
) -> CancelledView:
    """Ends a booking on today's terms (`terms`): seats back, and the money that is due on its way back.

    Raises:
        NotFound; AlreadyCancelled; NotCancellable: a flight of it has left, or the hold had expired;
        Unavailable. Replayed, RequestInProgress, IdempotencyKeyReused: by the promise.
    """
    return again_after_deadlock(
        lambda: decide(promise, lambda: _cancel(user_pk, booking_id, promise, reason))
    )


def _cancel(user_pk: int, booking_id: str, promise: Promise, reason: str) -> CancelledView:
    booking = _lock(user_pk, booking_id)
    before = booking_in_full(user_pk=user_pk, booking_id=booking_id)
    now = database_now()
    _check_not_left(before, now)
    due = _due(booking, before, now)
    cancelled = CancelledView(
        booking_id=booking_id,
        status=BookingStatus.CANCELLED,
        refund=due.amount,
        currency=booking.currency,
        reason=due.codes[0],
    )
    promise.keep(cancelled)
    end(booking, status=BookingStatus.CANCELLED, reason=reason)
    _send_money_back(booking, due)
    mails.tell_of_cancellation(before, cancelled)
    give_seats_back(booking)
    return cancelled


def _lock(user_pk: int, booking_id: str) -> Booking:
    mine = Booking.objects.select_for_update(no_key=True).filter(user_id=user_pk, public_id=booking_id)
    booking = mine.first()
    if booking is None:
        raise NotFound(detail="There is no such booking.")
    if booking.status == BookingStatus.CANCELLED:
        raise AlreadyCancelled
    if booking.status == BookingStatus.EXPIRED:
        raise NotCancellable(detail="The hold has expired; its seats went back on sale.")
    return booking


def _check_not_left(booking: BookingView, now: dt.datetime) -> None:
    for segment in booking.segments:
        if has_left(segment.flight, now):
            raise NotCancellable(
                detail=f"{segment.flight.flight_number} has left.",
                extra={"flightId": segment.flight.flight_id},
            )


def _due(booking: Booking, view: BookingView, now: dt.datetime) -> Entitlement:
    if booking.status == BookingStatus.HELD:
        return Entitlement(Decimal(0), (NOTHING_PAID,))
    return entitlement(
        Facts(
            booked_at=booking.created_at,
            now=now,
            first_departure=min(segment.flight.departure for segment in view.segments),
            flights=[
                FlightFacts(
                    segment.price, segment.refundable, segment.flight.status == FlightStatus.CANCELLED
                )
                for segment in view.segments
            ],
        )
    )


def _send_money_back(booking: Booking, due: Entitlement) -> None:
    """A whole refund of what was not captured yet is a void; all else is captured first and refunded then.

    A capture that is under way (its lease is alive) is not called back.
    """
    if not due.amount:
        return
    payment = booking.payments.get(state__in=(State.TO_CAPTURE, State.CAPTURED))
    waiting = PaymentAttempt.objects.filter(pk=payment.pk, state=State.TO_CAPTURE, lease_until__lte=Now())
    void = {
        "state": State.TO_VOID,
        "changed_at": Now(),
        "lease_until": Now(),
        "lease_token": None,
        "tries": 0,
    }
    if due.amount == payment.amount and waiting.update(**void):
        return
    Refund.objects.create(payment=payment, amount=due.amount, reason=due.codes[0])
