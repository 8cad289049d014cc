"""A client that no server wishes for: `python -m bench.updates.abuser KIND SETTINGS.json`, until SIGTERM.

`silent` never reads what it follows; `large` sends frames of 2 MB; `flood` sends 10,000 messages a second;
`many` opens 5,000 sockets of one user, as fast as they are refused. At the end it says one line of JSON: how
many sockets it opened, and the close codes and HTTP statuses that it was refused with.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import struct
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

_LARGE = 2 * 1024 * 1024
_SILENT, _FLOODERS, _MANY = 20, 5, 5000
_A_SECOND = 10_000
_TINY_BUFFER = 4096
_OPENED_A_SECOND = 500


class Abuser:
    def __init__(self, settings: dict[str, Any]) -> None:
        self._port, self._token = settings["port"], settings["token"]
        self._follow = json.dumps({"userId": settings["user"], "flightId": settings["flight"]}).encode()
        self.opened = 0
        self.refused: Counter[str] = Counter()

    async def silent(self) -> None:
        """Follows and stops reading; where it is cut off it comes again."""
        await asyncio.gather(*(self._again(self._one_silent) for _ in range(_SILENT)))

    async def large(self) -> None:
        await self._again(self._one_large)

    async def flood(self) -> None:
        await asyncio.gather(*(self._again(self._one_flood) for _ in range(_FLOODERS)))

    async def many(self) -> None:
        """As fast as they are refused, but 500 a second at most; those that are let in stay."""
        places = asyncio.Semaphore(50)

        async def one(number: int) -> None:
            await asyncio.sleep(number / _OPENED_A_SECOND)
            async with places:
                reader, writer = await self._open()
                try:
                    async with asyncio.timeout(1.0):
                        await self._until_closed(reader)
                except TimeoutError:  # let in
                    kept.append(writer)
                else:
                    writer.close()

        kept: list[asyncio.StreamWriter] = []
        while True:
            wanted = range(_MANY - len(kept))
            await asyncio.gather(*(one(number) for number in wanted), return_exceptions=True)

    async def _again(self, once: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await once()
            except (OSError, EOFError) as error:
                self.refused[type(error).__name__] += 1
            await asyncio.sleep(0.05)

    async def _one_silent(self) -> None:
        reader, writer = await self._open(buffer=_TINY_BUFFER)
        writer.write(_frame(self._follow))
        transport = writer.transport
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        while not transport.is_closing():
            await asyncio.sleep(0.5)
            writer.write(b"")
            if _is_reset(writer):
                break
        self.refused["cut off"] += 1
        transport.abort()
        del reader

    async def _one_large(self) -> None:
        reader, writer = await self._open()
        writer.write(_frame(b"x" * _LARGE))
        await self._until_closed(reader)
        writer.close()

    async def _one_flood(self) -> None:
        reader, writer = await self._open()
        closed = asyncio.create_task(self._until_closed(reader))
        batch = _frame(self._follow) * (_A_SECOND // _FLOODERS // 20)
        while not closed.done():
            writer.write(batch)
            await writer.drain()
            await asyncio.wait([closed], timeout=0.05)
        writer.close()
        await closed

    async def _open(self, buffer: int = 0) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        plain = socket.socket()
        if buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        plain.setblocking(False)
        await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", self._port))
        reader, writer = await asyncio.open_connection(sock=plain, limit=_TINY_BUFFER * 16)
        writer.write(
            "GET /ws/flight-updates HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            f"Authorization: Bearer {self._token}\r\n\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in head[:20]:
            self.refused[f"HTTP {head[9:12].decode()}"] += 1
            raise EOFError
        self.opened += 1
        return reader, writer

    async def _until_closed(self, reader: asyncio.StreamReader) -> None:
        """Reads frames until the server closes; notes the code."""
        while True:
            try:
                opcode, size = await reader.readexactly(2)
                length = size if size < 126 else struct.unpack("!H", await reader.readexactly(2))[0]  # noqa: PLR2004
                payload = await reader.readexactly(length)
            except (OSError, EOFError):
                self.refused["no close frame"] += 1
                return
            if opcode & 0x0F == 0x8:  # noqa: PLR2004 - a close frame
                self.refused[str(struct.unpack_from("!H", payload)[0])] += 1
                return


def _is_reset(writer: asyncio.StreamWriter) -> bool:
    plain = writer.get_extra_info("socket")
    return (
        plain.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0 or plain.fileno() < 0 or _peer_gone(plain)
    )


def _peer_gone(plain: Any) -> bool:
    """TCP's state is CLOSE_WAIT or CLOSE: the server has gone."""
    return plain.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[0] in (7, 8)


def _frame(payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:  # noqa: PLR2004
        head = bytes([0x81, 0x80 | size])
    elif size < 65536:  # noqa: PLR2004
        head = b"\x81\xfe" + size.to_bytes(2)
    else:
        head = b"\x81\xff" + size.to_bytes(8)
    return head + b"\0\0\0\0" + payload


async def main(kind: str, settings: dict[str, Any]) -> None:
    abuser = Abuser(settings)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    task = asyncio.create_task(getattr(abuser, kind)())
    sys.stdout.write("at it\n")
    sys.stdout.flush()
    await asyncio.wait([task, asyncio.create_task(stop.wait())], return_when=asyncio.FIRST_COMPLETED)
    task.cancel()
    sys.stdout.write(json.dumps({"opened": abuser.opened, "refused": abuser.refused}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))))
