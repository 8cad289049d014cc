"""The states of a booking and of a payment, and which follows which: the one table that all transitions are
made by.

Every transition is a conditional UPDATE that names the states it may start from; 0 rows means that somebody
else was first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from bookings.models import BookingStatus, PaymentAttempt

S = TypeVar("S")
State = PaymentAttempt.State

BOOKING_TRANSITIONS: Mapping[BookingStatus, tuple[BookingStatus, ...]] = {
    BookingStatus.HELD: (BookingStatus.CONFIRMED, BookingStatus.CANCELLED, BookingStatus.EXPIRED),
    BookingStatus.CONFIRMED: (BookingStatus.CANCELLED,),
    BookingStatus.CANCELLED: (),
    BookingStatus.EXPIRED: (),
}

# `authorised`: the gateway said yes and the sale could not be written (yet). `unknown`: it said nothing. Both
# may be found so again by the next try. `to_capture` -> `declined` is a capture refused for good; `to_void`
# -> `captured` one that the void came too late for. `voided` -> `to_void`: an owner slower than its lease had
# the card authorised after the sweeper had finished.
PAYMENT_TRANSITIONS: Mapping[State, tuple[State, ...]] = {
    State.STARTED: (State.AUTHORISED, State.UNKNOWN, State.DECLINED, State.TO_CAPTURE, State.TO_VOID),
    State.UNKNOWN: (State.UNKNOWN, State.AUTHORISED, State.DECLINED, State.TO_CAPTURE, State.TO_VOID),
    State.AUTHORISED: (State.AUTHORISED, State.TO_CAPTURE, State.TO_VOID),
    State.TO_CAPTURE: (State.CAPTURED, State.DECLINED, State.TO_VOID),
    State.TO_VOID: (State.VOIDED, State.CAPTURED),
    State.VOIDED: (State.TO_VOID,),
    State.CAPTURED: (),
    State.DECLINED: (),
}

# The payments that somebody must still finish.
OPEN_PAYMENTS = (State.STARTED, State.UNKNOWN, State.AUTHORISED, State.TO_CAPTURE, State.TO_VOID)
# Those of a sale that has not been written: their owner goes on with them, or the sweeper voids them.
UNSOLD_PAYMENTS = (State.STARTED, State.UNKNOWN, State.AUTHORISED)


def sources(transitions: Mapping[S, tuple[S, ...]], target: S) -> list[S]:
    """The states from which `target` may follow."""
    return [state for state, following in transitions.items() if target in following]
