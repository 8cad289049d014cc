"""A WebSocket client as far as the proof needs it: thousands of them at little cost beside the servers."""

from __future__ import annotations

import asyncio
import base64
import os
import struct
from collections.abc import Callable

_TEXT, _CLOSE, _PING, _PONG = 0x1, 0x8, 0x9, 0xA
_SHORT = 126
_LENGTHS = {126: ("!H", 4), 127: ("!Q", 10)}  # the longer forms: how, and where the payload begins
_NO_STATUS = 1005


class WebSocket(asyncio.Protocol):
    """One connection. `on_open()`, `on_text(bytes)` and, once, `on_close(code)` tell what happens."""

    def __init__(
        self,
        path: str,
        headers: dict[str, str],
        *,
        on_open: Callable[[WebSocket], None],
        on_text: Callable[[bytes], None],
        on_close: Callable[[int], None],
    ) -> None:
        self._path, self._headers = path, headers
        self._on_open, self._on_text, self._on_close = on_open, on_text, on_close
        self._buffer = bytearray()
        self._is_open = False
        self._code = 1006
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        fields = {
            "Host": "127.0.0.1",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Version": "13",
            **self._headers,
        }
        lines = [f"GET {self._path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        transport.write("\r\n".join([*lines, "", ""]).encode())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._is_open and not self._shake_hands():
            return
        while self._take_frame():
            pass

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_close(self._code)

    def send(self, text: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(_frame(_TEXT, text))

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _shake_hands(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        if not self._buffer.startswith(b"HTTP/1.1 101"):
            self._code = int(self._buffer[9:12] or 0)
            self.abort()
            return False
        del self._buffer[: end + 4]
        self._is_open = True
        self._on_open(self)
        return True

    def _take_frame(self) -> bool:
        """The server's frames are whole and unmasked."""
        buffer = self._buffer
        if len(buffer) < 2:  # noqa: PLR2004 - the shortest head
            return False
        size, start = buffer[1] & 0x7F, 2
        if size in _LENGTHS:
            form, start = _LENGTHS[size]
            if len(buffer) < start:
                return False
            (size,) = struct.unpack_from(form, buffer, 2)
        if len(buffer) < start + size:
            return False
        opcode, payload = buffer[0] & 0x0F, bytes(buffer[start : start + size])
        del buffer[: start + size]
        self._obey(opcode, payload)
        return True

    def _obey(self, opcode: int, payload: bytes) -> None:
        assert self._transport is not None
        if opcode == _TEXT:
            self._on_text(payload)
        elif opcode == _PING:
            self._transport.write(_frame(_PONG, payload))
        elif opcode == _CLOSE:
            self._code = struct.unpack_from("!H", payload)[0] if payload else _NO_STATUS
            self._transport.write(_frame(_CLOSE, payload[:2]))
            self._transport.close()


def _frame(opcode: int, payload: bytes) -> bytes:
    """A client's frame: masked, by zero, which leaves the payload as it is."""
    size = len(payload)
    if size < _SHORT:
        head = bytes([0x80 | opcode, 0x80 | size])
    else:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | _SHORT, size)
    return head + b"\0\0\0\0" + payload
