"""Everybody wants the same at the same moment: the last seats of a flight, and one seat number.

What was sold is judged at the end, with everything else; here is only how it went.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections import Counter
from dataclasses import dataclass
from typing import Any

from bench.race.http import Answer
from bench.race.journal import Entry, Journal
from bench.race.servers import Servers
from bench.race.traveller import Client, User

PARALLEL = 48
_COUPLE = [{"givenName": name, "familyName": "Rush"} for name in ("Ada", "Bo")]


@dataclass(frozen=True)
class Rush:
    what: str
    answers: Counter[str]
    seconds: float


def run(servers: Servers, last_seats: str, one_seat: str, *, token: str) -> list[Rush]:
    """`last_seats` is a flight of 20 seats, which couples want; `one_seat` any, of which all want 20A."""
    return asyncio.run(_run(servers, last_seats, one_seat, token))


async def _run(servers: Servers, last_seats: str, one_seat: str, token: str) -> list[Rush]:
    journal = Journal(servers.directory / "journal-rush.jsonl")
    until = time.monotonic() + 60
    client = Client(servers.port, journal, lambda: time.monotonic() > until)
    user = User("race-rush")
    await client.log_in(user)
    seat = {"flightId": one_seat, "passenger": 0, "seat": "20A"}
    wishes: dict[str, dict[str, Any]] = {
        "20 seats, by couples": {"flightId": last_seats, "passengers": _COUPLE},
        "one seat number": {"flightId": one_seat, "seats": [seat]},
    }
    card = {"userId": user.user_id, "paymentMethod": "credit_card"} | (
        {"paymentToken": token} if token else {}
    )
    rushes = [await _rush(client, user, what, card | wish) for what, wish in wishes.items()]
    journal.close()
    return rushes


async def _rush(client: Client, user: User, what: str, body: dict[str, Any]) -> Rush:
    began = time.monotonic()
    sent = json.dumps(body).encode()
    answers = await asyncio.gather(*(_book(client, user, body["flightId"], sent) for _ in range(PARALLEL)))
    return Rush(what, Counter(map(_said, answers)), time.monotonic() - began)


async def _book(client: Client, user: User, flight: str, sent: bytes) -> Answer | None:
    entry = Entry(kind="book", user=user.user_id, key=str(uuid.uuid4()), about=flight)
    client.journal.asked(entry)
    return await client.insist(entry, user, "/book-flight", sent)


def _said(answer: Answer | None) -> str:
    return "no answer" if answer is None else f"{answer.status} {answer.code}".rstrip()
