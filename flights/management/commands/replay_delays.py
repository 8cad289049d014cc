"""``manage.py replay_delays``: the real delays of a day, played as airline reports. The live demo."""

from __future__ import annotations

import argparse
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandParser

from flights.importers.replay import Outcome, Report, replay, reports_of_day
from flights.importers.schedule import today
from flights.management.commands.load_schedule import day

DEFAULT_SPEED = 60.0  # a minute a second


def speed(text: str) -> float | None:
    """How many times faster than life; None for ``max`` and 0: without a pause."""
    try:
        factor = 0.0 if text == "max" else float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor `max`") from error
    if not 0 <= factor < float("inf"):
        raise argparse.ArgumentTypeError("a speed is not negative")
    return factor or None


class Command(BaseCommand):
    help = (
        "Plays what really happened to a day's flights as airline reports: delays, boarding, departures, "
        "landings, diversions, cancellations. A report that was played before is not applied again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--date", type=day, help="the day of departure (default: today in New York)")
        parser.add_argument(
            "--speed", type=speed, default=DEFAULT_SPEED, help="times faster than life, or max (default: 60)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        played: date = options["date"] or today()
        reports = reports_of_day(played)
        self.stdout.write(f"{len(reports)} reports of {played}")
        outcomes: Counter[Outcome] = Counter()

        def heard(report: Report, outcome: Outcome) -> None:
            outcomes[outcome] += 1
            self.stdout.write(_line(report, outcome))

        with _stop_on_signal() as stopped:
            replay(reports=reports, speed=options["speed"], wait=stopped.wait, heard=heard)
        self.stdout.write(_summary(outcomes, total=len(reports)))


@contextmanager
def _stop_on_signal() -> Iterator[threading.Event]:
    """An event that INT and TERM set, also where the shell that started us ignores INT: a report is never
    cut."""
    stopped = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda *_: stopped.set())
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _line(report: Report, outcome: Outcome) -> str:
    flight = report.flight
    local = report.at.astimezone(ZoneInfo(flight.origin.time_zone))
    what = f"{local:%H:%M} {flight.designator} {flight.origin_id}-{flight.destination_id} {report.status}"
    late = f", {report.delay_minutes} minutes late" if report.delay_minutes else ""
    return f"{what}{late}" if outcome is Outcome.APPLIED else f"{what}{late} ({outcome.value})"


def _summary(outcomes: Counter[Outcome], *, total: int) -> str:
    counts = ", ".join(f"{count} {outcome.value}" for outcome, count in outcomes.items())
    rest = total - outcomes.total()
    return f"Played: {counts or 'nothing'}" + (f"; stopped with {rest} to go" if rest else "")
