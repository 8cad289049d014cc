"""What a client was told, kept where no server can change it: one JSON object a line.

An ``asked`` line stands before the first try of a request, an ``answered`` line after its definite answer. A
request without the second was never resolved.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

from bench.race.http import Answer


@dataclass(frozen=True)
class Entry:
    """One request under its key, as its client saw it. `booking`, `state` and `price` are the
    answer's, `charged` and `refund` what it moved, `forfeited` what travellers who were taken out had paid
    and do not get back."""

    kind: str
    user: str
    key: str
    about: str
    status: int = 0
    code: str = ""
    digest: str = ""
    booking: str = ""
    state: str = ""
    price: str = ""
    charged: str = "0"
    refund: str = "0"
    forfeited: str = "0"
    tries: int = 0

    @property
    def is_resolved(self) -> bool:
        return self.status != 0


class Journal:
    """One client's, written line by line."""

    def __init__(self, file: Path) -> None:
        self._file: IO[str] = file.open("w", buffering=1, encoding="utf-8")

    def asked(self, entry: Entry) -> None:
        self._write("asked", {"kind": entry.kind, "user": entry.user, "key": entry.key, "about": entry.about})

    def answered(self, entry: Entry) -> None:
        self._write("answered", vars(entry))

    def contradiction(self, what: str) -> None:
        """Something that no answer may do, seen by the client itself."""
        self._write("contradiction", {"what": what})

    def close(self) -> None:
        self._file.close()

    def _write(self, event: str, values: dict[str, Any]) -> None:
        self._file.write(json.dumps({"event": event, **values}) + "\n")


def read(directory: Path) -> tuple[dict[str, Entry], list[str]]:
    """All journals: the requests by their keys, and the contradictions."""
    entries: dict[str, Entry] = {}
    contradictions = []
    for event, values in _lines(directory):
        if event == "contradiction":
            contradictions.append(values["what"])
        elif event == "answered" or values["key"] not in entries:
            entries[values["key"]] = Entry(**values)
    return entries, contradictions


def _lines(directory: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for file in sorted(directory.glob("journal-*.jsonl")):
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                values = json.loads(line)
                yield values.pop("event"), values


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:32]


def resolved(entry: Entry, answer: Answer, tries: int) -> Entry:
    """`entry` with what its answer said."""
    said = answer.json if answer.body else {}
    is_done = answer.status < 300  # noqa: PLR2004
    charged, refund = _moved(entry.kind, said) if is_done else (0, 0)
    return Entry(
        kind=entry.kind,
        user=entry.user,
        key=entry.key,
        about=entry.about,
        status=answer.status,
        code=answer.code,
        digest=digest(answer.body),
        booking=str(said.get("bookingId", "")),
        state="" if answer.code else str(said.get("status", "")),
        price=str(said.get("price", "")),
        charged=str(charged),
        refund=str(refund),
        forfeited=str(_forfeited(said)) if is_done and entry.kind == "take out" else "0",
        tries=tries,
    )


def _moved(kind: str, said: dict[str, Any]) -> tuple[Any, Any]:
    """What a success charged, and what it gives back."""
    if kind in ("book", "pay"):
        return said["price"], 0
    if kind == "change":
        return said["change"]["amountDue"], said["change"]["refund"]
    if kind == "seats":
        return said["amountPaid"], 0
    return 0, said["refund"]["amount"] if kind in ("cancel", "take out") else 0


def _forfeited(said: dict[str, Any]) -> Decimal:
    paid = [each["price"] for each in said["perCoupon"]] + [each["amount"] for each in said["perCharge"]]
    back = [each["refunded"] for each in (*said["perCoupon"], *said["perCharge"])]
    return sum((Decimal(str(each)) for each in paid), Decimal(0)) - sum(Decimal(str(each)) for each in back)
