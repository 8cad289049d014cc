"""Redis at its URL, or wherever its Sentinels say: the same place for the layer, the cache and the counters.

With Sentinels (`REDIS_SENTINELS`) the host of the URL is no host but the name that they know the master by.
They are asked anew for each connection. All waits are short: the system serves without Redis.
"""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

from redis import Redis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.retry import Retry
from redis.sentinel import Sentinel

Sentinels = tuple[tuple[str, int], ...]  # host, port
_TIMES: dict[str, Any] = {"socket_connect_timeout": 0.5, "socket_timeout": 0.5}
# A listener only reads: without these it would never notice that the master's machine is gone.
_PROBES = {socket.TCP_KEEPIDLE: 2, socket.TCP_KEEPINTVL: 1, socket.TCP_KEEPCNT: 3}  # seconds, seconds, times


def client(url: str, sentinels: Sentinels = ()) -> Redis:
    """One that tries nothing twice: a retry would make a request wait for another half second. A pooled
    connection that died with a Redis that is back already is noticed by the pool."""
    options = _TIMES | {"retry": Retry(NoBackoff(), 0)}
    if not sentinels:
        return Redis.from_url(url, **options)
    manager = Sentinel(sentinels, sentinel_kwargs=options)  # type: ignore[no-untyped-call]
    found: Redis = manager.master_for(master_name(url), **_place(url), **options)  # type: ignore[no-untyped-call]
    return found


def cache(url: str, sentinels: Sentinels = ()) -> dict[str, Any]:
    """Django's cache. It may be lost: nothing that guards stands on it."""
    options = {name.upper(): seconds for name, seconds in _TIMES.items()} | {"IGNORE_EXCEPTIONS": True}
    if sentinels:
        options |= {
            "CONNECTION_FACTORY": "django_redis.pool.SentinelConnectionFactory",
            "SENTINELS": list(sentinels),
            "SENTINEL_KWARGS": _TIMES | {"retry": Retry(NoBackoff(), 0)},
        }
    backend = "django_redis.cache.RedisCache"
    return {"BACKEND": backend, "LOCATION": url, "KEY_PREFIX": "flightbook", "OPTIONS": options}


def layer_host(url: str, sentinels: Sentinels = ()) -> str | dict[str, Any]:
    """An entry of `hosts` of the channel layer."""
    if not sentinels:
        return url
    return _place(url) | {
        "master_name": master_name(url),
        "sentinels": list(sentinels),
        "sentinel_kwargs": _TIMES | {"retry": AsyncRetry(NoBackoff(), 0)},
        "socket_connect_timeout": _TIMES["socket_connect_timeout"],
        "socket_keepalive": True,
        "socket_keepalive_options": _PROBES,
    }


def master_name(url: str) -> str:
    """Empty where there is none."""
    return urlsplit(url).hostname or ""


def _place(url: str) -> dict[str, Any]:
    """What else the URL says: database, user, password."""
    place: dict[str, Any] = parse_url(url) if url else {}  # type: ignore[no-untyped-call]
    return {name: value for name, value in place.items() if name not in ("host", "port")}
