"""The airline of the proof: records updates at a steady rate, and a flight's last one when told to.

    python -m bench.updates.writer SETTINGS.json

Reads lines on standard input: ``last PK`` records the last update of that flight and answers ``recorded``;
the end of the input ends it. When all updates are recorded it says ``finished``.
"""

from __future__ import annotations

import json
import os
import random
import select
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flightbook.settings")
    django.setup()
    settings = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    dice = random.Random(settings["seed"])  # noqa: S311
    flights, hot = settings["flights"], settings["hot"]
    began, count = time.monotonic(), settings["updates"]
    for number in range(count):
        due = began + number / settings["rate"]
        if not _listen(due):
            return
        report(hot if dice.random() < settings["hot_part"] else dice.choice(flights), number)
    _say("finished")
    while _listen(time.monotonic() + 3600):
        pass


def report(flight: int, number: int) -> None:
    """A delay or a gate: whatever it is, one sequence."""
    from flights.public import record_update  # noqa: PLC0415  # the settings must be there

    record_update(
        flight_pk=flight,
        status="Delayed",
        delay_minutes=5 + number % 180,
        gate=f"{'ABC'[number % 3]}{number % 40}",
        reason=f"report {number}",
        source="proof",
    )


def _listen(until: float) -> bool:
    """Obeys what is asked, until the given moment; False where the input has ended."""
    while True:
        ready, _, _ = select.select([sys.stdin.fileno()], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            return True
        words = _line().split()
        if not words:
            return False
        _obey(words)


def _line() -> str:
    """One line, without reading ahead of what `select` sees."""
    line = bytearray()
    while (byte := os.read(sys.stdin.fileno(), 1)) not in (b"", b"\n"):
        line += byte
    return line.decode()


def _obey(words: Sequence[str]) -> None:
    assert words[0] == "last", words
    report(int(words[1]), 0)
    _say("recorded")


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
