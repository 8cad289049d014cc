"""What the project may ask of bookings, the top app: the worker's tasks and what is left for them.

Each task takes at most `limit` pieces of work, commits piece by piece, and answers how many it did, so that
the worker comes again at once while there is more. All of them may run in any number of workers.

- `settle_payments`: captures, voids, what the gateway did not answer, refunds.
- `expire_holds`: holds whose time is over by the database's clock.
- `handle_disruptions`: what flights' cancellations and moves mean for their bookings; `register_consumers` at
  deployment, so that none is missed.
- `purge_idempotency_keys`: keys older than a day; `purge_quotes`: quotes that nobody took, a day after their
  time.
- `backlog`: counts of what is undone, `bookings_by_status`: of all, for the metrics.
- `invariants`: what must always hold, for the auditor.
"""

from bookings.idempotency import purge_idempotency_keys
from bookings.invariants import invariants
from bookings.operations import (
    expire_holds,
    handle_disruptions,
    purge_quotes,
    register_consumers,
    settle_payments,
)
from bookings.queries import backlog
from bookings.stock import bookings_by_status
from bookings.types import Backlog

__all__ = [
    "Backlog",
    "backlog",
    "bookings_by_status",
    "expire_holds",
    "handle_disruptions",
    "invariants",
    "purge_idempotency_keys",
    "purge_quotes",
    "register_consumers",
    "settle_payments",
]
