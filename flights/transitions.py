"""Which status may follow which: the one table, read by the operation, the admin's forms and the documents.

- A flight comes before its departure (Scheduled, Boarding, Delayed), leaves (Departed), and ends Landed; the
  same status again is a change like any other (another delay, another gate, a better arrival time).
- Boarding and Delayed may fall back: a boarding is broken off, a delay is taken back.
- A cancelled flight may be reinstated, as airlines do and as a slip of the hand needs: its sale opens again.
  Nothing else leads out of Cancelled, and nothing that has left the ground can be cancelled.
- A diverted flight may go on to its destination (Departed) or end where it stands (Landed).
"""

from __future__ import annotations

from flights.types import FlightStatus as S

TRANSITIONS: dict[str, tuple[str, ...]] = {
    S.SCHEDULED: (S.SCHEDULED, S.BOARDING, S.DELAYED, S.DEPARTED, S.CANCELLED),
    S.BOARDING: (S.BOARDING, S.SCHEDULED, S.DELAYED, S.DEPARTED, S.CANCELLED),
    S.DELAYED: (S.DELAYED, S.SCHEDULED, S.BOARDING, S.DEPARTED, S.CANCELLED),
    S.DEPARTED: (S.DEPARTED, S.LANDED, S.DIVERTED),
    S.LANDED: (S.LANDED,),
    S.DIVERTED: (S.DIVERTED, S.DEPARTED, S.LANDED),
    S.CANCELLED: (S.CANCELLED, S.SCHEDULED, S.DELAYED),
}
# A flight sells seats and may get a new schedule only before it leaves.
ON_SALE: frozenset[str] = frozenset({S.SCHEDULED.value, S.BOARDING.value, S.DELAYED.value})


def allowed(status: str) -> tuple[str, ...]:
    """The statuses that may follow `status`."""
    return tuple(str(following) for following in TRANSITIONS[status])
