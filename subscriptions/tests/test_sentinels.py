"""Redis through Sentinel: its master dies, and the layer, the cache and the counters find the next one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from channels_redis.pubsub import RedisPubSubChannelLayer
from django.core.cache import caches
from django.test import Client
from redis.exceptions import RedisError

from flightbook import redis_place
from flightbook.http.throttling import RequestCounter, SharedCounter
from subscriptions.tests.servers import Watched

FAR = 10**9  # a minute that nobody else counts in
WITHIN = 15.0  # seconds for the whole failover; it takes about two


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Of all tests here, in their order: one kills the master."""
    found = Watched(tmp_path_factory.mktemp("sentinels"))
    yield found
    found.kill()


def layer_of(watched: Watched) -> Any:
    return RedisPubSubChannelLayer(hosts=[redis_place.layer_host(watched.url, watched.addresses)])


def count_of(counter: SharedCounter, key: str) -> int | None:
    try:
        return counter.hit(key, FAR)
    except (RedisError, OSError):
        return None


def soon(happens: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.1)


async def hears(layer: Any, channel: str, group: str) -> bool:
    """Whether a message to the group arrives, sent again and again until it does."""
    deadline = time.monotonic() + WITHIN
    while time.monotonic() < deadline:
        try:
            async with asyncio.timeout(2):
                await layer.group_send(group, {"type": "any"})
            async with asyncio.timeout(0.5):
                await layer.receive(channel)
        except (RedisError, OSError, TimeoutError):
            await asyncio.sleep(0.2)
        else:
            return True
    return False


def cache_of(watched: Watched, settings: Any) -> Any:
    settings.CACHES = {"default": redis_place.cache(watched.url, watched.addresses)}
    return caches["default"]


@pytest.mark.django_db
def test_all_of_it_is_found_by_the_master_s_name(client: Client, watched: Watched, settings: Any) -> None:
    settings.REDIS_URL, settings.REDIS_SENTINELS = watched.url, watched.addresses
    assert client.get("/health/ready").json()["checks"]["redis"] == {"state": "up"}
    cache = cache_of(watched, settings)
    cache.set("a", "1")
    assert cache.get("a") == "1"
    counter = RequestCounter(watched.url, watched.addresses)
    assert [counter.hit("found", FAR), counter.hit("found", FAR)] == [1, 2]
    with redis_place.client(f"redis://127.0.0.1:{watched.master.port}/0") as master:
        assert master.get(f"flightbook:limits:{FAR}:found") == b"2"


def test_of_three_sentinels_one_is_enough_to_ask(watched: Watched) -> None:
    closed = (("127.0.0.1", 1), ("127.0.0.1", 1), watched.addresses[2])
    began = time.monotonic()
    assert redis_place.client(watched.url, closed).ping()
    assert time.monotonic() - began < 1


def test_with_no_sentinel_it_is_away_at_once() -> None:
    """Not after retries that each request would wait for."""
    began = time.monotonic()
    counter = RequestCounter("redis://watched/0", (("127.0.0.1", 1),))
    assert counter.hit("a", FAR) == 1
    assert counter._away_until > 0
    assert time.monotonic() - began < 1


async def test_the_master_dies(watched: Watched, settings: Any) -> None:
    """Last: afterwards the replica is the master."""
    layer, counter = layer_of(watched), SharedCounter(watched.url, watched.addresses)
    fixed = redis_place.client(f"redis://127.0.0.1:{watched.master.port}/0")
    channel = await layer.new_channel()
    await layer.group_add("followers", channel)
    cache = cache_of(watched, settings)
    assert await hears(layer, channel, "followers")
    assert (count_of(counter, "before"), fixed.ping()) == (1, True)
    watched.master.kill()
    assert await hears(layer, channel, "followers")
    await asyncio.to_thread(soon, lambda: count_of(counter, "after") is not None)
    await asyncio.to_thread(soon, lambda: bool(cache.set("b", "2")))
    assert await asyncio.to_thread(cache.get, "b") == "2"
    with redis_place.client(f"redis://127.0.0.1:{watched.replica.port}/0") as replica:
        assert int(replica.get(f"flightbook:limits:{FAR}:after") or 0) > 0
    with pytest.raises(RedisError):  # who has an address in place of the name goes without
        fixed.ping()
    await layer.flush()
