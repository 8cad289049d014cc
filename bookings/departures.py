"""Whether a flight can still be sold, paid for or cancelled, as far as its state tells."""

from __future__ import annotations

import datetime as dt

from flightbook.errors import FlightCancelled, FlightDeparted
from flights.public import FlightStatus, FlightView

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
