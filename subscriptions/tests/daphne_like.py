"""A connection of daphne's without daphne: what is used of its protocol and transport."""

from __future__ import annotations

import functools
import socket as kernel
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory
from twisted.internet.error import ConnectionLost

from accounts.public import SessionHandle
from subscriptions.sockets import Event, Socket

SOMEBODY = SessionHandle(sid="sid", user_pk=1, user_public_id="somebody")


class Transport:
    """As much of Twisted's as is looked at; `takes`: the bytes that the kernel has room for."""

    TLS = False

    def __init__(self) -> None:
        self.dataBuffer = b""
        self.offset = self._tempDataLen = 0
        self.takes = 1_000_000
        self.is_lost = self.is_aborted = False
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

    def abortConnection(self) -> None:  # noqa: N802 - Twisted's name
        self.is_aborted = True


class DaphneLike:
    """As much of daphne's protocol as is looked at."""

    STATE_OPEN = 3

    def __init__(self) -> None:
        self.state = self.STATE_OPEN
        self.transport = Transport()
        self.factory = WebSocketServerFactory()  # type: ignore[no-untyped-call]  # Autobahn
        self.clean_headers = [(b"host", b"testserver")]
        self.http_headers = {"host": "testserver"}
        self.code = 0
        self.closeHandshakeTimeoutCall: Any = None

    def sendCloseFrame(self, code: int) -> None:  # noqa: N802 - Autobahn's name
        self.code = code

    def _fail_connection(self, code: int, reason: str) -> None:
        self.sendCloseFrame(code)

    def onFrameBegin(self) -> None:  # noqa: N802 - Autobahn's name
        """What the application is not told of."""

    async def _handle(self, protocol: Any, event: Event) -> None:
        raise AssertionError("passed by")

    def socket(self) -> Socket:
        return Socket(functools.partial(self._handle, self), SOMEBODY)
