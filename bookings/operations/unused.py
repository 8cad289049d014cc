"""What is unused of a booking ends, and all of it goes back: the airline cancelled a flight of it.

Flights that were flown stay as they are, and so does their part of the money. Called inside a transaction
that holds the booking's row; `end_unused` first, `return_unused` last: the counters are the last locks before
COMMIT.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.db.models import F

from bookings.disruption import unused
from bookings.models import Booking, BookingStatus, Coupon, Segment
from bookings.operations.dues import due, mark_due
from bookings.operations.endings import end, give_seats_back
from bookings.operations.refunds import request_refund
from bookings.types import BookingView, Due, SegmentView
from flights.public import release_seats, return_seats
from subscriptions.public import end_source


@dataclass(frozen=True)
class Ended:
    """What goes back of which flights; `is_all`: the whole booking is over."""

    back: Due
    segments: tuple[SegmentView, ...]
    is_all: bool


def end_unused(booking: Booking, before: BookingView, *, reason: str, now: dt.datetime) -> Ended:
    """Ends the flights of the booking that have not left, and sends back what was paid for them; the whole
    booking where none has left."""
    segments = unused(before, now)
    standing = [segment for segment in before.segments if segment.status == Segment.Status.BOOKED]
    is_all = len(segments) == len(standing)
    back = _due(booking, before, segments, is_all=is_all, now=now)
    if is_all:
        end(booking, status=BookingStatus.CANCELLED, reason=reason)
    else:
        _end_part(booking, segments)
    if back.amount:
        mark_due(back)
        request_refund(booking=booking, amount=back.amount, reason=back.reason)
    return Ended(back, tuple(segments), is_all)


def return_unused(booking: Booking, ended: Ended) -> None:
    """Their seats, in (flight, cabin) order."""
    if ended.is_all:
        give_seats_back(booking)
        return
    for segment in sorted(ended.segments, key=lambda segment: (segment.flight.pk, segment.cabin)):
        return_seats(flight_pk=segment.flight.pk, cabin=segment.cabin, seats=segment.seats_claimed)


def _due(
    booking: Booking, before: BookingView, segments: Sequence[SegmentView], *, is_all: bool, now: dt.datetime
) -> Due:
    living = [index for index, person in enumerate(before.passengers) if not person.is_cancelled]
    back = due(booking, leaving=living, everybody=True, now=now)
    if is_all:
        return back
    ids = {segment.flight.flight_id for segment in segments}
    return replace(
        back,
        coupons=tuple(coupon for coupon in back.coupons if coupon.flight_id in ids),
        charges=tuple(charge for charge in back.charges if charge.flight_id in ids),
    )


def _end_part(booking: Booking, segments: Sequence[SegmentView]) -> None:
    keys = [segment.key for segment in segments]
    open_coupons = Coupon.objects.filter(segment_id__in=keys, status=Coupon.Status.OPEN)
    open_coupons.update(status=Coupon.Status.CANCELLED)
    Segment.objects.filter(pk__in=keys).update(status=Segment.Status.CANCELLED)
    Booking.objects.filter(pk=booking.pk).update(version=F("version") + 1)
    for segment in sorted(segments, key=lambda segment: segment.flight.pk):
        release_seats(holder=booking.public_id, flight_pk=segment.flight.pk)
        end_source(source=booking.public_id, flight_pk=segment.flight.pk)
