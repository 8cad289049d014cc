"""Requests a minute, counted in Redis in one round trip; while it is away, in each process.

Redis may lose its counters: these limits hold back floods, they guard nothing. Logins are guarded in the
database. The minutes are the clock's, one counter each: round the turn of a minute a caller may send twice
the limit at once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from functools import cache
from typing import Any

from django.conf import settings
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from flightbook import redis_place
from flightbook.http.client import client_network

logger = logging.getLogger(__name__)

MINUTE = 60
# While Redis is away, how long to count here before it is asked again: else each request would wait for it.
_AWAY_SECONDS = 5.0
_BY_ADDRESS = ("register", "login")


class SharedCounter:
    """Counts in Redis, for all processes."""

    def __init__(self, url: str, sentinels: redis_place.Sentinels = ()) -> None:
        self._redis = redis_place.client(url, sentinels)

    def hit(self, key: str, minute: int) -> int:
        """One more; how many that makes in this minute.

        Raises:
            RedisError, OSError: Redis did not answer.
        """
        name = f"flightbook:limits:{minute}:{key}"
        count = int(self._redis.incr(name))  # type: ignore[arg-type]  # typed as a client that may be async
        if count == 1:  # a crash here leaves a key behind, under a name that no later minute has
            self._redis.expire(name, 2 * MINUTE)
        return count


class LocalCounter:
    """Counts in this process, and forgets with each minute."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._minute = 0
        self._counts: Counter[str] = Counter()

    def hit(self, key: str, minute: int) -> int:
        with self._lock:
            if minute != self._minute:
                self._minute, self._counts = minute, Counter()
            self._counts[key] += 1
            return self._counts[key]


class RequestCounter:
    """Counts in Redis, or here for as long as it is away."""

    def __init__(self, url: str, sentinels: redis_place.Sentinels = ()) -> None:
        self._shared, self._local = SharedCounter(url, sentinels), LocalCounter()
        self._away_until = 0.0

    def hit(self, key: str, minute: int) -> int:
        if time.monotonic() >= self._away_until:
            try:
                return self._shared.hit(key, minute)
            except (RedisError, OSError) as error:
                self._away_until = time.monotonic() + _AWAY_SECONDS
                logger.warning("request counters: Redis is away, counting in this process: %s", error)
        return self._local.hit(key, minute)


@cache
def request_counter(url: str, sentinels: redis_place.Sentinels) -> RequestCounter:
    """The process's counter for the Redis at `url`."""
    return RequestCounter(url, sentinels)


class MinuteThrottle(BaseThrottle):
    """A view names its limit by `throttle_scope` (a key of RATE_LIMITS; "default" where absent).

    Scopes of `register` and `login` count by address; all others by user, or by address without one.
    """

    _left_of_minute = float(MINUTE)

    def allow_request(self, request: Request, view: Any) -> bool:
        scope = getattr(view, "throttle_scope", "default")
        limit: int = settings.RATE_LIMITS[scope]
        now = time.time()
        key = f"{scope}:{self._who(request, scope)}"
        counter = request_counter(settings.REDIS_URL, settings.REDIS_SENTINELS)
        count = counter.hit(key, int(now // MINUTE))
        self._left_of_minute = MINUTE - now % MINUTE
        # Read by RequestContextMiddleware; the form is draft-ietf-httpapi-ratelimit-headers-10.
        request._request.rate_limit_headers = {  # type: ignore[attr-defined]  # ours, not HttpRequest's
            "RateLimit-Policy": f'"{scope}";q={limit};w={MINUTE}',
            "RateLimit": f'"{scope}";r={max(0, limit - count)};t={max(1, round(self._left_of_minute))}',
        }
        return count <= limit

    def wait(self) -> float:
        """Seconds until the next minute."""
        return self._left_of_minute

    @staticmethod
    def _who(request: Request, scope: str) -> str:
        user = request.user
        if scope in _BY_ADDRESS or user is None:
            return client_network(request._request)
        return f"user:{user.pk}"
