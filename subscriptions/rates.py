"""How fast a client may be."""

from __future__ import annotations


class Rate:
    """At most `limit` in any second."""

    __slots__ = ("_limit", "_times")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._times: list[float] = []  # a deque takes ten times the room, for each socket

    def allows(self, now: float) -> bool:
        """Counts one more at `now` (seconds, monotonic); False where that is one too many."""
        while self._times and self._times[0] <= now - 1:
            self._times.pop(0)
        self._times.append(now)
        return len(self._times) <= self._limit
