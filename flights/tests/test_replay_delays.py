"""The replay: what really happened, as reports, in order and once."""

from __future__ import annotations

import argparse
import datetime as dt
import os
import signal
from collections.abc import Iterator
from io import StringIO

import pytest
from django.core.management import call_command
from pytest_django import DjangoDbBlocker

from flights.importers.replay import Outcome, Report, replay, reports_of_day
from flights.importers.schedule import load_days, today
from flights.management.commands import replay_delays
from flights.models import CabinInventory, Flight, FlightUpdate
from flights.tests.schedule_days import flight, loaded

pytestmark = pytest.mark.django_db

JANUARY = dt.date(2013, 1, 8)
BLIZZARD = dt.date(2013, 2, 8)
STORMS = dt.date(2013, 7, 10)


@pytest.fixture(scope="module", autouse=True)
def days(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with loaded(django_db_blocker, JANUARY, BLIZZARD, STORMS):
        yield


def play(reports: list[Report], *, stop_after: int = 10**9) -> list[Outcome]:
    outcomes: list[Outcome] = []
    replay(
        reports=reports,
        speed=None,
        wait=lambda seconds: len(outcomes) >= stop_after,
        heard=lambda report, outcome: outcomes.append(outcome),
    )
    return outcomes


def of(flight: Flight) -> list[Report]:
    return [report for report in reports_of_day(flight.departure_date) if report.flight.pk == flight.pk]


def log(flight: Flight) -> list[tuple[str, int | None]]:
    return list(
        FlightUpdate.objects.filter(flight=flight).order_by("sequence").values_list("status", "delay_minutes")
    )


def minutes(number: int) -> dt.timedelta:
    return dt.timedelta(minutes=number)


def test_a_late_flight_is_delayed_boards_departs_and_lands_as_it_did() -> None:
    late = flight("2013-01-08", "B6 715", "JFK-SJU")  # 26 minutes late, 10 on arrival
    assert set(play(of(late))) == {Outcome.APPLIED}
    assert log(late) == [("Delayed", 26), ("Boarding", 26), ("Departed", 26), ("Landed", 10)]
    late.refresh_from_db()
    assert late.status == "Landed"
    assert late.estimated_departure == late.scheduled_departure + minutes(26)
    assert late.estimated_arrival == late.scheduled_arrival + minutes(10)
    occurred = list(
        FlightUpdate.objects.filter(flight=late).order_by("sequence").values_list("occurred_at", flat=True)
    )
    scheduled = late.scheduled_departure
    assert occurred == [
        scheduled - minutes(45),
        scheduled - minutes(4),
        scheduled + minutes(26),
        late.estimated_arrival,
    ]


def test_an_early_flight_is_not_delayed() -> None:
    early = flight("2013-01-08", "B6 713", "JFK-SJU")  # left 12, landed 27 minutes early
    play(of(early))
    assert log(early) == [("Boarding", None), ("Departed", 0), ("Landed", 0)]
    early.refresh_from_db()
    assert early.estimated_arrival == early.scheduled_arrival - minutes(27)


def test_a_flight_of_the_blizzard_is_cancelled_and_sold_no_more() -> None:
    cancelled = flight("2013-02-08", "AA 181", "JFK-LAX")
    play(of(cancelled))
    assert log(cancelled) == [("Cancelled", None)]
    assert not CabinInventory.objects.filter(flight=cancelled, is_open=True).exists()


def test_a_long_delay_grows_and_a_diverted_flight_stays_diverted() -> None:
    diverted = flight("2013-07-10", "VX 411", "JFK-LAX")  # 634 minutes late, never landed at Los Angeles
    play(of(diverted))
    assert log(diverted) == [
        ("Delayed", 315),
        ("Delayed", 634),
        ("Boarding", 634),
        ("Departed", 634),
        ("Diverted", 634),
    ]


def test_half_of_the_blizzards_first_day_is_cancelled() -> None:
    reports = reports_of_day(BLIZZARD)
    assert sum(report.status == "Cancelled" for report in reports) == 472


@pytest.mark.parametrize("day", [JANUARY, BLIZZARD, STORMS])
def test_reports_come_in_order_for_the_day_and_for_each_flight(day: dt.date) -> None:
    reports = reports_of_day(day)
    assert [report.at for report in reports] == sorted(report.at for report in reports)
    ids = [(report.flight.pk, report.report_id) for report in reports]
    assert len(set(ids)) == len(ids)
    assert not any(report.flight.is_derived for report in reports)
    order = ["Delayed", "Boarding", "Departed", "Landed", "Diverted"]
    of_flight: dict[int, list[int]] = {}
    for report in reports:
        if report.status != "Cancelled":
            of_flight.setdefault(report.flight.pk, []).append(order.index(report.status))
    assert all(statuses == sorted(statuses) for statuses in of_flight.values())


def test_a_second_replay_applies_nothing() -> None:
    late = flight("2013-07-10", "VX 411", "JFK-LAX")
    play(of(late))
    late.refresh_from_db()
    assert set(play(of(late))) == {Outcome.REPEATED}
    assert len(log(late)) == late.sequence


def test_it_stops_between_two_reports_and_goes_on_where_it_stopped() -> None:
    late = flight("2013-07-10", "VX 411", "JFK-LAX")
    assert play(of(late), stop_after=2) == [Outcome.APPLIED] * 2
    assert play(of(late)) == [Outcome.REPEATED] * 2 + [Outcome.APPLIED] * 3


def test_a_report_that_the_flights_state_does_not_allow_is_told_of_and_passed_over() -> None:
    late = flight("2013-01-08", "B6 715", "JFK-SJU")
    Flight.objects.filter(pk=late.pk).update(status="Landed")
    reports = of(late)
    assert play(reports) == [Outcome.REFUSED] * 3 + [Outcome.APPLIED]


def test_the_pauses_are_those_of_the_day_divided_by_the_speed() -> None:
    reports = of(flight("2013-01-08", "B6 715", "JFK-SJU"))
    pauses: list[float] = []

    def wait(seconds: float) -> bool:
        pauses.append(seconds)
        return False

    replay(reports=reports, speed=60.0, wait=wait, heard=lambda *_: None)
    assert pauses[:3] == [0.0, 41.0, 30.0]


def test_a_day_to_come_is_reported_as_of_now() -> None:
    tomorrow = today() + dt.timedelta(days=1)
    load_days(first=tomorrow, days=1)
    reports = reports_of_day(tomorrow)
    before = dt.datetime.now(dt.UTC) - minutes(5)
    assert set(play([report for report in reports if report.flight.pk == reports[0].flight.pk])) == {
        Outcome.APPLIED
    }
    occurred = FlightUpdate.objects.values_list("occurred_at", flat=True)
    assert all(before < moment < before + minutes(10) for moment in occurred)


def test_the_command_prints_what_it_plays() -> None:
    only = flight("2013-01-08", "B6 715", "JFK-SJU")
    CabinInventory.objects.exclude(flight=only).delete()
    Flight.objects.exclude(pk=only.pk).delete()
    out = StringIO()
    call_command("replay_delays", "--date", "2013-01-08", "--speed", "max", stdout=out)
    assert out.getvalue().splitlines() == [
        "4 reports of 2013-01-08",
        "06:25 B6715 JFK-SJU Delayed, 26 minutes late",
        "07:06 B6715 JFK-SJU Boarding",
        "07:36 B6715 JFK-SJU Departed, 26 minutes late",
        "11:13 B6715 JFK-SJU Landed, 10 minutes late",
        "Played: 4 applied",
    ]


def test_a_day_without_flights_has_nothing_to_play() -> None:
    out = StringIO()
    call_command("replay_delays", "--date", "2001-01-01", stdout=out)
    assert out.getvalue() == "0 reports of 2001-01-01\nPlayed: nothing\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_between_two_reports(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with replay_delays._stop_on_signal() as stopped:
        os.kill(os.getpid(), number)
        assert stopped.wait(5)
    assert signal.getsignal(number) is before


@pytest.mark.parametrize(("text", "expected"), [("max", None), ("0", None), ("2.5", 2.5)])
def test_speeds(text: str, expected: float | None) -> None:
    assert replay_delays.speed(text) == expected


@pytest.mark.parametrize("text", ["-1", "fast", "nan", "inf"])
def test_a_speed_is_a_number(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        replay_delays.speed(text)
