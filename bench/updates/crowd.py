"""A crowd of sockets in one process, as cheap as Python allows.

    python -m bench.updates.crowd SETTINGS.json

Connects them all and says ``following``. Then ``expect N`` on standard input makes it wait for N messages to
everyone and answer with one line of JSON: `latencies`, one list a message (milliseconds from the instant
that the message carries), and how many were `lost`. Instants are of the machine's one monotonic clock.
"""

from __future__ import annotations

import json
import re
import select
import socket
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

_STAMP = re.compile(rb"T(\d{10,})")
_HANDSHAKES_AT_ONCE = 64
_SECONDS_A_MESSAGE, _PATIENCE = 1.0, 15.0
_PING, _SHORT = 0x89, 126


class Crowd:
    def __init__(self, settings: dict[str, Any]) -> None:
        self._sockets: dict[int, socket.socket] = {}
        self._poll = select.epoll()
        pending: list[socket.socket] = []
        for number in range(settings["count"]):
            pending.append(self._dial(settings, number))
            if len(pending) == _HANDSHAKES_AT_ONCE:
                self._shake_hands(pending.pop(0), settings)
        for waiting in pending:
            self._shake_hands(waiting, settings)
        for connection in self._sockets.values():
            connection.setblocking(False)
            self._poll.register(connection.fileno(), select.EPOLLIN)

    def _dial(self, settings: dict[str, Any], number: int) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", settings["port"]), 30)
        headers = settings["headers"]
        own = [f"{name}: {value}" for name, value in headers[number % len(headers)].items()]
        lines = [
            f"GET {settings['path']} HTTP/1.1",
            "Host: 127.0.0.1",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
            *own,
        ]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        return connection

    def _shake_hands(self, connection: socket.socket, settings: dict[str, Any]) -> None:
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += connection.recv(4096)
        if not answer.startswith(b"HTTP/1.1 101"):
            raise RuntimeError(f"no handshake: {answer[:80]!r}")
        self._sockets[connection.fileno()] = connection
        firsts = settings["first"]
        if firsts:
            connection.sendall(_frame(firsts[(len(self._sockets) - 1) % len(firsts)].encode()))
            connection.recv(65536)  # the flight's state

    def expect(self, messages: int) -> dict[str, Any]:
        latencies: dict[bytes, list[float]] = defaultdict(list)
        wanted, got = messages * len(self._sockets), 0
        deadline = time.monotonic() + messages * _SECONDS_A_MESSAGE + _PATIENCE
        while got < wanted and time.monotonic() < deadline:
            for number, _ in self._poll.poll(0.5):
                data = self._read(number)
                now = time.monotonic_ns()
                for stamp in _STAMP.findall(data):
                    latencies[stamp].append((now - int(stamp)) / 1e6)
                    got += 1
        return {"latencies": list(latencies.values()), "lost": wanted - got}

    def idle(self, seconds: float) -> None:
        """Answers the server's pings meanwhile."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            for number, _ in self._poll.poll(left):
                self._read(number)

    def _read(self, number: int) -> bytes:
        try:
            data = self._sockets[number].recv(65536)
        except BlockingIOError:
            return b""
        except ConnectionResetError:
            data = b""
        if not data:
            self._poll.unregister(number)
        self._answer_pings(number, data)
        return data

    def _answer_pings(self, number: int, data: bytes) -> None:
        """A ping may stand behind a message. A frame in two parts is not looked for: frames are short."""
        place = 0
        while place + 2 <= len(data):
            size, start = data[place + 1] & 0x7F, place + 2
            if size == _SHORT:
                size, start = int.from_bytes(data[start : start + 2]), start + 2
            if data[place] == _PING:
                self._sockets[number].send(_frame(data[start : start + size], opcode=0xA))
            place = start + size


def _frame(payload: bytes, opcode: int = 0x1) -> bytes:
    size = len(payload)
    short = size < _SHORT
    head = bytes([0x80 | opcode, 0x80 | size]) if short else bytes([0x80 | opcode, 0xFE]) + size.to_bytes(2)
    return head + b"\0\0\0\0" + payload


def main() -> None:
    crowd = Crowd(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    _say("following")
    while True:
        while not select.select([sys.stdin], [], [], 0)[0]:
            crowd.idle(0.05)
        words = sys.stdin.readline().split()
        if not words:
            return
        _say("ready")
        _say(json.dumps(crowd.expect(int(words[1]))))


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
