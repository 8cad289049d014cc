"""A socket's way out is bounded, under daphne and under servers whose `send` waits."""

from __future__ import annotations

import asyncio
import logging
import socket as kernel
from typing import Any
from unittest.mock import Mock

import pytest
from autobahn.twisted.websocket import WebSocketServerFactory

from flightbook.logs import OncePerMinute
from subscriptions.daphne_server import KERNEL_BYTES, Frame
from subscriptions.outages import Outage
from subscriptions.sockets import BACKLOG_BYTES, CloseCode, Event, Socket
from subscriptions.tests.daphne_like import SOMEBODY, DaphneLike, Transport
from subscriptions.tests.factories import hub, until

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


async def test_it_is_looked_at_with_each_frame_that_comes() -> None:
    """Pongs, say, wait in it too."""
    server = DaphneLike()
    server.socket()
    server.transport._tempDataLen = BACKLOG_BYTES
    server.onFrameBegin()
    assert server.code == 0
    server.transport._tempDataLen += 1
    server.onFrameBegin()
    assert server.code == CloseCode.TOO_SLOW


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


class TLS:
    """As Twisted wraps a transport for TLS: it answers for what it wraps."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.clear = b""

    def write(self, data: bytes) -> None:
        self.clear += data

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)


async def test_tls_is_not_passed_by_and_the_buffer_beneath_is_looked_at() -> None:
    server = DaphneLike()
    beneath = server.transport
    server.transport = tls = TLS(beneath)  # type: ignore[assignment]  # by __getattr__
    socket = server.socket()
    socket.send_text("1")
    assert (tls.clear, beneath.sent) == (b"\x81\x011", b"")
    beneath._tempDataLen = BACKLOG_BYTES + 1
    socket.send_text("2")
    assert (tls.clear, server.code) == (b"\x81\x011", CloseCode.TOO_SLOW)


async def test_a_transport_whose_buffer_cannot_be_looked_at_is_refused() -> None:
    server = DaphneLike()
    server.transport.TLS = True  # begun on an open connection
    with pytest.raises(TypeError):
        server.socket()


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


@pytest.mark.django_db(transaction=True)
async def test_the_watcher_looks_at_all_buffers() -> None:
    server = DaphneLike()
    socket = server.socket()
    assert await hub().enter(socket)
    try:
        server.transport._tempDataLen = BACKLOG_BYTES + 1
        await hub().look_round()
        assert (socket.is_closed, server.code) == (True, CloseCode.TOO_SLOW)
    finally:
        hub().leave(socket)


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
