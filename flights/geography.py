"""How far and between which countries a flight leads."""

from __future__ import annotations

from functools import cache
from math import asin, cos, radians, sin, sqrt

import airportsdata

from flightbook.errors import NotFound
from flights.models import Flight
from flights.types import Route

# The mean radius of the Earth (IUGG): https://en.wikipedia.org/wiki/Earth_radius#Arithmetic_mean_radius
_RADIUS_KM = 6371.0088


def route(flight_pk: int) -> Route:
    """
    Raises:
        NotFound
    """
    row = Flight.objects.filter(pk=flight_pk).select_related("origin", "destination", "airline").first()
    if row is None:
        raise NotFound(detail="There is no such flight.")
    return Route(
        origin_country=row.origin.country,
        destination_country=row.destination.country,
        carrier_country=row.airline.country,
        kilometres=great_circle_km(row.origin_id, row.destination_id),
    )


def great_circle_km(origin: str, destination: str) -> int | None:
    """Between two airports, to the kilometre, by the haversine formula; None where one has no place."""
    places = _places()
    if origin not in places or destination not in places:
        return None
    (lat, lon), (other_lat, other_lon) = places[origin], places[destination]
    half = sin((other_lat - lat) / 2) ** 2 + cos(lat) * cos(other_lat) * sin((other_lon - lon) / 2) ** 2
    return round(2 * _RADIUS_KM * asin(sqrt(half)))


@cache
def _places() -> dict[str, tuple[float, float]]:
    """Latitude and longitude in radians, of all airports with an IATA code."""
    known = airportsdata.load("IATA")
    return {code: (radians(airport["lat"]), radians(airport["lon"])) for code, airport in known.items()}
