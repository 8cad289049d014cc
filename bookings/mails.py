"""The letters of a booking: plain text, queued in the transaction of what they tell of. Times are local to
each airport."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

from accounts.public import account, queue_mail
from bookings.models import BookingStatus
from bookings.types import BookingView, CancelledView, SegmentView


def tell_of_sale(booking: BookingView, *, to: str) -> None:
    """The confirmation of a paid booking, or of a hold with its due time."""
    if booking.status == BookingStatus.HELD:
        due = f"Pay by {_moment(booking.payment_due_by, 'UTC')} UTC, or the seats go back on sale."
        _send(booking, to, "held", "Your seats are held", due)
    else:
        _send(
            booking, to, "confirmed", "Your booking is confirmed", f"Paid: {_money(booking.total, booking)}."
        )


def tell_of_cancellation(booking: BookingView, cancelled: CancelledView) -> None:
    """The cancellation, with what comes back."""
    if booking.status == BookingStatus.HELD:
        comes_back = "Nothing had been paid."
    elif cancelled.refund:
        comes_back = f"{_money(cancelled.refund, booking)} go back to the card that paid."
    else:
        comes_back = "The fare gives nothing back."
    _send(booking, _address(booking), "cancelled", "Your booking is cancelled", comes_back)


def tell_of_expiry(booking: BookingView) -> None:
    """The end of a hold that was not paid in time."""
    _send(
        booking,
        _address(booking),
        "expired",
        "Your hold has expired",
        "It was not paid in time. Nothing was charged.",
    )


def tell_of_refused_capture(booking: BookingView) -> None:
    """The end of a booking whose payment the bank took back."""
    text = "Your bank would not pay what it had authorised, so the booking is cancelled. Nothing was charged."
    _send(
        booking, _address(booking), "capture-refused", "Your payment failed, your booking is cancelled", text
    )


def itinerary(booking: BookingView) -> str:
    """Flights with local times, then who travels."""
    lines = [line for segment in booking.segments for line in _flight_lines(segment)]
    lines += ["", "Travelling:"]
    lines += [f"  {person.given_name} {person.family_name} ({person.type})" for person in booking.passengers]
    return "\n".join(lines)


def _flight_lines(segment: SegmentView) -> list[str]:
    flight = segment.flight
    leaves = _moment(flight.departure, flight.origin_time_zone)
    arrives = _moment(flight.arrival, flight.destination_time_zone)
    seats = ", ".join(segment.seats[index] for index in sorted(segment.seats))
    return [
        f"{flight.flight_number}  {flight.airline_name}  {segment.cabin}, fare {segment.fare}",
        f"  {flight.origin} {flight.origin_city}  {leaves}",
        f"  {flight.destination} {flight.destination_city}  {arrives}",
        *([f"  Seats {seats}"] if seats else []),
    ]


def _moment(moment: dt.datetime | None, time_zone: str) -> str:
    assert moment is not None
    return f"{moment.astimezone(ZoneInfo(time_zone)):%a %d %b %Y %H:%M}"


def _money(amount: Decimal, booking: BookingView) -> str:
    return f"{amount:.2f} {booking.currency}"


def _address(booking: BookingView) -> str:
    return account(booking.user_pk).email


def _send(booking: BookingView, to: str, event: str, subject: str, text: str) -> None:
    head = f"Record locator {booking.record_locator}, booking {booking.booking_id}"
    total = f"Total {_money(booking.total, booking)}"
    queue_mail(
        key=f"booking:{booking.booking_id}:{event}",
        to=to,
        subject=f"{subject}: {booking.record_locator}",
        text=f"{text}\n\n{head}\n{total}\n\n{itinerary(booking)}\n\nAll times are local.\n",
    )
