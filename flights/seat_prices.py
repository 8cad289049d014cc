"""What a seat number costs, by row, in a fare that does not include the choice of a seat."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal

from flights.models import CabinInventory, FareFamily, Flight, SeatZone
from flights.types import SeatZoneView


def seat_zones(*, flight_pk: int) -> list[SeatZoneView]:
    """The zones of the flight's aircraft, from its front; one query. A zone with a price in a currency that
    the flight is not sold in has none."""
    aircraft = Flight.objects.filter(pk=flight_pk).values("aircraft_type_id")
    sold_in = CabinInventory.objects.filter(flight_id=flight_pk).values("currency")
    rows = SeatZone.objects.filter(aircraft_type_id__in=aircraft, currency__in=sold_in)
    return [
        SeatZoneView(
            cabin=row.cabin,
            rows=range(row.first_row, row.last_row + 1),
            characteristics=tuple(row.characteristics.split()),
            price=row.price,
            currency=row.currency,
        )
        for row in rows.order_by("first_row")
    ]


def seat_prices(*, flight_pk: int, cabin: str, seats: Collection[str]) -> Mapping[str, Decimal]:
    """``{"12A": price}`` of those `seats` that cost something where the fare has no seat choice. A seat that
    the aircraft lacks is left out: who assigns it says so."""
    zones = [zone for zone in seat_zones(flight_pk=flight_pk) if zone.cabin == cabin]
    found = {seat: next((zone for zone in zones if _row(seat) in zone.rows), None) for seat in seats}
    return {seat: zone.price for seat, zone in found.items() if zone is not None and zone.price}


def charging_fares() -> dict[str, list[str]]:
    """The open fares of each cabin in which a seat is chosen against a charge, cheapest first."""
    fares: dict[str, list[str]] = {}
    rows = FareFamily.objects.filter(is_open=True, seat_choice=False).order_by("multiplier", "code")
    for code, cabin in rows.values_list("code", "cabin"):
        fares.setdefault(cabin, []).append(code)
    return fares


def has_seat_choice(*, fare: str) -> bool:
    """Whether the fare, as it is today, includes the choice of a seat."""
    return not FareFamily.objects.filter(code=fare, seat_choice=False).exists()


def _row(seat: str) -> int:
    digits = seat[:-1]
    return int(digits) if digits.isascii() and digits.isdigit() else 0
