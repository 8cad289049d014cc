"""Expiry of holds, by the database's clock."""

from __future__ import annotations

from django.db import transaction
from django.db.models.functions import Now

from bookings import mails
from bookings.models import Booking, BookingStatus
from bookings.operations.endings import end, give_seats_back
from bookings.operations.retries import again_after_deadlock
from bookings.queries import booking_in_full


def expire_holds(*, limit: int = 100) -> int:
    """Ends at most `limit` holds whose time is over, each in a transaction of its own; how many. For the
    worker."""
    expired = 0
    while expired < limit and again_after_deadlock(_expire_one):
        expired += 1
    return expired


def _expire_one() -> bool:
    """False where no hold is overdue, or others are at work on all that are."""
    with transaction.atomic():
        overdue = Booking.objects.filter(status=BookingStatus.HELD, payment_due_by__lte=Now())
        free = overdue.order_by("payment_due_by").select_for_update(skip_locked=True, no_key=True)
        booking = free.first()
        if booking is None or not end(booking, status=BookingStatus.EXPIRED, reason="not paid in time"):
            return False
        mails.tell_of_expiry(booking_in_full(user_pk=booking.user_id, booking_id=booking.public_id))
        give_seats_back(booking)
        return True
