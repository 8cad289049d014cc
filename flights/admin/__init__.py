"""Staff's view of flights. Invariants are read only; a flight changes through `record_update` alone."""

from __future__ import annotations

from flights.admin.displaced import DisplacedSeatAdmin
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
from flights.admin.telegrams import RejectedTelegramAdmin

__all__ = [
    "AircraftTypeAdmin",
    "AirlineAdmin",
    "AirportAdmin",
    "CabinInventoryAdmin",
    "DisplacedSeatAdmin",
    "FareFamilyAdmin",
    "FeedAdmin",
    "FeedConsumerAdmin",
    "FlightAdmin",
    "FlightUpdateAdmin",
    "RejectedTelegramAdmin",
    "ScheduleDayAdmin",
    "SeatAssignmentAdmin",
    "UpdateLogAdmin",
]
