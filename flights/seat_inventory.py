"""The scarce things: seat counters, one row a flight and cabin (here), and seat numbers, one row a seat held
(`seat_numbers`).

All raw SQL over flights' tables is here, but for the search's one query (`search`), the staging of imports
(`importers`) and what the auditor looks at (`invariants`).

**Isolation.** READ COMMITTED. Nothing that was read decides: each claim is one conditional UPDATE that
repeats fare, price, protection, opening and closing time, so that PostgreSQL evaluates them again on the
row's newest version after it waited for another sale. Underneath stand CHECK `inventory_never_oversold` and
`inventory_within_capacity`, and the partial UNIQUE `seat_held_once`. The database's clock
(`clock_timestamp()`) decides whether sale is over.

**Order of locks**, for all who touch these rows: seats by (flight, seat), then counters by (flight, cabin)
last, just before COMMIT, so that the contended row is locked for one commit. `claim_seats` and `assign_seats`
sort within one call; who calls for several flights calls in the order of the flights' keys. A change gives
back and claims in that same order (`exchange_seats`). An update of a
flight locks the flight's row (FOR NO KEY UPDATE, which lets the foreign keys of a sale pass), then its
counters by cabin; a change of aircraft stands between: the flight, its seats, its counters. So that no seat
of the old aircraft is given out under it, `assign_seats` takes `hold_layout` shared before it looks at the
layout, and the change takes it alone. That is an advisory lock, because its queue is fair: on a flight that
sells without a pause, a row lock for the change would wait for ever.

**Nested booking limits.** A fare sells while ``available - n >= ceil(capacity * protected_share)``: the cheap
fares close first and one row, not one a fare, is contended (K. Littlewood's protection levels, 1972; P.
Belobaba's EMSR, 1987).

**Ceiling and excess.** What a cabin may sell is ``capacity + overbooking``; `available` is what is left of
that, so the claim knows nothing of overbooking. The protected share stays one of the capacity: an
overbooking limit widens the pool, and the protection levels nested in it stay (K. Talluri and G. van Ryzin,
"The Theory and Practice of Revenue Management", 2004, chapter 4: booking limits are set against the
overbooked, or virtual, capacity). Where more are sold than a new aircraft has seats, `excess` says by how
many: nothing sells while it is above zero, and what comes back lowers it first. Always
``capacity + overbooking + excess = available + sold``. A change of aircraft takes the ceiling back to 0: it
was a judgement of the old one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import fields
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from flightbook.errors import (
    FlightCancelled,
    FlightDeparted,
    NotFound,
    PriceChanged,
    Problem,
    SoldOut,
    constraint_name,
)
from flightbook.statements import CHECK_KEYS_NOW, Statement, one_row, run
from flights.identifiers import flight_id
from flights.models import CabinInventory
from flights.transitions import ON_SALE
from flights.types import CabinLimits, CabinView, FareOffer, FlightStatus, FlightView, SeatClaim, SeatReturn

_CLAIM = """
UPDATE flights_cabininventory AS i
   SET available = i.available - %(seats)s
  FROM flights_farefamily AS f
 WHERE i.flight_id = %(flight)s AND i.cabin = %(cabin)s
   AND f.code = %(fare)s AND f.cabin = i.cabin AND f.is_open
   AND round(i.base_price * f.multiplier, 2) = %(price)s
   AND i.available - %(seats)s >= ceil(i.capacity * f.protected_share)
   AND i.is_open AND i.closes_at > clock_timestamp()
"""
_WHY_NOT = """
SELECT fl.status, i.is_open AND i.closes_at > clock_timestamp(),
       f.is_open AND i.available - %(seats)s >= ceil(i.capacity * f.protected_share),
       round(i.base_price * f.multiplier, 2)
  FROM flights_flight AS fl
  LEFT JOIN flights_cabininventory AS i ON i.flight_id = fl.id AND i.cabin = %(cabin)s
  LEFT JOIN flights_farefamily AS f ON f.code = %(fare)s AND f.cabin = i.cabin
 WHERE fl.id = %(flight)s
"""
_RETURN = """
UPDATE flights_cabininventory
   SET available = available + greatest(%(seats)s - excess, 0), excess = greatest(excess - %(seats)s, 0)
 WHERE flight_id = %(flight)s AND cabin = %(cabin)s
"""
# What is sold is the sum of the old values; on the right of SET they are the old ones in every line.
_SET_LIMITS = """
UPDATE flights_cabininventory
   SET capacity = %(capacity)s,
       overbooking = %(overbooking)s,
       available = greatest(%(capacity)s + %(overbooking)s
                            - (capacity + overbooking + excess - available), 0),
       excess = greatest((capacity + overbooking + excess - available)
                         - %(capacity)s - %(overbooking)s, 0)
 WHERE flight_id = %(flight)s AND cabin = %(cabin)s
RETURNING capacity + overbooking + excess - available, available, excess
"""
# As FareOffer has them.
_OFFER = """f.code, f.name, f.cabin, round(i.base_price * f.multiplier, 2) AS price, i.currency,
       greatest(i.available - ceil(i.capacity * f.protected_share), 0)::int,
       f.refundable, f.change_fee, f.seat_choice"""
_OFFERS = f"""
SELECT {_OFFER}
  FROM flights_cabininventory AS i
  JOIN flights_farefamily AS f ON f.cabin = i.cabin AND f.is_open
 WHERE i.flight_id = %(flight)s AND (%(cabin)s::text IS NULL OR i.cabin = %(cabin)s)
 ORDER BY i.base_price, i.cabin, price, f.code
"""  # noqa: S608 - made of constants
# As FlightView has them, then an offer. Of each flight by itself, so that a plan that is kept for any number
# of flights looks them up, and does not read whole tables in order to join them.
_ON_OFFER = f"""
SELECT flight.*, offer.*
  FROM unnest(%(flights)s::bigint[]) AS asked (id)
  JOIN LATERAL (
    SELECT fl.id, 'FL' || fl.id, fl.airline_id, al.name, al.ticketing_code, fl.airline_id || fl.number,
           fl.origin_id, fl.destination_id, a.city, b.city, a.time_zone, b.time_zone,
           fl.scheduled_departure, fl.scheduled_arrival, fl.estimated_departure, fl.estimated_arrival,
           fl.status, fl.delay_minutes, fl.reason, fl.gate, fl.terminal, fl.sequence
      FROM flights_flight AS fl
      JOIN flights_airline AS al ON al.code = fl.airline_id
      JOIN flights_airport AS a ON a.iata = fl.origin_id
      JOIN flights_airport AS b ON b.iata = fl.destination_id
     WHERE fl.id = asked.id
     LIMIT 1
  ) AS flight ON true
  LEFT JOIN LATERAL (
    SELECT {_OFFER}
      FROM flights_cabininventory AS i
      JOIN flights_farefamily AS f ON f.cabin = i.cabin AND f.is_open
     WHERE i.flight_id = asked.id AND i.cabin = %(cabin)s
     ORDER BY price, f.code
    OFFSET 0
  ) AS offer ON true
"""  # noqa: S608 - made of constants
_FLIGHT_COLUMNS = len(fields(FlightView))


def claim_seats(claims: Sequence[SeatClaim], first: Sequence[Statement] = ()) -> None:
    """Takes the seats of all claims from the counters, inside the caller's transaction and last before its
    COMMIT.

    Outside of a transaction it is one itself, with `first`, the rest of what is sold: all goes in one message
    (see `flightbook.statements`), so that the counters are locked for the COMMIT alone and nobody who waits
    for them waits for a client. Inside of one `first` is one message and each claim another.

    A claim that lost is reported for what a read then finds; where seats came back meanwhile it is `SoldOut`
    still.

    Raises:
        SoldOut: the cabin, or the fare's share of it, has too few seats, or the fare is closed.
        PriceChanged: `extra["price"]` is one adult's new price.
        FlightCancelled, FlightDeparted: sale is over.
        NotFound: there is no such flight.
        ValueError: a claim for no seats (infants only).

    All but the last carry `extra["flightId"]`.
    """
    if any(claim.seats < 1 for claim in claims):
        raise ValueError("A claim takes at least one seat.")
    ordered = sorted(claims, key=lambda claim: (claim.flight_pk, claim.cabin))
    connection.ensure_connection()
    if connection.in_atomic_block:
        _claim_in_turn(ordered, first)
    elif first:
        _claim_at_once(ordered, first)
    else:
        raise transaction.TransactionManagementError("Seats are claimed inside the transaction of the sale.")


def _claim_in_turn(claims: Sequence[SeatClaim], first: Sequence[Statement]) -> None:
    if first:
        run([*first, CHECK_KEYS_NOW])
    with connection.cursor() as cursor:
        for claim in claims:
            cursor.execute(_CLAIM, _parameters(claim))
            if cursor.rowcount == 0:
                raise _why_not(claim)


def _claim_at_once(claims: Sequence[SeatClaim], first: Sequence[Statement]) -> None:
    by_name = {f"seats_claimed_{number}": claim for number, claim in enumerate(claims)}
    last = [one_row(Statement(_CLAIM, _parameters(claim)), name=name) for name, claim in by_name.items()]
    try:
        run([*first, CHECK_KEYS_NOW, *last])
    except IntegrityError as error:
        lost = by_name.get(constraint_name(error) or "")
        if lost is None:
            raise
        raise _why_not(lost) from error


def return_seats(*, flight_pk: int, cabin: str, seats: int) -> None:
    """Gives `seats` back to the counter: the excess first, where there is one, then to what is for sale. The
    order of locks is the caller's duty, as for a claim.

    Raises:
        IntegrityError: `inventory_within_capacity`, where more came back than were taken: a fault of the
        caller. CabinInventory.DoesNotExist: there is no such cabin.
    """
    with connection.cursor() as cursor:
        cursor.execute(_RETURN, {"flight": flight_pk, "cabin": cabin, "seats": seats})
        if cursor.rowcount != 1:
            raise CabinInventory.DoesNotExist(f"{flight_id(flight_pk)} has no {cabin} cabin.")


def exchange_seats(*, claims: Sequence[SeatClaim], returns: Sequence[SeatReturn]) -> None:
    """Claims and returns at once, in the one order of (flight, cabin), so that two who change crosswise wait
    for each other and never both. Of one counter the return comes first.

    Raises:
        What `claim_seats` and `return_seats` raise.
    """
    steps: list[SeatClaim | SeatReturn] = [*returns, *claims]
    for step in sorted(steps, key=lambda step: (step.flight_pk, step.cabin)):  # stable: returns first
        if isinstance(step, SeatReturn):
            return_seats(flight_pk=step.flight_pk, cabin=step.cabin, seats=step.seats)
        else:
            claim_seats([step])


def fare_offers(*, flight_pk: int, cabin: str | None = None) -> list[FareOffer]:
    """The open fare families of a flight, cheapest first within a cabin; sold-out ones are there with 0 seats
    left.

    Whether sale is over is not looked at: the claim says so.
    """
    with connection.cursor() as cursor:
        cursor.execute(_OFFERS, {"flight": flight_pk, "cabin": cabin})
        return [FareOffer(*row) for row in cursor.fetchall()]


def on_offer(*, flight_pks: Sequence[int], cabin: str) -> dict[int, tuple[FlightView, list[FareOffer]]]:
    """Flights by key, with the open fares of one cabin as `fare_offers` has them; one read. Keys without a
    flight are left out."""
    rows = run([Statement(_ON_OFFER, {"flights": list(flight_pks), "cabin": cabin})])
    found: dict[int, tuple[FlightView, list[FareOffer]]] = {}
    for row in rows:
        if row[0] not in found:
            found[row[0]] = FlightView(*row[:_FLIGHT_COLUMNS]), []
        if row[_FLIGHT_COLUMNS] is not None:
            found[row[0]][1].append(FareOffer(*row[_FLIGHT_COLUMNS:]))
    return found


def cabins(*, flight_pk: int) -> list[CabinView]:
    """The cabins of a flight with what is left of them; cheapest first."""
    rows = (
        CabinInventory.objects.filter(flight_id=flight_pk).order_by("base_price", "cabin").annotate(now=Now())
    )
    return [
        CabinView(
            row.cabin, row.capacity, row.available, row.currency, row.is_open and row.closes_at > row.now
        )
        for row in rows
    ]


def follow_flight(*, flight_pk: int, status: str, moved_by: dt.timedelta) -> None:
    """Opens or closes the counters of a flight for its new `status`, and moves the end of sale with its
    schedule.

    Inside the transaction of the update, which holds the flight's row.
    """
    is_open = status in ON_SALE
    rows = CabinInventory.objects.filter(flight_id=flight_pk)
    if not moved_by:  # most updates leave the contended rows alone
        rows = rows.exclude(is_open=is_open)
    keys = list(rows.select_for_update().order_by("cabin").values_list("pk", flat=True))
    if keys:
        moved = F("closes_at") + moved_by
        CabinInventory.objects.filter(pk__in=keys).update(is_open=is_open, closes_at=moved)


def cabin_limits(*, flight_pk: int) -> list[CabinLimits]:
    """The counters of a flight with all that limits them, by cabin."""
    return [
        CabinLimits(
            cabin=row.cabin,
            capacity=row.capacity,
            overbooking=row.overbooking,
            sold=row.capacity + row.overbooking + row.excess - row.available,
            available=row.available,
            excess=row.excess,
        )
        for row in CabinInventory.objects.filter(flight_id=flight_pk).order_by("cabin")
    ]


def set_limits(*, flight_pk: int, cabin: str, capacity: int, overbooking: int) -> CabinLimits:
    """Gives the counter other limits; what was sold stays sold, and is `excess` where it is more than they
    allow. One statement, so that no sale is missed. The order of locks is the caller's duty.

    Raises:
        CabinInventory.DoesNotExist: there is no such cabin.
    """
    values: dict[str, Any] = {"flight": flight_pk, "cabin": cabin}
    values |= {"capacity": capacity, "overbooking": overbooking}
    with connection.cursor() as cursor:
        cursor.execute(_SET_LIMITS, values)
        row = cursor.fetchone()
    if row is None:
        raise CabinInventory.DoesNotExist(f"{flight_id(flight_pk)} has no {cabin} cabin.")
    return CabinLimits(cabin, capacity, overbooking, *row)


def _parameters(claim: SeatClaim) -> dict[str, Any]:
    return {
        "flight": claim.flight_pk,
        "cabin": claim.cabin,
        "fare": claim.fare,
        "seats": claim.seats,
        "price": claim.unit_price,
    }


def _why_not(claim: SeatClaim) -> Problem:
    with connection.cursor() as cursor:
        cursor.execute(_WHY_NOT, _parameters(claim))
        row = cursor.fetchone()
    about: dict[str, Any] = {"flightId": flight_id(claim.flight_pk)}
    if row is None:
        return NotFound(detail="There is no such flight.", extra=about)
    status, selling, enough, price = row
    if status == FlightStatus.CANCELLED:
        return FlightCancelled(extra=about)
    if status not in ON_SALE or selling is False:
        return FlightDeparted(extra=about)
    if enough and price != claim.unit_price:
        return PriceChanged(extra=about | {"price": Decimal(price)})
    return SoldOut(extra=about)
