"""The values that flights hands out: enumerations and frozen dataclasses.

Instants are aware datetimes in UTC, money is `Decimal` beside an ISO 4217 currency, airports go by IATA code.
"""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import TextChoices


class Cabin(TextChoices):
    ECONOMY = "economy", "Economy"
    PREMIUM_ECONOMY = "premium_economy", "Premium economy"
    BUSINESS = "business", "Business"
    FIRST = "first", "First"


class FlightStatus(TextChoices):
    SCHEDULED = "Scheduled"
    BOARDING = "Boarding"
    DELAYED = "Delayed"
    DEPARTED = "Departed"
    LANDED = "Landed"
    DIVERTED = "Diverted"
    CANCELLED = "Cancelled"


@dataclass(frozen=True)
class FlightView:
    """One flight: its schedule, its estimates and its state. `sequence` is its last update's, 0 before the
    first; `ticketing_code`: the three digits that begin its airline's tickets."""

    pk: int
    flight_id: str
    airline_code: str
    airline_name: str
    ticketing_code: str
    flight_number: str
    origin: str
    destination: str
    origin_city: str
    destination_city: str
    origin_time_zone: str
    destination_time_zone: str
    departure: dt.datetime
    arrival: dt.datetime
    estimated_departure: dt.datetime | None
    estimated_arrival: dt.datetime | None
    status: str
    delay_minutes: int | None
    reason: str
    gate: str
    terminal: str
    sequence: int


@dataclass(frozen=True)
class Origin:
    """An airport that flights leave from. `time_zone` is IANA's name."""

    iata: str
    city: str
    time_zone: str


@dataclass(frozen=True)
class FareOffer:
    """A fare of one cabin of one flight. `price` is one adult's, `seats_left` how many it may still sell."""

    code: str
    name: str
    cabin: str
    price: Decimal
    currency: str
    seats_left: int
    refundable: bool
    change_fee: Decimal | None
    seat_choice: bool


@dataclass(frozen=True)
class CabinView:
    """What is left of one cabin. `on_sale`: the flight has neither left nor been cancelled."""

    cabin: str
    capacity: int
    seats_left: int
    currency: str
    on_sale: bool


@dataclass(frozen=True)
class CabinLimits:
    """A counter's limits and what they leave: ``capacity + overbooking + excess = available + sold``."""

    cabin: str
    capacity: int
    overbooking: int
    sold: int
    available: int
    excess: int


@dataclass(frozen=True)
class LostSeat:
    """A seat number that a new aircraft lacks, and who had it."""

    cabin: str
    seat: str
    holder: str
    passenger: int


@dataclass(frozen=True)
class AircraftChange:
    """What a change of aircraft does, or did: each counter as it is afterwards, who loses a seat number, and
    the new aircraft's cabins that stay `unsold`, for want of a price."""

    aircraft_type: str
    cabins: tuple[CabinLimits, ...]
    displaced: tuple[LostSeat, ...]
    unsold: tuple[str, ...]


@dataclass(frozen=True)
class SeatZoneView:
    """Rows of a cabin with what they are (`characteristics`: front, exit_row, extra_legroom) and what a seat
    of theirs costs in a fare without seat choice."""

    cabin: str
    rows: range
    characteristics: tuple[str, ...]
    price: Decimal
    currency: str


@dataclass(frozen=True)
class SeatMapCabin:
    """The seats of one cabin: each of `rows` has all the `letters`, from left to right; `taken` are held.
    `seats_left`: what its counter has, travellers without a seat number counted. `charging_fares`: those in
    which a seat of `zones` is chosen at the zone's price."""

    cabin: str
    seats_left: int
    letters: str
    rows: range
    taken: frozenset[str]
    zones: tuple[SeatZoneView, ...] = ()
    charging_fares: tuple[str, ...] = ()


@dataclass(frozen=True)
class SeatClaim:
    """`seats` seats of one cabin at `unit_price`, which must still be that fare's price when they are
    taken."""

    flight_pk: int
    cabin: str
    fare: str
    seats: int
    unit_price: Decimal


@dataclass(frozen=True)
class SeatReturn:
    """Seats of one cabin that go back on sale."""

    flight_pk: int
    cabin: str
    seats: int


@dataclass(frozen=True)
class SearchCriteria:
    """`origin` and `destination` as the traveller wrote them: an airport's or a city's code, or a city's
    name."""

    origin: str
    destination: str
    date: dt.date
    passengers: int = 1
    cabin: str = Cabin.ECONOMY.value
    airline: str | None = None
    max_price: Decimal | None = None
    sort: str = "departure"


@dataclass(frozen=True)
class FoundFlight:
    """A flight with room for the party. `price`: one adult's in the cheapest open fare of `cabin`; `fares`:
    of all cabins."""

    flight_id: str
    airline: str
    airline_code: str
    flight_number: str
    origin: str
    destination: str
    departure: dt.datetime
    arrival: dt.datetime
    departure_local: dt.datetime
    arrival_local: dt.datetime
    duration_minutes: int
    status: str
    cabin: str
    seats_left: int
    price: Decimal
    currency: str
    fares: list[FareOffer]


@dataclass(frozen=True)
class UpdateView:
    """A flight's state after its update number `sequence` (0: before the first, then `occurred_at` is None).

    `recorded_at` is None where the state was read from the flight rather than from the log.
    `is_rescheduled`: this update made a new schedule.
    """

    flight_pk: int
    sequence: int
    status: str
    delay_minutes: int | None
    reason: str
    gate: str
    terminal: str
    departure: dt.datetime
    arrival: dt.datetime
    estimated_departure: dt.datetime | None
    estimated_arrival: dt.datetime | None
    occurred_at: dt.datetime | None
    recorded_at: dt.datetime | None
    is_rescheduled: bool = False


@dataclass(frozen=True)
class Schedule:
    """Departure and arrival as they were sold until another schedule was recorded; `until` None: still."""

    until: dt.datetime | None
    departure: dt.datetime
    arrival: dt.datetime


@dataclass(frozen=True)
class Route:
    """Where a flight leads, as laws on passengers' rights ask for it: countries (ISO 3166-1 alpha-2), the
    carrier's too ("" where it is not known), and the great circle between the airports (None likewise)."""

    origin_country: str
    destination_country: str
    carrier_country: str
    kilometres: int | None


@dataclass(frozen=True)
class RecordedUpdate:
    """`applied` is False, without an update, for a repeated report and for one older than the flight's
    state."""

    applied: bool
    update: UpdateView | None


@dataclass(frozen=True)
class FeedLease:
    """The right to hand a flight's updates after `done_sequence` to `consumer`, until the lease is over."""

    consumer: str
    flight_pk: int
    done_sequence: int
    token: uuid.UUID


@dataclass(frozen=True)
class TelegramAnswer:
    """What became of the telegram that begins in `line`.

    `outcome`: ``applied`` (with its `updates`), ``not_applied`` (repeated, or behind the flight's state),
    ``unknown_flight`` and ``refused`` (both kept for staff), ``malformed`` (then `line` and `column` say
    where, and `expected` what should stand there; nothing is kept).
    """

    line: int
    outcome: str
    detail: str
    kind: str = ""
    flight: str = ""
    flight_pk: int | None = None
    updates: tuple[UpdateView, ...] = ()
    column: int | None = None
    expected: str = ""
