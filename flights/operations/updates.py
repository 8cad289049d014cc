"""What happens to a flight: reports, of which each accepted one is one sequence."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from django.db import IntegrityError, connection, transaction

from flightbook.errors import Invalid, InvalidTransition, NotFound, constraint_name
from flights import feeds, seat_inventory
from flights.identifiers import flight_id
from flights.models import Flight, FlightUpdate
from flights.queries import update_view
from flights.reports import Report
from flights.transitions import allowed
from flights.types import RecordedUpdate

_NOT_APPLIED = RecordedUpdate(applied=False, update=None)


def record_update(
    *,
    flight_pk: int,
    status: str,
    delay_minutes: int | None = None,
    reason: str = "",
    gate: str | None = None,
    terminal: str | None = None,
    departure: dt.datetime | None = None,
    arrival: dt.datetime | None = None,
    estimated_departure: dt.datetime | None = None,
    estimated_arrival: dt.datetime | None = None,
    occurred_at: dt.datetime | None = None,
    report_id: str | None = None,
    source: str,
) -> RecordedUpdate:
    """Records a report: the flight moves on, the log keeps it, the sale opens or closes, consumers are told.
    One transaction.

    What is absent stays as it was, with the exceptions that `flights.reports` states. `departure` and
    `arrival` are a new schedule, the estimates what is expected now; `delay_minutes` alone gives both
    estimates. `occurred_at` is now where absent. A repeated `report_id`, or a report that occurred before the
    newest one applied, is not applied and takes no sequence.

    Raises:
        NotFound: there is no such flight.
        Invalid: a value is out of its range, or the new schedule is another flight's.
        InvalidTransition: the flight's status does not lead to `status`; `extra["allowed"]` says where it
        does.
    """
    report = Report(
        status=status,
        delay_minutes=delay_minutes,
        reason=reason.strip(),
        gate=gate,
        terminal=terminal,
        departure=departure,
        arrival=arrival,
        estimated_departure=estimated_departure,
        estimated_arrival=estimated_arrival,
        occurred_at=occurred_at,
        report_id=report_id,
        source=source[:60],
    )
    report.check()
    try:
        with transaction.atomic():
            return _record(flight_pk, report)
    except IntegrityError as error:
        if constraint_name(error) != "flight_unique":
            raise
        raise Invalid.of(
            "/departure", "unique", "The flight number flies this route at that time already."
        ) from error


def _record(flight_pk: int, report: Report) -> RecordedUpdate:
    flight = _locked(flight_pk)
    now = _clock()
    report.check_clock(now)
    if _is_repeated(flight, report) or _is_late(flight, report):
        return _NOT_APPLIED
    _check_transition(flight, report.status)
    before = flight.scheduled_departure, flight.scheduled_arrival
    occurred_at = report.occurred_at or max(now, flight.last_reported_at or now)
    _move(flight, report.changes(flight), occurred_at)
    update = _log(flight, report, occurred_at, before)
    seat_inventory.follow_flight(
        flight_pk=flight.pk, status=flight.status, moved_by=flight.scheduled_departure - before[0]
    )
    feeds.mark_pending(flight_pk=flight.pk, sequence=flight.sequence)
    feeds.wake_consumers()
    return RecordedUpdate(applied=True, update=update_view(update))


def _locked(flight_pk: int) -> Flight:
    """The flight, locked so that a sale's foreign keys may still refer to it."""
    flight = (
        Flight.objects.select_for_update(of=("self",), no_key=True)
        .select_related("origin")
        .filter(pk=flight_pk)
        .first()
    )
    if flight is None:
        raise NotFound(detail="There is no such flight.")
    return flight


def _clock() -> dt.datetime:
    """The database's time, read under the lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: dt.datetime = cursor.fetchone()[0]
    return now


def _is_repeated(flight: Flight, report: Report) -> bool:
    if report.report_id is None:
        return False
    return FlightUpdate.objects.filter(flight_id=flight.pk, report_id=report.report_id).exists()


def _is_late(flight: Flight, report: Report) -> bool:
    newest = flight.last_reported_at
    return report.occurred_at is not None and newest is not None and report.occurred_at < newest


def _check_transition(flight: Flight, status: str) -> None:
    following = allowed(flight.status)
    if status not in following:
        raise InvalidTransition(
            detail=f"The flight is {flight.status}; {status} cannot follow.",
            extra={"flightId": flight_id(flight.pk), "allowed": list(following)},
        )


def _move(flight: Flight, changes: dict[str, Any], occurred_at: dt.datetime) -> None:
    for name, value in changes.items():
        setattr(flight, name, value)
    flight.sequence += 1
    flight.last_reported_at = occurred_at
    flight.departure_date = flight.scheduled_departure.astimezone(ZoneInfo(flight.origin.time_zone)).date()
    flight.save(update_fields=[*changes, "sequence", "last_reported_at", "departure_date"])


def _log(
    flight: Flight, report: Report, occurred_at: dt.datetime, before: tuple[dt.datetime, dt.datetime]
) -> FlightUpdate:
    is_new = before != (flight.scheduled_departure, flight.scheduled_arrival)
    return FlightUpdate.objects.create(
        flight_id=flight.pk,
        sequence=flight.sequence,
        status=flight.status,
        delay_minutes=flight.delay_minutes,
        reason=flight.reason,
        gate=flight.gate,
        terminal=flight.terminal,
        scheduled_departure=flight.scheduled_departure,
        scheduled_arrival=flight.scheduled_arrival,
        departure_before=before[0] if is_new else None,
        arrival_before=before[1] if is_new else None,
        estimated_departure=flight.estimated_departure,
        estimated_arrival=flight.estimated_arrival,
        occurred_at=occurred_at,
        report_id=report.report_id,
        source=report.source,
    )
