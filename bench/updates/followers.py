"""Followers of the proof: one socket each, three flights each, back with `afterSequence` whenever it is lost.

    python -m bench.updates.followers SETTINGS.json RESULT

Says ``following`` once all have every flight's state. At SIGTERM it writes RESULT (msgpack): what each heard,
in the order in which it was heard.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys
import time
from array import array
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from bench.updates.websocket import WebSocket

PATH = "/ws/flight-updates"
# As `flight-updates.js` comes back: over a span that doubles with each failure, and over a wider one where
# the server says that it restarts.
_FIRST_SPAN, _LONGEST_SPAN, _RESTART_SPAN = 0.5, 30.0, 3.0
_RESTARTING = 1012


class Update(msgspec.Struct, rename="camel"):
    """As much of a message as is looked at; a problem has a `code`."""

    flight_id: str = ""
    sequence: int = -1
    log: str = ""
    reset: bool = False
    code: str = ""


@dataclass
class Record:
    """All that the followers of this process heard: one row a message, in columns."""

    follower: array[int] = field(default_factory=lambda: array("i"))
    flight: array[int] = field(default_factory=lambda: array("i"))
    sequence: array[int] = field(default_factory=lambda: array("i"))
    arrival: array[float] = field(default_factory=lambda: array("d"))
    opened: array[float] = field(default_factory=lambda: array("d"))
    resets: int = 0
    problems: list[str] = field(default_factory=list)
    closes: dict[int, int] = field(default_factory=dict)

    def add(self, follower: int, flight: int, sequence: int, *, opened: float) -> None:
        """`opened`: when the socket was that brought it."""
        self.follower.append(follower)
        self.flight.append(flight)
        self.sequence.append(sequence)
        self.arrival.append(time.time())
        self.opened.append(opened)


_decode = msgspec.json.Decoder(Update).decode


class Follower:
    """Keeps to the contract alone: where it stands, and the address of several servers."""

    def __init__(self, number: int, settings: dict[str, Any], record: Record) -> None:
        self._number, self._record = number, record
        user = settings["users"][number % len(settings["users"])]
        self._user, self._headers = user["id"], {"Authorization": f"Bearer {user['token']}"}
        self._ports = settings["ports"]
        self._position: dict[int, tuple[int, str] | None] = dict.fromkeys(settings["follows"][str(number)])
        self._socket: WebSocket | None = None
        self._opened = 0.0
        self._span = _FIRST_SPAN
        self._closed = asyncio.Event()

    @property
    def is_following(self) -> bool:
        return all(position is not None for position in self._position.values())

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._closed.clear()
            try:
                await loop.create_connection(self._dial, "127.0.0.1", random.choice(self._ports))  # noqa: S311
            except OSError:
                self._closed.set()
            await self._closed.wait()
            await asyncio.sleep(random.uniform(0, self._span))  # noqa: S311
            self._span = min(self._span * 2, _LONGEST_SPAN)

    def _dial(self) -> WebSocket:
        return WebSocket(PATH, self._headers, on_open=self._open, on_text=self._text, on_close=self._close)

    def _open(self, socket: WebSocket) -> None:
        self._socket, self._opened = socket, time.time()
        for flight in self._position:
            self._ask(flight)

    def _ask(self, flight: int) -> None:
        message: dict[str, Any] = {"userId": self._user, "flightId": f"FL{flight}"}
        position = self._position[flight]
        if position is not None:
            message |= {"afterSequence": position[0], "log": position[1]}
        if self._socket is not None:
            self._socket.send(msgspec.json.encode(message))

    def _text(self, text: bytes) -> None:
        update = _decode(text)
        flight = int(update.flight_id[2:]) if update.flight_id else 0
        if update.code:
            self._record.problems.append(update.code)
            asyncio.get_running_loop().call_later(1.0, self._ask, flight)
            return
        self._span = _FIRST_SPAN
        self._record.resets += update.reset
        self._record.add(self._number, flight, update.sequence, opened=self._opened)
        known = self._position[flight]
        if known is None or update.sequence > known[0]:
            self._position[flight] = (update.sequence, update.log)

    def _close(self, code: int) -> None:
        self._record.closes[code] = self._record.closes.get(code, 0) + 1
        self._socket = None
        if code == _RESTARTING:
            self._span = _RESTART_SPAN
        self._closed.set()


async def follow(settings: dict[str, Any], result: Path) -> None:
    record = Record()
    followers = [Follower(int(number), settings, record) for number in settings["follows"]]
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    tasks = []
    for follower in followers:
        tasks.append(asyncio.create_task(follower.run()))
        await asyncio.sleep(0.01)
    while not all(follower.is_following for follower in followers):
        await asyncio.sleep(0.2)
    sys.stdout.write("following\n")
    sys.stdout.flush()
    await stop.wait()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    result.write_bytes(
        msgspec.msgpack.encode(
            {
                "follower": record.follower.tobytes(),
                "flight": record.flight.tobytes(),
                "sequence": record.sequence.tobytes(),
                "arrival": record.arrival.tobytes(),
                "opened": record.opened.tobytes(),
                "resets": record.resets,
                "problems": record.problems,
                "closes": record.closes,
            }
        )
    )


if __name__ == "__main__":
    asyncio.run(follow(msgspec.json.decode(Path(sys.argv[1]).read_bytes()), Path(sys.argv[2])))
