"""A change of aircraft: other seats under those who have booked."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction

from flightbook.errors import Invalid, NotFound
from flights import seat_inventory, seat_numbers
from flights.models import CabinLayout, DisplacedSeat, Flight, SeatAssignment
from flights.transitions import ON_SALE
from flights.types import AircraftChange, CabinLimits, LostSeat


def preview_aircraft_change(*, flight_pk: int, aircraft_type: str) -> AircraftChange:
    """What `change_aircraft` would do now. It takes no locks: while the flight sells, it is a forecast.

    Raises: as `change_aircraft`.
    """
    flight = Flight.objects.filter(pk=flight_pk).first()
    layouts = _layouts(_checked(flight, aircraft_type), aircraft_type)
    rows = SeatAssignment.objects.filter(flight_id=flight_pk, released_at__isnull=True).order_by("seat")
    lost = [row for row in rows if not seat_numbers.has_seat(layouts, row)]
    counters = seat_inventory.cabin_limits(flight_pk=flight_pk)
    return AircraftChange(
        aircraft_type=aircraft_type,
        cabins=tuple(_forecast(counter, _capacity(layouts, counter.cabin)) for counter in counters),
        displaced=tuple(_lost(seat_numbers.displaced_from(row)) for row in lost),
        unsold=_unsold(layouts, counters),
    )


def change_aircraft(*, flight_pk: int, aircraft_type: str) -> AircraftChange:
    """Gives the flight another aircraft; one transaction. What was sold stays sold.

    Each cabin gets the new capacity and no overbooking, a cabin that the new aircraft lacks gets none; what
    is sold beyond that is its `excess`, and closes it until enough has come back. Seat numbers that the cabin
    no longer has are freed, and their travellers become staff's work (`DisplacedSeat`); the others stay. A
    cabin that the flight did not sell before is not sold now either: it has no price.

    Raises:
        NotFound: there is no such flight.
        Invalid: no such aircraft type, one without a cabin, the present one, or the flight has left or is
        cancelled.
    """
    with transaction.atomic():
        flight = Flight.objects.select_for_update(no_key=True).filter(pk=flight_pk).first()
        layouts = _layouts(_checked(flight, aircraft_type), aircraft_type)
        seat_numbers.hold_layout(flight_pk, alone=True)
        Flight.objects.filter(pk=flight_pk).update(aircraft_type_id=aircraft_type)
        displaced = seat_numbers.displace(flight_pk=flight_pk, kept=layouts)
        counters = seat_inventory.cabin_limits(flight_pk=flight_pk)
        cabins = tuple(
            _refit(flight_pk, counter.cabin, _capacity(layouts, counter.cabin)) for counter in counters
        )
    return AircraftChange(
        aircraft_type=aircraft_type,
        cabins=cabins,
        displaced=tuple(_lost(row) for row in displaced),
        unsold=_unsold(layouts, counters),
    )


def _checked(flight: Flight | None, aircraft_type: str) -> Flight:
    if flight is None:
        raise NotFound(detail="There is no such flight.")
    if flight.status not in ON_SALE:
        raise Invalid.of("/aircraftType", "too_late", f"The flight is {flight.status}.")
    if flight.aircraft_type_id == aircraft_type:
        raise Invalid.of("/aircraftType", "unchanged", "The flight has this aircraft.")
    return flight


def _layouts(flight: Flight, aircraft_type: str) -> dict[str, CabinLayout]:
    rows = CabinLayout.objects.filter(aircraft_type_id=aircraft_type)
    layouts = {row.cabin: row for row in rows}
    if not layouts:
        raise Invalid.of("/aircraftType", "unknown", "There is no such aircraft, or it has no cabin.")
    return layouts


def _capacity(layouts: Mapping[str, CabinLayout], cabin: str) -> int:
    return layouts[cabin].capacity if cabin in layouts else 0


def _refit(flight_pk: int, cabin: str, capacity: int) -> CabinLimits:
    return seat_inventory.set_limits(flight_pk=flight_pk, cabin=cabin, capacity=capacity, overbooking=0)


def _forecast(counter: CabinLimits, capacity: int) -> CabinLimits:
    sold = counter.sold
    return CabinLimits(counter.cabin, capacity, 0, sold, max(capacity - sold, 0), max(sold - capacity, 0))


def _lost(row: DisplacedSeat) -> LostSeat:
    return LostSeat(row.cabin, row.seat, row.holder, row.passenger)


def _unsold(layouts: Mapping[str, CabinLayout], counters: list[CabinLimits]) -> tuple[str, ...]:
    return tuple(sorted(set(layouts) - {counter.cabin for counter in counters}))
