"""How many sockets each user has in all processes, counted in Redis.

A process writes its own number of a user's sockets (`admit`, `settle`) as it is, never one more or one less:
what was lost or came twice is put right by the next one. Its numbers count while its lease does, which
`renew` keeps; those of a process that was killed count for `LEASE_SECONDS` more. Redis may lose all of it:
the next `renew` says so, and the numbers are written anew. While it is away each process counts for itself.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.conf import settings
from redis.exceptions import RedisError

from flightbook import redis_place
from subscriptions.outages import Outage

if TYPE_CHECKING:
    from redis import Redis

LEASE_SECONDS = 15
# While Redis is away, how long before it is asked again: else each socket would wait for it.
_AWAY_SECONDS = 5.0
# A user's numbers are forgotten when none of them has changed for longer than a session lasts.
_KEPT_SECONDS = 15 * 24 * 3600
_AT_ONCE = 500

# KEYS: the leases, a user's numbers. ARGV: process, its number with the new socket, limit, lease, kept.
# Sockets that come at once are asked for in threads, in any order: a smaller number of ours is an older one,
# or one that `settle` will write.
_ADMIT = """
local now = tonumber(redis.call('TIME')[1])
local total = tonumber(ARGV[2])
local mine = total
local numbers = redis.call('HGETALL', KEYS[2])
for i = 1, #numbers, 2 do
  if numbers[i] == ARGV[1] then
    mine = math.max(mine, tonumber(numbers[i + 1]))
  else
    local ends = redis.call('ZSCORE', KEYS[1], numbers[i])
    if ends and tonumber(ends) >= now then
      total = total + tonumber(numbers[i + 1])
    else
      redis.call('HDEL', KEYS[2], numbers[i])
    end
  end
end
if total > tonumber(ARGV[3]) then return 0 end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[4]), ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], mine)
redis.call('EXPIRE', KEYS[2], ARGV[5])
return 1
"""

# KEYS: the leases. ARGV: process, lease. 0 where Redis had forgotten the process.
_RENEW = """
local now = tonumber(redis.call('TIME')[1])
local known = redis.call('ZSCORE', KEYS[1], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. now)
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
if known and tonumber(known) >= now then return 1 end
return 0
"""


class SocketCounts:
    """This process's part of the count. All calls wait for Redis, half a second at most: in a thread.

    A user is a public id, a number how many sockets this process has of him.
    """

    def __init__(self, url: str = "", *, lease_seconds: int = LEASE_SECONDS) -> None:
        self.process = uuid.uuid4().hex
        self._url = url or settings.REDIS_URL
        self._lease = lease_seconds
        config: Any = settings.CHANNEL_LAYERS["default"]["CONFIG"]
        self._prefix = f"{config['prefix']}:sockets"
        self._outage = Outage("the count of sockets")
        self._away_until = 0.0

    @cached_property
    def _redis(self) -> Redis:
        return redis_place.client(self._url, settings.REDIS_SENTINELS)

    def admit(self, user: str, number: int) -> bool:
        """Whether the user may have this socket more, with which this process has `number` of his."""
        keys = [self._leases, self._numbers(user)]
        limit = settings.SOCKETS_PER_USER
        answer = self._ask(_ADMIT, keys, self.process, number, limit, self._lease, _KEPT_SECONDS)
        return answer != 0

    def settle(self, changed: Mapping[str, int], present: Mapping[str, int]) -> bool:
        """Keeps the lease, and writes the numbers that `changed`; all, where Redis had forgotten us.

        Returns:
            False where Redis is away: `changed` is still to be written.
        """
        known = self._ask(_RENEW, [self._leases], self.process, self._lease)
        if known is None:
            return False
        return self._write(changed if known else {**changed, **present})

    def leave(self) -> None:
        """The process has sent its clients away: elsewhere they are to be let in at once."""
        try:
            self._redis.zrem(self._leases, self.process)
        except (RedisError, OSError) as error:
            self._lose(error)

    def _write(self, numbers: Mapping[str, int]) -> bool:
        users = list(numbers)
        try:
            for start in range(0, len(users), _AT_ONCE):
                with self._redis.pipeline(transaction=False) as pipeline:
                    for user in users[start : start + _AT_ONCE]:
                        self._write_one(pipeline, user, numbers[user])
                    pipeline.execute()
        except (RedisError, OSError) as error:
            self._lose(error)
            return False
        return True

    def _write_one(self, pipeline: Any, user: str, number: int) -> None:
        key = self._numbers(user)
        if number:
            pipeline.hset(key, self.process, number)
            pipeline.expire(key, _KEPT_SECONDS)
        else:
            pipeline.hdel(key, self.process)

    def _ask(self, script: str, keys: list[str], *values: object) -> int | None:
        """The script's answer; None while Redis is away."""
        if time.monotonic() < self._away_until:
            return None
        try:
            answer: Any = self._redis.eval(script, len(keys), *keys, *map(str, values))
        except (RedisError, OSError) as error:
            self._lose(error)
            return None
        self._outage.end()
        return int(answer)

    def _lose(self, error: Exception) -> None:
        self._away_until = time.monotonic() + _AWAY_SECONDS
        self._outage.begin(error)

    @property
    def _leases(self) -> str:
        return f"{self._prefix}:leases"

    def _numbers(self, user: str) -> str:
        return f"{self._prefix}:of:{user}"
