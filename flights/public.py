"""What other apps may call of flights."""

from __future__ import annotations

from flights.types import Cabin, FlightStatus

__all__ = ["Cabin", "FlightStatus"]
