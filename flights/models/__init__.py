"""What is sold (flights, cabins, fares, seats) and what happens to it (the log of updates and its feeds).

Money is exact: ``NUMERIC(10, 2)`` beside an ISO 4217 currency. Instants are UTC; local times are derived
with the airport's IANA zone. Counters and the log are written by `operations` and `seat_inventory` alone.
"""

from flights.models.flight import Flight, ScheduleDay
from flights.models.inventory import CabinInventory, DisplacedSeat, SeatAssignment
from flights.models.log import Feed, FeedConsumer, FlightUpdate, UpdateLog
from flights.models.reference import AircraftType, Airline, Airport, CabinLayout, FareFamily, SeatZone
from flights.models.telegrams import RejectedTelegram

__all__ = [
    "AircraftType",
    "Airline",
    "Airport",
    "CabinInventory",
    "CabinLayout",
    "DisplacedSeat",
    "FareFamily",
    "Feed",
    "FeedConsumer",
    "Flight",
    "FlightUpdate",
    "RejectedTelegram",
    "ScheduleDay",
    "SeatAssignment",
    "SeatZone",
    "UpdateLog",
]
