"""What daphne (4.2, on Autobahn) does not offer through ASGI, taken from the server itself.

- Its `send` never waits: what a client does not read piles up in the transport; `Connection.waiting` tells.
- Autobahn's `sendClose` refuses 1012, which the registry has for "service restart".
- It drops the connection on a frame over its limit, without a close frame; the contract's code is 4413.
- At SIGTERM it cancels the applications and stops, and where a request had just ended not even all of them.
  `before_shutdown` hangs our farewell in front of the reactor's stop.
"""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Awaitable, Callable
from typing import Any

# Autobahn's own second is too short for a crowd: whoever is dropped loses the code that it has not read.
CLOSE_SECONDS = 4.0


class Connection:
    """The server's side of one socket. `code_for_large_frames` is for what is over its own limit."""

    def __init__(self, protocol: Any, code_for_large_frames: int) -> None:
        self._protocol = protocol
        self._transport = protocol.transport
        self._code_for_large_frames = code_for_large_frames
        protocol.failByDrop = False
        protocol.closeHandshakeTimeout = CLOSE_SECONDS
        protocol._max_message_size_exceeded = self._refuse_large_frame

    def waiting(self) -> int:
        """Bytes in Twisted's two buffers (`abstract.FileDescriptor`): one being written, one behind it."""
        transport = self._transport
        return len(transport.dataBuffer) - int(transport.offset) + int(transport._tempDataLen)

    def close(self, code: int) -> None:
        """Sends the close frame; a client that does not answer it is dropped after `CLOSE_SECONDS`."""
        if self._protocol.state == self._protocol.STATE_OPEN:
            self._protocol.sendCloseFrame(code=code)

    def _refuse_large_frame(self, size: int, limit: int, reason: str) -> None:
        """Autobahn's hook; what still comes of that frame is not kept."""
        self._protocol._fail_connection(self._code_for_large_frames, reason)


def connection_of(send: object, *, code_for_large_frames: int) -> Connection | None:
    """The connection behind an ASGI `send` of daphne's; None under another server."""
    protocol = send.args[0] if isinstance(send, functools.partial) and send.args else None
    transport = getattr(protocol, "transport", None)
    if not hasattr(protocol, "sendCloseFrame") or not hasattr(transport, "_tempDataLen"):
        return None
    return Connection(protocol, code_for_large_frames)


def before_shutdown(farewell: Callable[[], Awaitable[None]]) -> None:
    """Runs `farewell` before the reactor stops and makes it wait; does nothing under another server."""
    reactor: Any = sys.modules.get("twisted.internet.reactor")
    if reactor is None or not reactor.running:
        return
    from twisted.internet.defer import Deferred  # noqa: PLC0415 - a process without daphne never loads it

    reactor.addSystemEventTrigger(
        "before", "shutdown", lambda: Deferred.fromFuture(asyncio.ensure_future(farewell()))
    )
