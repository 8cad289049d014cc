"""Clients that no server wishes for, each speaking WebSocket by hand to a real daphne."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from django.db import connection
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from accounts.tests.factories import login, make_user
from subscriptions.log_reads import off_loop
from subscriptions.tests.factories import make_flights, report
from subscriptions.tests.servers import Daphne, Valkey, opening

pytestmark = pytest.mark.django_db(transaction=True)

TEXT, CLOSE, PING = 0x1, 0x8, 0x9
FINAL = 0x80


def frame(first: int, payload: bytes = b"") -> bytes:
    """`first`: the opcode, with `FINAL` or without. The mask is zero."""
    size = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2)
    return bytes([first]) + size + bytes(4) + payload


class Hand:
    """A client that sends what it likes, and reads when it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def opcode_and_payload(self) -> tuple[int, bytes]:
        first, size = await self.reader.readexactly(2)
        if size == 126:
            size = int.from_bytes(await self.reader.readexactly(2))
        return first & 0x0F, await self.reader.readexactly(size)

    async def close_code(self) -> int:
        async with asyncio.timeout(20):
            while True:
                opcode, payload = await self.opcode_and_payload()
                if opcode == CLOSE:
                    return int.from_bytes(payload[:2])

    async def is_let_go(self, seconds: float) -> bool:
        """Whether the server ends the connection although the client does not answer its close frame."""
        try:
            async with asyncio.timeout(seconds):
                return not await self.reader.read(1)
        except ConnectionError:
            return True
        except TimeoutError:
            return False


@asynccontextmanager
async def by_hand(daphne: Daphne, token: str, buffer: int | None = None) -> AsyncIterator[Hand]:
    """`buffer`: of the kernel, for what the client has not read, in bytes."""
    plain = socket.socket()
    if buffer is not None:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    plain.setblocking(False)
    await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", daphne.port))
    reader, writer = await asyncio.open_connection(sock=plain, limit=4096)
    try:
        writer.write(opening(token))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        yield Hand(reader, writer)
    finally:
        writer.close()


def somebody_with_a_flight() -> Any:
    user = make_user()
    return user, login(user), make_flights(1)[0]


@pytest.mark.parametrize(
    "flood",
    [frame(FINAL | PING, b"x" * 125) * 5000, frame(TEXT, b"{") + frame(0) * 20_000],
    ids=["pings", "empty continuations"],
)
async def test_frames_without_end(daphne: Daphne, flood: bytes) -> None:
    _, token, _ = await off_loop(somebody_with_a_flight)
    async with by_hand(daphne, token) as client:
        client.writer.write(flood)
        assert await client.close_code() == 4429
        client.writer.write(flood)
        assert await client.is_let_go(10)


async def test_pings_now_and_then(daphne: Daphne) -> None:
    _, token, _ = await off_loop(somebody_with_a_flight)
    async with by_hand(daphne, token) as client:
        for _ in range(20):
            client.writer.write(frame(FINAL | PING, b"x"))
            async with asyncio.timeout(10):
                assert await client.opcode_and_payload() == (0xA, b"x")


async def test_who_says_farewell_and_never_reads(transactional_db: None, valkey: Valkey) -> None:
    """Our answer waits behind what the client does not read; its place is free all the same."""
    user, token, flight = await off_loop(somebody_with_a_flight)
    await off_loop(lengthen_log, flight.pk)
    server = await asyncio.to_thread(lambda: Daphne(redis_port=valkey.port, SOCKETS_PER_USER="1"))
    follow = {"userId": user.public_id, "flightId": flight.public_id, "afterSequence": 0}
    try:
        async with by_hand(server, token, buffer=4096) as client:
            client.writer.write(frame(FINAL | TEXT, json.dumps(follow).encode()))
            await asyncio.sleep(3)  # the log fills the kernel's buffers, and ours
            client.writer.write(frame(FINAL | CLOSE, (1000).to_bytes(2)))
            assert await is_let_in(server, token)
    finally:
        server.kill()


def lengthen_log(flight_pk: int, count: int = 20_000) -> None:
    """By copies of one report: some 7 MB of updates."""
    report(flight_pk)
    fields = "flight_id, status, delay_minutes, reason, gate, terminal"
    fields += ", scheduled_departure, scheduled_arrival, occurred_at, source"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO flights_flightupdate (sequence, {fields})"
            f" SELECT number, {fields} FROM flights_flightupdate, generate_series(2, %s) number"
            " WHERE flight_id = %s",
            [count, flight_pk],
        )
        cursor.execute("UPDATE flights_flight SET sequence = %s WHERE id = %s", [count, flight_pk])


async def is_let_in(server: Daphne, token: str, seconds: float = 10) -> bool:
    """Whether the user's only place is free within that time."""
    deadline = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < deadline:
        headers = {"Authorization": f"Bearer {token}"}
        with suppress(ConnectionClosed):
            async with connect(server.address, additional_headers=headers) as client:
                await client.send(json.dumps({"unfollow": "x"}))
                if json.loads(await client.recv())["code"] == "not_found":
                    return True
        await asyncio.sleep(0.2)
    return False
