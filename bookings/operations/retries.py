"""A whole transaction again, where another one made it impossible."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.db import IntegrityError, OperationalError

from flightbook.errors import Unavailable, constraint_name

T = TypeVar("T")
TRIES = 3
# Serialisation failure, deadlock, lock time-out:
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_LOST_TO_ANOTHER = frozenset({"40001", "40P01", "55P03"})


def again_after_deadlock(transaction: Callable[[], T]) -> T:
    """Runs `transaction`, which opens and commits its own, up to three times. It must draw a new record
    locator each time.

    Raises:
        Unavailable: it lost to others each time.
    """
    for _ in range(TRIES):
        try:
            return transaction()
        except (OperationalError, IntegrityError) as error:
            if not _may_come_right(error):
                raise
            last = error
    raise Unavailable(detail="Too many others want the same seats at this moment.", retry_after=1) from last


def _may_come_right(error: OperationalError | IntegrityError) -> bool:
    if isinstance(error, IntegrityError):
        return constraint_name(error) == "booking_locator_unique"
    return getattr(error.__cause__, "pgcode", None) in _LOST_TO_ANOTHER
