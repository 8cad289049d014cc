"""What the race did and found, in numbers."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median

from bench.race.check import Findings
from bench.race.faults import Toll
from bench.race.one_key import PARALLEL, Outcome
from bench.race.rush import PARALLEL as RUSHING
from bench.race.rush import Rush

_WIDTH = 58


def say(line: str = "") -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def table(title: str, counts: Mapping[str, int]) -> None:
    say(f"\n{title}")
    for name, count in sorted(counts.items()):
        say(f"  {name:<{_WIDTH}}{count:>9,}")


def one_key(outcomes: Sequence[Outcome]) -> None:
    say(f"\n{PARALLEL} parallel requests under one key, one process of those that serve them killed")
    for outcome in outcomes:
        say(
            f"  {outcome.killed_at:<44} {outcome.kills} kill, {outcome.lost} lost, "
            f"{outcome.in_progress} in progress"
            f" -> {outcome.answers} answer, {outcome.bookings} booking, {outcome.payments} payment,"
            f" {outcome.seats} seat, {outcome.seconds:.1f} s" + ("" if outcome.is_right else "   WRONG")
        )


def rushes(found: Sequence[Rush]) -> None:
    say(f"\n{RUSHING} bookings at once, each under its own key")
    for rush in found:
        answers = ", ".join(f"{count} x {answer}" for answer, count in sorted(rush.answers.items()))
        say(f"  {rush.what:<44} {answers}; {rush.seconds:.1f} s")


def operations(answers: Counter[str], sent: Counter[str], seconds: float) -> None:
    done = answers.total()
    table("Operations, by what they were answered in the end", answers)
    say(f"  {'in all':<{_WIDTH}}{done:>9,}   {done / seconds:.0f} a second over {seconds:.0f} s")
    table("Requests sent for them, by what came back", sent)


def kills(fired: Mapping[str, int], toll: Toll) -> None:
    table("kill -9 of our processes, by the point where they were", fired)
    hit = sum(count > 0 for count in fired.values())
    say(f"  {'at named points':<{_WIDTH}}{sum(fired.values()):>9,}   over {hit} of {len(fired)} points")
    say(f"  {'wherever a gunicorn process happened to be':<{_WIDTH}}{toll.anywhere:>9,}")
    say(f"  {'worker processes started again':<{_WIDTH}}{toll.workers_replaced:>9,}")
    recoveries = f"   back after {median(toll.recoveries):.1f} s, median" if toll.recoveries else ""
    say(f"\n  {'kill -9 of PostgreSQL with its children':<{_WIDTH}}{toll.postgresql:>9,}{recoveries}")
    say(f"  {'  of these without a recovery from its log':<{_WIDTH}}{toll.unrecovered:>9,}")
    say(f"  {'kill -9 of Valkey':<{_WIDTH}}{toll.valkey:>9,}")
    say(f"  {'holds whose time was shortened':<{_WIDTH}}{toll.hastened:>9,}")


def findings(found: Findings) -> None:
    table("Looked at", found.looked_at)
    table("Found", found.counts)
    for kind, examples in found.examples.items():
        for example in examples:
            say(f"    {kind}: {example}")


CAVEAT = (
    "kill -9 proves the recovery from a crash of processes: what they had handed to the kernel is still\n"
    "there. It doesn't prove the recovery from a loss of power, which takes a disk that keeps what fsync\n"
    "was told."
)
