"""What daphne (4.2, on Autobahn) does not offer through ASGI, taken from the server itself.

- Its `send` never waits: what a client does not read piles up in the transport; `Connection.waiting` tells.
- Its `send` makes a frame anew for each socket, and has the reactor write it later. A server's frames are
  the same for all (RFC 6455, 5.1: not masked), so `Frame` keeps the bytes; where nothing waits before them
  they go to the kernel at once, and the transport gets only what the kernel did not take.
- Autobahn's `sendClose` refuses 1012, which the registry has for "service restart".
- It drops the connection on a frame over its limit, without a close frame; the contract's code is 4413.
- It answers pings, and takes in the parts of a message, as many as come and whether or not its client reads.
- A connection that it closes "when all is written" stays for good where the client does not read.
- At SIGTERM it cancels the applications and stops, and where a request had just ended not even all of them.
  It listens to the last. `before_shutdown` ends that, and hangs our farewell in front of the reactor's stop.
"""

from __future__ import annotations

import asyncio
import functools
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from subscriptions.rates import Rate

# Autobahn's own second is too short for a crowd: whoever is dropped loses the code that it has not read.
CLOSE_SECONDS = 4.0
# Of what a client does not read the kernel would keep megabytes (`tcp_wmem`) before anything waits here.
KERNEL_BYTES = 64 * 1024


class Frame:
    """A text for one socket or many. `wire`: its frame, made by the first connection that writes it."""

    __slots__ = ("text", "wire")

    def __init__(self, text: str) -> None:
        self.text = text
        self.wire = b""


class Limits(NamedTuple):
    """What one client may do to its connection, and the codes that it is closed with over that."""

    waiting_bytes: int
    frames_per_second: int
    too_slow: int
    too_large: int
    too_many: int


class Connection:
    """The server's side of one socket."""

    __slots__ = ("_drop", "_limits", "_protocol", "_rate", "_transport", "_wire")

    def __init__(self, protocol: Any, limits: Limits) -> None:
        self._protocol = protocol
        self._transport = protocol.transport
        self._wire = _wire(protocol.transport)
        self._limits = limits
        self._rate = Rate(limits.frames_per_second)
        self._drop: asyncio.TimerHandle | None = None
        _keep_little_in_the_kernel(self._wire.getHandle())
        protocol.failByDrop = False
        protocol.closeHandshakeTimeout = CLOSE_SECONDS
        protocol._max_message_size_exceeded = self._refuse_large_frame
        protocol._closeConnection = self._end
        protocol.onFrameBegin = self._frame_begins
        self._forget_handshake()

    def _forget_handshake(self) -> None:
        """A quarter of a socket's memory: the HTTP request, and three copies of its headers.

        The transport has the request's channel for a producer, to be paused where much waits to be written.
        What a WebSocket's client says, pongs among it, must not wait for that.
        """
        self._transport.unregisterProducer()
        self._protocol.clean_headers.clear()  # the application's scope has the same list
        self._protocol.http_headers.clear()
        self._protocol.http_request_data = b""

    def waiting(self) -> int:
        """Bytes in Twisted's two buffers (`abstract.FileDescriptor`): one being written, one behind it."""
        wire = self._wire
        return len(wire.dataBuffer) - int(wire.offset) + int(wire._tempDataLen)

    def put(self, frame: Frame) -> None:
        """Sends it, behind all that was sent before; where the connection is no longer open, nowhere."""
        protocol, transport = self._protocol, self._transport
        if protocol.state != protocol.STATE_OPEN:
            return
        if not frame.wire:
            frame.wire = protocol.factory.prepareMessage(frame.text.encode(), doNotCompress=True).payloadHybi
        is_at_once = transport is self._wire and not self.waiting()
        written = transport.writeSomeData(frame.wire) if is_at_once else 0
        if isinstance(written, Exception):
            written = 0  # the reactor meets the same failure, and ends the connection as it should
        if written < len(frame.wire):
            transport.write(frame.wire[written:])

    def close(self, code: int) -> None:
        """Sends the close frame; a client that does not answer it is dropped after `CLOSE_SECONDS`."""
        if self._protocol.state == self._protocol.STATE_OPEN:
            self._protocol.sendCloseFrame(code=code)

    def abort(self) -> None:
        """Ends the connection at once, without a word."""
        self._transport.abortConnection()

    def discard(self) -> None:
        """The client is gone, and what is still in the transport's buffers with it.

        Timers would keep the connection until the time for an answer to its close frame is over: of a flood
        of refused openings, thousands.
        """
        timer = self._protocol.closeHandshakeTimeoutCall
        if timer is not None:
            timer.cancel()
            self._protocol.closeHandshakeTimeoutCall = None
        if self._drop is not None:
            self._drop.cancel()

    def _refuse_large_frame(self, size: int, limit: int, reason: str) -> None:
        """Autobahn's hook; what still comes of that frame is not kept."""
        self._protocol._fail_connection(self._limits.too_large, reason)

    def _frame_begins(self) -> None:
        """Autobahn's hook for each frame; the application hears of whole messages alone."""
        if not self._rate.allows(time.monotonic()):
            self._refuse(self._limits.too_many, "too many frames")
            self._stop_reading()
        elif self.waiting() > self._limits.waiting_bytes:
            self._refuse(self._limits.too_slow, "too slow a reader")
        type(self._protocol).onFrameBegin(self._protocol)

    def _refuse(self, code: int, reason: str) -> None:
        if self._protocol.state == self._protocol.STATE_OPEN:
            self._protocol._fail_connection(code, reason)

    def _stop_reading(self) -> None:
        """Nor is what was read looked at: a flood costs nothing more until the connection is dropped."""
        self._transport.pauseProducing()
        self._protocol.data = b""

    def _end(self, abort: bool = False) -> None:  # noqa: FBT001, FBT002 - Autobahn's hook
        """Without `abort`, when all is written; but where the client does not read, that is never."""
        if not abort:
            self._transport.loseConnection()
            loop = asyncio.get_running_loop()
            self._drop = loop.call_later(CLOSE_SECONDS, self._transport.abortConnection)
        else:
            self._transport.abortConnection()


def _keep_little_in_the_kernel(connection: socket.socket) -> None:
    """Of what was never sent; what is on its way does not count, so that a good line stays as fast."""
    if connection.family in (socket.AF_INET, socket.AF_INET6) and hasattr(socket, "TCP_NOTSENT_LOWAT"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, KERNEL_BYTES)


def connection_of(send: object, limits: Limits) -> Connection | None:
    """The connection behind an ASGI `send` of daphne's; None under another server."""
    protocol = send.args[0] if isinstance(send, functools.partial) and send.args else None
    is_known = hasattr(protocol, "sendCloseFrame") and hasattr(
        getattr(protocol, "factory", None), "prepareMessage"
    )
    return Connection(protocol, limits) if is_known else None


def _wire(transport: Any) -> Any:
    """What has the two buffers: the transport, or what TLS wraps.

    Raises:
        TypeError: neither has them, so that nothing would bound what waits.
    """
    for layer in (transport, getattr(transport, "transport", None)):
        own = getattr(layer, "__dict__", ())  # a wrapper answers for what it wraps
        if "_tempDataLen" in own and not getattr(layer, "TLS", False):
            return layer
    raise TypeError(f"daphne has a transport that is not known: {transport!r}")


def before_shutdown(farewell: Callable[[], Awaitable[None]]) -> None:
    """Runs `farewell` before the reactor stops and makes it wait; does nothing under another server.

    From then on nobody is let in: who was sent elsewhere might come back here, and be sent away again.
    """
    reactor: Any = sys.modules.get("twisted.internet.reactor")
    if reactor is None or not reactor.running:
        return
    from twisted.internet.defer import Deferred  # noqa: PLC0415 - a process without daphne never loads it

    def stop() -> Any:
        _stop_listening(reactor)
        return Deferred.fromFuture(asyncio.ensure_future(farewell()))

    reactor.addSystemEventTrigger("before", "shutdown", stop)


def _stop_listening(reactor: Any) -> None:
    """The kernel refuses who dials, so that a gateway tries another replica at once."""
    from twisted.internet.interfaces import IListeningPort  # noqa: PLC0415 - as above

    for reader in reactor.getReaders():
        if IListeningPort.providedBy(reader):
            reader.stopListening()
