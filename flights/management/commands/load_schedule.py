"""``manage.py load_schedule``: the source's year, laid over coming days."""

from __future__ import annotations

import argparse
import time
from datetime import date
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from flights.importers.schedule import LoadResult, load_days, today

DAYS_OF_YEAR = 365
MOST_DAYS = 2 * DAYS_OF_YEAR
# So many days are worth a second connection.
TWO_LANES_FROM_DAYS = 14
BAR_WIDTH = 40


def day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no date of the form 2026-12-31") from error


class Command(BaseCommand):
    help = (
        "Loads real flights of 2013 onto coming days, weekday for weekday, with ways back, seats and prices. "
        "Days that are loaded already stay as they are."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        length = parser.add_mutually_exclusive_group()
        length.add_argument("--days", type=int, help="how many days (default: SCHEDULE_DAYS)")
        length.add_argument("--year", action="store_true", help=f"{DAYS_OF_YEAR} days")
        parser.add_argument(
            "--from", type=day, dest="first", help="the first day (default: today in New York)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        first = options["first"] or today()
        asked = DAYS_OF_YEAR if options["year"] else options["days"]
        days = settings.SCHEDULE_DAYS if asked is None else asked
        if not 1 <= days <= MOST_DAYS:
            raise CommandError(f"--days must be from 1 to {MOST_DAYS}.")
        began = time.monotonic()
        result = load_days(
            first=first,
            days=days,
            progress=self._bar(days),
            lanes=2 if days >= TWO_LANES_FROM_DAYS else 1,
        )
        self.stdout.write(_summary(result, seconds=time.monotonic() - began))

    def _bar(self, days: int) -> Any:
        """A bar on a terminal; nothing where the output goes to a file or a log."""
        if not self.stderr.isatty():
            return None

        def show(result: LoadResult) -> None:
            done = result.days + result.skipped_days
            filled = "#" * (BAR_WIDTH * done // days)
            end = "\n" if done == days else ""
            line = f"\r[{filled:<{BAR_WIDTH}}] {done}/{days} days, {result.flights} flights"
            self.stderr.write(line, style_func=str, ending=end)
            self.stderr.flush()

        return show


def _summary(result: LoadResult, *, seconds: float) -> str:
    added = f"{result.flights} flights with {result.inventory} cabins"
    loaded = f"{result.days} days loaded: {added} in {seconds:.1f} s"
    return f"{loaded}; {result.skipped_days} days were loaded before" if result.skipped_days else loaded
