"""The source schedule (real flights out of New York in 2013) and how its year is laid over any other."""

from __future__ import annotations

import lzma
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import NamedTuple, Self

from flights.importers import tables

YEAR = 2013
COLUMNS = 9  # lines of a day's block after the day itself; build_nycflights.py writes them


class SourceFlight(NamedTuple):
    """A leg as it was in 2013. `departs` is a clock at the origin, `block` minutes from departure to arrival;
    the delays are actual minutes (negative: early). `aircraft` is empty where the source is not believed."""

    airline: str
    number: int
    origin: str
    destination: str
    departs: time
    block: timedelta
    aircraft: str
    departure_delay: int | None
    arrival_delay: int | None

    @property
    def is_cancelled(self) -> bool:
        return self.departure_delay is None

    @property
    def is_diverted(self) -> bool:
        return self.departure_delay is not None and self.arrival_delay is None


class Route(NamedTuple):
    """Statute miles, and by how many minutes the way out, against the westerlies, takes longer than the way
    back."""

    miles: int
    westward_minutes: int


def source_day(target: date) -> date:
    """The day of 2013 that is played on `target`: the same weekday, nearest to the same month and day.

    The year's ends take the nearest such day within 2013, and 29 February that of the 28th. Schedules repeat
    by weekday (SSIM's days of operation), so the weekday counts for more than the date.
    """
    day = 28 if (target.month, target.day) == (2, 29) else target.day
    same_date = date(YEAR, target.month, day)
    nearest = same_date + timedelta(days=(target.weekday() - same_date.weekday() + 3) % 7 - 3)
    if nearest.year < YEAR:
        return nearest + timedelta(days=7)
    return nearest - timedelta(days=7) if nearest.year > YEAR else nearest


@dataclass(frozen=True)
class SourceSchedule:
    """Days of the source, kept as they are packed and parsed when asked for: a whole year is 12 MB."""

    blocks: Mapping[date, tuple[str, ...]]

    @classmethod
    def read(cls, days: Iterable[date]) -> Self:
        """Reads the given days of 2013 out of the packed file."""
        wanted = {f"{day:%m%d}": day for day in days}
        blocks = {}
        with lzma.open(tables.DATA / "flights-2013.txt.xz", "rt", encoding="ascii") as file:
            for line in file:
                block = tuple(next(file).rstrip("\n") for _ in range(COLUMNS))
                if day := wanted.get(line.rstrip("\n")):
                    blocks[day] = block
                if len(blocks) == len(wanted):
                    break
        return cls(blocks)

    def flights(self, day: date) -> list[SourceFlight]:
        """The flights of one of the days that were read, by airline, number and route."""
        columns = zip(*(line.split(",") for line in self.blocks[day]), strict=True)
        return [_parse(*fields) for fields in columns]


def _parse(*fields: str) -> SourceFlight:
    airline, number, origin, destination, departs, block, aircraft, departure_delay, arrival_delay = fields
    return SourceFlight(
        airline=airline,
        number=int(number),
        origin=origin,
        destination=destination,
        departs=time(int(departs[:2]), int(departs[2:])),
        block=timedelta(minutes=int(block)),
        aircraft=aircraft,
        departure_delay=int(departure_delay) if departure_delay else None,
        arrival_delay=int(arrival_delay) if arrival_delay else None,
    )


@cache
def routes() -> Mapping[tuple[str, str], Route]:
    """Every route of the source, by origin and destination."""
    rows = tables.read("routes")
    return {
        (row["origin"], row["destination"]): Route(int(row["miles"]), int(row["westward_minutes"]))
        for row in rows
    }


@cache
def default_aircraft(airline: str, miles: int) -> str:
    """The type that `airline` flies over `miles` where the source does not say: its fleet's longest reach
    below."""
    rows = [row for row in tables.read("fleet") if row["airline"] == airline and row["default_from_miles"]]
    reach = {int(row["default_from_miles"]): row["aircraft_type"] for row in rows}
    return reach[max(start for start in reach if start <= miles)]


def local_departure(flight: SourceFlight, day: date) -> datetime:
    """The naive local time at the origin at which `flight` is to leave on `day`."""
    return datetime.combine(day, flight.departs)
