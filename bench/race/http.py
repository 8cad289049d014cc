"""HTTP/1.1 as far as the race needs it: one request at a time on a kept connection, at little cost.

A general client spends as long on a request as the server does on a booking, and both share the cores here.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass
from typing import Any

ANSWER_SECONDS = 30.0


class Lost(Exception):
    """The connection ended before a whole answer: nobody knows what was done."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    replayed: bool

    @property
    def json(self) -> Any:
        return json.loads(self.body) if self.body else {}

    @property
    def code(self) -> str:
        """Of a problem document; empty for a success."""
        if self.status < 400:  # noqa: PLR2004
            return ""
        try:
            return str(self.json.get("code", "?"))
        except ValueError:  # no problem document: the server's own words
            return "?"


class Connection:
    """To ``host:port``, opened when it is needed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(
        self, method: str, path: str, body: bytes = b"", *, token: str = "", key: str = ""
    ) -> Answer:
        """Raises `Lost`."""
        head = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
        if body:
            head.append("Content-Type: application/json")
        if token:
            head.append(f"Authorization: Bearer {token}")
        if key:
            head.append(f"Idempotency-Key: {key}")
        request = "\r\n".join(head).encode() + b"\r\n\r\n" + body
        try:
            return await asyncio.wait_for(self._exchange(request), ANSWER_SECONDS)
        except (OSError, EOFError, ValueError, TimeoutError) as error:
            self.close()
            raise Lost(repr(error)) from error

    async def _exchange(self, request: bytes) -> Answer:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        fields = dict(_field(line) for line in lines[1:] if line)
        body = await reader.readexactly(int(fields.get("content-length", "0")))
        if fields.get("connection", "").lower() == "close":
            self.close()
        return Answer(int(lines[0].split(" ")[1]), body, fields.get("idempotent-replayed") == "true")

    def close(self) -> None:
        if self._streams is not None:
            with contextlib.suppress(OSError):
                self._streams[1].close()
            self._streams = None


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip().lower(), value.strip()
