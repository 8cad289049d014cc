"""Changes, and choices of seats, against each other and all else; their controls with a guard off."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError

from bookings.models import Booking, PaymentAttempt, Segment
from bookings.operations import change, collect, quotes, retries
from bookings.public import settle_payments
from bookings.tests.factories import Traveller, available, check_books, leases_over
from flights import seat_numbers
from flights.models import Flight, SeatAssignment
from flights.public import SeatClaim, SeatReturn, claim_seats, return_seats
from flights.tests.factories import make_flight
from flights.tests.races import together

pytestmark = pytest.mark.django_db(transaction=True)


def told(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


def quoted(traveller: Traveller, booking: Booking, old: Flight, new: Flight) -> str:
    answer = traveller.quote_change(booking, old, new)
    assert answer.status_code == 201, answer.content
    return str(answer.json()["quoteId"])


def settled() -> Counter[str]:
    """The states of all payments, once the worker has been at them."""
    leases_over()
    settle_payments(limit=200)
    return Counter(PaymentAttempt.objects.values_list("state", flat=True))


def two_changes() -> list[tuple[int, str]]:
    """Of one booking at once, to two flights."""
    traveller, old, new = Traveller(), make_flight(), [make_flight(base_price=Decimal(150)) for _ in range(2)]
    booking = traveller.booked(old, fare="EFLEX")
    ids = [quoted(traveller, booking, old, flight) for flight in new]
    answers = together([partial(traveller.change, booking, quoteId=quote_id) for quote_id in ids])
    return sorted(told(answer) for answer in answers)


def test_of_two_changes_one_wins() -> None:
    assert two_changes() == [(200, ""), (409, "quote_expired")]
    assert settled() == {"captured": 2, "voided": 1}
    assert Segment.objects.filter(status="Booked").count() == 1
    check_books()


def test_control_without_the_lock_and_the_version_only_the_nets_are_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both = threading.Barrier(2)

    def unlocked(user_pk: int, booking_id: str) -> Booking:
        booking = collect.find_booking(user_pk, booking_id)
        both.wait(timeout=30)
        return booking

    monkeypatch.setattr(change, "lock_booking", unlocked)
    monkeypatch.setattr(quotes, "take", lambda quote, booking: None)

    assert two_changes() == [(200, ""), (409, "not_changeable")]

    monkeypatch.setattr(
        change, "SEGMENT_TRANSITIONS", {it: [Segment.Status.EXCHANGED] for it in Segment.Status}
    )
    with pytest.raises(IntegrityError, match="segment_position_unique"):
        two_changes()


def test_a_change_against_a_cancellation() -> None:
    traveller, old, new = Traveller(), make_flight(), make_flight(base_price=Decimal(150))
    booking = traveller.booked(old, fare="EFLEX")
    quote_id = quoted(traveller, booking, old, new)

    answers = together(
        [partial(traveller.change, booking, quoteId=quote_id), partial(traveller.cancel, booking)]
    )

    changed, cancelled = [told(answer) for answer in answers]
    assert cancelled == (200, "")
    assert changed in [(200, ""), (409, "already_cancelled")]
    assert (available(old), available(new)) == (100, 100)
    settled()
    check_books()


def test_changes_and_a_sale_for_the_last_seat() -> None:
    old, last = make_flight(), make_flight(economy=1)
    travellers = [Traveller() for _ in range(3)]
    bookings = [traveller.booked(old, fare="EFLEX") for traveller in travellers]
    pairs = list(zip(travellers, bookings, strict=True))
    ids = [quoted(traveller, booking, old, last) for traveller, booking in pairs]
    calls = [
        partial(traveller.change, booking, quoteId=quote_id)
        for (traveller, booking), quote_id in zip(pairs, ids, strict=True)
    ]

    answers = together([*calls, partial(Traveller().book, last, fare="EFLEX")])

    statuses = Counter(answer.status_code for answer in answers)
    assert (statuses[409], sum(statuses.values())) == (3, 4)
    assert available(last) == 0
    assert available(old) == 97 + sum(answer.status_code == 200 for answer in answers)
    check_books()


def crosswise(count: int) -> Counter[tuple[int, str]]:
    """So many bookings change between two flights with one seat left each, half of them each way."""
    flights = make_flight(economy=count // 2 + 1), make_flight(economy=count // 2 + 1)
    travellers = [Traveller() for _ in range(count)]
    ways = [flights if index % 2 else flights[::-1] for index in range(count)]
    bookings = [
        traveller.booked(way[0], fare="EFLEX") for traveller, way in zip(travellers, ways, strict=True)
    ]
    calls = [
        partial(_change_now, traveller, booking, *way)
        for traveller, booking, way in zip(travellers, bookings, ways, strict=True)
    ]
    answers = Counter(told(answer) for answer in together(calls))
    claimed = [Segment.objects.filter(status="Booked", flight=flight).count() for flight in flights]
    assert sum(claimed) == count
    assert [available(flight) + taken for flight, taken in zip(flights, claimed, strict=True)] == [
        count // 2 + 1
    ] * 2
    return answers


def _change_now(traveller: Traveller, booking: Booking, old: Flight, new: Flight) -> Any:
    ids = {"flightId": old.public_id, "newFlightId": new.public_id}
    return traveller.change(booking, **ids, expectedPrice=0)


@pytest.fixture
def deadlocks(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What PostgreSQL has broken; the transactions are tried again."""
    found: list[object] = []
    judge = retries._may_come_right

    def noted(error: Any) -> bool:
        if getattr(error.__cause__, "pgcode", None) == "40P01":
            found.append(error)
        return judge(error)

    monkeypatch.setattr(retries, "_may_come_right", noted)
    return found


def test_crosswise_between_two_nearly_full_flights(deadlocks: list[object]) -> None:
    answers = crosswise(8)

    assert answers[200, ""] >= 1
    assert set(answers) <= {(200, ""), (409, "sold_out")}
    assert not deadlocks
    check_books()


def test_control_in_the_order_of_the_traveller_they_deadlock(
    monkeypatch: pytest.MonkeyPatch, deadlocks: list[object]
) -> None:
    first_step = threading.Barrier(2)

    def naively(*, claims: Sequence[SeatClaim], returns: Sequence[SeatReturn]) -> None:
        for back in returns:
            return_seats(flight_pk=back.flight_pk, cabin=back.cabin, seats=back.seats)
        if not deadlocks:
            first_step.wait(timeout=30)
        claim_seats(claims)

    monkeypatch.setattr(change, "exchange_seats", naively)

    assert crosswise(2) == {(200, ""): 2}  # one of them at the second try
    assert len(deadlocks) == 1
    check_books()


def rotate(count: int) -> Counter[tuple[int, str]]:
    """So many travellers, each wants the seat of the next."""
    flight = make_flight()
    travellers = [Traveller() for _ in range(count)]
    seats = [f"{row}A" for row in range(20, 20 + count)]
    bookings = [
        traveller.booked(
            flight, fare="ESTD", seats=[{"flightId": flight.public_id, "passenger": 0, "seat": seat}]
        )
        for traveller, seat in zip(travellers, seats, strict=True)
    ]
    wanted = [*seats[1:], seats[0]]
    calls = [
        partial(traveller.choose, booking, flight, {0: seat})
        for traveller, booking, seat in zip(travellers, bookings, wanted, strict=True)
    ]
    answers = Counter(told(answer) for answer in together(calls))
    held = SeatAssignment.objects.filter(released_at=None).order_by("seat").values_list("seat", flat=True)
    assert list(held) == seats
    return answers


def test_everybody_wants_the_neighbours_seat(deadlocks: list[object]) -> None:
    assert rotate(4) == {(409, "seat_taken"): 4}
    assert not deadlocks
    check_books()


def test_control_without_the_lock_of_the_layout_they_deadlock(
    monkeypatch: pytest.MonkeyPatch, deadlocks: list[object]
) -> None:
    left = threading.Barrier(2)

    def shared(flight_pk: int, *, alone: bool = False) -> None:
        pass

    def slowly(**kwargs: Any) -> None:
        release(**kwargs)
        if not deadlocks:
            left.wait(timeout=30)

    release = seat_numbers.release_seats
    monkeypatch.setattr(seat_numbers, "hold_layout", shared)
    monkeypatch.setattr(seat_numbers, "release_seats", slowly)

    rotate(2)
    assert deadlocks
