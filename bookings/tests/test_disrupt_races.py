"""A flight is cancelled while people book it: whoever got in is refunded, and nobody gets in afterwards."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import pytest

from bookings.models import Booking, Disruption
from bookings.payments.sandbox import SandboxGateway
from bookings.public import handle_disruptions, register_consumers, settle_payments
from bookings.tests.factories import Traveller, available, check_books
from flights import seat_inventory
from flights.models import Flight
from flights.public import record_update
from flights.tests.factories import make_flight
from flights.tests.races import in_background, together

pytestmark = pytest.mark.django_db(transaction=True)


def cancel(flight: Flight) -> None:
    record_update(flight_pk=flight.pk, status="Cancelled", source="test")


def test_nobody_slips_in() -> None:
    register_consumers()
    flight = make_flight(economy=30)
    travellers = [Traveller() for _ in range(3)]
    early = [travellers[n % 3].booked(flight) for n in range(8)]

    def keep_booking(traveller: Traveller) -> list[int]:
        return [traveller.book(flight).status_code for _ in range(3)]

    def refund() -> int:
        cancel(flight)
        return sum(iter(handle_disruptions, 0))

    *answers, _ = together([*(partial(keep_booking, traveller) for traveller in travellers), refund])
    while handle_disruptions() or settle_payments():
        pass

    made = sum(codes.count(201) for codes in answers)
    assert all(set(codes) <= {201, 409} for codes in answers)
    assert set(Booking.objects.values_list("status", flat=True)) == {"Cancelled"}
    assert Booking.objects.count() == len(early) + made == Disruption.objects.filter(state="refunded").count()
    assert available(flight) == 30
    check_books()


@pytest.mark.parametrize("guarded", [True, False])
def test_who_is_paying_while_it_is_cancelled(monkeypatch: pytest.MonkeyPatch, *, guarded: bool) -> None:
    """Without the counters' closing in the update's own transaction a paid booking stands on a cancelled
    flight, and nobody refunds it."""
    register_consumers()
    flight, traveller = make_flight(), Traveller()
    pays, may_pay = threading.Event(), threading.Event()
    authorise = SandboxGateway.authorise

    def slowly(*args: Any, **kwargs: Any) -> Any:
        pays.set()
        assert may_pay.wait(30)
        return authorise(*args, **kwargs)

    monkeypatch.setattr(SandboxGateway, "authorise", slowly)
    if not guarded:
        monkeypatch.setattr(seat_inventory, "follow_flight", lambda **_: None)
    booking = in_background(partial(traveller.book, flight))
    assert pays.wait(30)
    cancel(flight)
    while handle_disruptions():
        pass
    may_pay.set()

    answer = booking()

    assert answer.status_code == (409 if guarded else 201)
    if guarded:
        assert answer.json()["code"] == "flight_cancelled"
    assert Booking.objects.filter(status="Confirmed").exists() is not guarded
