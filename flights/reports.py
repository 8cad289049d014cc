"""What one report says, whether it can be true, and what it makes of a flight.

What is absent stays as it was, but:

- `reason` belongs to its status: it is kept only while the status stays.
- Scheduled and Cancelled take the delay back, and so does a new schedule, unless the report gives one with
  it.
- Without a delay in the report, an estimated departure gives it; without estimates, the delay gives both.
- A new departure alone keeps the block time.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from flightbook.errors import FieldError, Invalid
from flights.models import Flight
from flights.transitions import ON_SALE
from flights.types import FlightStatus

LONGEST_DELAY = 7 * 24 * 60  # minutes; later than that it is another flight
_FURTHEST_MOVE = dt.timedelta(days=366)
_LONGEST_BLOCK = dt.timedelta(hours=48)
# Clocks differ, but a report from far ahead would make everything true that follows it late.
_CLOCK_TOLERANCE = dt.timedelta(minutes=5)
_LENGTHS = {"reason": 200, "gate": 8, "terminal": 8, "report_id": 100}
_POINTERS = {"report_id": "reportId"}


@dataclass(frozen=True)
class Report:
    status: str
    delay_minutes: int | None
    reason: str
    gate: str | None
    terminal: str | None
    departure: dt.datetime | None
    arrival: dt.datetime | None
    estimated_departure: dt.datetime | None
    estimated_arrival: dt.datetime | None
    occurred_at: dt.datetime | None
    report_id: str | None
    source: str

    def check(self) -> None:
        """Raises `Invalid` where a value is out of its range, whatever the flight is."""
        found = [*self._text_errors()]
        if self.status not in FlightStatus.values:
            found.append(FieldError("/status", "invalid_choice", f"One of {', '.join(FlightStatus.values)}."))
        if self.delay_minutes is not None and not 0 <= self.delay_minutes <= LONGEST_DELAY:
            found.append(FieldError("/delayMinutes", "invalid", f"From 0 to {LONGEST_DELAY}."))
        if (self.departure or self.arrival) and self.status not in ON_SALE:
            found.append(FieldError("/departure", "invalid", f"A {self.status} flight gets no new schedule."))
        if found:
            raise Invalid(detail="The report is not valid.", errors=found)

    def check_clock(self, now: dt.datetime) -> None:
        """Raises `Invalid` where the report says to have occurred in the future."""
        if self.occurred_at is not None and self.occurred_at > now + _CLOCK_TOLERANCE:
            raise Invalid.of("/occurredAt", "future", "The report has not occurred yet.")

    def changes(self, flight: Flight) -> dict[str, Any]:
        """The flight's new values by field. Raises `Invalid` where they make no sense together."""
        departure, arrival = self._schedule(flight)
        delay = self._delay(flight, departure)
        estimates = self._estimates(flight, departure, arrival, delay)
        return {
            "status": self.status,
            "delay_minutes": delay,
            "reason": self.reason or (flight.reason if flight.status == self.status else ""),
            "gate": flight.gate if self.gate is None else self.gate,
            "terminal": flight.terminal if self.terminal is None else self.terminal,
            "scheduled_departure": departure,
            "scheduled_arrival": arrival,
            "estimated_departure": estimates[0],
            "estimated_arrival": estimates[1],
        }

    def _text_errors(self) -> list[FieldError]:
        found = []
        for name, length in _LENGTHS.items():
            text = getattr(self, name) or ""
            pointer = f"/{_POINTERS.get(name, name)}"
            if len(text) > length:
                found.append(FieldError(pointer, "max_length", f"At most {length} characters."))
            if "\0" in text:
                found.append(FieldError(pointer, "invalid", "NUL is no character of a text."))
        if self.report_id == "":
            found.append(FieldError("/reportId", "blank", "A report's id is not empty."))
        return found

    @property
    def _reschedules(self) -> bool:
        return self.departure is not None or self.arrival is not None

    def _schedule(self, flight: Flight) -> tuple[dt.datetime, dt.datetime]:
        departure = self.departure or flight.scheduled_departure
        if self.departure and not self.arrival:
            _check_near("/departure", departure, flight.scheduled_departure, _FURTHEST_MOVE)
            arrival = departure + (flight.scheduled_arrival - flight.scheduled_departure)
        else:
            arrival = self.arrival or flight.scheduled_arrival
        if self._reschedules:
            _check_near("/departure", departure, flight.scheduled_departure, _FURTHEST_MOVE)
            _check_order("/arrival", departure, arrival)
        return departure, arrival

    def _delay(self, flight: Flight, departure: dt.datetime) -> int | None:
        if self.delay_minutes is not None:
            return self.delay_minutes
        if self.estimated_departure is not None:
            _check_near(
                "/estimatedDeparture",
                self.estimated_departure,
                departure,
                dt.timedelta(minutes=LONGEST_DELAY),
            )
            return max(0, round((self.estimated_departure - departure).total_seconds() / 60))
        if self._starts_afresh:
            return None
        return flight.delay_minutes

    @property
    def _starts_afresh(self) -> bool:
        return self._reschedules or self.status in (FlightStatus.SCHEDULED, FlightStatus.CANCELLED)

    def _estimates(
        self, flight: Flight, departure: dt.datetime, arrival: dt.datetime, delay: int | None
    ) -> tuple[dt.datetime | None, dt.datetime | None]:
        """Of departure and arrival: what is given, else what this report's delay makes of the schedule."""
        given = self.estimated_departure, self.estimated_arrival
        if self.delay_minutes is not None or self.estimated_departure is not None:
            late = dt.timedelta(minutes=delay or 0)
            derived: tuple[dt.datetime | None, dt.datetime | None] = departure + late, arrival + late
        elif self._starts_afresh:
            derived = None, None
        else:
            derived = flight.estimated_departure, flight.estimated_arrival
        found = given[0] or derived[0], given[1] or derived[1]
        if any(given):
            _check_order("/estimatedArrival", found[0] or departure, found[1] or arrival)
        return found


def _check_near(pointer: str, moment: dt.datetime, other: dt.datetime, within: dt.timedelta) -> None:
    if abs(moment - other) > within:
        raise Invalid.of(
            pointer, "invalid", f"More than {within.days} days away from the flight's own schedule."
        )


def _check_order(pointer: str, departure: dt.datetime, arrival: dt.datetime) -> None:
    if not dt.timedelta(0) < arrival - departure <= _LONGEST_BLOCK:
        raise Invalid.of(pointer, "invalid", "The arrival is not within 48 hours after the departure.")
