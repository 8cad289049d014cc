"""Reads of flights and of their log."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Collection, Iterable

from django.db import connection
from django.db.models import Q
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from flightbook.errors import NotFound
from flights.identifiers import flight_id
from flights.models import Airline, Airport, Flight, FlightUpdate, UpdateLog
from flights.types import FlightView, Origin, Schedule, UpdateView

# A board shows a flight until a little after it has left, and those of the day to come.
LINGERS = dt.timedelta(minutes=10)
AHEAD = dt.timedelta(hours=24)
_DAY = dt.timedelta(days=1)
# Hops from one origin to the next in `flight_search_idx`: a DISTINCT would read the whole of it.
_ORIGINS = """
WITH RECURSIVE hops AS (
    SELECT min(origin_id) AS iata FROM flights_flight
    UNION ALL
    SELECT (SELECT min(origin_id) FROM flights_flight WHERE origin_id > hops.iata)
      FROM hops WHERE hops.iata IS NOT NULL
)
SELECT iata FROM hops WHERE iata IS NOT NULL
"""


def flights(pks: Iterable[int]) -> dict[int, FlightView]:
    """The flights of these keys; one query. Keys without a flight are left out."""
    rows = Flight.objects.filter(pk__in=set(pks)).select_related("airline", "origin", "destination")
    return {row.pk: _flight_view(row) for row in rows}


def flight(pk: int) -> FlightView:
    """One flight.

    Raises:
        NotFound
    """
    found = flights([pk])
    if pk not in found:
        raise NotFound(detail="There is no such flight.")
    return found[pk]


def flight_and_state(pk: int) -> tuple[FlightView, UpdateView]:
    """A flight and its state out of one row, so that the two agree.

    Raises:
        NotFound
    """
    row = Flight.objects.filter(pk=pk).select_related("airline", "origin", "destination").first()
    if row is None:
        raise NotFound(detail="There is no such flight.")
    return _flight_view(row), state_of(row)


def departures(*, airport: str, airline: str = "", limit: int = 40) -> list[FlightView]:
    """The next flights out of `airport` (of `airline` alone, where given) as a board shows them.

    In the order of their schedule, at most `limit`: those that leave within `AHEAD`, and those that were to
    leave, or have left, no longer ago than `LINGERS`. The latest estimate counts, not the schedule.
    """
    today = timezone.now().date()
    rows = Flight.objects.filter(
        Q(airline_id=airline) if airline else Q(),
        origin_id=airport,
        # For the index, and wide enough for every time zone and for a flight a day late.
        departure_date__range=(today - 2 * _DAY, today + 2 * _DAY),
        scheduled_departure__lt=Now() + AHEAD,
    )
    rows = rows.alias(leaves=Coalesce("estimated_departure", "scheduled_departure"))
    rows = rows.filter(leaves__gte=Now() - LINGERS).order_by("scheduled_departure", "pk")
    return [_flight_view(row) for row in rows.select_related("airline", "origin", "destination")[:limit]]


def origins() -> dict[str, Origin]:
    """The airports that flights leave from, by code, in the order of their codes."""
    with connection.cursor() as cursor:
        cursor.execute(_ORIGINS)
        codes = [iata for (iata,) in cursor.fetchall()]
    rows = Airport.objects.filter(pk__in=codes).order_by("pk")
    return {row.pk: Origin(iata=row.pk, city=row.city, time_zone=row.time_zone) for row in rows}


def airlines() -> dict[str, str]:
    """All airlines' names by code, in the order of their names."""
    return dict(Airline.objects.order_by("name", "code").values_list("code", "name"))


def update_state(flight_pk: int) -> UpdateView:
    """The flight's present state in the form of an update; its sequence is 0 before the first.

    Raises:
        NotFound
    """
    row = Flight.objects.filter(pk=flight_pk).first()
    if row is None:
        raise NotFound(detail="There is no such flight.")
    return state_of(row)


def state_of(row: Flight) -> UpdateView:
    return UpdateView(
        flight_pk=row.pk,
        sequence=row.sequence,
        status=row.status,
        delay_minutes=row.delay_minutes,
        reason=row.reason,
        gate=row.gate,
        terminal=row.terminal,
        departure=row.scheduled_departure,
        arrival=row.scheduled_arrival,
        estimated_departure=row.estimated_departure,
        estimated_arrival=row.estimated_arrival,
        occurred_at=row.last_reported_at,
        recorded_at=None,
    )


def updates_after(*, flight_pk: int, sequence: int, limit: int = 500) -> list[UpdateView]:
    """The flight's updates after `sequence`, in order, at most `limit`."""
    rows = FlightUpdate.objects.filter(flight_id=flight_pk, sequence__gt=sequence).order_by("sequence")[
        :limit
    ]
    return [update_view(row) for row in rows]


def update_view(row: FlightUpdate) -> UpdateView:
    return UpdateView(
        flight_pk=row.flight_id,
        sequence=row.sequence,
        status=row.status,
        delay_minutes=row.delay_minutes,
        reason=row.reason,
        gate=row.gate,
        terminal=row.terminal,
        departure=row.scheduled_departure,
        arrival=row.scheduled_arrival,
        estimated_departure=row.estimated_departure,
        estimated_arrival=row.estimated_arrival,
        occurred_at=row.occurred_at,
        recorded_at=row.recorded_at,
        is_rescheduled=row.departure_before is not None,
    )


def schedules(flight_pk: int) -> list[Schedule]:
    """Every schedule that the flight was sold by, in their order; the last is the present one.

    Raises:
        NotFound
    """
    moves = FlightUpdate.objects.filter(flight_id=flight_pk, departure_before__isnull=False)
    state = update_state(flight_pk)
    former = [
        Schedule(row.recorded_at, row.departure_before, row.arrival_before)
        for row in moves.order_by("sequence")
        if row.departure_before and row.arrival_before
    ]
    return [*former, Schedule(None, state.departure, state.arrival)]


def sequences(flight_pks: Collection[int]) -> dict[int, int]:
    """The flights' present sequences; one query. Keys without a flight are left out."""
    return dict(Flight.objects.filter(pk__in=flight_pks).values_list("pk", "sequence"))


def log_name() -> str:
    """The name of the log that sequences count in; where none is left, one is made.

    A restore from backup renames it.
    """
    row = UpdateLog.objects.order_by("pk").first()
    if row is None:  # the fixed key lets one of several callers win
        row, _ = UpdateLog.objects.get_or_create(pk=1, defaults={"name": secrets.token_urlsafe(9)})
    return row.name


def _flight_view(row: Flight) -> FlightView:
    return FlightView(
        pk=row.pk,
        flight_id=flight_id(row.pk),
        airline_code=row.airline_id,
        airline_name=row.airline.name,
        ticketing_code=row.airline.ticketing_code,
        flight_number=row.designator,
        origin=row.origin_id,
        destination=row.destination_id,
        origin_city=row.origin.city,
        destination_city=row.destination.city,
        origin_time_zone=row.origin.time_zone,
        destination_time_zone=row.destination.time_zone,
        departure=row.scheduled_departure,
        arrival=row.scheduled_arrival,
        estimated_departure=row.estimated_departure,
        estimated_arrival=row.estimated_arrival,
        status=row.status,
        delay_minutes=row.delay_minutes,
        reason=row.reason,
        gate=row.gate,
        terminal=row.terminal,
        sequence=row.sequence,
    )
