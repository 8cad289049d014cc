"""A socket's way out is bounded, under daphne and under servers whose `send` waits."""

from __future__ import annotations

import asyncio
import functools
import logging
import socket as kernel
from typing import Any
from unittest.mock import Mock

import pytest
from autobahn.twisted.websocket import WebSocketServerFactory
from twisted.internet.error import ConnectionLost

from accounts.public import SessionHandle
from subscriptions.daphne_server import KERNEL_BYTES, Frame
from subscriptions.outages import OncePerMinute, Outage
from subscriptions.sockets import BACKLOG_BYTES, CloseCode, Event, QueuedOutbox, Socket
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
        socket.send_text(TEXT)
    assert not server.sent
    assert socket.is_closed
    server.reads.set()
    await until(lambda: len(server.sent) > 0)
    assert server.sent[-1] == {"type": "websocket.close", "code": CloseCode.TOO_SLOW}
    socket.send_text(TEXT)
    assert server.sent[-1]["type"] == "websocket.close"


async def test_in_order_where_it_waits_now_and_then() -> None:
    server = Server()
    socket = Socket(server.send, SOMEBODY)
    for number in range(3):
        socket.send_text(str(number))
    server.reads.set()
    await until(lambda: len(server.sent) == 3)
    for number in range(3, 5):
        socket.send_text(str(number))
    socket.close(CloseCode.RESTARTING)
    await until(lambda: len(server.sent) == 6)
    assert [event.get("text") for event in server.sent] == ["0", "1", "2", "3", "4", None]


async def test_a_client_that_has_gone() -> None:
    async def send(event: Event) -> None:
        raise ConnectionResetError

    socket = Socket(send, SOMEBODY)
    socket.send_text("1")
    await until(lambda: socket._outbox._writer is None)  # type: ignore[attr-defined]  # it is a QueuedOutbox
    socket.send_text("2")
    socket.gone()
    assert socket.is_closed
    assert socket._outbox.waiting() == 0


class Transport:
    """As much of Twisted's as is looked at; `takes`: the bytes that the kernel has room for."""

    TLS = False

    def __init__(self) -> None:
        self.dataBuffer = b""
        self.offset = self._tempDataLen = 0
        self.takes = 1_000_000
        self.is_lost = False
        self.sent = self.buffered = b""
        self.handle = kernel.socket()

    def getHandle(self) -> kernel.socket:  # noqa: N802 - Twisted's name
        return self.handle

    def writeSomeData(self, data: bytes) -> int | Exception:  # noqa: N802 - Twisted's name
        if self.is_lost:
            return ConnectionLost()
        self.sent += data[: self.takes]
        return min(len(data), self.takes)

    def write(self, data: bytes) -> None:
        self.buffered += data
        self._tempDataLen += len(data)

    def unregisterProducer(self) -> None:  # noqa: N802 - Twisted's name
        """Nobody is registered."""


class DaphneLike:
    """As much of daphne's protocol as is looked at."""

    STATE_OPEN = 3

    def __init__(self) -> None:
        self.state = self.STATE_OPEN
        self.transport = Transport()
        self.factory = WebSocketServerFactory()  # type: ignore[no-untyped-call]
        self.clean_headers = [(b"host", b"testserver")]
        self.http_headers = {"host": "testserver"}
        self.code = 0
        self.closeHandshakeTimeoutCall: Any = None

    def sendCloseFrame(self, code: int) -> None:  # noqa: N802 - Autobahn's name
        self.code = code

    async def _handle(self, protocol: Any, event: Event) -> None:
        raise AssertionError("passed by")

    def socket(self) -> Socket:
        return Socket(functools.partial(self._handle, self), SOMEBODY)


async def test_daphnes_buffer_is_looked_at() -> None:
    server = DaphneLike()
    socket = server.socket()
    server.transport.dataBuffer, server.transport.offset = b"x" * BACKLOG_BYTES, 10
    server.transport._tempDataLen = 10
    socket.send_text("1")
    assert (server.transport.buffered, server.code) == (b"\x81\x011", 0)
    assert not server.transport.sent  # behind what waits
    socket.send_text("2")
    assert (server.transport.buffered, server.code) == (b"\x81\x011", CloseCode.TOO_SLOW)
    assert socket.is_closed


async def test_the_kernel_takes_what_it_can_and_the_transport_the_rest() -> None:
    server = DaphneLike()
    socket = server.socket()
    socket.send_text("one")
    assert (server.transport.sent, server.transport.buffered) == (b"\x81\x03one", b"")
    server.transport.takes = 3
    socket.send_text("two")
    socket.send_text("three")
    assert server.transport.sent == b"\x81\x03one" + b"\x81\x03t"
    assert server.transport.buffered == b"wo" + b"\x81\x05three"


async def test_the_kernel_is_told_to_keep_little() -> None:
    server = DaphneLike()
    server.socket()
    with server.transport.handle as handle:
        assert handle.getsockopt(kernel.IPPROTO_TCP, kernel.TCP_NOTSENT_LOWAT) == KERNEL_BYTES


async def test_a_lost_connection_is_left_to_the_reactor() -> None:
    server = DaphneLike()
    socket = server.socket()
    server.transport.is_lost = True
    socket.send_text("1")
    assert server.transport.buffered == b"\x81\x011"
    server.state = 0
    socket.send_text("2")
    assert server.transport.buffered == b"\x81\x011"


async def test_a_frame_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    servers = [DaphneLike() for _ in range(3)]
    frame = Frame("é" * 100)
    for server in servers:
        server.socket().push(frame)
        monkeypatch.setattr(WebSocketServerFactory, "prepareMessage", None)
    assert {server.transport.sent for server in servers} == {b"\x81\x7e\x00\xc8" + "é".encode() * 100}


async def test_who_is_gone_is_not_waited_for() -> None:
    server = DaphneLike()
    socket = server.socket()
    timer = server.closeHandshakeTimeoutCall = Mock()
    socket.gone()
    timer.cancel.assert_called_once_with()
    assert server.closeHandshakeTimeoutCall is None
    socket.gone()


async def test_tls_is_not_passed_by() -> None:
    server = DaphneLike()
    server.transport.TLS = True
    wrapped = DaphneLike()
    wrapped.transport = Wrapper(wrapped.transport)  # type: ignore[assignment]
    for each in (server, wrapped):
        assert isinstance(each.socket()._outbox, QueuedOutbox)


class Wrapper:
    """As Twisted wraps a transport for TLS: it answers for what it wraps."""

    def __init__(self, wrapped: Transport) -> None:
        self.wrapped = wrapped

    def __getattr__(self, name: str) -> Any:
        return getattr(self.wrapped, name)


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
