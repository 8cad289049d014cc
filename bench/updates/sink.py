"""The control of `make updates-abuse`: refuses what the product refuses, and does nothing else.

    python -m bench.updates.sink PORT

It knows nobody, follows nothing and sends no update. An abuser that is at it costs the machine what the
abuser itself costs, and the kernel, and a refusal: the least that any server could do.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

_ACCEPTED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
_SOCKETS, _MESSAGES = 100, 20
_TOO_LARGE, _TOO_MANY = 4413, 4429
_EIGHT_BYTES = 127
_open: set[Sink] = set()


class Sink(asyncio.Protocol):
    """One connection: the limits of the contract, by the clock of nobody."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._buffer = bytearray()
        self._is_accepted = self._is_refused = False
        self._messages = 0

    def connection_lost(self, exc: Exception | None) -> None:
        _open.discard(self)

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        self._buffer += data
        if not self._is_accepted:
            self._accept()
        else:
            self._read_frames()

    def _accept(self) -> None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        del self._buffer[: end + 4]
        self._is_accepted = True
        self._transport.write(_ACCEPTED)
        if len(_open) >= _SOCKETS:
            self._refuse(_TOO_MANY)
        else:
            _open.add(self)

    def _read_frames(self) -> None:
        buffer = self._buffer
        while len(buffer) > 8 and not self._is_refused:  # noqa: PLR2004 - a masked head of 16 bits
            size, start = buffer[1] & 0x7F, 6
            if size == _EIGHT_BYTES:
                self._refuse(_TOO_LARGE)
                return
            if size == _EIGHT_BYTES - 1:
                size, start = int.from_bytes(buffer[2:4]), 8
            if len(buffer) < start + size:
                return
            del buffer[: start + size]
            self._messages += 1
            if self._messages > _MESSAGES:
                self._refuse(_TOO_MANY)

    def _refuse(self, code: int) -> None:
        self._is_refused = True
        self._buffer.clear()
        self._transport.write(b"\x88\x02" + code.to_bytes(2))


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
