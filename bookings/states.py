"""The states of a booking, of its segments and coupons, and of a payment, and which follows which: the tables
that all transitions are made by, and that `manage.py statemachine` draws docs/states.md from.

Every transition is a conditional UPDATE that names the states it may start from; 0 rows means that somebody
else was first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from bookings.models import BookingStatus, Coupon, PaymentAttempt, Segment

S = TypeVar("S")
State = PaymentAttempt.State

BOOKING_TRANSITIONS: Mapping[BookingStatus, tuple[BookingStatus, ...]] = {
    BookingStatus.HELD: (BookingStatus.CONFIRMED, BookingStatus.CANCELLED, BookingStatus.EXPIRED),
    BookingStatus.CONFIRMED: (BookingStatus.CANCELLED,),
    BookingStatus.CANCELLED: (),
    BookingStatus.EXPIRED: (),
}

SEGMENT_TRANSITIONS: Mapping[Segment.Status, tuple[Segment.Status, ...]] = {
    Segment.Status.BOOKED: (Segment.Status.CANCELLED, Segment.Status.EXCHANGED),
    Segment.Status.CANCELLED: (),
    Segment.Status.EXCHANGED: (),
}

COUPON_TRANSITIONS: Mapping[Coupon.Status, tuple[Coupon.Status, ...]] = {
    Coupon.Status.OPEN: (Coupon.Status.CANCELLED, Coupon.Status.EXCHANGED),
    Coupon.Status.CANCELLED: (),
    Coupon.Status.EXCHANGED: (),
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


@dataclass(frozen=True)
class Machine:
    """What has states, for the picture. `starts`: those that it is made in; `rests`: where it normally ends,
    though something may follow."""

    name: str
    tells: str
    starts: tuple[str, ...]
    transitions: Mapping[Any, tuple[Any, ...]]
    rests: tuple[str, ...] = ()


MACHINES = (
    Machine(
        "Booking",
        "Held and Confirmed bookings live: they claim seats. A traveller who leaves a booking that others "
        "keep is no transition of it.",
        (BookingStatus.HELD, BookingStatus.CONFIRMED),
        BOOKING_TRANSITIONS,
    ),
    Machine(
        "Segment",
        "One flight of a booking. It claims its seats while it is Booked.",
        (Segment.Status.BOOKED,),
        SEGMENT_TRANSITIONS,
    ),
    Machine(
        "Coupon",
        "One traveller's part of a segment. What goes back of its price stands beside its state.",
        (Coupon.Status.OPEN,),
        COUPON_TRANSITIONS,
    ),
    Machine(
        "Payment",
        "One try to take money. The sale makes it `to_capture`; a worker does the rest, or undoes what has "
        "lost its owner.",
        (State.STARTED,),
        PAYMENT_TRANSITIONS,
        (State.VOIDED,),
    ),
)


def sources(transitions: Mapping[S, tuple[S, ...]], target: S) -> list[S]:
    """The states from which `target` may follow."""
    return [state for state, following in transitions.items() if target in following]
