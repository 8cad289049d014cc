"""The sale as a model knows it: one flight, one fare, a handful of bookings. What each operation comes to,
and what is left after it."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field

SEATS = 5
OK = "ok"
GOOD, DECLINED, CAPTURE_REFUSED = "tok_success", "tok_declined", "tok_capture_refused"
# A lost race: nothing was done. The model, which does one thing after the other, never comes to these.
LOST = frozenset({"price_changed", "request_in_progress", "unavailable"})


@dataclass(frozen=True)
class Book:
    slot: int
    seats: int
    is_hold: bool
    card: str


@dataclass(frozen=True)
class Pay:
    slot: int
    card: str


@dataclass(frozen=True)
class Cancel:
    slot: int


@dataclass(frozen=True)
class TakeOut:
    """The passenger of that index leaves."""

    slot: int
    passenger: int


@dataclass(frozen=True)
class Expire:
    """The hold's time is over, and the worker comes by."""

    slot: int


@dataclass(frozen=True)
class Settle:
    """The worker captures, voids and refunds."""


Operation = Book | Pay | Cancel | TakeOut | Expire | Settle


@dataclass
class Sold:
    status: str
    living: set[int]
    card: str = ""
    is_pending: bool = False


@dataclass
class Model:
    """Bookings by the slot that their operation was given, and the seats left."""

    left: int = SEATS
    sold: dict[int, Sold] = field(default_factory=dict)

    def apply(self, operation: Operation) -> str:
        """Does it; OK, or the code of the refusal."""
        if isinstance(operation, Book):
            return self._book(operation)
        if isinstance(operation, Settle):
            return self._settle()
        booking = self.sold[operation.slot]
        if isinstance(operation, Pay):
            return self._pay(booking, operation.card)
        if isinstance(operation, Expire):
            if booking.status == "Held":
                self._end(booking, "Expired")
            return OK
        leaving = booking.living if isinstance(operation, Cancel) else {operation.passenger}
        return self._take_out(booking, set(leaving))

    def after_all(self, operations: Sequence[Operation]) -> tuple[Model, list[str]]:
        """A copy that has done them in this order, and what each came to."""
        after = deepcopy(self)
        return after, [after.apply(operation) for operation in operations]

    def _book(self, order: Book) -> str:
        if order.seats > self.left:
            return "sold_out"
        if not order.is_hold and order.card == DECLINED:
            return "payment_declined"
        self.left -= order.seats
        living = set(range(order.seats))
        if order.is_hold:
            self.sold[order.slot] = Sold("Held", living)
        else:
            self.sold[order.slot] = Sold("Confirmed", living, order.card, is_pending=True)
        return OK

    def _pay(self, booking: Sold, card: str) -> str:
        refusals = {
            "Confirmed": "invalid_transition",
            "Cancelled": "already_cancelled",
            "Expired": "hold_expired",
        }
        if booking.status in refusals:
            return refusals[booking.status]
        if card == DECLINED:
            return "payment_declined"
        booking.status, booking.card, booking.is_pending = "Confirmed", card, True
        return OK

    def _take_out(self, booking: Sold, leaving: set[int]) -> str:
        if booking.status == "Expired":
            return "not_cancellable"
        if booking.status == "Cancelled" or not leaving <= booking.living:
            return "already_cancelled"
        if leaving == booking.living:
            self._end(booking, "Cancelled")
        else:
            booking.living -= leaving
            self.left += len(leaving)
        return OK

    def _settle(self) -> str:
        for booking in self.sold.values():
            if booking.is_pending and booking.status == "Confirmed" and booking.card == CAPTURE_REFUSED:
                self._end(booking, "Cancelled")
            booking.is_pending = False
        return OK

    def _end(self, booking: Sold, status: str) -> None:
        booking.status = status
        self.left += len(booking.living)
