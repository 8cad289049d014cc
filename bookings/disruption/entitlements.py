"""The rules applied to one booking: what it comes to, in its own money and the law's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bookings.departures import has_left
from bookings.disruption.rules import CANCELLED, COMPENSATION, REFUND, Facts, Right, entitled
from bookings.models import BookingStatus, Coupon, Disruption, Segment
from bookings.types import BookingView, DisruptionView, SegmentView
from flights.public import FlightView, Route, Schedule


@dataclass(frozen=True)
class Event:
    """What happened to a flight, for all its bookings.

    `flight`: as it stands when it is judged; `is_rescheduled`: it got a new schedule; `expected`: departure
    and arrival after the update, estimates counted; `schedules`: those it was sold by.
    """

    kind: str
    flight: FlightView
    sequence: int
    is_rescheduled: bool
    told_at: dt.datetime
    expected: tuple[dt.datetime, dt.datetime]
    route: Route
    schedules: Sequence[Schedule]

    def sold(self, booked_at: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
        """Departure and arrival as they were sold at that time."""
        found = next(row for row in self.schedules if row.until is None or booked_at < row.until)
        return found.departure, found.arrival

    def facts(self, booked_at: dt.datetime) -> Facts:
        return Facts(
            kind=self.kind,
            told_at=self.told_at,
            sold=self.sold(booked_at),
            now=self.expected,
            origin_country=self.route.origin_country,
            destination_country=self.route.destination_country,
            carrier_country=self.route.carrier_country,
            kilometres=self.route.kilometres,
        )


def rights_due(event: Event, *, booked_at: dt.datetime, is_held: bool) -> tuple[Right, ...]:
    """The rights of who booked then. Of a hold, which has not been paid, only those that cost nothing."""
    rights = entitled(event.facts(booked_at))
    return tuple(right for right in rights if not is_held or right.right not in (REFUND, COMPENSATION))


def is_news(
    event: Event, *, booked_at: dt.datetime, codes: Collection[str], told: Disruption | DisruptionView | None
) -> bool:
    """Whether who booked then, and has rights of these `codes`, is to hear of the update: always of a
    cancellation; else of a new schedule than was sold or `told` of last (what stands open of older updates),
    or of other rights than a delay gave until now."""
    if event.kind == CANCELLED:
        return True
    if event.is_rescheduled:
        return told is not None or event.expected != event.sold(booked_at)
    if told is None:
        return bool(codes)
    return told.kind == CANCELLED or set(codes) != {right["code"] for right in told.entitlements}


def entitlements(event: Event, booking: BookingView, now: dt.datetime) -> list[dict[str, Any]]:
    """The rights of a booking, as they are stored and shown: each with `code`, `right`, `source`, and
    `amount` (as text) and `currency` where it is money."""
    rights = rights_due(event, booked_at=booking.created_at, is_held=booking.status == BookingStatus.HELD)
    travellers = _paying(event, booking)
    value = unused_value(booking, now)
    return [_stated(right, travellers, value, booking.currency) for right in rights]


def unused(booking: BookingView, now: dt.datetime) -> list[SegmentView]:
    """The flights of a booking that still stand and have not left."""
    standing = [segment for segment in booking.segments if segment.status == Segment.Status.BOOKED]
    return [segment for segment in standing if not has_left(segment.flight, now)]


def unused_value(booking: BookingView, now: dt.datetime) -> Decimal:
    """What was paid for what is unused: its open coupons, and the charges of those flights (of the whole
    booking too, where nothing of it was flown)."""
    segments = unused(booking, now)
    flights = {segment.flight.flight_id for segment in segments}
    nothing_flown = all(
        segment in segments for segment in booking.segments if segment.status == Segment.Status.BOOKED
    )
    coupons = [coupon for segment in segments for coupon in segment.coupons]
    fares = (coupon.price - coupon.refunded for coupon in coupons if coupon.status == Coupon.Status.OPEN)
    charges = (
        charge.amount - charge.refunded
        for charge in booking.charges
        if charge.flight_id in flights or (nothing_flown and charge.flight_id is None)
    )
    return sum(fares, Decimal(0)) + sum(charges, Decimal(0))


def _paying(event: Event, booking: BookingView) -> int:
    """Travellers on the flight who paid for it: who flies free has no claim (EU 261/2004, Art. 3(3))."""
    return sum(
        coupon.status == Coupon.Status.OPEN and coupon.price > 0
        for segment in booking.segments
        if segment.flight.pk == event.flight.pk and segment.status == Segment.Status.BOOKED
        for coupon in segment.coupons
    )


def _stated(right: Right, travellers: int, value: Decimal, currency: str) -> dict[str, Any]:
    stated: dict[str, Any] = {"code": right.code, "right": right.right, "source": right.source}
    if right.right == REFUND:
        return stated | {"amount": str(value), "currency": currency}
    if right.per_traveller is not None:
        return stated | {"amount": str(right.per_traveller * travellers), "currency": right.currency}
    return stated
