"""What clients were told against what is there: the journals, the database, the gateway's book."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import psycopg2

from bench.race.journal import Entry, digest

_BOOKINGS = """
SELECT b.public_id, u.public_id, b.status, b.total, b.end_reason
  FROM bookings_booking AS b JOIN accounts_user AS u ON u.id = b.user_id
"""
_KEYS = """
SELECT u.public_id, k.key, k.status, k.body
  FROM bookings_idempotencykey AS k JOIN accounts_user AS u ON u.id = k.user_id
"""
# Answers that the contract wants stored.
_KEPT = (200, 201, 402, 404, 409)
# How reasons begin for which a booking may end without its traveller's asking.
_NOT_BY_THE_TRAVELLER = ("capture refused", "airline cancelled")


@dataclass(frozen=True)
class Kept:
    """A booking as the database has it."""

    user: str
    status: str
    total: Decimal
    end_reason: str


@dataclass
class Findings:
    """What is wrong, by kind, each with a few examples; and what was looked at."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    looked_at: dict[str, int] = field(default_factory=dict)

    def add(self, kind: str, example: str) -> None:
        self.counts[kind] += 1
        if len(self.examples[kind]) < 3:  # noqa: PLR2004
            self.examples[kind].append(example)

    def expect_none(self, kind: str, count: int, example: str = "") -> None:
        self.counts[kind] += count
        if count:
            self.examples[kind].append(example)


LOST = "acknowledged bookings lost"
UNTOLD = "bookings that nobody was told of"
OTHERWISE = "bookings otherwise than acknowledged"
UNRESOLVED = "requests not resolved by retrying under their key"
ANSWERS = "stored answers that differ from what was told"
TWICE = "answers that contradict each other"
KINDS = (LOST, UNTOLD, OTHERWISE, UNRESOLVED, ANSWERS, TWICE)


def check_journals(
    connection: psycopg2.extensions.connection,
    entries: Mapping[str, Entry],
    contradictions: Sequence[str],
    findings: Findings,
) -> None:
    """Every request has one definite answer, each acknowledged effect is there, and there is no other."""
    for kind in KINDS:
        findings.counts[kind] += 0
    sold = [entry for entry in entries.values() if not entry.kind.startswith("staff")]
    findings.looked_at |= {"requests in the journals": len(sold)}
    for entry in entries.values():
        if not entry.is_resolved:
            findings.add(UNRESOLVED, f"{entry.kind} {entry.key}")
    for what in contradictions:
        findings.add(TWICE, what)
    kept = _bookings(connection)
    findings.looked_at |= {"bookings in the database": len(kept)}
    _check_bookings(kept, sold, findings)
    _check_answers(connection, {entry.key: entry for entry in sold}, findings)


def _check_bookings(kept: Mapping[str, Kept], sold: Sequence[Entry], findings: Findings) -> None:
    told: dict[str, list[Entry]] = defaultdict(list)
    for entry in sold:
        if entry.status in (200, 201) and entry.booking:
            told[entry.booking].append(entry)
    for booking, entries in told.items():
        if booking not in kept:
            findings.add(LOST, booking)
        elif wrong := _wrong(kept[booking], entries):
            findings.add(OTHERWISE, f"{booking}: {wrong}")
    for booking in kept.keys() - told.keys():
        findings.add(UNTOLD, f"{booking} {kept[booking].status}")


def _wrong(kept: Kept, entries: Sequence[Entry]) -> str:
    """What of a booking is not as its travellers were told; empty where all is."""
    by_kind = Counter(entry.kind for entry in entries)
    made = [entry for entry in entries if entry.kind in ("book", "hold")]
    if len(made) != 1:
        return f"made {len(made)} times"
    if by_kind["cancel"] > 1 or by_kind["pay"] > 1:
        return f"cancelled {by_kind['cancel']} times, paid {by_kind['pay']} times"
    if kept.user != made[0].user:
        return "another user's"
    prices = {Decimal(entry.price) for entry in entries if entry.price}
    if kept.total not in prices:
        return f"price {kept.total}, told {sorted(prices)}"
    if kept.status not in _allowed(kept, by_kind):
        return f"{kept.status} ({kept.end_reason}), told {dict(by_kind)}"
    return ""


def _allowed(kept: Kept, told: Mapping[str, int]) -> tuple[str, ...]:
    if told["cancel"]:
        return ("Cancelled",)
    ended = ("Cancelled",) if kept.end_reason.startswith(_NOT_BY_THE_TRAVELLER) else ()
    if told["pay"] or told["book"]:
        return ("Confirmed", *ended)
    return ("Held", "Expired", *ended)


def _check_answers(
    connection: psycopg2.extensions.connection, told: Mapping[str, Entry], findings: Findings
) -> None:
    """A replay would say what was said, to the byte."""
    stored: dict[str, tuple[int | None, str]] = {}
    for _, key, status, body in _rows(connection, _KEYS):
        stored[key] = (status, digest(bytes(body or b"")))
    findings.looked_at |= {"stored answers": len(stored)}
    for key, entry in told.items():
        status, said = stored.get(key, (None, ""))
        if entry.status in _KEPT:
            if (status, said) != (entry.status, entry.digest):
                findings.add(ANSWERS, f"{entry.kind} {key}: told {entry.status}, stored {status}")
        elif status is not None:
            findings.add(ANSWERS, f"{entry.kind} {key}: told {entry.status}, which is not to be stored")


def _bookings(connection: psycopg2.extensions.connection) -> dict[str, Kept]:
    return {row[0]: Kept(*row[1:]) for row in _rows(connection, _BOOKINGS)}


def _rows(connection: psycopg2.extensions.connection, statement: str) -> Iterable[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()
