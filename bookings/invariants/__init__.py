"""What must always hold in the sale: `seats` against flights' counters and seat numbers, `prices` and tickets
in themselves, `money` against the payments and the sandbox's own book.

Work in flight is no violation until it is late: a hold past its time, a payment past its lease, by more than
the grace. An audit of a system at rest (`settled`) allows none.
"""

from bookings.invariants.books import BOOKS
from bookings.invariants.disruptions import DISRUPTIONS
from bookings.invariants.money import MONEY
from bookings.invariants.prices import PRICES
from bookings.invariants.seats import SEATS
from flightbook.invariants import Check


def invariants() -> tuple[Check, ...]:
    """What the auditor looks at."""
    return (*SEATS, *PRICES, *MONEY, *BOOKS, *DISRUPTIONS)


__all__ = ["invariants"]
