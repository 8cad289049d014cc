"""The schedule's import: real flights of 2013, spot-checked; the same on other years; nothing twice."""

from __future__ import annotations

import datetime as dt
import hashlib
import lzma
from collections.abc import Iterator
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import F
from pytest_django import DjangoDbBlocker

from flights.importers import schedule, tables
from flights.importers.schedule import CLOSES_BEFORE, LoadResult, extend_schedule, load_days, turnaround
from flights.importers.source import SourceSchedule, routes, source_day
from flights.models import AircraftType, Airport, CabinInventory, CabinLayout, FareFamily, Flight, ScheduleDay
from flights.tests.schedule_days import arrives, departs, flight, loaded

pytestmark = pytest.mark.django_db

JANUARY = dt.date(2013, 1, 8)
SPRING = (dt.date(2013, 3, 9), dt.date(2013, 3, 10))  # the clocks go forward in the second night
AUTUMN = (dt.date(2013, 11, 2), dt.date(2013, 11, 3))
# Of other years: their own nights of change, and a leap day.
ELSEWHEN = (dt.date(2027, 3, 14), dt.date(2027, 11, 7), dt.date(2028, 2, 29))
DAYS = (JANUARY, *SPRING, *AUTUMN, *ELSEWHEN)


@pytest.fixture(scope="module", autouse=True)
def days(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with loaded(django_db_blocker, *DAYS):
        yield


@pytest.mark.parametrize(
    ("day", "designator", "route", "leaves", "lands"),
    [
        # As the source prints them: sched_dep_time and sched_arr_time.
        (
            "2013-01-08",
            "B6 701",
            "JFK-SJU",
            "2013-01-08 21:30",
            "2013-01-09 02:18",
        ),  # overnight, an hour ahead
        ("2013-01-08", "B6 713", "JFK-SJU", "2013-01-08 22:30", "2013-01-09 03:13"),
        ("2013-01-08", "B6 709", "JFK-SJU", "2013-01-08 06:10", "2013-01-08 10:51"),
        ("2013-03-09", "HA 51", "JFK-HNL", "2013-03-09 09:00", "2013-03-09 15:40"),  # five hours behind
        (
            "2013-03-10",
            "HA 51",
            "JFK-HNL",
            "2013-03-10 10:00",
            "2013-03-10 15:30",
        ),  # six: Hawaii keeps its clocks
        ("2013-11-03", "HA 51", "JFK-HNL", "2013-11-03 10:00", "2013-11-03 15:55"),
        ("2013-03-09", "US 35", "JFK-PHX", "2013-03-09 16:20", "2013-03-09 20:03"),  # so does Arizona
        ("2013-03-10", "US 35", "JFK-PHX", "2013-03-10 16:20", "2013-03-10 19:03"),
        (
            "2013-03-10",
            "DL 31",
            "JFK-SFO",
            "2013-03-10 17:00",
            "2013-03-10 20:50",
        ),  # evening, west, the same day
    ],
)
def test_real_flights_leave_and_land_by_the_clocks_of_their_airports(
    day: str, designator: str, route: str, leaves: str, lands: str
) -> None:
    found = flight(day, designator, route)
    assert (departs(found), arrives(found)) == (leaves, lands)
    assert not found.is_derived


@pytest.mark.parametrize("day", DAYS)
def test_a_flight_keeps_its_clock_and_its_block_time_on_any_day(day: dt.date) -> None:
    of_day = source_day(day)
    source = {
        (f.airline, f.number, f.origin, f.destination): (f"{day} {f.departs:%H:%M}", f.block)
        for f in SourceSchedule.read([of_day]).flights(of_day)
    }
    flights = Flight.objects.select_related("origin").filter(departure_date=day, is_derived=False)
    assert source == {
        (f.airline_id, f.number, f.origin_id, f.destination_id): (
            departs(f),
            f.scheduled_arrival - f.scheduled_departure,
        )
        for f in flights
    }
    assert {f.source_date for f in flights} == {of_day}


@pytest.mark.parametrize("day", DAYS)
def test_a_dozen_flights_or_more_go_from_jfk_to_los_angeles(day: dt.date) -> None:
    there = Flight.objects.filter(departure_date=day, origin="JFK", destination="LAX")
    assert there.count() >= 12
    assert there.filter(is_derived=True).count() == 0


def test_an_evening_flight_to_the_west_comes_back_overnight() -> None:
    out = flight("2013-01-08", "AA 21", "JFK-LAX")
    back = Flight.objects.get(
        airline="AA",
        number=21,
        origin="LAX",
        scheduled_departure__range=(out.scheduled_arrival, out.scheduled_arrival + dt.timedelta(hours=8)),
    )
    assert back.is_derived
    assert departs(back)[:10] == "2013-01-08"
    assert arrives(back)[:10] == "2013-01-09"
    assert back.scheduled_arrival - back.scheduled_departure < out.scheduled_arrival - out.scheduled_departure


def test_ways_back_follow_a_turnaround_and_nobody_leaves_at_night() -> None:
    loaded_days = Flight.objects.select_related("origin").filter(departure_date__in=AUTUMN)
    outbound: dict[tuple[object, ...], list[Flight]] = {}
    for out in loaded_days.filter(is_derived=False):
        outbound.setdefault((out.airline_id, out.number, out.origin_id, out.destination_id), []).append(out)
    ways_back = loaded_days.filter(is_derived=True, departure_date=AUTUMN[1])
    assert ways_back.count() > 700
    for back in ways_back:
        assert not 1 <= int(departs(back)[11:13]) < 6, back
        same = outbound[back.airline_id, back.number, back.destination_id, back.origin_id]
        landed = [out for out in same if out.scheduled_arrival < back.scheduled_departure]
        out = max(landed, key=lambda out: out.scheduled_arrival)
        assert out.aircraft_type_id == back.aircraft_type_id
        rest = back.scheduled_departure - out.scheduled_arrival
        assert turnaround(routes()[out.origin_id, out.destination_id].miles) <= rest < dt.timedelta(hours=12)


def test_a_flight_number_leaves_an_airport_for_one_destination_once_a_day() -> None:
    keys = Flight.objects.values_list("airline", "number", "origin", "destination", "departure_date")
    assert len(set(keys)) == len(keys)


def test_every_flight_sells_the_seats_of_its_aircraft_until_45_minutes_before() -> None:
    assert not Flight.objects.exclude(inventory__cabin="economy").exists()
    assert not CabinInventory.objects.exclude(
        available=F("capacity"), is_open=True, closes_at=F("flight__scheduled_departure") - CLOSES_BEFORE
    ).exists()
    seats = {(lay.aircraft_type_id, lay.cabin): lay.capacity for lay in CabinLayout.objects.all()}
    inventory = CabinInventory.objects.values_list("flight__aircraft_type", "cabin", "capacity")
    assert all(seats[aircraft, cabin] == capacity for aircraft, cabin, capacity in inventory)


def test_the_price_is_exactly_what_the_rules_say() -> None:
    tuesday_noon = flight("2013-01-08", "B6 703", "JFK-SJU")  # 1,598 miles, 15:55 on a Tuesday in January
    factors = Decimal("0.94") * Decimal("0.92") * Decimal("0.90") * Decimal("1.04")
    economy = (Decimal("42.00") + Decimal("0.1050") * 1598) * factors
    prices = dict(tuesday_noon.inventory.values_list("cabin", "base_price"))
    assert prices == {
        "economy": economy.quantize(Decimal("0.01")),
        "first": (economy * Decimal("2.60")).quantize(Decimal("0.01")),
    }
    assert set(tuesday_noon.inventory.values_list("currency", flat=True)) == {"USD"}


def _fingerprint() -> dict[str, str]:
    """Changes with any row that is written, even to the same values: ctid and xmin are the row's version."""
    found = {}
    with connection.cursor() as cursor:
        for model in (Flight, CabinInventory, ScheduleDay, Airport, AircraftType, CabinLayout, FareFamily):
            table = model._meta.db_table
            cursor.execute(f"SELECT md5(string_agg(ctid || ':' || xmin, ',' ORDER BY ctid)) FROM {table}")
            found[table] = cursor.fetchone()[0]
    return found


def test_loading_again_changes_no_row() -> None:
    before = _fingerprint()
    assert load_days(first=SPRING[0], days=2) == LoadResult(skipped_days=2)
    assert _fingerprint() == before


def test_the_fingerprint_sees_a_write_that_changes_nothing() -> None:
    before = _fingerprint()
    Flight.objects.filter(pk=flight("2013-03-10", "HA 51", "JFK-HNL").pk).update(status="Scheduled")
    assert _fingerprint() != before


def test_a_flight_that_the_airline_moved_does_not_come_back_at_its_old_time() -> None:
    moved = flight("2013-03-10", "HA 51", "JFK-HNL")
    later = dt.timedelta(days=1)
    Flight.objects.filter(pk=moved.pk).update(
        departure_date=F("departure_date") + later,
        scheduled_departure=F("scheduled_departure") + later,
        scheduled_arrival=F("scheduled_arrival") + later,
    )
    count = Flight.objects.count()
    load_days(first=SPRING[1], days=1)
    assert Flight.objects.count() == count


def _flights_of(days: list[dt.date]) -> set[tuple[object, ...]]:
    return set(
        Flight.objects.filter(departure_date__in=days).values_list(
            "airline",
            "number",
            "origin",
            "destination",
            "scheduled_departure",
            "scheduled_arrival",
            "aircraft_type",
        )
    )


def test_days_are_the_same_in_whatever_order_they_are_loaded() -> None:
    days = [dt.date(2025, 6, 5), dt.date(2025, 6, 6)]
    found = []
    for order in (days, days[::-1]):
        with transaction.atomic():
            for day in order:
                load_days(first=day, days=1)
            found.append(_flights_of(days))
            transaction.set_rollback(True)
    assert found[0] == found[1]
    assert len(found[0]) > 3000


@pytest.mark.parametrize(
    ("target", "source"),
    [
        ("2013-07-04", "2013-07-04"),
        ("2026-11-22", "2013-11-24"),  # Sundays
        ("2026-07-04", "2013-07-06"),
        ("2028-02-29", "2013-02-26"),  # leap day, a Tuesday
        ("2027-01-01", "2013-01-04"),  # Fridays; 2012-12-28 is as near but outside the year
        ("2024-12-31", "2013-12-31"),
        ("2025-12-31", "2013-12-25"),  # Wednesdays; 2014-01-01 would be nearer
        ("2028-01-01", "2013-01-05"),
    ],
)
def test_a_day_is_played_by_the_nearest_same_weekday_of_2013(target: str, source: str) -> None:
    assert source_day(dt.date.fromisoformat(target)) == dt.date.fromisoformat(source)


def test_every_day_of_many_years_has_its_weekday_in_2013() -> None:
    for n in range(366 * 12):
        target = dt.date(2020, 1, 1) + dt.timedelta(days=n)
        source = source_day(target)
        assert (source.year, source.weekday()) == (2013, target.weekday())
        same_date = dt.date(2013, target.month, min(target.day, 28) if target.month == 2 else target.day)
        assert abs((source - same_date).days) <= 6


def test_new_york_is_its_three_airports_and_every_code_is_an_airports() -> None:
    assert set(Airport.objects.filter(city_code="NYC").values_list("iata", flat=True)) == {
        "EWR",
        "JFK",
        "LGA",
    }
    assert Airport.objects.count() > 7000
    assert not Airport.objects.filter(city="").exists()


def test_what_staff_changed_stays_and_what_is_missing_comes_back() -> None:
    FareFamily.objects.filter(code="ECOSTD").delete()
    FareFamily.objects.filter(cabin="first").delete()
    FareFamily.objects.filter(code="ECOLIGHT").update(multiplier=Decimal("1.1"))
    CabinLayout.objects.filter(aircraft_type="320", cabin="first").delete()
    load_days(first=dt.date(2025, 6, 5), days=1)
    assert not FareFamily.objects.filter(code="ECOSTD").exists()
    assert FareFamily.objects.get(code="ECOLIGHT").multiplier == Decimal("1.1")
    assert FareFamily.objects.filter(cabin="first").count() == 2
    assert CabinLayout.objects.filter(aircraft_type="320").count() == 1


def test_the_schedule_is_extended_by_the_days_that_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "today", lambda: dt.date(2025, 6, 5))
    assert extend_schedule(days=1) > 1500
    assert extend_schedule(days=1) == 0
    monkeypatch.setattr(schedule, "today", lambda: dt.date(2025, 6, 6))
    assert extend_schedule(days=1) > 1500
    assert ScheduleDay.objects.get(day="2025-06-06").source_date == dt.date(2013, 6, 7)


def test_the_command_says_what_it_loaded() -> None:
    out = StringIO()
    call_command("load_schedule", "--from", "2025-06-05", "--days", "1", stdout=out)
    call_command("load_schedule", "--from", "2025-06-05", "--days", "1", stdout=out)
    first, second = out.getvalue().splitlines()
    assert first.startswith("1 days loaded: ")
    assert second.endswith("; 1 days were loaded before")


@pytest.mark.parametrize(
    "arguments", [["--days", "0"], ["--days", "731"], ["--from", "tomorrow"], ["--year", "--days", "3"]]
)
def test_the_command_refuses_what_it_cannot_load(arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("load_schedule", *arguments)


def test_the_packed_schedule_is_the_one_of_the_documents() -> None:
    packed = (tables.DATA / "flights-2013.txt.xz").read_bytes()
    text = lzma.decompress(packed)
    documents = (tables.DATA.parent.parent / "docs" / "data.md").read_text(encoding="utf-8")
    assert hashlib.sha256(packed).hexdigest() in documents
    assert hashlib.sha256(text).hexdigest() in documents
    lines = text.decode().splitlines()
    assert len(lines) == 365 * 10
    assert sum(line.count(",") + 1 for line in lines[1::10]) == 336_775
