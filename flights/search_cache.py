"""Answers of the search, kept in Redis for moments. It may be dead or silent: then there is no cache."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from django.core.cache import caches
from django_redis.exceptions import ConnectionInterrupted  # type: ignore[import-untyped]
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)
# After a failure, how long it is left alone: else each search would wait for it, twice.
REST_SECONDS = 5.0


class SearchCache:
    def __init__(self) -> None:
        self._rests_until = 0.0

    def get(self, key: str) -> tuple[str, bytes] | None:
        """The ETag and body kept under `key`."""
        found: tuple[str, bytes] | None = self._ask(lambda client: client.get(key))
        return found

    def keep(self, key: str, answer: tuple[str, bytes], seconds: int) -> None:
        self._ask(lambda client: client.set(key, answer, timeout=seconds))

    def _ask(self, question: Callable[[Any], Any]) -> Any:
        """Asks django-redis's client: the cache above it swallows its errors, and the wait with them."""
        if time.monotonic() < self._rests_until:
            return None
        try:
            return question(caches["default"].client)  # type: ignore[attr-defined]  # django-redis's alone has it
        except (ConnectionInterrupted, RedisError, OSError) as error:
            self._rests_until = time.monotonic() + REST_SECONDS
            logger.warning("search cache: Redis is away: %s", error)
            return None


search_cache = SearchCache()
