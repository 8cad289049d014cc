"""What flights refer to: airports, airlines, aircraft with their seats, fares. Adds what is missing, changes
nothing.

Rows that staff have changed stay as they are: an aircraft type with any cabin keeps its cabins, a cabin with
any fare keeps its fares, an aircraft type with any seat zone keeps its zones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import airportsdata
from django.db import models, transaction

from flights.importers import tables
from flights.models import AircraftType, Airline, Airport, CabinLayout, FareFamily, SeatZone


@transaction.atomic
def load_reference() -> None:
    """Airports are all of airportsdata's with an IATA code; the rest is in `flights/data`."""
    _add_missing(Airport, _airports())
    _add_missing(Airline, tables.read("airlines"))
    _add_missing(AircraftType, tables.read("aircraft_types"))
    _add_layouts()
    _add_zones()
    _add_fares()


def _add_missing(model: type[models.Model], rows: Iterable[Mapping[str, Any]]) -> None:
    known = set(model._default_manager.values_list("pk", flat=True))
    key = model._meta.pk.name
    missing = [model(**row) for row in rows if row[key] not in known]
    # Two loaders may run at once (a worker and a hand): what the other has added meanwhile is no error.
    model._default_manager.bulk_create(missing, ignore_conflicts=True)


def _airports() -> list[dict[str, str]]:
    cities, renamed = city_codes(), {row["airport"]: row["city"] for row in tables.read("cities")}
    return [
        {
            "iata": code,
            "name": airport["name"],
            # 816 small fields name no city; their own name is what a traveller would type.
            "city": renamed.get(code) or airport["city"] or airport["name"],
            "subdivision": airport["subd"],
            "country": airport["country"],
            "time_zone": airport["tz"],
            "city_code": cities.get(code, ""),
        }
        for code, airport in airportsdata.load("IATA").items()
    ]


def city_codes() -> dict[str, str]:
    """The code of the city of each airport of a city with several: airportsdata's and our additions."""
    known, cities = airportsdata.load("IATA"), airportsdata.load_iata_macs()
    pairs = [(code, airport) for code, city in cities.items() for airport in city["airports"]]
    pairs += [(row["code"], row["airport"]) for row in tables.read("city_codes")]
    return {airport: code for code, airport in pairs if airport in known}


def _add_layouts() -> None:
    laid_out = set(CabinLayout.objects.values_list("aircraft_type_id", flat=True))
    layouts = [
        CabinLayout(
            aircraft_type_id=row["aircraft_type"],
            cabin=row["cabin"],
            first_row=int(row["first_row"]),
            last_row=int(row["last_row"]),
            letters=row["letters"],
        )
        for row in tables.read("cabin_layouts")
        if row["aircraft_type"] not in laid_out
    ]
    CabinLayout.objects.bulk_create(layouts, ignore_conflicts=True)


def _add_zones() -> None:
    zoned = set(SeatZone.objects.values_list("aircraft_type_id", flat=True))
    zones = [
        SeatZone(
            aircraft_type_id=row["aircraft_type"],
            cabin=row["cabin"],
            first_row=int(row["first_row"]),
            last_row=int(row["last_row"]),
            characteristics=row["characteristics"],
            price=Decimal(row["price"]),
            currency=row["currency"],
        )
        for row in tables.read("seat_zones")
        if row["aircraft_type"] not in zoned
    ]
    SeatZone.objects.bulk_create(zones, ignore_conflicts=True)


def _add_fares() -> None:
    priced = set(FareFamily.objects.values_list("cabin", flat=True))
    fares = [_fare(row) for row in tables.read("fare_families") if row["cabin"] not in priced]
    FareFamily.objects.bulk_create(fares, ignore_conflicts=True)


def _fare(row: Mapping[str, str]) -> FareFamily:
    return FareFamily(
        code=row["code"],
        cabin=row["cabin"],
        name=row["name"],
        multiplier=Decimal(row["multiplier"]),
        protected_share=Decimal(row["protected_share"]),
        refundable=row["refundable"] == "yes",
        change_fee=Decimal(row["change_fee"]) if row["change_fee"] else None,
        seat_choice=row["seat_choice"] == "yes",
    )
