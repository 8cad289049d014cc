"""Correcting a traveller's name: a spelling, never another traveller."""

from __future__ import annotations

from django.db.models import F

from bookings import mails
from bookings.clock import database_now
from bookings.corrections import RULE, Name, is_correction
from bookings.departures import has_left
from bookings.idempotency import Promise, decide
from bookings.models import Booking, BookingStatus, Passenger, Segment
from bookings.operations.retries import again_after_deadlock
from bookings.queries import booking_in_full
from bookings.types import BookingView
from flightbook.errors import AlreadyCancelled, Invalid, NotChangeable, NotFound


def correct_name(
    *, user_pk: int, booking_id: str, passenger: int, given_name: str, family_name: str, promise: Promise
) -> BookingView:
    """Gives the passenger of that index the name's right spelling, free of charge, until the first flight
    leaves. The same name again is no change.

    Raises:
        NotFound; Invalid: no such passenger; AlreadyCancelled: the booking or the traveller.
        NotChangeable: it would be another name (`corrections`), a flight has left, or the hold had expired.
        Unavailable. Replayed, RequestInProgress, IdempotencyKeyReused: by the promise.
    """

    def work() -> BookingView:
        booking = _lock(user_pk, booking_id)
        traveller = booking.passengers.filter(position=passenger).first()
        if traveller is None:
            raise Invalid.of("/passenger", "unknown", "There is no such passenger.")
        _check(booking, traveller, Name(given_name, family_name))
        former = f"{traveller.given_name} {traveller.family_name}"
        if (traveller.given_name, traveller.family_name) != (given_name, family_name):
            _write(booking, traveller, Name(given_name, family_name))
        view = booking_in_full(user_pk=user_pk, booking_id=booking_id)
        promise.keep(view)
        if view.version != booking.version:
            mails.tell_of_corrected_name(view, passenger=passenger, former=former)
        return view

    return again_after_deadlock(lambda: decide(promise, work))


def _lock(user_pk: int, booking_id: str) -> Booking:
    mine = Booking.objects.select_for_update(no_key=True).filter(user_id=user_pk, public_id=booking_id)
    booking = mine.first()
    if booking is None:
        raise NotFound(detail="There is no such booking.")
    if booking.status == BookingStatus.CANCELLED:
        raise AlreadyCancelled
    if booking.status == BookingStatus.EXPIRED:
        raise NotChangeable(detail="The hold has expired.")
    return booking


def _check(booking: Booking, traveller: Passenger, wanted: Name) -> None:
    if traveller.cancelled_at is not None:
        raise AlreadyCancelled(detail="That traveller was cancelled.")
    now = database_now()
    view = booking_in_full(user_pk=booking.user_id, booking_id=booking.public_id)
    for segment in view.segments:
        if segment.status == Segment.Status.BOOKED and has_left(segment.flight, now):
            raise NotChangeable(
                detail=f"{segment.flight.flight_number} has left.",
                extra={"flightId": segment.flight.flight_id},
            )
    if not is_correction(_as_booked(traveller), wanted):
        raise NotChangeable(
            detail=f"Tickets are not transferable: at most {RULE.letters} letters may be corrected, and no "
            f"more than one in {RULE.one_in}."
        )


def _as_booked(traveller: Passenger) -> Name:
    if traveller.booked_as:
        return Name(*traveller.booked_as)
    return Name(traveller.given_name, traveller.family_name)


def _write(booking: Booking, traveller: Passenger, wanted: Name) -> None:
    traveller.booked_as = traveller.booked_as or [traveller.given_name, traveller.family_name]
    traveller.given_name, traveller.family_name = wanted.given, wanted.family
    traveller.save(update_fields=["given_name", "family_name", "booked_as"])
    Booking.objects.filter(pk=booking.pk).update(version=F("version") + 1)
