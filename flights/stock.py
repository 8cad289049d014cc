"""How many seats are for sale, for the metrics."""

from __future__ import annotations

from django.db import connection

_SEATS = """
SELECT cabin, sum(capacity + overbooking + excess), sum(available), sum(excess) FROM flights_cabininventory
 WHERE is_open AND closes_at > clock_timestamp() GROUP BY cabin
"""


def seats_on_sale() -> dict[str, tuple[int, int, int]]:
    """By cabin, of the flights that are open: seats that may be sold, those left, and those sold beyond what
    an aircraft that was changed has. Scans the table: ask now and then."""
    with connection.cursor() as cursor:
        cursor.execute(_SEATS)
        return {cabin: (limit, left, excess) for cabin, limit, left, excess in cursor.fetchall()}
