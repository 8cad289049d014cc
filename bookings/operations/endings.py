"""How a booking ends, whoever ends it. Called inside a transaction that holds the booking's row.

`end` first, `give_seats_back` last: the counters are the last locks before COMMIT.
"""

from __future__ import annotations

from django.db.models.functions import Now

from bookings.models import Booking, BookingStatus
from bookings.states import BOOKING_TRANSITIONS, sources
from flights.public import release_seats, return_seats
from subscriptions.public import end_source


def end(booking: Booking, *, status: BookingStatus, reason: str) -> bool:
    """Cancelled or Expired: its seat numbers are freed, the flights are no longer followed on its account.

    False where it had ended before: then nothing was changed.
    """
    live = Booking.objects.filter(pk=booking.pk, status__in=sources(BOOKING_TRANSITIONS, status))
    if not live.update(status=status, ended_at=Now(), end_reason=reason):
        return False
    end_source(source=booking.public_id)
    release_seats(holder=booking.public_id)
    return True


def give_seats_back(booking: Booking) -> None:
    """The seats of all its flights, in (flight, cabin) order. Once, after `end` said True."""
    for segment in booking.segments.order_by("flight_id", "cabin"):
        return_seats(flight_pk=segment.flight_id, cabin=segment.cabin, seats=segment.seats_claimed)
