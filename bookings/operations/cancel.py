"""Cancelling a booking, or some travellers of it: what it comes to (a quote), and doing it. The booking's row
is locked, so that of many at once one cancels and the others find it done."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from bookings import mails
from bookings.clock import database_now
from bookings.departures import has_left
from bookings.disruption import settle
from bookings.idempotency import Promise, decide
from bookings.models import Booking, BookingStatus, Disruption, Passenger, Quote, Segment
from bookings.operations import quotes
from bookings.operations.dues import due, due_from_json, due_to_json, mark_due
from bookings.operations.endings import end, give_part_back, give_seats_back, take_out
from bookings.operations.refunds import request_refund
from bookings.operations.retries import again_after_deadlock
from bookings.queries import booking_in_full
from bookings.types import BookingView, CancelledView, Due, QuoteView
from flightbook.errors import (
    AlreadyCancelled,
    FieldError,
    Invalid,
    NotCancellable,
    NotFound,
    QuoteExpired,
)
from flights.public import FlightStatus


@dataclass(frozen=True)
class Party:
    """Who leaves, by index; `everybody`: nobody stays."""

    leaving: tuple[int, ...]
    everybody: bool


def cancel_booking(
    *,
    user_pk: int,
    booking_id: str,
    promise: Promise,
    reason: str = "traveller",
    passengers: Sequence[int] | None = None,
    quote_id: str | None = None,
) -> CancelledView:
    """Ends a booking, or takes the `passengers` of these indices out of it: seats back, and the money that is
    due on its way back. On today's terms (`terms`), or on those of a quote, which names the passengers too.

    Raises:
        NotFound; AlreadyCancelled; NotCancellable: a flight of it has left, the hold had expired, or those
        who stay may not travel alone; QuoteExpired; Invalid: no such passenger; Unavailable.
        Replayed, RequestInProgress, IdempotencyKeyReused: by the promise.
    """
    return again_after_deadlock(
        lambda: decide(promise, lambda: _cancel(user_pk, booking_id, promise, reason, passengers, quote_id))
    )


def quote_cancellation(
    *, user_pk: int, booking_id: str, promise: Promise, passengers: Sequence[int] | None = None
) -> QuoteView:
    """What cancelling would bring back, and until when: QUOTE_MINUTES, but never beyond the moment in which a
    rule of it lapses, a flight leaves or the hold ends.

    Raises: as `cancel_booking`.
    """

    def work() -> QuoteView:
        booking = _lock(user_pk, booking_id)
        before = booking_in_full(user_pk=user_pk, booking_id=booking_id)
        now = database_now()
        _check_not_left(before, now)
        party = _party(before, passengers)
        back = due(booking, leaving=party.leaving, everybody=party.everybody, now=now)
        quoted = _quote(booking, before, party, back)
        promise.keep(quoted)
        return quoted

    return again_after_deadlock(lambda: decide(promise, work))


def _cancel(
    user_pk: int,
    booking_id: str,
    promise: Promise,
    reason: str,
    passengers: Sequence[int] | None,
    quote_id: str | None,
) -> CancelledView:
    booking = _lock(user_pk, booking_id)
    before = booking_in_full(user_pk=user_pk, booking_id=booking_id)
    now = database_now()
    _check_not_left(before, now)
    if quote_id is None:
        party = _party(before, passengers)
        back = due(booking, leaving=party.leaving, everybody=party.everybody, now=now)
    else:
        party, back = _as_quoted(booking, before, quote_id, now)
    cancelled = CancelledView(
        booking_id=booking_id,
        status=BookingStatus.CANCELLED if party.everybody else booking.status,
        refund=back.amount,
        currency=booking.currency,
        reason=back.reason,
        passengers=party.leaving,
        due=back,
    )
    promise.keep(cancelled)
    if party.everybody:
        _end_it(booking, before, cancelled, reason)
    else:
        _take_them_out(booking, before, cancelled)
    return cancelled


def _end_it(booking: Booking, before: BookingView, cancelled: CancelledView, reason: str) -> None:
    end(booking, status=BookingStatus.CANCELLED, reason=reason)
    settle(booking, Disruption.State.REFUNDED)
    _send_money_back(booking, cancelled)
    mails.tell_of_cancellation(before, cancelled)
    give_seats_back(booking)


def _take_them_out(booking: Booking, before: BookingView, cancelled: CancelledView) -> None:
    take_out(booking, cancelled.passengers)
    _send_money_back(booking, cancelled)
    after = booking_in_full(user_pk=booking.user_id, booking_id=booking.public_id)
    mails.tell_of_leaving(after, cancelled)
    types = [before.passengers[index].type for index in cancelled.passengers]
    give_part_back(booking, seats=sum(kind != Passenger.Type.INFANT for kind in types))


def _send_money_back(booking: Booking, cancelled: CancelledView) -> None:
    if cancelled.refund:
        mark_due(cancelled.due)
        request_refund(booking=booking, amount=cancelled.refund, reason=cancelled.reason)


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
        if segment.status == Segment.Status.BOOKED and has_left(segment.flight, now):
            raise NotCancellable(
                detail=f"{segment.flight.flight_number} has left.",
                extra={"flightId": segment.flight.flight_id},
            )


def _party(booking: BookingView, asked: Sequence[int] | None) -> Party:
    living = [index for index, person in enumerate(booking.passengers) if not person.is_cancelled]
    if asked is None:
        return Party(tuple(living), everybody=True)
    unknown = [place for place, index in enumerate(asked) if index >= len(booking.passengers)]
    if unknown:
        raise Invalid(
            detail="Some fields are not valid.",
            errors=[
                FieldError(f"/passengers/{place}", "unknown", "There is no such passenger.")
                for place in unknown
            ],
        )
    if gone := [index for index in asked if index not in living]:
        raise AlreadyCancelled(detail=f"Cancelled before: passenger {gone[0]}.", extra={"passengers": gone})
    staying = [booking.passengers[index].type for index in living if index not in asked]
    _check_staying(staying)
    return Party(tuple(sorted(asked)), everybody=not staying)


def _check_staying(types: Sequence[str]) -> None:
    """As when booking: children never without an adult, an infant each on an adult's lap."""
    adults, infants = types.count(Passenger.Type.ADULT), types.count(Passenger.Type.INFANT)
    if types and not adults:
        raise NotCancellable(detail="Those who stay would travel without an adult.")
    if infants > adults:
        raise NotCancellable(detail="An infant would be left without an adult's lap.")


def _quote(booking: Booking, before: BookingView, party: Party, back: Due) -> QuoteView:
    quote = quotes.offer(
        booking,
        kind=Quote.Kind.CANCELLATION,
        terms={"passengers": party.leaving, "everybody": party.everybody, "due": due_to_json(back)},
        amount=-back.amount,
        until=min((moment for moment in _ends(before, back) if moment is not None), default=None),
    )
    return QuoteView(
        quote_id=quote.public_id,
        booking_id=booking.public_id,
        passengers=party.leaving,
        currency=booking.currency,
        due=back,
        expires_at=quote.expires_at,
    )


def _ends(before: BookingView, back: Due) -> list[dt.datetime | None]:
    """After any of these the quote could not be taken, or would not be today's terms."""
    leaves = [
        segment.flight.estimated_departure or segment.flight.departure
        for segment in before.segments
        if segment.status == Segment.Status.BOOKED and segment.flight.status != FlightStatus.CANCELLED
    ]
    return [back.lapses_at, before.payment_due_by, *leaves]


def _as_quoted(booking: Booking, before: BookingView, quote_id: str, now: dt.datetime) -> tuple[Party, Due]:
    """What was quoted, exactly. Where it would bring more by now, because the airline cancelled or moved a
    flight, nobody is held to less: the quote is over."""
    quote = quotes.find(booking, kind=Quote.Kind.CANCELLATION, quote_id=quote_id)
    party = Party(tuple(quote.terms["passengers"]), everybody=quote.terms["everybody"])
    back = due_from_json(quote.terms["due"])
    today = due(booking, leaving=party.leaving, everybody=party.everybody, now=now)
    if today.amount > back.amount:
        raise QuoteExpired(detail=f"Cancelling brings back {today.amount} {booking.currency} by now.")
    quotes.take(quote, booking)
    return party, back
