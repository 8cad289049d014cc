"""Which seats an aircraft has in the cabins that a flight sells, and which of them are held."""

from __future__ import annotations

from flightbook.errors import NotFound
from flights.models import CabinInventory, CabinLayout, Flight, SeatAssignment
from flights.seat_prices import charging_fares, seat_zones
from flights.types import SeatMapCabin


def seat_map(flight_pk: int) -> list[SeatMapCabin]:
    """The flight's cabins from the front of the aircraft. Who holds a seat is not told.

    A filter for who chooses: the claim decides, and travellers without a number take seats as well, so that a
    cabin may be sold out while seats of it are free.

    Raises:
        NotFound: there is no such flight.
    """
    flight = Flight.objects.filter(pk=flight_pk).first()
    if flight is None:
        raise NotFound(detail="There is no such flight.")
    left = dict(CabinInventory.objects.filter(flight_id=flight_pk).values_list("cabin", "available"))
    held = SeatAssignment.objects.filter(flight_id=flight_pk, released_at__isnull=True)
    taken = frozenset(held.values_list("seat", flat=True))
    zones, charging = seat_zones(flight_pk=flight_pk), charging_fares()
    layouts = CabinLayout.objects.filter(aircraft_type_id=flight.aircraft_type_id, cabin__in=left)
    return [
        SeatMapCabin(
            cabin=layout.cabin,
            seats_left=left[layout.cabin],
            letters=layout.letters,
            rows=range(layout.first_row, layout.last_row + 1),
            taken=frozenset(seat for seat in taken if layout.has_seat(seat)),
            zones=tuple(zone for zone in zones if zone.cabin == layout.cabin),
            charging_fares=tuple(charging.get(layout.cabin, ())),
        )
        for layout in layouts.order_by("first_row")
    ]
