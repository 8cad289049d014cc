"""One booking and one update of a flight of it, in one transaction that holds the booking's row."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Least, Now

from bookings import mails
from bookings.clock import database_now
from bookings.departures import hold_ends
from bookings.disruption import Event, entitlements, is_news, letter, settle
from bookings.disruption.rules import CANCELLED
from bookings.models import Booking, BookingStatus, Disruption, Segment
from bookings.operations.unused import end_unused, return_unused
from bookings.queries import booking_in_full
from bookings.types import BookingView, DisruptionView
from flights.public import FlightStatus, flight
from subscriptions.public import told_by_mail

State = Disruption.State
_LIVE = (BookingStatus.HELD, BookingStatus.CONFIRMED)


@transaction.atomic
def disrupt_booking(booking_pk: int, event: Event) -> bool:
    """Writes what the update means for the booking, and tells its user. A cancelled flight is refunded with
    it, at once or after DISRUPTION_CHOICE_HOURS; a hold ends at once. Again, or for one that is not
    concerned, it does nothing: False."""
    booking = _locked(booking_pk)
    if booking is None:
        return False
    before, now = booking_in_full(user_pk=booking.user_id, booking_id=booking.public_id), database_now()
    if not _concerns(before, event):
        return False
    rights = entitlements(event, before, now)
    told = _told(before, event)
    codes = [right["code"] for right in rights]
    if not is_news(event, booked_at=before.created_at, codes=codes, told=told):
        return False
    if told is not None:  # of an older update: this one decides
        settle(booking, State.KEPT, flight_pks=[event.flight.pk])
    row = Disruption.objects.create(
        booking=booking,
        flight_id=event.flight.pk,
        sequence=event.sequence,
        kind=event.kind,
        entitlements=rights,
        choice_until=_choice_until(booking, event, now),
    )
    if event.is_rescheduled and booking.status == BookingStatus.HELD:
        _end_hold_with_sale(booking, before, event)
    if event.kind == CANCELLED and row.choice_until is None:
        _refund(booking, before, event, row, now)
    else:
        _tell(before, event, row)
    return True


@transaction.atomic
def end_choice(booking_pk: int, disruption_pk: int) -> bool:
    """The time to choose is over: refunded, where the flight is still cancelled."""
    booking = _locked(booking_pk)
    row = Disruption.objects.filter(pk=disruption_pk, state=State.OPEN, choice_until__lte=Now()).first()
    if row is None:
        return False
    if booking is None or flight(row.flight_id).status != FlightStatus.CANCELLED:
        Disruption.objects.filter(pk=row.pk).update(state=State.KEPT, settled_at=Now(), choice_until=None)
        return False
    before, now = booking_in_full(user_pk=booking.user_id, booking_id=booking.public_id), database_now()
    gone = flight(row.flight_id)
    ended = end_unused(booking, before, reason=f"airline cancelled {gone.flight_id}", now=now)
    settle(booking, State.REFUNDED)
    mails.tell_of_disruption(
        before,
        event=f"refunded-{gone.flight_id}-{row.sequence}",
        subject=letter.subject(row, gone),
        text=letter.sent_back(before, ended.back.amount),
    )
    return_unused(booking, ended)
    return True


def _locked(booking_pk: int) -> Booking | None:
    """None where it has ended."""
    live = Booking.objects.select_for_update(no_key=True).filter(pk=booking_pk, status__in=_LIVE)
    return live.first()


def _concerns(before: BookingView, event: Event) -> bool:
    """Not who has left the flight, nor who was told of this already, nor of a cancellation that was taken
    back meanwhile."""
    flight_id = event.flight.flight_id
    booked = [
        segment.flight
        for segment in before.segments
        if segment.flight.flight_id == flight_id and segment.status == Segment.Status.BOOKED
    ]
    known = [row for row in before.disruptions if row.flight_id == flight_id]
    if not booked or any(row.sequence == event.sequence for row in known):
        return False
    if event.kind != CANCELLED:
        return True
    cancelled_before = any(row.kind == CANCELLED and row.state == State.OPEN for row in known)
    return booked[0].status == FlightStatus.CANCELLED and not cancelled_before


def _told(before: BookingView, event: Event) -> DisruptionView | None:
    """What stands open of older updates of the flight."""
    own = [row for row in before.disruptions if row.flight_id == event.flight.flight_id]
    return next((row for row in own if row.state == State.OPEN), None)


def _choice_until(booking: Booking, event: Event, now: dt.datetime) -> dt.datetime | None:
    hours: int = settings.DISRUPTION_CHOICE_HOURS
    if event.kind != CANCELLED or not hours or booking.status == BookingStatus.HELD:
        return None
    return now + dt.timedelta(hours=hours)


def _refund(booking: Booking, before: BookingView, event: Event, row: Disruption, now: dt.datetime) -> None:
    """Everything that is unused, back; the counters last."""
    ended = end_unused(booking, before, reason=f"airline cancelled {event.flight.flight_id}", now=now)
    settle(booking, State.REFUNDED)
    _tell(before, event, row, back=ended.back.amount)
    return_unused(booking, ended)


def _end_hold_with_sale(booking: Booking, before: BookingView, event: Event) -> None:
    """A flight that leaves earlier is sold until earlier, and held no longer."""
    booked = [one for one in before.segments if one.status == Segment.Status.BOOKED]
    cabin = next(one.cabin for one in booked if one.flight.pk == event.flight.pk)
    ends = hold_ends([event.flight], cabin=cabin)
    Booking.objects.filter(pk=booking.pk).update(payment_due_by=Least("payment_due_by", ends))


def _tell(before: BookingView, event: Event, row: Disruption, back: Decimal | None = None) -> None:
    mails.tell_of_disruption(
        before,
        event=f"disrupted-{event.flight.flight_id}-{row.sequence}",
        subject=letter.subject(row, event.flight),
        text=letter.text(
            before,
            row,
            event.flight,
            sold=event.sold(before.created_at),
            expected=event.expected,
            back=back,
        ),
    )
    if event.kind == CANCELLED:  # a follower's mail would tell the same again
        told_by_mail(user_pk=before.user_pk, flight_pk=event.flight.pk, sequence=event.sequence)
