"""What other apps may call of flights: frozen dataclasses and functions, never a model or a queryset.

Flights travel between apps by their key (`flight_pk`); outside they are ``FL<key>`` (`flight_id`,
`parse_flight_id`).

- **Reads**: `flight`, `flights`, `fare_offers`, `search`; for a board `departures`, `origins`, `airlines`;
  for the log `update_state`, `updates_after`, `sequences`, `log_name`.
- **The sale**, inside the caller's transaction: `assign_seats`, then `claim_seats` last before its COMMIT; to
  give back, `release_seats`, then `return_seats`. For several flights in the order of their keys. Order of
  locks and isolation are stated in `flights.seat_inventory`.
- **Operations**: `record_update`, its own transaction; `extend_schedule`, one a day of the schedule.
- **Feeds** for whoever must see every update of every flight in order: `register_consumer` once, then
  `lease_feeds`, `updates_after(sequence=lease.done_sequence)`, `advance_feed`; LISTEN on `UPDATE_CHANNEL`
  only hurries. See `flights.feeds`.
- `update_message`: the one JSON form of an update.
- `invariants` for the auditor. `SEATS_GONE` (flight_id, cabin, capacity, available) and `SEATS_HELD`
  (flight_id, seat, cabin, holder, passenger) are SELECTs that the invariants of an app above
  compare its own rows with.

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
from flights.identifiers import flight_id, parse_flight_id
from flights.importers.schedule import extend_schedule, has_schedule
from flights.invariants import SEATS_GONE, SEATS_HELD, invariants
from flights.messages import delay_duration, update_message
from flights.operations import record_update
from flights.queries import (
    airlines,
    departures,
    flight,
    flights,
    log_name,
    origins,
    sequences,
    update_state,
    updates_after,
)
from flights.search import search
from flights.seat_inventory import (
    assign_seats,
    assigned_seats,
    claim_seats,
    fare_offers,
    release_seats,
    return_seats,
)
from flights.types import (
    Cabin,
    FareOffer,
    FeedLease,
    FlightStatus,
    FlightView,
    FoundFlight,
    Origin,
    RecordedUpdate,
    SearchCriteria,
    SeatClaim,
    UpdateView,
)

__all__ = [
    "SEATS_GONE",
    "SEATS_HELD",
    "UPDATE_CHANNEL",
    "Cabin",
    "FareOffer",
    "FeedLease",
    "FlightStatus",
    "FlightView",
    "FoundFlight",
    "Origin",
    "RecordedUpdate",
    "SearchCriteria",
    "SeatClaim",
    "UpdateView",
    "advance_feed",
    "airlines",
    "assign_seats",
    "assigned_seats",
    "claim_seats",
    "delay_duration",
    "departures",
    "extend_schedule",
    "fare_offers",
    "feed_backlog",
    "flight",
    "flight_id",
    "flights",
    "has_schedule",
    "invariants",
    "lease_feeds",
    "log_name",
    "origins",
    "parse_flight_id",
    "record_update",
    "register_consumer",
    "release_seats",
    "return_seats",
    "search",
    "sequences",
    "update_message",
    "update_state",
    "updates_after",
]
