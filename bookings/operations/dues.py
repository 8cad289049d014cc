"""What cancelling comes to, coupon by coupon: `terms` applied to the rows of a booking.

Called inside a transaction that holds the booking's row, so that what was found still stands when it is
written.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from django.db.models import Q

from bookings.disruption import significantly_moved
from bookings.models import Booking, BookingStatus, Charge, Coupon, Segment
from bookings.terms import (
    NOTHING_PAID,
    Facts,
    FlightFacts,
    Rule,
    comes_back,
    judge,
    judge_charge,
    lapses_at,
)
from bookings.types import ChargeDue, CouponDue, Due
from flights.public import FlightStatus, FlightView, flight_id, flights


def due(booking: Booking, *, leaving: Collection[int], everybody: bool, now: dt.datetime) -> Due:
    """What comes back if the passengers of these indices leave now; `everybody`: nobody stays, so that what
    was paid for no one in particular is judged too."""
    segments = list(booking.segments.order_by("position"))
    by_pk = flights(segment.flight_id for segment in segments)
    standing = [segment for segment in segments if segment.status == Segment.Status.BOOKED]
    facts = _facts(booking, segments, standing, by_pk, now)
    if booking.status == BookingStatus.HELD:
        rules = {segment.pk: NOTHING_PAID for segment in standing}
    else:
        rules = dict(zip((segment.pk for segment in standing), judge(facts), strict=True))
    lapsing = [lapses_at(rule, facts) for rule in rules.values()]
    return Due(
        coupons=tuple(_coupon(row, rules[row.segment_id]) for row in _coupons(booking, leaving)),
        charges=tuple(_charge(row, rules) for row in _charges(booking, leaving, everybody=everybody)),
        lapses_at=min((moment for moment in lapsing if moment is not None), default=None),
    )


def mark_due(back: Due) -> None:
    """Writes what goes back beside what it is of."""
    Coupon.objects.bulk_update(
        [Coupon(pk=coupon.key, refunded=coupon.refunded) for coupon in back.coupons], ["refunded"]
    )
    Charge.objects.bulk_update(
        [Charge(pk=charge.key, refunded=charge.refunded) for charge in back.charges], ["refunded"]
    )


def due_to_json(back: Due) -> dict[str, Any]:
    """Money as strings, so that it comes back exact."""
    return {
        "coupons": [_as_json(coupon) for coupon in back.coupons],
        "charges": [_as_json(charge) for charge in back.charges],
    }


def due_from_json(kept: dict[str, Any]) -> Due:
    return Due(
        coupons=tuple(
            CouponDue(**{**row, "price": Decimal(row["price"]), "refunded": Decimal(row["refunded"])})
            for row in kept["coupons"]
        ),
        charges=tuple(
            ChargeDue(**{**row, "amount": Decimal(row["amount"]), "refunded": Decimal(row["refunded"])})
            for row in kept["charges"]
        ),
    )


def _as_json(piece: CouponDue | ChargeDue) -> dict[str, Any]:
    return {
        name: str(value) if isinstance(value, Decimal) else value for name, value in asdict(piece).items()
    }


def _facts(
    booking: Booking,
    segments: Iterable[Segment],
    standing: Iterable[Segment],
    by_pk: Mapping[int, FlightView],
    now: dt.datetime,
) -> Facts:
    moved = significantly_moved(booking)
    return Facts(
        booked_at=booking.created_at,
        now=now,
        first_departure=min(by_pk[segment.flight_id].departure for segment in segments),
        flights=[
            FlightFacts(
                refundable=segment.refundable,
                cancelled_by_airline=by_pk[segment.flight_id].status == FlightStatus.CANCELLED,
                significantly_moved=segment.flight_id in moved,
            )
            for segment in standing
        ],
    )


def _coupons(booking: Booking, leaving: Collection[int]) -> Iterable[Coupon]:
    rows = Coupon.objects.filter(
        segment__booking=booking, status=Coupon.Status.OPEN, passenger__position__in=leaving
    )
    ordered = rows.order_by("segment__position", "passenger__position")
    return ordered.select_related("segment", "passenger")


def _charges(booking: Booking, leaving: Collection[int], *, everybody: bool) -> Iterable[Charge]:
    of_them = Q(passenger__position__in=leaving)
    rows = booking.charges.filter(of_them | Q(passenger__isnull=True) if everybody else of_them)
    return rows.filter(refunded=0).select_related("segment", "passenger").order_by("pk")


def _coupon(row: Coupon, rule: Rule) -> CouponDue:
    return CouponDue(
        key=row.pk,
        flight_id=flight_id(row.segment.flight_id),
        passenger=row.passenger.position,
        price=row.price,
        refunded=comes_back(row.price, rule),
        rule=rule.code,
        source=rule.source,
    )


def _charge(row: Charge, rules: Mapping[int, Rule]) -> ChargeDue:
    own = rules.get(row.segment_id or 0)
    rule = judge_charge(row.kind, [own] if own else list(rules.values()))
    return ChargeDue(
        key=row.pk,
        kind=row.kind,
        detail=row.detail,
        flight_id=None if row.segment is None else flight_id(row.segment.flight_id),
        passenger=None if row.passenger is None else row.passenger.position,
        amount=row.amount,
        refunded=comes_back(row.amount, rule),
        rule=rule.code,
        source=rule.source,
    )
