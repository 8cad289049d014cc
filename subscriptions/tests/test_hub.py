"""What a process with sockets does where something beside it fails, or is in its way."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from accounts import public as accounts
from accounts.tests.factories import login, make_user
from subscriptions.hub import Hub
from subscriptions.log_reads import off_loop, threads
from subscriptions.tests.factories import (
    Client,
    bearer,
    hub,
    make_flights,
    open_client,
    publish,
    register_relay,
    report,
    until,
)

pytestmark = pytest.mark.django_db(transaction=True)


def user_and_flight() -> Any:
    register_relay()
    return make_user(), make_flights(1)[0]


async def report_and_publish(flight_pk: int) -> None:
    await off_loop(report, flight_pk)
    await publish()


async def blind(self: Hub) -> None:
    """A watcher that sees nothing: what is heard comes from the layer."""


@contextmanager
def busy_threads() -> Iterator[None]:
    """Work for all of them, and for more."""
    release = threading.Event()
    work = [threads.submit(release.wait, 60) for _ in range(20)]
    try:
        yield
    finally:
        release.set()
    assert all(each.result() for each in work)  # none was given up


async def test_the_watcher_stands_in_no_queue() -> None:
    user, _ = await off_loop(user_and_flight)
    async with open_client(user), asyncio.timeout(10):
        with busy_threads():
            await hub().look_round()


async def test_who_goes_before_its_turn_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    user, _ = await off_loop(user_and_flight)
    client = Client(headers=bearer(await off_loop(login, user)))
    asked: list[str] = []
    monkeypatch.setattr(accounts, "authenticate_access_token", asked.append)
    with busy_threads():
        began = time.monotonic()
        await client.dial()
        await client.leave()
        assert time.monotonic() - began < 5
    await off_loop(len, asked)  # behind whatever waited
    assert not asked


async def test_a_group_is_joined_anew_after_a_leaving_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """channels_redis forgets who leaves before it asks Redis."""
    user, flight = await off_loop(user_and_flight)
    async with open_client(user) as client:
        await client.say(userId=user.public_id, flightId=flight.public_id)
        await client.hear()
        layer = hub()._layer._get_layer()
        leave = layer.group_discard

        async def fail(group: str, channel: str) -> None:
            await leave(group, channel)
            raise RedisConnectionError

        monkeypatch.setattr(layer, "group_discard", fail)
        await client.say(unfollow=flight.public_id)
        await until(lambda: hub().topics[flight.pk].is_empty)
        await hub().look_round()
        monkeypatch.setattr(Hub, "look_round", blind)
        hub()._retry_layer_at = 0
        await client.say(userId=user.public_id, flightId=flight.public_id)
        assert (await client.hear())["sequence"] == 0
        await report_and_publish(flight.pk)
        assert (await client.hear())["sequence"] == 1


async def test_a_group_stays_joined_while_it_cannot_be_left() -> None:
    user, flight = await off_loop(user_and_flight)
    async with open_client(user) as client:
        await client.say(userId=user.public_id, flightId=flight.public_id)
        await client.hear()
        await client.say(unfollow=flight.public_id)
        await until(lambda: hub().topics[flight.pk].is_empty)
        hub()._retry_layer_at = asyncio.get_running_loop().time() + 60
        await hub().look_round()
        assert hub().topics[flight.pk].joined
        hub()._retry_layer_at = 0
        await hub().look_round()
        assert not hub().topics


async def test_a_message_that_nobody_understands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hub, "look_round", blind)
    user, flight = await off_loop(user_and_flight)
    async with open_client(user) as client:
        await client.say(userId=user.public_id, flightId=flight.public_id)
        await client.hear()
        await hub()._layer.send(hub()._channel, {"type": "of another release"})
        await report_and_publish(flight.pk)
        assert (await client.hear())["sequence"] == 1
