"""A socket's way out is bounded, under daphne and under servers whose `send` waits."""

from __future__ import annotations

import asyncio
import functools
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from accounts.public import SessionHandle
from subscriptions.outages import OncePerMinute, Outage
from subscriptions.sockets import BACKLOG_BYTES, CloseCode, Event, Socket
from subscriptions.tests.factories import until

SOMEBODY = SessionHandle(sid="sid", user_pk=1, user_public_id="somebody")
TEXT = "x" * 1000


class Server:
    """A server whose `send` waits until its client reads."""

    def __init__(self) -> None:
        self.reads = asyncio.Event()
        self.sent: list[Event] = []

    async def send(self, event: Event) -> None:
        await self.reads.wait()
        self.sent.append(event)


async def test_a_waiting_send_holds_up_nobody_and_is_bounded() -> None:
    server = Server()
    socket = Socket(server.send, SOMEBODY)
    for _ in range(BACKLOG_BYTES // len(TEXT) + 2):
        await socket.send_text(TEXT)
    assert not server.sent
    assert socket.is_closed
    server.reads.set()
    await until(lambda: len(server.sent) > 0)
    assert server.sent[-1] == {"type": "websocket.close", "code": CloseCode.TOO_SLOW}
    await socket.send_text(TEXT)
    assert server.sent[-1]["type"] == "websocket.close"


async def test_in_order_where_it_waits_now_and_then() -> None:
    server = Server()
    socket = Socket(server.send, SOMEBODY)
    for number in range(3):
        await socket.send_text(str(number))
    server.reads.set()
    await until(lambda: len(server.sent) == 3)
    for number in range(3, 5):
        await socket.send_text(str(number))
    await socket.close(CloseCode.RESTARTING)
    await until(lambda: len(server.sent) == 6)
    assert [event.get("text") for event in server.sent] == ["0", "1", "2", "3", "4", None]


async def test_a_client_that_has_gone() -> None:
    async def send(event: Event) -> None:
        raise ConnectionResetError

    socket = Socket(send, SOMEBODY)
    await socket.send_text("1")
    await asyncio.sleep(0)
    await socket.send_text("2")
    socket.gone()


class DaphneLike:
    """As much of daphne's protocol as is looked at."""

    STATE_OPEN = 3

    def __init__(self) -> None:
        self.state = self.STATE_OPEN
        self.transport = SimpleNamespace(dataBuffer=b"", offset=0, _tempDataLen=0)
        self.sent: list[Event] = []
        self.code = 0

    async def handle_reply(self, event: Event) -> None:
        self.sent.append(event)

    def sendCloseFrame(self, code: int) -> None:  # noqa: N802 - Autobahn's name
        self.code = code

    async def _handle(self, protocol: Any, event: Event) -> None:
        await self.handle_reply(event)

    def socket(self) -> Socket:
        return Socket(functools.partial(self._handle, self), SOMEBODY)


async def test_daphnes_buffer_is_looked_at() -> None:
    server = DaphneLike()
    socket = server.socket()
    server.transport.dataBuffer, server.transport.offset = b"x" * BACKLOG_BYTES, 10
    server.transport._tempDataLen = 10
    await socket.send_text("1")
    assert (len(server.sent), server.code) == (1, 0)
    server.transport._tempDataLen = 11
    await socket.send_text("2")
    assert (len(server.sent), server.code) == (1, CloseCode.TOO_SLOW)
    assert socket.is_closed


async def test_catching_up_waits_for_room_and_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    server = DaphneLike()
    socket = server.socket()
    await socket.drain()
    server.transport._tempDataLen = BACKLOG_BYTES
    waiting = asyncio.create_task(socket.drain())
    await asyncio.sleep(0)
    assert not waiting.done()
    server.transport._tempDataLen = 0
    await waiting
    monkeypatch.setattr("subscriptions.sockets.DRAIN_SECONDS", 0)
    server.transport._tempDataLen = BACKLOG_BYTES
    await socket.drain()
    assert server.code == CloseCode.TOO_SLOW


def test_a_noisy_library_is_heard_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    noisy = logging.getLogger("channels_redis.pubsub")
    [once] = [found for found in noisy.filters if isinstance(found, OncePerMinute)]
    once._told = -1e9
    for _ in range(100):
        noisy.error("receiving", exc_info=OSError("refused"))
    assert [record.getMessage() for record in caplog.records] == ["receiving: refused"]
    assert "Traceback" not in caplog.text


def test_an_outage_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage("the moon")
    for _ in range(100):
        outage.begin(OSError("dark"))
    assert outage.is_on
    outage.end()
    outage.end()
    assert [record.getMessage().split(" for ")[0].split(" after ")[0] for record in caplog.records] == [
        "the moon is away",
        "the moon is back",
    ]
