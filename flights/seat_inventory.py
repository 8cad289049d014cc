"""The scarce things: seat counters, one row a flight and cabin, and seat numbers, one row a seat held.

All raw SQL over flights' tables is here, but for the search's one query (`search`), the staging of imports
(`importers`) and what the auditor looks at (`invariants`).

**Isolation.** READ COMMITTED. Nothing that was read decides: each claim is one conditional UPDATE that
repeats fare, price, protection, opening and closing time, so that PostgreSQL evaluates them again on the
row's newest version after it waited for another sale. Underneath stand CHECK `inventory_never_oversold` and
`inventory_within_capacity`, and the partial UNIQUE `seat_held_once`. The database's clock
(`clock_timestamp()`) decides whether sale is over.

**Order of locks**, for all who touch these rows: seats by (flight, seat), then counters by (flight, cabin)
last, just before COMMIT, so that the contended row is locked for one commit. `claim_seats` and `assign_seats`
sort within one call; who calls for several flights calls in the order of the flights' keys. An update of a
flight locks the flight's row (FOR NO KEY UPDATE, which lets the foreign keys of a sale pass), then its
counters by cabin. Giving seat numbers back only touches the holder's own rows and waits for nobody.

**Nested booking limits.** A fare sells while ``available - n >= ceil(capacity * protected_share)``: the cheap
fares close first and one row, not one a fare, is contended (K. Littlewood's protection levels, 1972; P.
Belobaba's EMSR, 1987).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from flightbook.errors import (
    FlightCancelled,
    FlightDeparted,
    Invalid,
    NotFound,
    PriceChanged,
    Problem,
    SeatTaken,
    SoldOut,
    constraint_name,
)
from flights.identifiers import flight_id
from flights.models import CabinInventory, CabinLayout, Flight, SeatAssignment
from flights.transitions import ON_SALE
from flights.types import CabinView, FareOffer, FlightStatus, SeatClaim

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
_OFFERS = """
SELECT f.code, f.name, f.cabin, round(i.base_price * f.multiplier, 2) AS price, i.currency,
       greatest(i.available - ceil(i.capacity * f.protected_share), 0)::int,
       f.refundable, f.change_fee, f.seat_choice
  FROM flights_cabininventory AS i
  JOIN flights_farefamily AS f ON f.cabin = i.cabin AND f.is_open
 WHERE i.flight_id = %(flight)s AND (%(cabin)s::text IS NULL OR i.cabin = %(cabin)s)
 ORDER BY i.base_price, i.cabin, price, f.code
"""


def claim_seats(claims: Sequence[SeatClaim]) -> None:
    """Takes the seats of all claims from the counters, inside the caller's transaction and last before its
    COMMIT.

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
    connection.ensure_connection()
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("Seats are claimed inside the transaction of the sale.")
    with connection.cursor() as cursor:
        for claim in sorted(claims, key=lambda claim: (claim.flight_pk, claim.cabin)):
            cursor.execute(_CLAIM, _parameters(claim))
            if cursor.rowcount == 0:
                raise _why_not(claim)


def return_seats(*, flight_pk: int, cabin: str, seats: int) -> None:
    """Gives `seats` back to the counter. The order of locks is the caller's duty, as for a claim.

    Raises:
        IntegrityError: `inventory_within_capacity`, where more came back than were taken: a fault of the
        caller. CabinInventory.DoesNotExist: there is no such cabin.
    """
    rows = CabinInventory.objects.filter(flight_id=flight_pk, cabin=cabin)
    if rows.update(available=F("available") + seats) != 1:
        raise CabinInventory.DoesNotExist(f"{flight_id(flight_pk)} has no {cabin} cabin.")


def fare_offers(*, flight_pk: int, cabin: str | None = None) -> list[FareOffer]:
    """The open fare families of a flight, cheapest first within a cabin; sold-out ones are there with 0 seats
    left.

    Whether sale is over is not looked at: the claim says so.
    """
    with connection.cursor() as cursor:
        cursor.execute(_OFFERS, {"flight": flight_pk, "cabin": cabin})
        return [FareOffer(*row) for row in cursor.fetchall()]


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


def assign_seats(*, flight_pk: int, cabin: str, holder: str, seats: Mapping[int, str]) -> None:
    """Gives seat numbers (``{passenger's index: "12A"}``) to `holder`, inside the caller's transaction.

    Raises:
        SeatTaken: `extra` names the `flightId` and the `seats` that are held.
        Invalid: the aircraft's cabin has no such seat, or one was asked for twice.
        NotFound: there is no such flight.
    """
    _check_layout(flight_pk, cabin, seats.values())
    rows = [
        SeatAssignment(flight_id=flight_pk, seat=seat, cabin=cabin, holder=holder, passenger=passenger)
        for passenger, seat in sorted(seats.items(), key=lambda item: item[1])
    ]
    try:
        with transaction.atomic():  # a savepoint: the caller's transaction lives on
            SeatAssignment.objects.bulk_create(rows)
    except IntegrityError as error:
        if constraint_name(error) != "seat_held_once":
            raise
        raise _seat_taken(flight_pk, seats.values()) from error


def release_seats(*, holder: str) -> None:
    """Frees all seat numbers of `holder`; the rows stay as history."""
    SeatAssignment.objects.filter(holder=holder, released_at__isnull=True).update(released_at=Now())


def assigned_seats(*, holders: Collection[str]) -> dict[str, list[tuple[int, int, str]]]:
    """The seats held: ``{holder: [(flight's key, passenger's index, seat)]}``; one query."""
    found: dict[str, list[tuple[int, int, str]]] = {holder: [] for holder in holders}
    rows = SeatAssignment.objects.filter(holder__in=holders, released_at__isnull=True)
    ordered = rows.order_by("flight_id", "passenger").values_list("holder", "flight_id", "passenger", "seat")
    for holder, flight_pk, passenger, seat in ordered:
        found[holder].append((flight_pk, passenger, seat))
    return found


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


def _check_layout(flight_pk: int, cabin: str, seats: Collection[str]) -> None:
    aircraft = Flight.objects.filter(pk=flight_pk).values("aircraft_type_id")
    layout = CabinLayout.objects.filter(aircraft_type_id__in=aircraft, cabin=cabin).first()
    if layout is None and not aircraft.exists():
        raise NotFound(detail="There is no such flight.")
    unknown = sorted(seat for seat in seats if layout is None or not layout.has_seat(seat))
    if unknown:
        raise Invalid.of("/seats", "unknown_seat", f"The {cabin} cabin has no seat {', '.join(unknown)}.")
    if len(set(seats)) != len(seats):
        raise Invalid.of("/seats", "duplicate", "A seat was asked for twice.")


def _seat_taken(flight_pk: int, seats: Collection[str]) -> SeatTaken:
    held = SeatAssignment.objects.filter(flight_id=flight_pk, seat__in=seats, released_at__isnull=True)
    taken = sorted(held.values_list("seat", flat=True))
    return SeatTaken(
        detail=f"Taken: {', '.join(taken) or ', '.join(sorted(seats))}.",
        extra={"flightId": flight_id(flight_pk), "seats": taken},
    )
