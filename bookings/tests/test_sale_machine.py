"""The operations of the sale against a model (`sale_model`), in sequences that Hypothesis draws, over two
real connections.

One operation must come to what the model says. Two at once must come to what the model says of one order or
the other, a lost race counting as nothing done. After every step the database has what the model has; at the
end every invariant holds, and the gateway has kept the price of what is still booked.
SALE_MACHINE_EXAMPLES=500 looks longer, and elsewhere each time.
"""

from __future__ import annotations

import os
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db.models import F, Sum
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from accounts.tests.factories import make_user
from bookings import operations
from bookings.idempotency import Promise
from bookings.models import Booking, SandboxPayment, Segment
from bookings.operations import cancel
from bookings.tests.factories import available, check_books, overdue
from bookings.tests.sale_model import (
    CAPTURE_REFUSED,
    DECLINED,
    GOOD,
    LOST,
    OK,
    SEATS,
    Book,
    Cancel,
    Expire,
    Model,
    Operation,
    Pay,
    Settle,
    TakeOut,
)
from bookings.types import Order, PassengerView
from flightbook.errors import Problem
from flights.tests.factories import make_flight
from flights.tests.races import together

pytestmark = pytest.mark.django_db(transaction=True)
PRICE = Decimal("160.00")  # of the fare that protects no seat and gives all back
CARDS = st.sampled_from([GOOD, GOOD, GOOD, DECLINED, CAPTURE_REFUSED])
EXAMPLES = int(os.environ.get("SALE_MACHINE_EXAMPLES", "0"))
PROFILE = settings(
    max_examples=EXAMPLES or 3,
    stateful_step_count=30 if EXAMPLES else 10,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink] if EXAMPLES else [Phase.generate],
)


class SaleMachine(RuleBasedStateMachine):
    """One traveller and one flight an example."""

    def __init__(self) -> None:
        super().__init__()
        self.user = make_user()
        self.flight = make_flight(economy=SEATS)
        self.model = Model()
        self.ids: dict[int, str] = {}
        self.next_slot = 0
        self.agrees = True  # with the database; where it does not any more, the rest need not be looked at

    @rule(data=st.data())
    def one(self, data: st.DataObject) -> None:
        operation = self._draw(data)
        done = self._do(operation)
        self.agrees = False
        assert (done, operation) == (self.model.apply(operation), operation)
        self._compare()

    @precondition(lambda self: self.model.sold)
    @rule(data=st.data())
    def two_at_once(self, data: st.DataObject) -> None:
        pair = [self._draw(data), self._draw(data)]
        done = together([partial(self._do, operation) for operation in pair])
        self._do(Settle())  # so that no time matters in which a payment was not captured yet
        operations.expire_holds()  # passes over a hold that somebody is at work on
        orders = [self._after(pair, done, order) for order in ((0, 1), (1, 0))]
        possible = [model for model in orders if model is not None]
        self.agrees = False
        assert possible, (pair, done, self.model)
        agreeing = [model for model in possible if self._differences(model) == []]
        assert agreeing, (pair, done, [self._differences(model) for model in possible])
        self.model, self.agrees = agreeing[0], True

    def teardown(self) -> None:
        if not self.agrees:
            return
        self._do(Settle())
        self.model.apply(Settle())
        self._compare()
        check_books()
        living = [sold.living for sold in self.model.sold.values() if sold.status == "Confirmed"]
        mine = SandboxPayment.objects.filter(
            key__in=Booking.objects.filter(user=self.user).values("payments__key"), state="captured"
        )
        kept = mine.aggregate(sum=Sum(F("amount") - F("refunded")))["sum"] or 0
        assert kept == PRICE * sum(map(len, living))

    def _draw(self, data: st.DataObject) -> Operation:
        kinds = ["book", "book", "hold"]
        if self.model.sold:
            kinds += ["pay", "pay", "cancel", "take out", "expire", "settle"]
        kind = data.draw(st.sampled_from(kinds))
        if kind in ("book", "hold"):
            self.next_slot += 1
            seats = data.draw(st.integers(1, 3))
            return Book(self.next_slot, seats, is_hold=kind == "hold", card=data.draw(CARDS))
        if kind == "settle":
            return Settle()
        slot = data.draw(st.sampled_from(sorted(self.model.sold)))
        if kind == "pay":
            return Pay(slot, data.draw(CARDS))
        if kind == "take out":
            living = sorted(self.model.sold[slot].living)
            return TakeOut(slot, data.draw(st.sampled_from(living)))
        return Cancel(slot) if kind == "cancel" else Expire(slot)

    def _do(self, operation: Operation) -> str:
        try:
            return self._call(operation)
        except Problem as problem:
            return problem.code

    def _call(self, operation: Operation) -> str:
        promise = Promise(user_pk=self.user.pk)
        if isinstance(operation, Book):
            view = operations.book_flight(order=self._order(operation), promise=promise)
            self.ids[operation.slot] = view.booking_id
        elif isinstance(operation, Settle):
            operations.settle_payments()
        else:
            self._call_about(self.ids[operation.slot], operation, promise)
        return OK

    def _call_about(self, booking_id: str, operation: Operation, promise: Promise) -> None:
        mine: dict[str, Any] = {"user_pk": self.user.pk, "booking_id": booking_id, "promise": promise}
        if isinstance(operation, Pay):
            operations.pay_booking(**mine, payment_method="debit_card", payment_token=operation.card)
        elif isinstance(operation, Expire):
            overdue(Booking.objects.get(public_id=booking_id))
            operations.expire_holds()
        elif isinstance(operation, TakeOut):
            operations.cancel_booking(**mine, passengers=[operation.passenger])
        else:
            operations.cancel_booking(**mine)

    def _order(self, order: Book) -> Order:
        return Order(
            user_pk=self.user.pk,
            flight_ids=(self.flight.public_id,),
            payment_method="hold" if order.is_hold else "credit_card",
            cabin="economy",
            fares=("EFLEX",),
            one_fare_for_all=True,
            passengers=tuple(PassengerView(f"Given{n}", "Family", "adult") for n in range(order.seats)),
            payment_token=order.card,
        )

    def _after(self, pair: list[Operation], done: list[str], order: tuple[int, int]) -> Model | None:
        """The model after both, where they may have come to `done` in this order."""
        effective = [index for index in order if done[index] not in LOST]
        after, came_to = self.model.after_all([pair[index] for index in effective] + [Settle()])
        return after if came_to[:-1] == [done[index] for index in effective] else None

    def _compare(self) -> None:
        if differences := self._differences(self.model):
            raise AssertionError("; ".join(differences))
        self.agrees = True

    def _differences(self, model: Model) -> list[str]:
        """Where the database is not as the model."""
        found = {
            booking.public_id: (booking.status, booking.passengers.filter(cancelled_at=None).count())
            for booking in Booking.objects.filter(user=self.user)
        }
        expected = {self.ids[slot]: (sold.status, len(sold.living)) for slot, sold in model.sold.items()}
        live = Segment.objects.filter(booking__user=self.user, booking__status__in=("Held", "Confirmed"))
        claimed = live.aggregate(sum=Sum("seats_claimed", default=0))["sum"]
        return [
            f"{name}: {there}, not {wanted}"
            for name, there, wanted in (
                ("bookings", found, expected),
                ("seats left", available(self.flight), model.left),
                ("seats claimed", claimed, SEATS - model.left),
            )
            if there != wanted
        ]


@pytest.fixture(autouse=True)
def _many_holds(settings: Any) -> None:
    settings.HOLDS_PER_USER = 100


def test_the_sale_does_what_the_model_does() -> None:
    run_state_machine_as_test(SaleMachine, settings=PROFILE)


def test_control_seats_that_do_not_come_back_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancel, "give_seats_back", lambda booking: None)

    with pytest.raises(AssertionError, match="seats left"):
        run_state_machine_as_test(SaleMachine, settings=PROFILE)
