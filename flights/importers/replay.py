"""Plays what really happened to the source's flights as airline reports on the flights made from them.

The source knows delays in minutes, cancellations and diversions; what it does not know (when a delay was
announced, when boarding began) follows the rules stated at the constants. Derived ways back have no past and
stay on time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum

from django.utils import timezone

from flightbook.errors import InvalidTransition
from flights.importers.source import SourceFlight, SourceSchedule
from flights.models import Flight
from flights.operations import record_update
from flights.types import FlightStatus

# A flight is late from 15 minutes on: the US Department of Transportation's on-time rule (14 CFR 234.2).
LATE_MINUTES = 15
# A long delay is not known at once: half of it first, in full five minutes, and all of it when it should have
# left.
LONG_DELAY_MINUTES = 60
ANNOUNCED_BEFORE = dt.timedelta(minutes=45)
BOARDS_BEFORE = dt.timedelta(minutes=30)
CANCELLED_BEFORE = dt.timedelta(hours=3)


@dataclass(frozen=True)
class Report:
    """One report to come, `at` the time of the replayed day."""

    at: dt.datetime
    flight: Flight
    status: FlightStatus
    delay_minutes: int | None = None
    estimated_departure: dt.datetime | None = None
    estimated_arrival: dt.datetime | None = None

    @property
    def report_id(self) -> str:
        """The same in every replay of the flight, so that a second one applies nothing."""
        return f"replay-{self.status.value}-{self.delay_minutes or 0}"


class Outcome(Enum):
    APPLIED = "applied"
    REPEATED = "known already"
    REFUSED = "refused: the flight's state does not lead there"


Wait = Callable[[float], bool]  # waits so many seconds; True where the replay is to end
Heard = Callable[[Report, Outcome], None]


def reports_of_day(day: dt.date) -> list[Report]:
    """All reports of the flights that leave on `day` (the calendar day at the origin), in order of time."""
    flights = list(
        Flight.objects.select_related("origin")
        .filter(departure_date=day, is_derived=False, source_date__isnull=False)
        .order_by("pk")
    )
    source = _source_of({flight.source_date for flight in flights if flight.source_date})
    reports = [
        report
        for flight in flights
        if (past := source.get(_key(flight)))
        for report in _reports(flight, past)
    ]
    return sorted(reports, key=lambda report: report.at)


def replay(*, reports: list[Report], speed: float | None, wait: Wait, heard: Heard) -> None:
    """Records `reports` one after the other, `speed` times faster than they happened, or at once where it is
    None.

    A report that was recorded before is not applied again. `heard` is told of each; a true `wait` ends the
    replay.
    """
    clock = reports[0].at if reports else None
    for report in reports:
        pause = (report.at - clock).total_seconds() / speed if clock and speed else 0.0
        if wait(pause):
            return
        clock = report.at
        heard(report, _record(report))


def _record(report: Report) -> Outcome:
    try:
        recorded = record_update(
            flight_pk=report.flight.pk,
            status=report.status.value,
            delay_minutes=report.delay_minutes,
            estimated_departure=report.estimated_departure,
            estimated_arrival=report.estimated_arrival,
            # A day to come is played now: a report can't have occurred in the future.
            occurred_at=report.at if report.at <= timezone.now() else None,
            report_id=report.report_id,
            source="replay",
        )
    except InvalidTransition:
        return Outcome.REFUSED
    return Outcome.APPLIED if recorded.applied else Outcome.REPEATED


SourceKey = tuple[dt.date | None, str, int, str, str]


def _key(flight: Flight) -> SourceKey:
    return flight.source_date, flight.airline_id, flight.number, flight.origin_id, flight.destination_id


def _source_of(days: set[dt.date]) -> dict[SourceKey, SourceFlight]:
    source = SourceSchedule.read(days)
    return {
        (day, flight.airline, flight.number, flight.origin, flight.destination): flight
        for day in days
        for flight in source.flights(day)
    }


def _reports(flight: Flight, past: SourceFlight) -> Iterator[Report]:
    """The reports of one flight, in order."""
    if past.departure_delay is None:
        at = flight.scheduled_departure - CANCELLED_BEFORE
        yield Report(at=at, flight=flight, status=FlightStatus.CANCELLED)
        return
    yield from _before_departure(flight, past.departure_delay)
    yield from _after_departure(flight, past.departure_delay, past.arrival_delay)


def _before_departure(flight: Flight, delay: int) -> Iterator[Report]:
    scheduled = flight.scheduled_departure
    announcements = [(scheduled - ANNOUNCED_BEFORE, delay)]
    if delay >= LONG_DELAY_MINUTES:
        announcements = [(scheduled - ANNOUNCED_BEFORE, delay // 2 // 5 * 5), (scheduled, delay)]
    for at, minutes in announcements if delay >= LATE_MINUTES else []:
        yield Report(at=at, flight=flight, status=FlightStatus.DELAYED, delay_minutes=minutes)
    boards = scheduled + dt.timedelta(minutes=delay) - BOARDS_BEFORE
    yield Report(at=boards, flight=flight, status=FlightStatus.BOARDING)


def _after_departure(flight: Flight, departure_delay: int, arrival_delay: int | None) -> Iterator[Report]:
    left = flight.scheduled_departure + dt.timedelta(minutes=departure_delay)
    late = arrival_delay if arrival_delay is not None else departure_delay
    arrives = flight.scheduled_arrival + dt.timedelta(minutes=late)
    departed = Report(
        at=left,
        flight=flight,
        status=FlightStatus.DEPARTED,
        delay_minutes=max(0, departure_delay),
        estimated_departure=left,
        estimated_arrival=arrives,
    )
    yield departed
    if arrival_delay is None:
        # The source does not say where or when it came down: halfway will do.
        yield Report(at=left + (arrives - left) / 2, flight=flight, status=FlightStatus.DIVERTED)
    else:
        landed = FlightStatus.LANDED
        yield replace(departed, at=arrives, status=landed, delay_minutes=max(0, arrival_delay))
