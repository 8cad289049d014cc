"""Whom to ask to stay behind, where a cabin has more travellers than seats.

Volunteers come first (14 CFR 250.2b; Regulation (EC) 261/2004, Art. 4(1)), and staff asks them; this is the
order to ask in, this airline's priority rule (14 CFR 250.3): holds that are not paid, then who has no seat
number, then the cheaper fare, then who booked last.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from bookings.models import BookingStatus, Segment
from bookings.queries import bookings_on_flight
from bookings.types import BookingView, SegmentView
from flights.public import CabinLimits, cabin_limits


@dataclass(frozen=True)
class Candidate:
    booking: BookingView
    segment: SegmentView


@dataclass(frozen=True)
class OversoldCabin:
    """`too_many`: so many more travellers than seats."""

    limits: CabinLimits
    too_many: int
    candidates: tuple[Candidate, ...]


def oversold(flight_pk: int) -> list[OversoldCabin]:
    """The cabins with more travellers than seats; a flight that there is not has none."""
    over = [limits for limits in cabin_limits(flight_pk=flight_pk) if limits.sold > limits.capacity]
    bookings = bookings_on_flight(flight_pk) if over else []
    return [
        OversoldCabin(limits, limits.sold - limits.capacity, _candidates(bookings, flight_pk, limits.cabin))
        for limits in over
    ]


def _candidates(bookings: list[BookingView], flight_pk: int, cabin: str) -> tuple[Candidate, ...]:
    found = [
        Candidate(booking, segment)
        for booking in bookings
        for segment in booking.segments
        if segment.flight.pk == flight_pk
        and segment.cabin == cabin
        and segment.status == Segment.Status.BOOKED
    ]
    return tuple(sorted(found, key=_order))


def _order(candidate: Candidate) -> tuple[bool, bool, Decimal, float]:
    booking, segment = candidate.booking, candidate.segment
    each = max((coupon.price for coupon in segment.coupons), default=Decimal(0))
    booked_last_first = -booking.created_at.timestamp()
    return booking.status != BookingStatus.HELD, bool(segment.seats), each, booked_last_first
