"""Staff's view of flights. Invariants are read only; a flight changes through `record_update` alone."""

from __future__ import annotations

from flights.admin.flight import FlightAdmin
from flights.admin.inventory import CabinInventoryAdmin, SeatAssignmentAdmin
from flights.admin.log import FeedAdmin, FeedConsumerAdmin, FlightUpdateAdmin, UpdateLogAdmin
from flights.admin.reference import (
    AircraftTypeAdmin,
    AirlineAdmin,
    AirportAdmin,
    FareFamilyAdmin,
    ScheduleDayAdmin,
)

__all__ = [
    "AircraftTypeAdmin",
    "AirlineAdmin",
    "AirportAdmin",
    "CabinInventoryAdmin",
    "FareFamilyAdmin",
    "FeedAdmin",
    "FeedConsumerAdmin",
    "FlightAdmin",
    "FlightUpdateAdmin",
    "ScheduleDayAdmin",
    "SeatAssignmentAdmin",
    "UpdateLogAdmin",
]
