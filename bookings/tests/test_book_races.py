"""The race for the last seats over HTTP with several connections, its control with the guard and the CHECK
off, and transactions that lose to others."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from accounts.models import Mail
from bookings.models import Booking, PaymentAttempt
from bookings.operations import payment, sale
from bookings.operations.retries import again_after_deadlock
from bookings.public import settle_payments
from bookings.tests.factories import Traveller, available, check_books, leases_over, passengers
from flightbook.errors import Unavailable
from flightbook.statements import Statement, run
from flights.models import CabinInventory, Flight
from flights.public import SeatClaim, record_update
from flights.tests.factories import make_flight
from flights.tests.races import together

pytestmark = pytest.mark.django_db(transaction=True)
THREADS, EACH = 12, 5


def rush(flights: Sequence[Flight], **body: Any) -> Counter[tuple[int, str]]:
    """60 bookings at once over 12 connections, by statuses and codes."""
    travellers = [Traveller() for _ in range(THREADS)]

    def book(traveller: Traveller) -> list[tuple[int, str]]:
        answers = [traveller.book(*flights, **body) for _ in range(EACH)]
        return [(answer.status_code, answer.json().get("code", "")) for answer in answers]

    found = together([partial(book, traveller) for traveller in travellers])
    return Counter(answer for answers in found for answer in answers)


@contextmanager
def without_check(table: str, name: str) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [name])
        (definition,) = cursor.fetchone()
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        try:
            yield
        finally:
            cursor.execute(f"UPDATE {table} SET available = 0 WHERE available < 0")
            cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")


def claim_by_reading(claims: Sequence[SeatClaim], first: Sequence[Statement]) -> None:
    """What many do: read, look, write."""
    run(first)
    for claim in claims:
        row = CabinInventory.objects.get(flight_id=claim.flight_pk, cabin=claim.cabin)
        if row.available >= claim.seats:
            CabinInventory.objects.filter(pk=row.pk).update(available=row.available - claim.seats)


@pytest.mark.parametrize("method", ["credit_card", "hold"])
def test_n_seats_are_n_bookings(method: str, settings: Any) -> None:
    settings.HOLDS_PER_USER = 100
    flight = make_flight(economy=20)

    answers = rush([flight], paymentMethod=method)

    assert answers == {(201, ""): 20, (409, "sold_out"): 40}
    assert available(flight) == 0
    assert Booking.objects.count() == Mail.objects.count() == 20
    check_books()


def test_the_losers_get_their_money_back() -> None:
    flight = make_flight(economy=5)

    rush([flight], fare="EFLEX")
    leases_over()
    settle_payments(limit=200)

    assert Counter(PaymentAttempt.objects.values_list("state", flat=True))["captured"] == 5
    assert set(PaymentAttempt.objects.values_list("state", flat=True)) <= {"captured", "voided"}


def test_two_flights_all_or_none() -> None:
    small, large = make_flight(economy=7), make_flight(economy=100)
    flights = [large, small]  # ordered otherwise than they are locked

    answers = rush(flights, passengers=passengers(2))

    assert answers == {(201, ""): 3, (409, "sold_out"): 57}
    assert (available(small), available(large)) == (1, 94)
    check_books()


def test_one_seat_number() -> None:
    flight = make_flight(economy=100)
    seats = [{"flightId": flight.public_id, "passenger": 0, "seat": "20A"}]

    answers = rush([flight], seats=seats)

    assert answers == {(201, ""): 1, (409, "seat_taken"): 59}
    check_books()


def test_control_without_the_guard_and_the_check_it_oversells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sale, "claim_seats", claim_by_reading)
    flight = make_flight(economy=20)

    with without_check("flights_cabininventory", "inventory_never_oversold"):
        answers = rush([flight])

        assert answers[201, ""] > 20
        with pytest.raises(AssertionError, match=r"bookings\.seats_sold_once"):
            check_books()


def test_a_deadlock_is_tried_again() -> None:
    """Two transactions that lock two counters crosswise: one is killed by PostgreSQL, and comes again."""
    first, second = make_flight(), make_flight()
    tries = []
    arrived = []

    def take(flights: list[Flight]) -> None:
        def transact() -> None:
            tries.append(flights)
            with transaction.atomic():
                CabinInventory.objects.filter(flight=flights[0]).update(available=1)
                arrived.append(flights)
                while len(arrived) < 2:
                    time.sleep(0.001)
                CabinInventory.objects.filter(flight=flights[1]).update(available=1)

        again_after_deadlock(transact)

    together([lambda: take([first, second]), lambda: take([second, first])])

    assert len(tries) >= 3  # who comes again at once may meet the other once more
    assert available(first) == available(second) == 1


def test_who_always_loses_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The payment stays authorised for the same key; nothing is sold."""
    flight, traveller = make_flight(), Traveller()

    def locked_out(claims: Sequence[SeatClaim], first: Sequence[Statement]) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DO $$ BEGIN RAISE SQLSTATE '55P03'; END $$")

    with monkeypatch.context() as patched:
        patched.setattr(sale, "claim_seats", locked_out)
        answer = traveller.book(flight, key="k")
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert PaymentAttempt.objects.get().state == "authorised"
    assert not Booking.objects.exists()

    assert traveller.book(flight, key="k").status_code == 201
    assert PaymentAttempt.objects.get().state == "to_capture"


def test_any_other_error_of_the_database_is_not_tried_again() -> None:
    tries = []

    def broken() -> None:
        tries.append(1)
        with connection.cursor() as cursor:
            cursor.execute("DO $$ BEGIN RAISE SQLSTATE '57014'; END $$")

    with pytest.raises(OperationalError):
        again_after_deadlock(broken)
    assert len(tries) == 1


def test_a_record_locator_that_is_taken_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    traveller, flight = Traveller(), make_flight()
    taken = traveller.booked(flight).record_locator
    drawn = [taken, taken, "ACDEFG"]
    monkeypatch.setattr("bookings.operations.sale.new_record_locator", lambda: drawn.pop(0))

    assert traveller.book(flight).json()["recordLocator"] == "ACDEFG"
    monkeypatch.setattr("bookings.operations.sale.new_record_locator", lambda: taken)
    assert traveller.book(flight).json()["code"] == Unavailable.code
    assert available(flight) == 98


def test_the_next_fare_is_taken_where_the_cheapest_closes_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Re-quoted, authorised anew, and the old authorisation is given up; never another cabin."""
    flight, traveller = make_flight(economy=10, business=10), Traveller()

    def sell_eight() -> None:
        CabinInventory.objects.filter(flight=flight, cabin="economy").update(available=2)

    monkeypatch.setattr("bookings.operations.book.authorise", _after(sell_eight))
    body = traveller.book(flight).json()

    assert (body["flights"][0]["fare"], body["price"]) == ("ESTD", 125)
    states = PaymentAttempt.objects.order_by("pk").values_list("state", "amount")
    assert [(state, int(amount)) for state, amount in states] == [("to_void", 100), ("to_capture", 125)]


def test_a_named_fare_that_closes_meanwhile_is_sold_out(monkeypatch: pytest.MonkeyPatch) -> None:
    flight, traveller = make_flight(economy=10), Traveller()

    def sell_eight() -> None:
        CabinInventory.objects.filter(flight=flight).update(available=2)

    monkeypatch.setattr("bookings.operations.book.authorise", _after(sell_eight))

    assert traveller.book(flight, fare="ELIGHT").json()["code"] == "sold_out"
    assert PaymentAttempt.objects.get().state == "to_void"


@pytest.mark.parametrize("expected", [None, 100])
def test_a_price_that_moves_meanwhile(expected: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    flight, traveller = make_flight(economy=10), Traveller()

    def dearer() -> None:
        CabinInventory.objects.filter(flight=flight).update(base_price=110)

    monkeypatch.setattr("bookings.operations.book.authorise", _after(dearer))
    asked: dict[str, Any] = {} if expected is None else {"expectedPrice": expected}
    body = traveller.book(flight, **asked).json()

    if expected is None:
        assert (body["price"], body["status"]) == (110, "Confirmed")
    else:
        assert (body["code"], body["price"]) == ("price_changed", 110)
    assert PaymentAttempt.objects.order_by("pk")[0].state == "to_void"


def _after(meanwhile: Any) -> Any:
    """The gateway's answer, and what happened until it came."""

    def authorise(*args: Any) -> Any:
        answer = payment.authorise(*args)
        meanwhile()
        return answer

    return authorise


def test_a_flight_cancelled_while_it_is_booked() -> None:
    """Whoever comes after the airline's cancellation is refused; nobody meets a deadlock."""
    flight, travellers = make_flight(economy=100), [Traveller() for _ in range(THREADS)]

    def book(traveller: Traveller) -> list[str]:
        return [traveller.book(flight).json().get("code", "booked") for _ in range(EACH)]

    def cancel() -> list[str]:
        while not Booking.objects.exists():
            pass
        record_update(flight_pk=flight.pk, status="Cancelled", source="test")
        return [str(Booking.objects.count())]

    *answers, (booked,) = together([*(partial(book, traveller) for traveller in travellers), cancel])

    assert {answer for found in answers for answer in found} <= {"booked", "flight_cancelled"}
    assert all(found == sorted(found) for found in answers)  # never booked after a refusal
    assert Booking.objects.count() == int(booked)
    check_books()
