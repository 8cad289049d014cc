"""What other apps may call of flights: frozen dataclasses and functions, never a model or a queryset.

Flights travel between apps by their key (`flight_pk`); outside they are ``FL<key>`` (`flight_id`,
`parse_flight_id`).

- **Reads**: `flight`, `flights`, `fare_offers`, `on_offer`, `sale_ends`, `cabin_limits`, `search`; whether
  seats may be asked for, `check_seats` and `check_free`; for a board
  `departures`, `origins`, `airlines`; for the log `update_state`, `updates_after`, `sequences`, `log_name`;
  for passengers' rights `route`, `schedules`.
- **The sale**, inside the caller's transaction: `assign_seats`, then `claim_seats` last before its COMMIT; to
  give back, `release_seats`, then `return_seats`. For several flights in the order of their keys. A change:
  `move_seats` for seat numbers, `exchange_seats` for what is claimed and returned at once. What choosing a
  seat costs: `seat_prices`, in a fare without `has_seat_choice`. Order of locks and isolation are stated in
  `flights.seat_inventory`.
- **Operations**: `record_update`, its own transaction; `extend_schedule`, one a day of the schedule.
- **Feeds** for whoever must see every update of every flight in order: `register_consumer` once, then
  `lease_feeds`, `updates_after(sequence=lease.done_sequence)`, `advance_feed`; LISTEN on `UPDATE_CHANNEL`
  only hurries. See `flights.feeds`.
- `take_in_dropped_messages`, of the folder for telegrams, a few a call.
- `update_message`: the one JSON form of an update; `update_id` what it goes by on every way that it takes.
- `seats_on_sale`, for the metrics.
- `invariants` for the auditor. `SEATS_GONE` (flight_id, cabin, capacity, available, gone) and
  `SEATS_HELD` (flight_id, seat, cabin, holder, passenger) are SELECTs that the invariants of an app above
  compare its own rows with; so is `CANCELLED_SINCE` (flight_id, since).

Errors are the contract's, out of `flightbook.errors`.
"""

from __future__ import annotations

from flights.feeds import (
    UPDATE_CHANNEL,
    advance_feed,
    feed_backlog,
    lease_feeds,
    register_consumer,
)
from flights.geography import route
from flights.identifiers import flight_id, parse_flight_id
from flights.importers.schedule import extend_schedule, has_schedule
from flights.invariants import CANCELLED_SINCE, SEATS_GONE, SEATS_HELD, invariants
from flights.messages import delay_duration, update_id, update_message
from flights.operations import record_update
from flights.queries import (
    airlines,
    departures,
    flight,
    flights,
    log_name,
    origins,
    schedules,
    sequences,
    update_state,
    updates_after,
)
from flights.search import search
from flights.seat_inventory import (
    cabin_limits,
    claim_seats,
    exchange_seats,
    fare_offers,
    on_offer,
    return_seats,
)
from flights.seat_numbers import (
    assign_seats,
    assigned_seats,
    check_free,
    check_seats,
    move_seats,
    release_seats,
)
from flights.seat_prices import has_seat_choice, seat_prices
from flights.stock import sale_ends, seats_on_sale
from flights.telegrams.drop_folder import take_in_dropped_messages
from flights.types import (
    Cabin,
    CabinLimits,
    FareOffer,
    FeedLease,
    FlightStatus,
    FlightView,
    FoundFlight,
    Origin,
    RecordedUpdate,
    Route,
    Schedule,
    SearchCriteria,
    SeatClaim,
    SeatReturn,
    UpdateView,
)

__all__ = [
    "CANCELLED_SINCE",
    "SEATS_GONE",
    "SEATS_HELD",
    "UPDATE_CHANNEL",
    "Cabin",
    "CabinLimits",
    "FareOffer",
    "FeedLease",
    "FlightStatus",
    "FlightView",
    "FoundFlight",
    "Origin",
    "RecordedUpdate",
    "Route",
    "Schedule",
    "SearchCriteria",
    "SeatClaim",
    "SeatReturn",
    "UpdateView",
    "advance_feed",
    "airlines",
    "assign_seats",
    "assigned_seats",
    "cabin_limits",
    "check_free",
    "check_seats",
    "claim_seats",
    "delay_duration",
    "departures",
    "exchange_seats",
    "extend_schedule",
    "fare_offers",
    "feed_backlog",
    "flight",
    "flight_id",
    "flights",
    "has_schedule",
    "has_seat_choice",
    "invariants",
    "lease_feeds",
    "log_name",
    "move_seats",
    "on_offer",
    "origins",
    "parse_flight_id",
    "record_update",
    "register_consumer",
    "release_seats",
    "return_seats",
    "route",
    "sale_ends",
    "schedules",
    "search",
    "seat_prices",
    "seats_on_sale",
    "sequences",
    "take_in_dropped_messages",
    "update_id",
    "update_message",
    "update_state",
    "updates_after",
]
