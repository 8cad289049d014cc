"""Whether a flight can still be sold, held, paid for or cancelled, as far as its state and its sale tell."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from flightbook.errors import FlightCancelled, FlightDeparted
from flights.public import FlightStatus, FlightView, sale_ends

_LEFT = (FlightStatus.DEPARTED, FlightStatus.LANDED, FlightStatus.DIVERTED)


def check_flying(flight: FlightView) -> None:
    """
    Raises:
        FlightCancelled, FlightDeparted: with the `flightId`.
    """
    if flight.status == FlightStatus.CANCELLED:
        raise FlightCancelled(extra={"flightId": flight.flight_id})
    if flight.status in _LEFT:
        raise FlightDeparted(extra={"flightId": flight.flight_id})


def has_left(flight: FlightView, now: dt.datetime) -> bool:
    """By its reported state, or by its off-block time (the estimate, where there is one). A cancelled one
    never leaves."""
    if flight.status == FlightStatus.CANCELLED:
        return False
    return flight.status in _LEFT or (flight.estimated_departure or flight.departure) <= now


def hold_ends(flights: Collection[FlightView], *, cabin: str) -> dt.datetime:
    """The latest that a hold of them lasts: the end of the sale of that cabin, or a departure."""
    ends = [flight.departure for flight in flights]
    if (sale_end := sale_ends(flight_pks=[flight.pk for flight in flights], cabin=cabin)) is not None:
        ends.append(sale_end)
    return min(ends)
