"""The relay, against the real layer and the real log."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from channels.layers import get_channel_layer
from channels_redis.pubsub import RedisPubSubChannelLayer
from django.db import connection

from accounts.tests.factories import make_user
from flights import public as flights
from subscriptions import relay as module
from subscriptions.log_reads import off_loop
from subscriptions.messages import EncodedUpdate, from_layer, group_name
from subscriptions.relay import CONSUMER, LayerAway, Relay, serve
from subscriptions.tests.factories import make_flights, open_client, register_relay, report
from subscriptions.tests.servers import Valkey

pytestmark = pytest.mark.django_db(transaction=True)


def pending_flights(count: int, updates: int) -> list[int]:
    register_relay()
    pks = [flight.pk for flight in make_flights(count)]
    for pk in pks:
        report(pk, updates)
    return pks


def backlog() -> int:
    return flights.feed_backlog(CONSUMER)[0]


def end_all_leases() -> None:
    """What time does."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE flights_feed SET leased_until = now() - interval '1 second'")


def end_other_connections() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )


class Listener:
    """Hears what is published to the flights' groups."""

    def __init__(self, layer: Any) -> None:
        self._layer = layer
        self.heard: dict[int, list[int]] = defaultdict(list)

    async def join(self, pks: list[int]) -> None:
        self._channel = await self._layer.new_channel()
        for pk in pks:
            await self._layer.group_add(group_name(pk), self._channel)

    async def hear(self, count: int) -> list[EncodedUpdate]:
        async with asyncio.timeout(20):
            updates = [from_layer(await self._layer.receive(self._channel)) for _ in range(count)]
        for update in updates:
            self.heard[update.flight_pk].append(update.sequence)
        return updates


async def listener(pks: list[int], layer: Any = None) -> Listener:
    made = Listener(layer or get_channel_layer())  # type: ignore[no-untyped-call]
    await made.join(pks)
    return made


@asynccontextmanager
async def some_relay() -> AsyncIterator[Relay]:
    relay = Relay()
    try:
        yield relay
    finally:
        await relay.close()


@asynccontextmanager
async def running() -> AsyncIterator[None]:
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(stop))
    try:
        yield
    finally:
        stop.set()
        await serving


def layer_of(valkey: Valkey) -> Any:
    return RedisPubSubChannelLayer(hosts=[f"redis://127.0.0.1:{valkey.port}/0"])


async def published() -> None:
    """Returns when the relay that runs beside has nothing left to do."""
    async with asyncio.timeout(20):
        while await off_loop(backlog):
            pass


async def drain(relay: Relay) -> None:
    while await relay.step():
        pass


async def test_publishes_in_order_and_advances() -> None:
    pks = await off_loop(pending_flights, 3, 4)
    ear = await listener(pks)
    async with some_relay() as relay:
        await drain(relay)
        assert await relay.step() == 0
    updates = await ear.hear(12)
    assert ear.heard == {pk: [1, 2, 3, 4] for pk in pks}
    assert await off_loop(backlog) == 0
    name = await off_loop(flights.log_name)
    assert {update.log for update in updates} == {name}


async def test_several_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    pks = await off_loop(pending_flights, 12, 3)
    ear = await listener(pks)
    async with some_relay() as one, some_relay() as two, some_relay() as three:
        await asyncio.gather(*(drain(relay) for relay in (one, two, three)))
    await ear.hear(36)
    assert ear.heard == {pk: [1, 2, 3] for pk in pks}
    assert await off_loop(backlog) == 0


async def test_more_updates_than_one_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    after = flights.updates_after

    def two_at_a_time(**where: Any) -> list[flights.UpdateView]:
        return after(**where, limit=2)

    monkeypatch.setattr(flights, "updates_after", two_at_a_time)
    [pk] = await off_loop(pending_flights, 1, 5)
    ear = await listener([pk])
    async with some_relay() as relay:
        await drain(relay)
    await ear.hear(5)
    assert ear.heard == {pk: [1, 2, 3, 4, 5]}


async def test_dead_between_publishing_and_advancing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is published again by the next one, and a follower still hears of it once."""
    user = await off_loop(make_user)
    [pk] = await off_loop(pending_flights, 1, 0)
    ear = await listener([pk])
    async with open_client(user) as client:
        await client.say(userId=user.public_id, flightId=flights.flight_id(pk))
        await client.hear()
        await off_loop(report, pk, 2)
        with monkeypatch.context() as death:
            death.setattr(module, "_advance", lambda work, done: None)
            async with some_relay() as dying:
                assert await dying.step() == 1
        async with some_relay() as heir:
            assert await heir.step() == 0  # the dead one's lease
            await off_loop(end_all_leases)
            assert await heir.step() == 1
        await ear.hear(4)
        assert ear.heard == {pk: [1, 2, 1, 2]}
        assert [(await client.hear())["sequence"] for _ in range(2)] == [1, 2]
        assert await client.hears_nothing()


async def test_a_lost_lease_keeps_nothing() -> None:
    [pk] = await off_loop(pending_flights, 1, 1)
    work = await off_loop(module.take_work, 10)
    await off_loop(end_all_leases)
    taken_over = await off_loop(module.take_work, 10)
    await off_loop(module._advance, work, {pk: 1})
    assert await off_loop(backlog) == 1
    await off_loop(module._advance, taken_over, {pk: 1})
    assert await off_loop(backlog) == 0


async def test_the_layer_away_advances_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    valkey = Valkey(tmp_path)
    try:
        layer = layer_of(valkey)
        monkeypatch.setattr(module, "get_channel_layer", lambda: layer)
        pks = await off_loop(pending_flights, 2, 2)
        valkey.kill()
        async with some_relay() as relay:
            with pytest.raises(LayerAway):
                await relay.step()
            assert await off_loop(backlog) == 2
            valkey.start()
            ear = await listener(pks, layer)
            assert await relay.step() == 2  # the leases were given back
        await ear.hear(4)
        assert ear.heard == {pk: [1, 2] for pk in pks}
    finally:
        valkey.kill()


async def test_recovers_by_itself_from_a_dead_layer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    valkey = Valkey(tmp_path)
    try:
        monkeypatch.setattr(module, "get_channel_layer", lambda: layer_of(valkey))
        [pk] = await off_loop(pending_flights, 1, 0)
        async with running():
            await off_loop(report, pk)
            await published()
            valkey.kill()
            await off_loop(report, pk)
            valkey.start()
            await published()
            ear = await listener([pk], layer_of(valkey))
            await off_loop(report, pk)
            assert (await ear.hear(1))[0].sequence == 3
    finally:
        valkey.kill()


async def test_woken_by_the_notification_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 3600)
    [pk] = await off_loop(pending_flights, 1, 0)
    ear = await listener([pk])
    async with running():
        for sequence in (1, 2, 3):
            await off_loop(report, pk)
            assert (await ear.hear(1))[0].sequence == sequence


async def test_the_poll_serves_without_notifications(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flights, "UPDATE_CHANNEL", "nobody_rings_here")
    monkeypatch.setattr(module, "POLL_SECONDS", 0.05)
    [pk] = await off_loop(pending_flights, 1, 0)
    ear = await listener([pk])
    async with running():
        await off_loop(report, pk)
        await ear.hear(1)


async def test_survives_the_loss_of_its_connections(caplog: pytest.LogCaptureFixture) -> None:
    [pk] = await off_loop(pending_flights, 1, 0)
    ear = await listener([pk])
    async with running():
        for sequence in (1, 2, 3):
            await off_loop(report, pk)
            assert (await ear.hear(1))[0].sequence == sequence
            await published()  # else a lease would have to run out first, and the update come once more
            await off_loop(end_other_connections)
    assert "Traceback" not in caplog.text


async def test_registers_itself() -> None:
    [flight] = await off_loop(make_flights, 1)
    async with running():
        ear = await listener([flight.pk])
        while not await off_loop(backlog):  # an update before the registration is none of its business
            await off_loop(report, flight.pk)
            if (await off_loop(feed_of, flight.pk)) > 0:
                break
        assert await ear.hear(1)


def feed_of(flight_pk: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM flights_feed WHERE flight_id = %s", [flight_pk])
        return int(cursor.fetchone()[0])
