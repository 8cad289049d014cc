"""A change of aircraft: what stays, what is displaced, what is sold beyond the seats; the races with it."""

from __future__ import annotations

import threading
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db import transaction

from flightbook.errors import Invalid, InvalidTransition, NotFound, Problem, SeatTaken, SoldOut
from flightbook.invariants import broken
from flights import seat_inventory, seat_numbers
from flights.invariants import invariants
from flights.models import AircraftType, CabinInventory, CabinLayout, DisplacedSeat, Flight, SeatAssignment
from flights.operations import (
    change_aircraft,
    preview_aircraft_change,
    reseat,
    set_overbooking,
    settle_displaced,
)
from flights.seat_inventory import claim_seats, return_seats
from flights.seat_map import seat_map
from flights.seat_numbers import assign_seats, assigned_seats, hold_layout, release_seats
from flights.tests.factories import make_flight
from flights.tests.races import in_background, together, wait_for_a_lock
from flights.types import CabinLimits, LostSeat, SeatClaim

FLEX = Decimal("160.00")


def make_small(code: str = "E90", **cabins: tuple[int, int, str]) -> AircraftType:
    """Twelve seats in economy, rows 15 to 17, unless told otherwise."""
    small = AircraftType.objects.create(code=code, name="Small")
    for cabin, (first, last, letters) in (cabins or {"economy": (15, 17, "ABCD")}).items():
        CabinLayout.objects.create(
            aircraft_type=small, cabin=cabin, first_row=first, last_row=last, letters=letters
        )
    return small


def sell(flight: Flight, seats: int = 1) -> None:
    with transaction.atomic():
        claim_seats([SeatClaim(flight.pk, "economy", "EFLEX", seats, FLEX)])


def sell_seat(flight: Flight, holder: str, seat: str) -> None:
    with transaction.atomic():
        assign_seats(flight_pk=flight.pk, cabin="economy", holder=holder, seats={0: seat})
        claim_seats([SeatClaim(flight.pk, "economy", "EFLEX", 1, FLEX)])


def counter(flight: Flight, cabin: str = "economy") -> tuple[int, int, int]:
    """capacity, available, excess"""
    row = CabinInventory.objects.get(flight=flight, cabin=cabin)
    return row.capacity, row.available, row.excess


@pytest.mark.django_db
class TestChange:
    def test_seats_that_are_there_stay_and_the_others_are_work(self) -> None:
        flight = make_flight(economy=100)
        for holder, seat in (("bkg1", "15A"), ("bkg2", "15F"), ("bkg3", "40B")):
            sell_seat(flight, holder, seat)
        make_small()
        foreseen = preview_aircraft_change(flight_pk=flight.pk, aircraft_type="E90")

        change = change_aircraft(flight_pk=flight.pk, aircraft_type="E90")

        assert change == foreseen
        assert change.cabins == (CabinLimits("economy", 12, 0, sold=3, available=9, excess=0),)
        assert change.displaced == (
            LostSeat("economy", "15F", "bkg2", 0),
            LostSeat("economy", "40B", "bkg3", 0),
        )
        held = assigned_seats(holders=["bkg1", "bkg2", "bkg3"])
        assert held == {"bkg1": [(flight.pk, 0, "15A")], "bkg2": [], "bkg3": []}
        assert list(seat_map(flight.pk)[0].rows) == [15, 16, 17]
        assert broken(invariants()) == []

    def test_more_sold_than_seats_is_an_excess_that_returns_lower_first(self) -> None:
        flight = make_flight(economy=20)
        set_overbooking(flight_pk=flight.pk, cabin="economy", overbooking=5)
        sell(flight, 15)
        make_small()

        change_aircraft(flight_pk=flight.pk, aircraft_type="E90")

        assert counter(flight) == (12, 0, 3)
        with pytest.raises(SoldOut):
            sell(flight)
        return_seats(flight_pk=flight.pk, cabin="economy", seats=2)
        assert counter(flight) == (12, 0, 1)
        return_seats(flight_pk=flight.pk, cabin="economy", seats=2)
        assert counter(flight) == (12, 1, 0)
        sell(flight)
        assert broken(invariants()) == []

    def test_staff_may_take_the_excess_into_the_ceiling(self) -> None:
        flight = make_flight(economy=20)
        sell(flight, 15)
        make_small()
        change_aircraft(flight_pk=flight.pk, aircraft_type="E90")

        set_overbooking(flight_pk=flight.pk, cabin="economy", overbooking=2)
        assert counter(flight) == (12, 0, 1)
        set_overbooking(flight_pk=flight.pk, cabin="economy", overbooking=4)
        assert counter(flight) == (12, 1, 0)

    def test_a_cabin_may_vanish_and_another_be_unsold(self) -> None:
        flight = make_flight(economy=20, business=8)
        with transaction.atomic():
            assign_seats(flight_pk=flight.pk, cabin="business", holder="bkg1", seats={0: "3A"})
            claim_seats([SeatClaim(flight.pk, "business", "BFLEX", 1, Decimal("520.00"))])
        make_small(economy=(1, 3, "ABCD"), first=(4, 4, "AB"))

        change = change_aircraft(flight_pk=flight.pk, aircraft_type="E90")

        assert change.unsold == ("first",)
        assert change.displaced == (LostSeat("business", "3A", "bkg1", 0),)  # 3A is economy's now
        assert counter(flight, "business") == (0, 0, 1)
        assert [cabin.cabin for cabin in seat_map(flight.pk)] == ["economy"]

    def test_back_to_the_larger_one(self) -> None:
        flight = make_flight(economy=276)
        sell(flight, 15)
        make_small()
        change_aircraft(flight_pk=flight.pk, aircraft_type="E90")

        change_aircraft(flight_pk=flight.pk, aircraft_type="32N")

        assert counter(flight) == (276, 261, 0)

    def test_refused(self) -> None:
        flight, gone = make_flight(), make_flight(status="Departed")
        make_small()
        AircraftType.objects.create(code="CAR", name="All cargo")
        for pk, aircraft in ((flight.pk, "32N"), (flight.pk, "XXX"), (flight.pk, "CAR"), (gone.pk, "E90")):
            for call in (preview_aircraft_change, change_aircraft):
                with pytest.raises(Invalid):
                    call(flight_pk=pk, aircraft_type=aircraft)
        with pytest.raises(NotFound):
            change_aircraft(flight_pk=2**62, aircraft_type="E90")


@pytest.mark.django_db
class TestDisplaced:
    @pytest.fixture
    def work(self) -> DisplacedSeat:
        flight = make_flight(economy=20)
        sell_seat(flight, "bkg1", "40B")
        sell_seat(flight, "bkg2", "15A")
        make_small()
        change_aircraft(flight_pk=flight.pk, aircraft_type="E90")
        return DisplacedSeat.objects.get()

    def test_is_reseated(self, work: DisplacedSeat) -> None:
        with pytest.raises(SeatTaken):
            reseat(displaced_pk=work.pk, seat="15A")
        with pytest.raises(Invalid):
            reseat(displaced_pk=work.pk, seat="40B")

        reseat(displaced_pk=work.pk, seat="15B")

        work.refresh_from_db()
        assert (work.how, work.settled_at is not None) == ("reseated", True)
        assert assigned_seats(holders=["bkg1"])["bkg1"] == [(work.flight_id, 0, "15B")]
        with pytest.raises(InvalidTransition):
            reseat(displaced_pk=work.pk, seat="15C")

    def test_is_settled_without_a_seat(self, work: DisplacedSeat) -> None:
        settle_displaced(displaced_pk=work.pk)
        work.refresh_from_db()
        assert work.how == "agreed"
        with pytest.raises(InvalidTransition):
            settle_displaced(displaced_pk=work.pk)
        with pytest.raises(NotFound):
            settle_displaced(displaced_pk=2**62)

    def test_ends_with_the_booking(self, work: DisplacedSeat) -> None:
        release_seats(holder="bkg1")
        work.refresh_from_db()
        assert work.how == "ended"

    def test_ends_with_that_travellers_part_alone(self, work: DisplacedSeat) -> None:
        release_seats(holder="bkg1", flight_pk=work.flight_id, passengers=[1])
        work.refresh_from_db()
        assert work.settled_at is None
        release_seats(holder="bkg1", flight_pk=work.flight_id, passengers=[0])
        work.refresh_from_db()
        assert work.how == "ended"

    def test_the_auditor_sees_one_who_sits_and_is_still_work(self, work: DisplacedSeat) -> None:
        SeatAssignment.objects.create(
            flight=work.flight, cabin="economy", seat="15B", holder="bkg1", passenger=0
        )
        assert [found.check.name for found in broken(invariants())] == [
            "flights.displaced_is_work_or_settled"
        ]


@pytest.mark.django_db(transaction=True)
class TestRaces:
    def test_thirty_claims_at_once(self) -> None:
        flight = make_flight(economy=40)
        sell(flight, 10)
        make_small()
        sales: list[Any] = [partial(sell, flight)] * 30
        change = partial(change_aircraft, flight_pk=flight.pk, aircraft_type="E90")

        answers = together([*sales[:15], change, *sales[15:]])

        sold = 10 + sum(answer is None for answer in answers)
        assert counter(flight) == (12, max(12 - sold, 0), max(sold - 12, 0))
        assert all(answer is None or isinstance(answer, SoldOut) for answer in answers[:15])
        assert broken(invariants()) == []

    def test_with_limits_out_of_a_read_a_sale_is_lost(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The control: without the one statement the counter forgets what is sold in between."""
        flight = make_flight(economy=40)
        make_small()

        def by_reading(*, flight_pk: int, cabin: str, capacity: int, overbooking: int) -> CabinLimits:
            row = CabinInventory.objects.get(flight_id=flight_pk, cabin=cabin)
            sold = row.capacity - row.available
            in_background(partial(sell, flight))()
            left = capacity - sold
            CabinInventory.objects.filter(pk=row.pk).update(capacity=capacity, available=left)
            return CabinLimits(cabin, capacity, 0, sold, left, 0)

        monkeypatch.setattr(seat_inventory, "set_limits", by_reading)
        change_aircraft(flight_pk=flight.pk, aircraft_type="E90")

        assert counter(flight) == (12, 12, 0)  # though one is sold

    @pytest.mark.parametrize("guarded", [True, False])
    def test_a_seat_given_out_meanwhile(self, monkeypatch: pytest.MonkeyPatch, *, guarded: bool) -> None:
        """A sale that has its seat number and not committed yet: the change waits for it, and frees the
        seat. Without the lock it does not see it, and the traveller keeps a seat that is not there."""
        flight = make_flight(economy=40)
        make_small()
        if not guarded:
            monkeypatch.setattr(seat_numbers, "hold_layout", lambda *_, **__: None)
        has_seat, may_sell = threading.Event(), threading.Event()

        def slow_sale() -> None:
            with transaction.atomic():
                assign_seats(flight_pk=flight.pk, cabin="economy", holder="bkg1", seats={0: "40B"})
                has_seat.set()
                assert may_sell.wait(30)
                claim_seats([SeatClaim(flight.pk, "economy", "EFLEX", 1, FLEX)])

        sale = in_background(slow_sale)
        assert has_seat.wait(30)
        change = in_background(partial(change_aircraft, flight_pk=flight.pk, aircraft_type="E90"))
        if guarded:
            wait_for_a_lock()
        else:
            assert not isinstance(change(), Problem)
        may_sell.set()
        sale()
        change()

        assert counter(flight) == (12, 11, 0)
        wrong = [found.check.name for found in broken(invariants())]
        assert wrong == ([] if guarded else ["flights.seat_of_the_aircraft"])
        assert DisplacedSeat.objects.count() == guarded

    def test_a_sale_that_comes_later_sees_the_new_seats(self) -> None:
        flight = make_flight(economy=40)
        make_small()
        with transaction.atomic():
            hold_layout(flight.pk, alone=True)
            sale = in_background(partial(sell_seat, flight, "bkg1", "40B"))
            wait_for_a_lock()
            Flight.objects.filter(pk=flight.pk).update(aircraft_type="E90")
        answer = sale()

        assert isinstance(answer, Invalid)
        assert [error.code for error in answer.errors] == ["unknown_seat"]

    def test_reseated_while_the_booking_ends(self) -> None:
        """Whoever is first: a booking that ended holds no seat."""
        flight = make_flight(economy=40)
        sell_seat(flight, "bkg1", "40B")
        make_small()
        change_aircraft(flight_pk=flight.pk, aircraft_type="E90")
        work = DisplacedSeat.objects.get()
        with transaction.atomic():
            reseat(displaced_pk=work.pk, seat="15A")
            end = in_background(partial(atomically, partial(release_seats, holder="bkg1")))
            wait_for_a_lock()
        end()

        assert assigned_seats(holders=["bkg1"]) == {"bkg1": []}


def atomically(call: Any) -> None:
    with transaction.atomic():
        call()
