"""Search of direct flights: one statement on the index `flight_search_idx`."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from django.db import connections

from flightbook.replica import read_public
from flights.identifiers import flight_id
from flights.places import place_parameters
from flights.transitions import ON_SALE
from flights.types import FareOffer, FoundFlight, SearchCriteria

SORTS = {
    "departure": "f.scheduled_departure, f.id",
    "price": "o.price, f.scheduled_departure, f.id",
    "duration": "f.scheduled_arrival - f.scheduled_departure, f.scheduled_departure, f.id",
}
# The best rank wins: an airport's code, then a city's, then a city's name; all that share it are found. Names
# are compared without accents and points (`flights_fold`, of a migration).
_PLACE = """
ARRAY(SELECT iata FROM (
    SELECT iata, kind, min(kind) OVER () AS best FROM (
        SELECT iata, CASE WHEN iata = %({0}_code)s THEN 1 WHEN city_code = %({0}_code)s THEN 2 ELSE 3 END AS
        kind FROM flights_airport
         WHERE iata = %({0}_code)s OR (city_code = %({0}_code)s AND city_code <> '')
            OR (flights_fold(city) = flights_fold(%({0}_city)s)
                AND (%({0}_region)s = '' OR flights_fold(subdivision) = flights_fold(%({0}_region)s)
                     OR lower(country) = %({0}_region)s))
    ) AS named) AS ranked WHERE kind = best)
"""
_SEARCH = """
SELECT f.id, a.name, a.code, f.number, f.origin_id, f.destination_id, f.scheduled_departure,
f.scheduled_arrival, f.status, c.available, c.currency, o.price, o.offers::text, dep.time_zone, arr.time_zone
  FROM flights_flight AS f
  JOIN flights_airline AS a ON a.code = f.airline_id
  JOIN flights_airport AS dep ON dep.iata = f.origin_id
  JOIN flights_airport AS arr ON arr.iata = f.destination_id
  JOIN flights_cabininventory AS c ON c.flight_id = f.id AND c.cabin = %(cabin)s
 CROSS JOIN LATERAL (
    SELECT min(open.price) FILTER (WHERE open.cabin = %(cabin)s) AS price,
           json_agg(open ORDER BY open.price, open.code) AS offers
      FROM (
        SELECT ff.code, ff.name, i.cabin, round(i.base_price * ff.multiplier, 2) AS price, i.currency,
               (i.available - ceil(i.capacity * ff.protected_share))::int AS seats_left,
               ff.refundable, ff.change_fee, ff.seat_choice
          FROM flights_cabininventory AS i
          JOIN flights_farefamily AS ff ON ff.cabin = i.cabin AND ff.is_open
         WHERE i.flight_id = f.id AND i.is_open AND i.closes_at > clock_timestamp()
           AND i.available - %(passengers)s >= ceil(i.capacity * ff.protected_share)
      ) AS open
 ) AS o
 WHERE f.origin_id = ANY({origin}) AND f.departure_date = %(date)s AND f.destination_id = ANY({destination})
   AND f.status = ANY(%(statuses)s) AND o.price IS NOT NULL
   AND (%(airline)s::text IS NULL OR f.airline_id = %(airline)s)
   AND (%(max_price)s::numeric IS NULL OR o.price <= %(max_price)s)
 ORDER BY {order}
"""
_offers = msgspec.json.Decoder(list[FareOffer], strict=False)


def search(criteria: SearchCriteria) -> list[FoundFlight]:
    """The flights with room for the party in the cabin, by `criteria.sort`; an unknown place finds none."""
    rows = read_public(lambda alias: _rows(alias, criteria))
    return [_found(row, criteria.cabin) for row in rows]


def _rows(alias: str, criteria: SearchCriteria) -> list[tuple[Any, ...]]:
    with connections[alias].cursor() as cursor:
        cursor.execute(*_statement(criteria))
        return list(cursor.fetchall())


def _statement(criteria: SearchCriteria) -> tuple[str, dict[str, Any]]:
    """The search's SQL and its parameters."""
    sql = _SEARCH.format(
        origin=_PLACE.format("origin"), destination=_PLACE.format("destination"), order=SORTS[criteria.sort]
    )
    return sql, {
        **place_parameters("origin", criteria.origin),
        **place_parameters("destination", criteria.destination),
        "date": criteria.date,
        "passengers": criteria.passengers,
        "cabin": criteria.cabin,
        "airline": criteria.airline,
        "max_price": criteria.max_price,
        "statuses": sorted(ON_SALE),
    }


def _found(row: tuple[Any, ...], cabin: str) -> FoundFlight:
    pk, airline, code, number, origin, destination, departure, arrival, status, *rest = row
    seats, currency, price, offers, from_zone, to_zone = rest
    return FoundFlight(
        flight_id=flight_id(pk),
        airline=airline,
        airline_code=code,
        flight_number=f"{code}{number}",
        origin=origin,
        destination=destination,
        departure=departure,
        arrival=arrival,
        departure_local=departure.astimezone(ZoneInfo(from_zone)),
        arrival_local=arrival.astimezone(ZoneInfo(to_zone)),
        duration_minutes=(arrival - departure) // dt.timedelta(minutes=1),
        status=status,
        cabin=cabin,
        seats_left=seats,
        price=Decimal(price),
        currency=currency,
        fares=_offers.decode(offers),
    )
