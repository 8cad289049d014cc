"""Fifty parallel requests under one key, some of them killed: one effect, one answer."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg2

from bench.race.http import Answer
from bench.race.journal import Entry, Journal
from bench.race.kill_points import POINTS, Armoury
from bench.race.servers import Servers
from bench.race.traveller import Client, User

PARALLEL = 50
_KILLED_AT = (
    "book: attempt committed, gateway not asked",
    "book: authorised, sale not begun",
    "sale: seats claimed, before COMMIT",
    "sale: committed, not answered",
)
_EFFECTS = """
SELECT (SELECT count(*) FROM bookings_segment WHERE flight_id = %(flight)s),
       (SELECT count(*) FROM bookings_paymentattempt AS p
          JOIN bookings_segment AS s ON s.booking_id = p.booking_id
         WHERE s.flight_id = %(flight)s AND p.state IN ('to_capture', 'captured')),
       (SELECT capacity - available FROM flights_cabininventory WHERE flight_id = %(flight)s)
"""


@dataclass(frozen=True)
class Outcome:
    """Of one key: how its requests went, and what they did."""

    killed_at: str
    kills: int
    lost: int
    in_progress: int
    answers: int
    bookings: int
    payments: int
    seats: int
    seconds: float

    @property
    def is_right(self) -> bool:
        return (self.answers, self.bookings, self.payments, self.seats) == (1, 1, 1, 1)


def run(servers: Servers, flights: list[str], *, token: str) -> list[Outcome]:
    """One key for each flight, each with another point to be killed at; paid by the card `token`."""
    return asyncio.run(_run(servers, flights, token))


async def _run(servers: Servers, flights: list[str], token: str) -> list[Outcome]:
    journal = Journal(servers.directory / "journal-one-key.jsonl")
    armoury = Armoury(servers.directory)
    user = User("race-one-key")
    await Client(servers.port, journal, lambda: False).log_in(user)
    outcomes = []
    for flight, name in zip(flights, _KILLED_AT, strict=True):
        [point] = [point for point in POINTS if point.name == name]
        fired = armoury.fired()[name]
        armoury.arm(point)
        client = Client(servers.port, journal, _after(40.0))
        entry = Entry(kind="book", user=user.user_id, key=str(uuid.uuid4()), about=flight)
        journal.asked(entry)
        body = _body(user, flight, token, has_seat=bool(point.transaction))
        began = time.monotonic()
        answers = await asyncio.gather(*(_insist(client, entry, user, body) for _ in range(PARALLEL)))
        armoury.disarm_all()
        outcomes.append(
            _outcome(
                servers,
                client,
                flight,
                name,
                armoury.fired()[name] - fired,
                answers,
                time.monotonic() - began,
            )
        )
    journal.close()
    return outcomes


def _body(user: User, flight: str, token: str, *, has_seat: bool) -> dict[str, Any]:
    """A sale with a chosen seat is a transaction of several messages, any other one message."""
    body: dict[str, Any] = {"userId": user.user_id, "flightId": flight, "paymentMethod": "credit_card"}
    if has_seat:
        body["seats"] = [{"flightId": flight, "passenger": 0, "seat": "20A"}]
    return body | ({"paymentToken": token} if token else {})


async def _insist(client: Client, entry: Entry, user: User, body: dict[str, Any]) -> Answer | None:
    return await client.insist(entry, user, "/book-flight", json.dumps(body).encode())


def _outcome(
    servers: Servers,
    client: Client,
    flight: str,
    name: str,
    kills: int,
    answers: list[Answer | None],
    seconds: float,
) -> Outcome:
    bookings, payments, seats = _effects(servers.connect(), int(flight.removeprefix("FL")))
    return Outcome(
        killed_at=name,
        kills=kills,
        lost=client.tally.sent["connection lost"],
        in_progress=client.tally.sent["409 request_in_progress"],
        answers=len({None if answer is None else (answer.status, answer.body) for answer in answers}),
        bookings=bookings,
        payments=payments,
        seats=seats,
        seconds=seconds,
    )


def _effects(connection: psycopg2.extensions.connection, flight: int) -> tuple[int, int, int]:
    try:
        with connection.cursor() as cursor:
            cursor.execute(_EFFECTS, {"flight": flight})
            bookings, payments, seats = cursor.fetchone() or (0, 0, 0)
            return bookings, payments, seats
    finally:
        connection.close()


def _after(seconds: float) -> Callable[[], bool]:
    until = time.monotonic() + seconds
    return lambda: time.monotonic() > until
