"""Carrying a flight's cancellation or move over to its bookings, out of the log of updates.

A feed's consumer: at least once, in order per flight, with any number of workers. Each booking is one
transaction, which writes its `Disruption` (unique by booking, flight and sequence) with all that follows; a
worker that is killed in between is followed by one that finds what is written and goes on. No booking slips
in after a cancellation: its update closed the counters in its own transaction, so that whoever sold before
has committed before the update did, and is found here.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial

from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from bookings.disruption import Event, is_news, rights_due
from bookings.disruption.rules import CANCELLED, MOVED
from bookings.models import BookingStatus, Disruption, Segment
from bookings.operations.disrupt_one import disrupt_booking, end_choice
from bookings.operations.retries import again_after_deadlock
from flightbook.errors import Problem
from flights import public as flights

logger = logging.getLogger(__name__)
CONSUMER = "disruption"
LEASE_SECONDS = 15  # who is slower is joined by another: each booking is done once all the same
SLICE = 40  # bookings at a time: other work of the worker waits meanwhile, the refunds too
_LIVE = (BookingStatus.HELD, BookingStatus.CONFIRMED)
_GONE = (flights.FlightStatus.DEPARTED, flights.FlightStatus.LANDED, flights.FlightStatus.DIVERTED)


def register_consumers() -> None:
    """Makes bookings a reader of every flight update from now on. At deployment, before the first work."""
    flights.register_consumer(CONSUMER)


def handle_disruptions(*, limit: int = 20) -> int:
    """Carries the updates of at most `limit` flights over to their bookings, and ends as many choices whose
    time is over; how many of both. For the worker."""
    register_consumers()
    return _follow_flights(limit) + _end_choices(limit)


class _Unfinished(Exception):
    """Some bookings could not be done: the lease runs out, and they come again; others need not wait."""


def _follow_flights(limit: int) -> int:
    done = 0
    while done < limit:
        leases = flights.lease_feeds(consumer=CONSUMER, limit=1, seconds=LEASE_SECONDS)
        if not leases:
            break
        done += 1
        with suppress(_Unfinished):  # it was logged
            _follow(leases[0])
    return done


def _follow(lease: flights.FeedLease) -> None:
    """As far as a slice goes; the rest of the flight is pending still."""
    sequence = lease.done_sequence
    for update in flights.updates_after(flight_pk=lease.flight_pk, sequence=sequence):
        if not _carry_over(update):
            break
        sequence = update.sequence
    flights.advance_feed(lease, done_sequence=sequence)


def _carry_over(update: flights.UpdateView) -> bool:
    """Whether all bookings are done."""
    if update.status in _GONE:
        _left(update.flight_pk)
        return True
    live = _live(update)
    if not live:  # of most flights nobody asks more
        return True
    event = _event(update)
    return _disrupt(_to_tell(live, event), event)


def _disrupt(bookings: Sequence[int], event: Event) -> bool:
    written, failed = 0, False
    for booking_pk in bookings:
        try:
            written += again_after_deadlock(partial(disrupt_booking, booking_pk, event))
        except (Problem, ValueError):
            logger.exception("disruption of %s: booking %s failed", event.flight.flight_id, booking_pk)
            failed = True
        if written == SLICE:
            return False
    if failed:
        raise _Unfinished
    return True


def _event(update: flights.UpdateView) -> Event:
    return Event(
        kind=CANCELLED if update.status == flights.FlightStatus.CANCELLED else MOVED,
        flight=flights.flight(update.flight_pk),
        sequence=update.sequence,
        is_rescheduled=update.is_rescheduled,
        told_at=update.recorded_at or update.occurred_at,  # type: ignore[arg-type]  # the log's rows have both
        expected=(
            update.estimated_departure or update.departure,
            update.estimated_arrival or update.arrival,
        ),
        route=flights.route(update.flight_pk),
        schedules=flights.schedules(update.flight_pk),
    )


def _live(update: flights.UpdateView) -> list[tuple[int, dt.datetime, str]]:
    """Key, time and status of the bookings that live, have the flight and were not told of the update, oldest
    first."""
    of_this = {"flight_id": update.flight_pk, "sequence": update.sequence}
    told = Disruption.objects.filter(booking_id=OuterRef("booking_id"), **of_this)
    rows = Segment.objects.filter(
        ~Exists(told),
        flight_id=update.flight_pk,
        status=Segment.Status.BOOKED,
        booking__status__in=_LIVE,
    )
    return list(
        rows.order_by("booking_id").values_list("booking_id", "booking__created_at", "booking__status")
    )


def _to_tell(live: Iterable[tuple[int, dt.datetime, str]], event: Event) -> list[int]:
    """The keys of those to whom the event is news. Most are a gate, or a quarter of an hour, and news to
    nobody: no booking is read in full for them. The others are looked at again, under their locks."""
    rows = Disruption.objects.filter(flight_id=event.flight.pk, state=Disruption.State.OPEN)
    told = {row.booking_id: row for row in rows}
    found = []
    for pk, booked_at, status in live:
        rights = rights_due(event, booked_at=booked_at, is_held=status == BookingStatus.HELD)
        codes = [right.code for right in rights]
        if is_news(event, booked_at=booked_at, codes=codes, told=told.get(pk)):
            found.append(pk)
    return found


def _left(flight_pk: int) -> None:
    """The flight flies: who is still booked on it has kept it."""
    rows = Disruption.objects.filter(flight_id=flight_pk, state=Disruption.State.OPEN)
    rows.update(state=Disruption.State.KEPT, settled_at=Now(), choice_until=None)


def _end_choices(limit: int) -> int:
    """Who has not chosen in time is refunded."""
    over = Disruption.objects.filter(state=Disruption.State.OPEN, choice_until__lte=Now())
    due = list(over.order_by("choice_until").values_list("booking_id", "pk")[:limit])
    for booking_pk, pk in due:
        again_after_deadlock(partial(end_choice, booking_pk, pk))
    return len(due)
