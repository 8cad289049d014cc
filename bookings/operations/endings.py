"""How a booking ends, or a traveller leaves one that lives on, whoever asks for it. Called inside a
transaction that holds the booking's row.

`end` or `take_out` first, `give_seats_back` or `give_part_back` last: the counters are the last locks before
COMMIT.
"""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import F, QuerySet, Sum
from django.db.models.functions import Now

from bookings.models import Booking, BookingStatus, Coupon, Segment
from bookings.states import BOOKING_TRANSITIONS, COUPON_TRANSITIONS, SEGMENT_TRANSITIONS, sources
from flights.public import release_seats, return_seats
from subscriptions.public import end_source


def end(booking: Booking, *, status: BookingStatus, reason: str) -> bool:
    """Cancelled or Expired: its coupons are good for no flight any more, its seat numbers are freed, the
    flights are no longer followed on its account.

    False where it had ended before: then nothing was changed.
    """
    live = Booking.objects.filter(pk=booking.pk, status__in=sources(BOOKING_TRANSITIONS, status))
    if not live.update(status=status, ended_at=Now(), end_reason=reason, version=F("version") + 1):
        return False
    _open_coupons(booking).update(status=Coupon.Status.CANCELLED)
    end_source(source=booking.public_id)
    release_seats(holder=booking.public_id)
    return True


def give_seats_back(booking: Booking) -> None:
    """The seats of all its flights that were still booked, in (flight, cabin) order. After `end` said
    True."""
    segments = _booked(booking)
    Segment.objects.filter(pk__in=[segment.pk for segment in segments]).update(
        status=Segment.Status.CANCELLED
    )
    for segment in segments:
        return_seats(flight_pk=segment.flight_id, cabin=segment.cabin, seats=segment.seats_claimed)


def take_out(booking: Booking, passengers: Collection[int]) -> None:
    """The passengers of these indices fly no more, on any of its flights, and their seat numbers are freed.
    What nobody had paid for them is off the total; what was paid stays in it, and refunds stand beside."""
    leaving = _open_coupons(booking).filter(passenger__position__in=passengers)
    if booking.status == BookingStatus.HELD:
        _take_off_the_total(booking, leaving, passengers)
    else:
        leaving.update(status=Coupon.Status.CANCELLED)
    booking.passengers.filter(position__in=passengers).update(cancelled_at=Now())
    Booking.objects.filter(pk=booking.pk).update(version=F("version") + 1)
    release_seats(holder=booking.public_id, passengers=passengers)


def give_part_back(booking: Booking, *, seats: int) -> None:
    """So many seats of each of its flights, in (flight, cabin) order. After `take_out`."""
    segments = _booked(booking) if seats else []
    Segment.objects.filter(pk__in=[segment.pk for segment in segments]).update(
        seats_claimed=F("seats_claimed") - seats
    )
    for segment in segments:
        return_seats(flight_pk=segment.flight_id, cabin=segment.cabin, seats=seats)


def _open_coupons(booking: Booking) -> QuerySet[Coupon]:
    live = sources(COUPON_TRANSITIONS, Coupon.Status.CANCELLED)
    return Coupon.objects.filter(segment__booking=booking, status__in=live)


def _booked(booking: Booking) -> list[Segment]:
    rows = booking.segments.filter(status__in=sources(SEGMENT_TRANSITIONS, Segment.Status.CANCELLED))
    return list(rows.order_by("flight_id", "cabin"))


def _take_off_the_total(booking: Booking, coupons: QuerySet[Coupon], passengers: Collection[int]) -> None:
    charges = booking.charges.filter(passenger__position__in=passengers)
    prices = coupons.aggregate(sum=Sum("price", default=0))["sum"]
    fees = charges.aggregate(sum=Sum("amount", default=0))["sum"]
    Booking.objects.filter(pk=booking.pk).update(total=F("total") - prices - fees)
    charges.delete()
    coupons.delete()
