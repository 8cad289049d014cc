"""A user's sockets are counted over all processes, whatever dies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from accounts.tests.factories import login, make_user
from subscriptions import hub as hubs
from subscriptions.hub import Hub
from subscriptions.log_reads import off_loop
from subscriptions.socket_counts import SocketCounts
from subscriptions.tests.factories import Client, bearer, hub, open_client, until
from subscriptions.tests.servers import Valkey

LIMIT = 3


@pytest.fixture(autouse=True)
def _limit(settings: Any) -> None:
    settings.SOCKETS_PER_USER = LIMIT


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    server = Valkey(tmp_path)
    yield server
    server.kill()


def process(valkey: Valkey, lease_seconds: int = 60) -> SocketCounts:
    return SocketCounts(f"redis://127.0.0.1:{valkey.port}/0", lease_seconds=lease_seconds)


def test_over_all_processes(valkey: Valkey) -> None:
    one, other = process(valkey), process(valkey)
    assert one.admit("somebody", 1)
    assert one.admit("somebody", 2)
    assert other.admit("somebody", 1)
    assert not other.admit("somebody", 2)
    assert not one.admit("somebody", 3)
    assert one.admit("another", LIMIT)
    assert one.settle({"somebody": 1}, {"somebody": 1, "another": LIMIT})
    assert other.admit("somebody", 2)
    assert one.settle({"somebody": 0}, {"another": LIMIT})
    assert other.admit("somebody", LIMIT)
    assert not other.admit("somebody", LIMIT + 1)


def test_sockets_that_came_at_once_are_asked_for_in_any_order(valkey: Valkey) -> None:
    one, other = process(valkey), process(valkey)
    assert one.admit("somebody", LIMIT)
    assert one.admit("somebody", 1)
    assert not other.admit("somebody", 1)
    assert one.settle({"somebody": 1}, {"somebody": 1})
    assert other.admit("somebody", LIMIT - 1)


def test_a_killed_process_counts_until_its_lease_is_over(valkey: Valkey) -> None:
    killed, other = process(valkey, lease_seconds=1), process(valkey)
    assert killed.admit("somebody", LIMIT)
    assert not other.admit("somebody", 1)
    time.sleep(2.1)  # Redis' clock is read in whole seconds
    assert other.admit("somebody", 1)
    assert not other.admit("somebody", LIMIT + 1)
    # It was only slow: what it has counts again.
    assert killed.settle({}, {"somebody": LIMIT})
    assert not other.admit("somebody", 2)


def test_a_process_that_says_farewell_counts_no_more(valkey: Valkey) -> None:
    leaving, other = process(valkey), process(valkey)
    assert leaving.admit("somebody", LIMIT)
    leaving.leave()
    assert other.admit("somebody", LIMIT)


def test_redis_forgets_and_is_told_again(valkey: Valkey) -> None:
    one, other = process(valkey), process(valkey)
    assert one.admit("somebody", LIMIT)
    valkey.kill()
    assert other.admit("somebody", 1)  # each for itself
    assert not one.settle({}, {"somebody": LIMIT})
    valkey.start()
    for counts in (one, other):
        counts._away_until = 0.0
    assert one.settle({}, {"somebody": LIMIT})
    assert not other.admit("somebody", 2)


def test_while_redis_is_away_nobody_waits_for_it(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = process(valkey)
    valkey.kill()
    assert counts.admit("somebody", 1)
    monkeypatch.setattr(SocketCounts, "_redis", None)  # asked, it would fail otherwise than Redis does
    assert counts.admit("somebody", 2)


@pytest.mark.django_db(transaction=True)
async def test_two_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hubs in this process, with a socket of the user's each; the third is refused at either."""
    user = await off_loop(make_user)
    token = await off_loop(login, user)
    here, there = hub(), Hub()
    clients = []
    for at in (here, here, there):
        monkeypatch.setattr("subscriptions.consumers.current_hub", lambda at=at: at)
        clients.append(Client(headers=bearer(token)))
        assert await clients[-1].open()
        await clients[-1].be_counted()
    for at in (here, there):
        monkeypatch.setattr("subscriptions.consumers.current_hub", lambda at=at: at)
        refused = Client(headers=bearer(token))
        assert await refused.open()
        assert (await refused.hear())["code"] == "throttled"
        assert await refused.closed_with() == 4429
        await refused.leave()
    assert (len(here.sockets), len(there.sockets)) == (2, 1)
    for client in clients:
        await client.leave()


@pytest.mark.django_db(transaction=True)
async def test_who_is_full_is_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    user = await off_loop(make_user)
    token = await off_loop(login, user)
    async with open_client(user), open_client(user), open_client(user):
        await until(lambda: len(hub().sockets) == LIMIT)

        async def never(*_: Any) -> None:
            raise AssertionError("asked the database")

        monkeypatch.setattr("subscriptions.consumers.authenticate", never)
        refused = Client(headers=bearer(token))
        assert await refused.open()
        assert (await refused.hear())["code"] == "throttled"
        assert await refused.closed_with() == 4429
        await refused.leave()
        foreign = Client(headers=[*bearer(token), (b"origin", b"https://evil.example")])
        assert not await foreign.open()


@pytest.mark.django_db(transaction=True)
async def test_places_are_free_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What closes here may open elsewhere, after a round of the watcher."""
    monkeypatch.setattr(hubs, "WATCH_SECONDS", 0.05)
    user = await off_loop(make_user)
    elsewhere = SocketCounts()
    async with open_client(user), open_client(user):
        async with open_client(user) as third:
            await third.be_counted()
            assert not await off_loop(elsewhere.admit, user.public_id, 1)
        async with asyncio.timeout(10):
            while not await off_loop(elsewhere.admit, user.public_id, 1):
                await asyncio.sleep(0.05)
        assert not await off_loop(elsewhere.admit, user.public_id, 2)
