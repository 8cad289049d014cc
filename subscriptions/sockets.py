"""One open socket: whose it is, what it follows, and its way out, which is bounded."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Protocol

from django.conf import settings

from accounts.public import SessionHandle
from subscriptions.daphne_server import Frame, Limits, connection_of

if TYPE_CHECKING:
    from subscriptions.topics import Topic

logger = logging.getLogger(__name__)

Event = Mapping[str, Any]
Send = Callable[[Event], Awaitable[None]]

# What may wait for one reader, in bytes: some 800 updates. Over it the socket is cut off.
BACKLOG_BYTES = 256 * 1024
# A follower that catches up on a long log is given this long to read a page of it.
DRAIN_SECONDS = 15.0
_DRAIN_STEP = 0.02
# Pongs, and messages in parts.
_FRAMES_PER_MESSAGE = 5


class CloseCode(IntEnum):
    """The contract's."""

    RESTARTING = 1012
    SESSION_ENDED = 4401
    TOO_SLOW = 4408
    TOO_LARGE = 4413
    TOO_MANY = 4429


@functools.cache
def _limits(messages_per_second: int) -> Limits:
    """One for all sockets."""
    return Limits(
        waiting_bytes=BACKLOG_BYTES,
        frames_per_second=messages_per_second * _FRAMES_PER_MESSAGE,
        too_slow=CloseCode.TOO_SLOW,
        too_large=CloseCode.TOO_LARGE,
        too_many=CloseCode.TOO_MANY,
    )


class Outbox(Protocol):
    """The way out of one socket, which never waits. `waiting`: bytes that its client has not taken yet."""

    def waiting(self) -> int: ...
    def put(self, frame: Frame, /) -> None: ...
    def close(self, code: int) -> None: ...
    def abort(self) -> None: ...
    def discard(self) -> None: ...


class QueuedOutbox:
    """For a server whose `send` waits for a slow reader: a queue and a task, so that no other waits too."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._bytes = 0
        self._queue: deque[Event] = deque()
        self._writer: asyncio.Task[None] | None = None

    def waiting(self) -> int:
        return self._bytes

    def put(self, frame: Frame) -> None:
        self._append({"type": "websocket.send", "text": frame.text})

    def close(self, code: int) -> None:
        """Behind what waits, where it is being read; else instead of it."""
        if self._bytes > BACKLOG_BYTES:
            self.discard()
        self._append({"type": "websocket.close", "code": code})

    def abort(self) -> None:
        """ASGI has no way to; what waits is not sent."""
        self.discard()

    def discard(self) -> None:
        if self._writer is not None:
            self._writer.cancel()
            self._writer = None
        self._queue.clear()
        self._bytes = 0

    def _append(self, event: Event) -> None:
        self._queue.append(event)
        self._bytes += len(event.get("text") or "")
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())

    async def _write(self) -> None:
        try:
            while self._queue:
                event = self._queue.popleft()
                await self._send(event)
                self._bytes -= len(event.get("text") or "")
        except OSError:  # the client has gone; its disconnect is on the way to the application
            self._queue.clear()
        self._writer = None


class Socket:
    """A socket that was accepted. `topics` are the flights that it follows, by key."""

    __slots__ = ("_outbox", "is_closed", "session", "topics")

    def __init__(self, send: Send, session: SessionHandle) -> None:
        self.session = session
        self.topics: dict[int, Topic] = {}
        self.is_closed = False
        connection = connection_of(send, _limits(settings.SOCKET_MESSAGES_PER_SECOND))
        self._outbox: Outbox = connection or QueuedOutbox(send)

    def push(self, frame: Frame) -> None:
        """Sends it; closes the socket instead where its reader is too slow."""
        self.cut_off_if_slow()
        if not self.is_closed:
            self._outbox.put(frame)

    def cut_off_if_slow(self) -> None:
        """Closes it where its reader is too slow, for what we send or for the answers to its pings."""
        if not self.is_closed and self._outbox.waiting() > BACKLOG_BYTES:
            self.close(CloseCode.TOO_SLOW)

    def send_text(self, text: str) -> None:
        self.push(Frame(text))

    async def drain(self) -> None:
        """Waits for room for another page of the log; a reader too slow even for that is cut off."""
        deadline = asyncio.get_running_loop().time() + DRAIN_SECONDS
        while not self.is_closed and self._outbox.waiting() > BACKLOG_BYTES // 4:
            if asyncio.get_running_loop().time() > deadline:
                self.close(CloseCode.TOO_SLOW)
            await asyncio.sleep(_DRAIN_STEP)

    def close(self, code: CloseCode) -> None:
        """Once; what is sent afterwards goes nowhere."""
        if not self.is_closed:
            self.is_closed = True
            self._outbox.close(int(code))

    def give_up(self) -> None:
        """After a failure of ours: its client is to come back; where that can't be said, it is cut off."""
        try:
            self.close(CloseCode.RESTARTING)
        except Exception:
            logger.exception("a socket could not be closed")
            self._outbox.abort()

    def gone(self) -> None:
        """The client is no longer there."""
        self.is_closed = True
        self._outbox.discard()
