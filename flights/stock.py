"""What is for sale, and for how long."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from django.db import connection
from django.db.models import Min

from flights.models import CabinInventory

_SEATS = """
SELECT cabin, sum(capacity + overbooking + excess), sum(available), sum(excess) FROM flights_cabininventory
 WHERE is_open AND closes_at > clock_timestamp() GROUP BY cabin
"""


def seats_on_sale() -> dict[str, tuple[int, int, int]]:
    """For the metrics, by cabin, of the flights that are open: seats that may be sold, those left, and those
    sold beyond what an aircraft that was changed has. Scans the table: ask now and then."""
    with connection.cursor() as cursor:
        cursor.execute(_SEATS)
        return {cabin: (limit, left, excess) for cabin, limit, left, excess in cursor.fetchall()}


def sale_ends(*, flight_pks: Collection[int], cabin: str) -> dt.datetime | None:
    """When the first of these flights stops to sell that cabin; None where none has it."""
    rows = CabinInventory.objects.filter(flight_id__in=flight_pks, cabin=cabin)
    ends: dt.datetime | None = rows.aggregate(first=Min("closes_at"))["first"]
    return ends
