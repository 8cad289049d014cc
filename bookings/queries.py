"""Reads of bookings, as the views, the mails and the operations want them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.db.models import Prefetch
from django.db.models.functions import Now

from bookings.models import (
    Booking,
    BookingStatus,
    Charge,
    Coupon,
    Disruption,
    Passenger,
    PaymentAttempt,
    Refund,
    Segment,
)
from bookings.states import OPEN_PAYMENTS
from bookings.types import (
    Backlog,
    BookingLine,
    BookingView,
    ChargeView,
    CouponView,
    DisruptionView,
    PassengerView,
    PaymentView,
    RefundView,
    SegmentView,
)
from flightbook.errors import NotFound
from flights.public import FlightView, assigned_seats, flight_id, flights

_STANDING = Segment.objects.exclude(status=Segment.Status.EXCHANGED).order_by("position")
_SEGMENTS = Prefetch("segments", _STANDING)
_IN_FULL = (
    Prefetch("passengers", Passenger.objects.order_by("position")),
    Prefetch(
        "segments",
        _STANDING.prefetch_related(
            Prefetch("coupons", Coupon.objects.select_related("passenger").order_by("passenger__position"))
        ),
    ),
    Prefetch("charges", Charge.objects.select_related("segment", "passenger").order_by("pk")),
    Prefetch("disruptions", Disruption.objects.order_by("pk")),
    Prefetch("payments", PaymentAttempt.objects.order_by("pk").prefetch_related("refunds")),
)


def booking_lines(*, user_pk: int, before: int | None, count: int) -> list[BookingLine]:
    """At most `count` of a user's bookings, newest first, from the one before the key `before` on."""
    rows = Booking.objects.filter(user_id=user_pk).order_by("-pk")
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows.prefetch_related(_SEGMENTS)[:count])
    by_pk = flights({segment.flight_id for booking in found for segment in booking.segments.all()})
    return [_line(booking, by_pk) for booking in found]


def booking_in_full(*, user_pk: int, booking_id: str) -> BookingView:
    """
    Raises:
        NotFound: the user has no such booking.
    """
    booking = (
        Booking.objects.filter(user_id=user_pk, public_id=booking_id).prefetch_related(*_IN_FULL).first()
    )
    if booking is None:
        raise NotFound(detail="There is no such booking.")
    return _all_in_full([booking])[0]


def bookings_on_flight(flight_pk: int) -> list[BookingView]:
    """All held and confirmed bookings that have the flight, in the order in which they were made."""
    on_it = Segment.objects.filter(flight_id=flight_pk, status=Segment.Status.BOOKED).values("booking_id")
    live = Booking.objects.filter(
        pk__in=on_it, status__in=(BookingStatus.HELD, BookingStatus.CONFIRMED)
    ).order_by("pk")
    return _all_in_full(list(live.prefetch_related(*_IN_FULL)))


def backlog() -> Backlog:
    """What the worker has not done yet: for the metrics."""
    open_payments = PaymentAttempt.objects.filter(state__in=OPEN_PAYMENTS)
    refunds = Refund.objects.filter(state=Refund.State.REQUESTED)
    overdue = Booking.objects.filter(status=BookingStatus.HELD, payment_due_by__lte=Now())
    return Backlog(
        payments_open=open_payments.count(),
        payments_overdue=open_payments.filter(lease_until__lte=Now() - timedelta(minutes=1)).count(),
        refunds_open=refunds.count(),
        refunds_failed=Refund.objects.filter(state=Refund.State.FAILED).count(),
        holds_overdue=overdue.count(),
    )


def _line(booking: Booking, by_pk: dict[int, FlightView]) -> BookingLine:
    pks = [segment.flight_id for segment in booking.segments.all()]
    return BookingLine(
        key=booking.pk,
        booking_id=booking.public_id,
        record_locator=booking.record_locator,
        status=booking.status,
        total=booking.total,
        currency=booking.currency,
        flight_ids=tuple(flight_id(pk) for pk in pks),
        departure=by_pk[pks[0]].departure,
    )


def _all_in_full(bookings: Sequence[Booking]) -> list[BookingView]:
    """Their flights and seat numbers are one read each, however many they are."""
    by_pk = flights({segment.flight_id for booking in bookings for segment in booking.segments.all()})
    held = assigned_seats(holders=[booking.public_id for booking in bookings])
    return [_in_full(booking, by_pk, held[booking.public_id]) for booking in bookings]


def _in_full(
    booking: Booking, by_pk: Mapping[int, FlightView], held: Sequence[tuple[int, int, str]]
) -> BookingView:
    payments = list(booking.payments.all())
    return BookingView(
        booking_id=booking.public_id,
        record_locator=booking.record_locator,
        user_pk=booking.user_id,
        status=booking.status,
        total=booking.total,
        currency=booking.currency,
        payment_method=booking.payment_method,
        payment_due_by=booking.payment_due_by if booking.status == BookingStatus.HELD else None,
        created_at=booking.created_at,
        passengers=tuple(
            PassengerView(
                passenger.given_name,
                passenger.family_name,
                passenger.type,
                passenger.cancelled_at is not None,
            )
            for passenger in booking.passengers.all()
        ),
        segments=_segments(booking, by_pk, held),
        payments=tuple(
            PaymentView(payment.state, payment.amount, payment.currency, payment.created_at)
            for payment in payments
        ),
        refunds=tuple(
            RefundView(refund.state, refund.amount, refund.reason, refund.created_at)
            for payment in payments
            for refund in payment.refunds.all()
        ),
        charges=tuple(
            ChargeView(
                charge.kind,
                charge.amount,
                charge.refunded,
                charge.detail,
                None if charge.segment is None else flight_id(charge.segment.flight_id),
                None if charge.passenger is None else charge.passenger.position,
            )
            for charge in booking.charges.all()
        ),
        version=booking.version,
        disruptions=tuple(
            DisruptionView(
                row.kind,
                flight_id(row.flight_id),
                row.sequence,
                row.state,
                row.entitlements,
                row.choice_until,
                row.created_at,
            )
            for row in booking.disruptions.all()
        ),
    )


def _segments(
    booking: Booking, by_pk: Mapping[int, FlightView], held: Sequence[tuple[int, int, str]]
) -> tuple[SegmentView, ...]:
    return tuple(
        SegmentView(
            flight=by_pk[row.flight_id],
            cabin=row.cabin,
            fare=row.fare,
            refundable=row.refundable,
            change_fee=row.change_fee,
            coupons=tuple(_coupon(coupon) for coupon in row.coupons.all()),
            seats={passenger: seat for flight_pk, passenger, seat in held if flight_pk == row.flight_id},
            seats_claimed=row.seats_claimed,
            status=row.status,
            key=row.pk,
        )
        for row in booking.segments.all()
    )


def _coupon(row: Coupon) -> CouponView:
    return CouponView(
        passenger=row.passenger.position,
        price=row.price,
        status=row.status,
        refunded=row.refunded,
        ticket_number=row.ticket_number,
        coupon_number=row.coupon_number,
    )
