"""What the followers heard against the log: nothing lost, doubled or out of order (and how late)."""

from __future__ import annotations

import statistics
from array import array
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgspec
import psycopg2

_LATE = 1.0
_RECOVERED = 5.0
_EXAMPLES = 5
_WINDOW = 8.0  # ends before the next fault
_COLUMNS = {"follower": "i", "flight": "i", "sequence": "i", "arrival": "d", "opened": "d"}


@dataclass(frozen=True)
class Death:
    """A death of Redis: instants by the wall clock. `last_of`: the flight whose last update fell into it."""

    killed: float
    restarted: float
    last_of: int


class Delivery(NamedTuple):
    """An update at one follower: when it was recorded, when it came, since when its socket had been open."""

    recorded: float
    arrival: float
    opened: float


@dataclass
class Verdict:
    followed: int = 0
    delivered: int = 0
    lost: int = 0
    doubled: int = 0
    disordered: int = 0
    resets: int = 0
    problems: list[str] = field(default_factory=list)
    closes: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    delays: list[float] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)
    caught_up: list[float] = field(default_factory=list)
    returned: list[float] = field(default_factory=list)
    quick_again: list[float] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.disordered or self.resets)

    @property
    def is_in_time(self) -> bool:
        """What the product promises, on a machine that does nothing else."""
        median = self.delays[len(self.delays) // 2]
        return median < _LATE and max(self.caught_up + self.returned) <= _RECOVERED

    def note(self, example: str) -> None:
        if len(self.examples) < _EXAMPLES:
            self.examples.append(example)


Log = Mapping[int, Mapping[int, float]]


def read_log(connection: psycopg2.extensions.connection) -> Log:
    """When each update of each flight was recorded."""
    log: dict[int, dict[int, float]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT flight_id, sequence, extract(epoch FROM recorded_at)::float8 FROM flights_flightupdate"
        )
        for flight, sequence, recorded in cursor.fetchall():
            log[flight][sequence] = recorded
    return log


def judge(
    results: Sequence[Path], follows: Mapping[str, Sequence[int]], log: Log, deaths: Sequence[Death]
) -> Verdict:
    verdict = Verdict()
    deliveries: list[Delivery] = []
    heard: dict[tuple[int, int], int] = {}
    for path in results:
        _read(path, verdict, heard, deliveries, log)
    for number, flights in follows.items():
        for flight in flights:
            verdict.followed += 1
            last, expected = heard.get((int(number), flight), -1), max(log.get(flight, {0: 0.0}))
            if last < expected:
                verdict.lost += expected - last
                verdict.note(f"follower {number} of FL{flight} ends at {last}, the log at {expected}")
    verdict.delays = sorted(each.arrival - each.recorded for each in deliveries)
    for death in deaths:
        _recovery(death, deliveries, verdict)
    return verdict


def _read(
    path: Path,
    verdict: Verdict,
    heard: dict[tuple[int, int], int],
    deliveries: list[Delivery],
    log: Log,
) -> None:
    found = msgspec.msgpack.decode(path.read_bytes())
    columns = [array(kind, found[name]) for name, kind in _COLUMNS.items()]
    verdict.resets += found["resets"]
    verdict.problems += found["problems"]
    for code, count in found["closes"].items():
        verdict.closes[code] += count
    for follower, flight, sequence, arrival, opened in zip(*columns, strict=True):
        key = (int(follower), int(flight))
        last = heard.get(key)
        if last is not None:  # what comes first is the state, not an update
            verdict.delivered += 1
            _compare(verdict, key, last, int(sequence))
            deliveries.append(Delivery(log[key[1]][int(sequence)], arrival, opened))
        heard[key] = max(int(sequence), last if last is not None else -1)


def _compare(verdict: Verdict, key: tuple[int, int], last: int, sequence: int) -> None:
    if sequence == last + 1:
        return
    follower, flight = key
    verdict.note(f"follower {follower} of FL{flight} heard {sequence} after {last}")
    if sequence > last:
        verdict.lost += sequence - last - 1
    elif sequence == last:
        verdict.doubled += 1
    else:
        verdict.disordered += 1


def _recovery(death: Death, deliveries: Sequence[Delivery], verdict: Verdict) -> None:
    """Until what was recorded before the restart was heard; until the median is under a second again.

    A follower whose server a fault had taken waits by its own back-off before it dials again: what it heard
    counts from when its socket was open, and apart from the sockets that were open all the time.
    """
    behind = [
        each for each in deliveries if death.killed - 2 < each.recorded < death.restarted < each.arrival
    ]
    stayed = [each.arrival - death.restarted for each in behind if each.opened <= death.restarted]
    returned = [each.arrival - each.opened for each in behind if each.opened > death.restarted]
    verdict.caught_up.append(max(stayed, default=0.0))
    verdict.returned.append(max(returned, default=0.0))
    by_second: dict[int, list[float]] = defaultdict(list)
    for each in deliveries:
        if 0 <= each.recorded - death.restarted < _WINDOW:
            by_second[int(each.recorded - death.restarted)].append(each.arrival - each.recorded)
    slow = [second for second, delays in by_second.items() if statistics.median(delays) >= _LATE]
    verdict.quick_again.append(max(slow) + 1.0 if slow else 0.0)
