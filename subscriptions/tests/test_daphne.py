"""The whole way, in real processes: report, log, relay, Valkey, daphne, a `websockets` client."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from channels_redis.pubsub import RedisPubSubChannelLayer
from django.conf import settings
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from accounts.tests.factories import login, make_user
from subscriptions.log_reads import off_loop
from subscriptions.messages import EncodedUpdate, group_name, to_layer
from subscriptions.socket_counts import LEASE_SECONDS
from subscriptions.tests.factories import http, make_flights, register_relay, report
from subscriptions.tests.servers import Daphne, Relay, Valkey, opening

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def relay(transactional_db: None, valkey: Valkey) -> Iterator[Relay]:
    register_relay()
    process = Relay(redis_port=valkey.port)
    yield process
    process.kill()


def somebody(count: int = 1) -> Any:
    user = make_user()
    return user, login(user), make_flights(count)


def dial(daphne: Daphne, token: str, **options: Any) -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    return connect(daphne.address, additional_headers=headers, ssl=daphne.tls, **options)


async def say(socket: ClientConnection, **message: Any) -> None:
    await socket.send(json.dumps(message))


async def hear(socket: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(20):
        message: dict[str, Any] = json.loads(await socket.recv())
        return message


async def close_code(socket: ClientConnection) -> int:
    """What the server closes with, whatever it says before."""
    async with asyncio.timeout(20):
        try:
            while True:
                await socket.recv()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006


async def test_an_update_travels(daphne: Daphne, relay: Relay) -> None:
    user, token, [flight] = await off_loop(somebody)
    async with dial(daphne, token) as socket:
        await say(socket, userId=user.public_id, flightId=flight.public_id)
        assert (await hear(socket))["sequence"] == 0
        for sequence in (1, 2, 3):
            await off_loop(report, flight.pk)
            assert (await hear(socket))["sequence"] == sequence
        relay.tell(signal.SIGTERM)
        assert await asyncio.to_thread(relay.ends) == 0


async def test_a_ticket_opens_one_socket_from_our_own_page(daphne: Daphne) -> None:
    _, token, _ = await off_loop(somebody)
    ticket = (await off_loop(http(token).post, "/ws-ticket")).json()["ticket"]
    address = f"{daphne.address}?ticket={ticket}"
    with pytest.raises(InvalidStatus) as refused:
        await connect(address, origin="http://127.0.0.1:1")  # type: ignore[arg-type]
    assert refused.value.response.status_code == 403
    async with connect(address, origin=f"http://127.0.0.1:{daphne.port}") as socket:  # type: ignore[arg-type]
        await say(socket, unfollow="x")
        assert (await hear(socket))["code"] == "not_found"
    with pytest.raises(InvalidStatus):
        await connect(address, origin=f"http://127.0.0.1:{daphne.port}")  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["", "/other"])
async def test_refused_with_403(daphne: Daphne, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(daphne.address + path)
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("size", [64 * 1024 + 1, 2_000_000])
async def test_a_frame_too_large(daphne: Daphne, size: int) -> None:
    _, token, _ = await off_loop(somebody)
    async with dial(daphne, token) as socket:
        await socket.send("x" * size)
        assert await close_code(socket) == 4413


async def test_one_socket_too_many(transactional_db: None, valkey: Valkey) -> None:
    _, token, _ = await off_loop(somebody)
    server = await asyncio.to_thread(lambda: Daphne(redis_port=valkey.port, SOCKETS_PER_USER="1"))
    try:
        async with dial(server, token), dial(server, token) as second:
            assert (await hear(second))["code"] == "throttled"
            assert await close_code(second) == 4429
    finally:
        server.kill()


async def test_a_message_too_large_in_frames_that_are_not(daphne: Daphne) -> None:
    _, token, _ = await off_loop(somebody)
    async with dial(daphne, token) as socket:
        await socket.send(["x" * 40_000, "x" * 40_000])  # two fragments
        assert await close_code(socket) == 4413


async def test_two_servers_count_together(transactional_db: None, valkey: Valkey) -> None:
    """And what one had that says farewell is free at once, where another's lease would not be over."""
    _, token, _ = await off_loop(somebody)

    def start() -> Daphne:
        return Daphne(redis_port=valkey.port, SOCKETS_PER_USER="1")

    one, other = await asyncio.gather(asyncio.to_thread(start), asyncio.to_thread(start))
    try:
        async with dial(one, token) as first:
            await say(first, unfollow="x")
            assert (await hear(first))["code"] == "not_found"
            async with dial(other, token) as second:
                assert await close_code(second) == 4429
            one.tell(signal.SIGTERM)
            assert await close_code(first) == 1012
        async with asyncio.timeout(LEASE_SECONDS / 2):
            while not await _is_let_in(other, token):
                await asyncio.sleep(0.5)
    finally:
        one.kill()
        other.kill()


async def _is_let_in(daphne: Daphne, token: str) -> bool:
    async with dial(daphne, token) as socket:
        try:
            await say(socket, unfollow="x")
            return bool((await hear(socket))["code"] == "not_found")
        except ConnectionClosed:
            return False


async def test_the_largest_frame(daphne: Daphne) -> None:
    _, token, _ = await off_loop(somebody)
    async with dial(daphne, token) as socket:
        await socket.send("x" * 64 * 1024)
        assert (await hear(socket))["code"] == "invalid"


async def test_a_stop_tells_every_client_to_come_back(daphne: Daphne) -> None:
    _, token, _ = await off_loop(somebody)
    sockets = [await dial(daphne, token) for _ in range(20)]
    async with httpx.AsyncClient() as client:  # a request that has just ended upsets daphne's own farewell
        await client.get(f"http://127.0.0.1:{daphne.port}/nothing")
    daphne.tell(signal.SIGTERM)
    assert await asyncio.gather(*(close_code(socket) for socket in sockets)) == [1012] * 20
    await asyncio.to_thread(daphne.ends)


async def test_a_server_that_says_farewell_lets_nobody_in(daphne: Daphne) -> None:
    _, token, _ = await off_loop(somebody)
    reader, writer = await asyncio.open_connection("127.0.0.1", daphne.port)
    writer.write(opening(token))  # and no word after that: the farewell has to wait for this client
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
    daphne.tell(signal.SIGTERM)
    assert (await reader.readexactly(4))[2:] == (1012).to_bytes(2)
    with pytest.raises(ConnectionRefusedError):
        await connect(daphne.address)
    assert daphne.runs  # still at its farewell: that was not the end of the process
    writer.close()
    assert await asyncio.to_thread(daphne.ends) == 0


@pytest.mark.parametrize("daphne", ["plain", "tls"], indirect=True)
async def test_who_never_reads_is_cut_off_and_others_are_not(daphne: Daphne, valkey: Valkey) -> None:
    user, token, [flight] = await off_loop(somebody)
    config: Any = settings.CHANNEL_LAYERS["default"]["CONFIG"]
    prefix = config["prefix"]  # daphne's too
    layer: Any = RedisPubSubChannelLayer(hosts=[f"redis://127.0.0.1:{valkey.port}/0"], prefix=prefix)
    async with dial(daphne, token, max_queue=1) as lazy, dial(daphne, token) as reader:
        for socket in (lazy, reader):
            await say(socket, userId=user.public_id, flightId=flight.public_id)
            log = (await hear(socket))["log"]
        for sequence in range(1, 301):  # 15 MB: more than the kernel keeps for us
            text = json.dumps({"sequence": sequence, "padding": "x" * 50_000})
            await layer.group_send(
                group_name(flight.pk), to_layer(EncodedUpdate(flight.pk, sequence, log, text))
            )
            assert (await hear(reader))["sequence"] == sequence
        assert await close_code(lazy) in (4408, 1006)  # 1006: the close frame came too late for it
        await say(reader, unfollow="x")
        assert (await hear(reader))["code"] == "not_found"


async def test_redis_dies_and_comes_back(daphne: Daphne, relay: Relay, valkey: Valkey) -> None:
    user, token, [one, other] = await off_loop(somebody, 2)
    async with dial(daphne, token) as socket:
        await say(socket, userId=user.public_id, flightId=one.public_id)
        await hear(socket)
        valkey.kill()
        await off_loop(report, one.pk)  # by the watcher
        assert (await hear(socket))["sequence"] == 1
        await say(socket, userId=user.public_id, flightId=other.public_id)  # a join that must wait
        assert (await hear(socket))["sequence"] == 0
        valkey.start()
        for row in (one, other, one, other):
            sequence = await off_loop(report, row.pk)
            heard = await hear(socket)
            assert (heard["flightId"], heard["sequence"]) == (row.public_id, sequence)


async def test_a_new_relay_takes_over_from_a_killed_one(daphne: Daphne, relay: Relay) -> None:
    user, token, [flight] = await off_loop(somebody)
    async with dial(daphne, token) as socket:
        await say(socket, userId=user.public_id, flightId=flight.public_id)
        await hear(socket)
        await off_loop(report, flight.pk)
        assert (await hear(socket))["sequence"] == 1
        relay.kill()
        await off_loop(report, flight.pk, 3)
        relay.start()
        assert [(await hear(socket))["sequence"] for _ in range(3)] == [2, 3, 4]
