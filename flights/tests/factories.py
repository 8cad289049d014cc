"""Flights for tests, at real airports."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import airportsdata

from flights.models import (
    AircraftType,
    Airline,
    Airport,
    CabinInventory,
    CabinLayout,
    FareFamily,
    Flight,
    SeatZone,
)

_CITY_CODES = {"JFK": "NYC", "LGA": "NYC", "EWR": "NYC"}
_AIRLINES = {
    "AA": ("American Airlines", "001"),
    "UA": ("United Airlines", "016"),
    "DL": ("Delta Air Lines", "006"),
}
_LAYOUTS = {
    "first": (1, 2, "ACDF"),
    "business": (3, 8, "ACDF"),
    "premium_economy": (9, 14, "ABCDEF"),
    "economy": (15, 60, "ABCDEF"),
}
_FARES = [  # code, cabin, name, multiplier, protected share, refundable, change fee
    ("ELIGHT", "economy", "Light", "1.0000", "0.200", False, None),
    ("ESTD", "economy", "Standard", "1.2500", "0.050", False, "75.00"),
    ("EFLEX", "economy", "Flexible", "1.6000", "0.000", True, "0.00"),
    ("BSTD", "business", "Business", "1.0000", "0.100", False, "150.00"),
    ("BFLEX", "business", "Business Flexible", "1.3000", "0.000", True, "0.00"),
]


def make_airport(iata: str, **fields: Any) -> Airport:
    """The airport as it really is."""
    found = _airports()[iata]
    real = {
        "name": found["name"],
        "city": found["city"],
        "subdivision": found["subd"],
        "country": found["country"],
        "time_zone": found["tz"],
        "city_code": _CITY_CODES.get(iata, ""),
    }
    return Airport.objects.get_or_create(iata=iata, defaults=real | fields)[0]


def make_airline(code: str = "AA") -> Airline:
    name, ticketing = _AIRLINES.get(code, (f"Airline {code}", "999"))
    return Airline.objects.get_or_create(code=code, defaults={"name": name, "ticketing_code": ticketing})[0]


def make_aircraft_type(code: str = "32N") -> AircraftType:
    """A type with rows for every cabin: economy begins in row 15 (ABCDEF), business in row 3 (ACDF)."""
    aircraft, _ = AircraftType.objects.get_or_create(code=code, defaults={"name": "Test type"})
    for cabin, (first, last, letters) in _LAYOUTS.items():
        CabinLayout.objects.get_or_create(
            aircraft_type=aircraft,
            cabin=cabin,
            defaults={"first_row": first, "last_row": last, "letters": letters},
        )
    return aircraft


def make_fare_families() -> None:
    """ELIGHT, ESTD, EFLEX (20%, 5%, nothing protected from them), BSTD, BFLEX."""
    for code, cabin, name, multiplier, share, refundable, fee in _FARES:
        defaults = {
            "cabin": cabin,
            "name": name,
            "multiplier": Decimal(multiplier),
            "protected_share": Decimal(share),
            "refundable": refundable,
            "change_fee": None if fee is None else Decimal(fee),
        }
        FareFamily.objects.get_or_create(code=code, defaults=defaults)


def make_seat_zones(flight: Flight, *, currency: str = "USD") -> None:
    """Economy row 15 costs 20.00, exit row 16 30.00 and 17 to 30 10.00, in ELIGHT, which charges from now
    on; the rows behind are free."""
    FareFamily.objects.filter(code="ELIGHT").update(seat_choice=False)
    for first, last, words, price in (
        (15, 15, "front", 20),
        (16, 16, "exit_row extra_legroom", 30),
        (17, 30, "", 10),
    ):
        SeatZone.objects.get_or_create(
            aircraft_type=flight.aircraft_type,
            cabin="economy",
            first_row=first,
            defaults={"last_row": last, "characteristics": words, "price": price, "currency": currency},
        )


def make_flight(
    *,
    origin: str = "JFK",
    destination: str = "LAX",
    departs_in: dt.timedelta = dt.timedelta(days=7),
    departure: dt.datetime | None = None,
    duration: dt.timedelta = dt.timedelta(hours=6),
    economy: int = 100,
    business: int = 0,
    base_price: Decimal = Decimal("100.00"),
    airline: str = "AA",
    number: int = 181,
    closes_at: dt.datetime | None = None,
    **fields: Any,
) -> Flight:
    """A flight with its cabins (of 0 seats: none) and all it refers to. Business costs four times
    `base_price`.

    `departure` is an exact instant, else `departs_in` counts from now. The next free number from `number` is
    taken.
    """
    make_fare_families()
    start = departure or (dt.datetime.now(dt.UTC) + departs_in).replace(microsecond=0)
    leaves = make_airport(origin)
    route = {"origin": leaves, "destination": make_airport(destination), "airline": make_airline(airline)}
    while Flight.objects.filter(**route, number=number, scheduled_departure=start).exists():
        number += 1
    values = {
        "number": number,
        "departure_date": start.astimezone(ZoneInfo(leaves.time_zone)).date(),
        "scheduled_departure": start,
        "scheduled_arrival": start + duration,
        "aircraft_type": make_aircraft_type(),
    }
    flight = Flight.objects.create(**route, **(values | fields))
    for cabin, seats, price in (("economy", economy, base_price), ("business", business, base_price * 4)):
        if seats:
            make_cabin(flight, cabin=cabin, seats=seats, base_price=price, closes_at=closes_at or start)
    return flight


def make_cabin(
    flight: Flight, *, cabin: str, seats: int, base_price: Decimal, closes_at: dt.datetime
) -> CabinInventory:
    return CabinInventory.objects.create(
        flight=flight,
        cabin=cabin,
        capacity=seats,
        available=seats,
        base_price=base_price,
        currency="USD",
        closes_at=closes_at,
    )


@cache
def _airports() -> dict[str, Any]:
    return dict(airportsdata.load("IATA"))
