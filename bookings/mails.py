"""The letters of a booking: plain text, queued in the transaction of what they tell of. Times are local to
each airport."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

from accounts.public import account, mail_to_queue
from bookings.models import BookingStatus, PaymentAttempt
from bookings.types import BookingView, CancelledView, ChangedView, SeatedView, SegmentView
from flightbook.statements import Statement, run


def tell_of_sale(booking: BookingView, *, to: str) -> None:
    """The confirmation of a paid booking, or of a hold with its due time."""
    run([letter_of_sale(booking, to=to)])


def letter_of_sale(booking: BookingView, *, to: str) -> Statement:
    """`tell_of_sale` for the caller to send, among other statements."""
    if booking.status == BookingStatus.HELD:
        due = f"Pay by {_moment(booking.payment_due_by, 'UTC')} UTC, or the seats go back on sale."
        return _letter(booking, to, "held", "Your seats are held", due)
    paid = f"Paid: {_money(booking.total, booking)}."
    return _letter(booking, to, "confirmed", "Your booking is confirmed", paid)


def tell_of_cancellation(booking: BookingView, cancelled: CancelledView) -> None:
    """The cancellation, with what comes back."""
    if booking.status == BookingStatus.HELD:
        comes_back = "Nothing had been paid."
    elif cancelled.refund:
        comes_back = f"{_money(cancelled.refund, booking)} go back to the card that paid."
    else:
        comes_back = "The fare gives nothing back."
    _send(booking, _address(booking), "cancelled", "Your booking is cancelled", comes_back)


def tell_of_leaving(booking: BookingView, cancelled: CancelledView) -> None:
    """Some travellers were cancelled, with what comes back; `booking` as it is without them."""
    people = [booking.passengers[index] for index in cancelled.passengers]
    names = ", ".join(f"{person.given_name} {person.family_name}" for person in people)
    if booking.status == BookingStatus.HELD:
        comes_back = "Nothing had been paid for them."
    elif cancelled.refund:
        comes_back = f"{_money(cancelled.refund, booking)} go back to the card that paid."
    else:
        comes_back = "The fare gives nothing back."
    text = f"No longer travelling: {names}. {comes_back} The others travel as booked."
    event = f"left-{booking.version}"
    _send(booking, _address(booking), event, "A traveller of your booking is cancelled", text)


def tell_of_corrected_name(booking: BookingView, *, passenger: int, former: str) -> None:
    """A name was corrected; `former` as it was written."""
    person = booking.passengers[passenger]
    text = f"{former} travels as {person.given_name} {person.family_name}. The tickets stay good."
    _send(booking, _address(booking), f"name-{booking.version}", "A name was corrected", text)


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
    was_paid_before = any(payment.state == PaymentAttempt.State.CAPTURED for payment in booking.payments)
    charged = "What you had paid before goes back." if was_paid_before else "Nothing was charged."
    text = f"Your bank would not pay what it had authorised, so the booking is cancelled. {charged}"
    _send(
        booking, _address(booking), "capture-refused", "Your payment failed, your booking is cancelled", text
    )


def tell_of_change(changed: ChangedView) -> None:
    """The new itinerary, with what was paid for it or comes back."""
    booking, price = changed.booking, changed.price
    money = "Nothing is to be paid for it."
    if booking.status == BookingStatus.HELD:
        due_by = _moment(booking.payment_due_by, "UTC")
        money = f"To be paid by {due_by} UTC: {_money(booking.total, booking)}."
    elif price.amount_due:
        money = f"Paid for it: {_money(price.amount_due, booking)}."
    elif price.refund:
        money = f"{_money(price.refund, booking)} go back to the card that paid."
    text = f"{price.new_flight.flight_number} takes the place of {price.flight.flight_number}. {money}"
    event = f"changed-{booking.version}"
    _send(booking, _address(booking), event, "Your booking is changed", text)


def tell_of_seats(seated: SeatedView) -> None:
    """The seats that were chosen, with what was paid for them."""
    booking, paid = seated.booking, seated.amount_paid
    text = f"Paid for them: {_money(paid, booking)}." if paid else "Nothing is to be paid for them now."
    event = f"seated-{booking.version}"
    _send(booking, _address(booking), event, "Your seats", text)


def tell_of_disruption(booking: BookingView, *, event: str, subject: str, text: str) -> None:
    """What the airline did to a flight of it, in the words of `disruption.letter`."""
    _send(booking, _address(booking), event, subject, text)


def itinerary(booking: BookingView) -> str:
    """Flights with local times, then who travels."""
    lines = [line for segment in booking.segments for line in _flight_lines(segment)]
    lines += ["", "Travelling:"]
    lines += [
        f"  {person.given_name} {person.family_name} ({person.type})"
        for person in booking.passengers
        if not person.is_cancelled
    ]
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
    run([_letter(booking, to, event, subject, text)])


def _letter(booking: BookingView, to: str, event: str, subject: str, text: str) -> Statement:
    head = f"Record locator {booking.record_locator}, booking {booking.booking_id}"
    total = f"Total {_money(booking.total, booking)}"
    return mail_to_queue(
        key=f"booking:{booking.booking_id}:{event}",
        to=to,
        subject=f"{subject}: {booking.record_locator}",
        text=f"{text}\n\n{head}\n{total}\n\n{itinerary(booking)}\n\nAll times are local.\n",
    )
