"""Requests a minute, counted in Redis; while it is away, in each process.

Redis may lose its counters: these limits hold back floods, they guard nothing. Logins are guarded in the database.
"""

from __future__ import annotations

import logging
import time
from functools import cache
from typing import Any

from django.conf import settings
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage, Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from flightbook.http.client import client_address

logger = logging.getLogger(__name__)


@cache
def _shared() -> FixedWindowRateLimiter:
    url = settings.REDIS_URL.replace("unix://", "redis+unix://")
    options: Any = {"socket_connect_timeout": 0.5, "socket_timeout": 0.5, "key_prefix": "flightbook:limits"}
    storage: Storage = storage_from_string(url, **options)
    return FixedWindowRateLimiter(storage)


@cache
def _local() -> FixedWindowRateLimiter:
    return FixedWindowRateLimiter(MemoryStorage())


class MinuteThrottle(BaseThrottle):
    """A view names its limit by `throttle_scope` (a key of RATE_LIMITS; "default" where absent).

    Scopes of `register` and `login` count by address; all others by user, or by address without one.
    """

    def allow_request(self, request: Request, view: Any) -> bool:
        scope = getattr(view, "throttle_scope", "default")
        limit = RateLimitItemPerMinute(settings.RATE_LIMITS[scope])
        who = self._who(request, scope)
        try:
            allowed, left, reset = self._hit(_shared(), limit, scope, who)
        except (RedisError, OSError):
            logger.warning("request counters: Redis is away, counting in this process")
            allowed, left, reset = self._hit(_local(), limit, scope, who)
        self._wait = max(1, round(reset - time.time()))
        request._request.rate_limit_headers = {  # type: ignore[attr-defined]  # read by RequestContextMiddleware
            "RateLimit-Policy": f'"{scope}";q={limit.amount};w=60',
            "RateLimit": f'"{scope}";r={left};t={self._wait}',
        }
        return allowed

    def wait(self) -> float:
        return self._wait

    @staticmethod
    def _who(request: Request, scope: str) -> str:
        user = request.user
        if scope in ("register", "login") or user is None:
            return client_address(request._request)
        return f"user:{user.pk}"

    @staticmethod
    def _hit(
        limiter: FixedWindowRateLimiter, limit: RateLimitItemPerMinute, scope: str, who: str
    ) -> tuple[bool, int, float]:
        allowed = limiter.hit(limit, scope, who)
        stats = limiter.get_window_stats(limit, scope, who)
        return allowed, stats.remaining, stats.reset_time
