"""Subscriptions, updates and sockets for tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from asgiref.testing import ApplicationCommunicator
from django.db import connection

from accounts.tests.factories import api_client, login
from flights import public as flights
from flights.models import Flight
from flights.tests.factories import make_flight
from subscriptions.hub import Hub, current_hub
from subscriptions.log_reads import off_loop
from subscriptions.relay import CONSUMER, Relay
from subscriptions.routing import websocket_application

Headers = list[tuple[bytes, bytes]]


def make_flights(count: int) -> list[Flight]:
    return [make_flight(number=100 + index) for index in range(count)]


def report(flight_pk: int, count: int = 1, **fields: Any) -> int:
    """Records `count` delays, each with another reason; the last one's sequence."""
    sequence = 0
    for _ in range(count):
        number = flights.sequences([flight_pk])[flight_pk] + 1
        values: dict[str, Any] = {"status": "Delayed", "delay_minutes": number, "reason": f"reason {number}"}
        recorded = flights.record_update(flight_pk=flight_pk, source="test", **(values | fields))
        assert recorded.update is not None
        sequence = recorded.update.sequence
    return sequence


def register_relay() -> None:
    flights.register_consumer(CONSUMER)


def rename_log(name: str) -> None:
    """What a restore from backup does at its end."""
    flights.log_name()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE flights_updatelog SET name = %s", [name])


class Client:
    """A client of the WebSocket, in this process. Each wait for a message is at most `seconds` long.

    Not on Channels' own communicator: that one keeps the application from closing its database connections.
    """

    def __init__(self, path: str = "/ws/flight-updates", headers: Headers | None = None) -> None:
        parts = urlsplit(path)
        scope = {
            "type": "websocket",
            "path": parts.path,
            "query_string": parts.query.encode(),
            "headers": [(b"host", b"testserver"), *(headers or [])],
        }
        communicator: Any = ApplicationCommunicator
        self._wire: Any = communicator(websocket_application, scope)

    async def dial(self) -> None:
        await self._wire.send_input({"type": "websocket.connect"})

    async def open(self) -> bool:
        """Whether the socket was accepted."""
        await self.dial()
        answer = await self._wire.receive_output(10)
        return bool(answer["type"] == "websocket.accept")

    async def be_counted(self) -> None:
        """Waits until the hub has let an accepted socket in; what a client says is answered only then."""
        await self.say_text("?")
        assert (await self.hear())["code"] == "invalid"

    async def leave(self) -> None:
        await self._wire.send_input({"type": "websocket.disconnect", "code": 1000})
        await self._wire.wait(10)

    async def say(self, **message: Any) -> None:
        await self.say_text(json.dumps(message))

    async def say_text(self, text: str) -> None:
        await self._wire.send_input({"type": "websocket.receive", "text": text})

    async def say_bytes(self, data: bytes) -> None:
        await self._wire.send_input({"type": "websocket.receive", "bytes": data})

    async def hear(self, seconds: float = 10) -> dict[str, Any]:
        event = await self._wire.receive_output(seconds)
        assert event["type"] == "websocket.send", event
        message: dict[str, Any] = json.loads(event["text"])
        return message

    async def hears_nothing(self, seconds: float = 0.1) -> bool:
        return bool(await self._wire.receive_nothing(seconds))

    async def closed_with(self, seconds: float = 10) -> int:
        """The code that the server closes with, after whatever it said before."""
        while True:
            event = await self._wire.receive_output(seconds)
            if event["type"] == "websocket.close":
                return int(event["code"])


def bearer(token: str) -> Headers:
    return [(b"authorization", f"Bearer {token}".encode())]


def http(token: str) -> Any:
    """A client of the API with that token."""
    client = api_client()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


async def publish() -> None:
    """What `manage.py relay` does, once."""
    relay = Relay()
    try:
        while await relay.step():
            pass
    finally:
        await relay.close()


@asynccontextmanager
async def open_client(user: Any) -> AsyncIterator[Client]:
    """A client of `user` whose socket was accepted."""
    client = Client(headers=bearer(await off_loop(login, user)))
    assert await client.open()
    try:
        yield client
    finally:
        await client.leave()


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Returns when `condition` holds; asked after each turn of the event loop."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


def hub() -> Hub:
    return current_hub()
