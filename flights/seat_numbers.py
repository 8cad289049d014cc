"""Seat numbers: one row a seat held, one holder a seat by a partial UNIQUE (`seat_held_once`).

Order of locks and isolation are stated in `seat_inventory`. Releasing locks a holder's rows in the order of
(flight, seat), as a change of aircraft locks those of its flight.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from django.db import IntegrityError, connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from flightbook.errors import Invalid, NotFound, SeatTaken, constraint_name
from flights.identifiers import flight_id
from flights.models import CabinLayout, DisplacedSeat, Flight, SeatAssignment

_HELD = Q(released_at__isnull=True)


def hold_layout(flight_pk: int, *, alone: bool = False) -> None:
    """Keeps the flight's aircraft, and so its seats, as they are until the transaction's end: shared among
    those who give seats out, `alone` for who changes the aircraft."""
    lock = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {lock}(hashtextextended('flights.layout', %s))", [flight_pk])


def assign_seats(*, flight_pk: int, cabin: str, holder: str, seats: Mapping[int, str]) -> None:
    """Gives seat numbers (``{passenger's index: "12A"}``) to `holder`, inside the caller's transaction. Who
    had been displaced from another seat is so no more.

    Raises:
        SeatTaken: `extra` names the `flightId` and the `seats` that are held; none where the passenger got
        another seat at the same time.
        Invalid: the aircraft's cabin has no such seat, or one was asked for twice.
        NotFound: there is no such flight.
    """
    hold_layout(flight_pk)
    check_seats(flight_pk=flight_pk, cabin=cabin, seats=seats.values())
    rows = [
        SeatAssignment(flight_id=flight_pk, seat=seat, cabin=cabin, holder=holder, passenger=passenger)
        for passenger, seat in sorted(seats.items(), key=lambda item: item[1])
    ]
    try:
        with transaction.atomic():  # a savepoint: the caller's transaction lives on
            SeatAssignment.objects.bulk_create(rows)
    except IntegrityError as error:
        if constraint_name(error) not in ("seat_held_once", "seat_one_per_passenger"):
            raise
        raise _seat_taken(flight_pk, seats.values()) from error
    reseated = DisplacedSeat.objects.filter(flight_id=flight_pk, holder=holder, passenger__in=seats)
    _settle(reseated, DisplacedSeat.How.RESEATED)


def move_seats(*, flight_pk: int, cabin: str, holder: str, seats: Mapping[int, str]) -> None:
    """Gives these passengers of `holder` these seats, in place of those that they hold.

    Who moves locks a seat to leave it and waits for another; two who do so crosswise would wait for each
    other, so that one moves at a time on a flight, and nobody is given a seat meanwhile.

    Raises:
        What `assign_seats` raises. Then the old seats are given up as well, until the caller rolls back.
    """
    held = SeatAssignment.objects.filter(_HELD, flight_id=flight_pk, holder=holder, passenger__in=seats)
    moving = list(held.values_list("passenger", flat=True))
    if moving:
        hold_layout(flight_pk, alone=True)
        release_seats(holder=holder, flight_pk=flight_pk, passengers=moving)
    assign_seats(flight_pk=flight_pk, cabin=cabin, holder=holder, seats=seats)


def release_seats(
    *, holder: str, flight_pk: int | None = None, passengers: Collection[int] | None = None
) -> None:
    """Frees the seat numbers of `holder`: all of them, or those on one flight, of some passengers. The rows
    stay as history, and who was displaced from a seat is nobody's work any more."""
    mine = Q(holder=holder)
    if flight_pk is not None:
        mine &= Q(flight_id=flight_pk)
    if passengers is not None:
        mine &= Q(passenger__in=passengers)
    # First, so that a seat which staff is just giving to a displaced traveller is waited for, and freed too.
    _settle(DisplacedSeat.objects.filter(mine), DisplacedSeat.How.ENDED)
    rows = SeatAssignment.objects.filter(mine & _HELD).order_by("flight_id", "seat")
    keys = list(rows.select_for_update(no_key=True).values_list("pk", flat=True))
    if keys:
        SeatAssignment.objects.filter(pk__in=keys).update(released_at=Now())


def assigned_seats(*, holders: Collection[str]) -> dict[str, list[tuple[int, int, str]]]:
    """The seats held: ``{holder: [(flight's key, passenger's index, seat)]}``; one query."""
    found: dict[str, list[tuple[int, int, str]]] = {holder: [] for holder in holders}
    rows = SeatAssignment.objects.filter(_HELD, holder__in=holders)
    ordered = rows.order_by("flight_id", "passenger").values_list("holder", "flight_id", "passenger", "seat")
    for holder, flight_pk, passenger, seat in ordered:
        found[holder].append((flight_pk, passenger, seat))
    return found


def displace(*, flight_pk: int, kept: Mapping[str, CabinLayout]) -> list[DisplacedSeat]:
    """Frees the seats of the flight that the layouts by cabin (`kept`) lack, and makes each staff's work.

    Under `hold_layout` alone: what it does not find, nobody can be holding.
    """
    rows = SeatAssignment.objects.filter(_HELD, flight_id=flight_pk).order_by("seat")
    gone = [row for row in rows.select_for_update(no_key=True) if not has_seat(kept, row)]
    SeatAssignment.objects.filter(pk__in=[row.pk for row in gone]).update(released_at=Now())
    return DisplacedSeat.objects.bulk_create(displaced_from(row) for row in gone)


def has_seat(layouts: Mapping[str, CabinLayout], row: SeatAssignment) -> bool:
    """Whether the seat is there, in its own cabin, in these layouts."""
    layout = layouts.get(row.cabin)
    return layout is not None and layout.has_seat(row.seat)


def displaced_from(row: SeatAssignment) -> DisplacedSeat:
    """Not saved."""
    return DisplacedSeat(
        flight_id=row.flight_id, cabin=row.cabin, seat=row.seat, holder=row.holder, passenger=row.passenger
    )


def _settle(rows: QuerySet[DisplacedSeat], how: DisplacedSeat.How) -> None:
    rows.filter(settled_at__isnull=True).update(settled_at=Now(), how=how)


def check_seats(*, flight_pk: int, cabin: str, seats: Collection[str]) -> None:
    """Whether the aircraft has these seats, whoever holds them.

    Raises:
        Invalid: the cabin has no such seat, or one was asked for twice. NotFound: there is no such flight.
    """
    aircraft = Flight.objects.filter(pk=flight_pk).values("aircraft_type_id")
    layout = CabinLayout.objects.filter(aircraft_type_id__in=aircraft, cabin=cabin).first()
    if layout is None and not aircraft.exists():
        raise NotFound(detail="There is no such flight.")
    unknown = sorted(seat for seat in seats if layout is None or not layout.has_seat(seat))
    if unknown:
        raise Invalid.of("/seats", "unknown_seat", f"The {cabin} cabin has no seat {', '.join(unknown)}.")
    if len(set(seats)) != len(seats):
        raise Invalid.of("/seats", "duplicate", "A seat was asked for twice.")


def check_free(*, flight_pk: int, seats: Collection[str]) -> None:
    """Whether nobody holds these seats now: a filter. Who assigns them decides.

    Raises:
        SeatTaken: as `assign_seats` raises it.
    """
    if SeatAssignment.objects.filter(_HELD, flight_id=flight_pk, seat__in=seats).exists():
        raise _seat_taken(flight_pk, seats)


def _seat_taken(flight_pk: int, seats: Collection[str]) -> SeatTaken:
    held = SeatAssignment.objects.filter(_HELD, flight_id=flight_pk, seat__in=seats)
    taken = sorted(held.values_list("seat", flat=True))
    return SeatTaken(
        detail=f"Taken: {', '.join(taken) or ', '.join(sorted(seats))}.",
        extra={"flightId": flight_id(flight_pk), "seats": taken},
    )
