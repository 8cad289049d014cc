"""The ceiling of overbooking: sold up to, never beyond; raised and lowered while the cabin sells."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

import pytest
from django.db import transaction

from flightbook.errors import Invalid, NotFound, Problem, SoldOut
from flightbook.invariants import broken
from flights.invariants import invariants
from flights.models import CabinInventory, FareFamily, Flight
from flights.operations import set_overbooking
from flights.seat_inventory import cabins, claim_seats, fare_offers, return_seats
from flights.seat_map import seat_map
from flights.tests.factories import make_flight
from flights.tests.races import together
from flights.types import SeatClaim

FLEX, LIGHT = Decimal("160.00"), Decimal("100.00")


def sell(flight: Flight, seats: int = 1, fare: str = "EFLEX", price: Decimal = FLEX) -> None:
    with transaction.atomic():
        claim_seats([SeatClaim(flight.pk, "economy", fare, seats, price)])


def counter(flight: Flight) -> tuple[int, int, int, int]:
    """capacity, overbooking, available, excess"""
    row = CabinInventory.objects.get(flight=flight)
    return row.capacity, row.overbooking, row.available, row.excess


@pytest.mark.django_db
class TestCeiling:
    def test_is_off_by_default_and_hard_when_on(self) -> None:
        flight = make_flight(economy=10)
        sell(flight, 10)
        with pytest.raises(SoldOut):
            sell(flight)

        set_overbooking(flight_pk=flight.pk, cabin="economy", overbooking=2)

        sell(flight, 2)
        with pytest.raises(SoldOut):
            sell(flight)
        assert counter(flight) == (10, 2, 0, 0)
        assert broken(invariants()) == []

    def test_the_cheap_fare_keeps_its_protection_of_the_capacity(self) -> None:
        flight = make_flight(economy=100)
        set_overbooking(flight_pk=flight.pk, cabin="economy", overbooking=10)

        offers = {offer.code: offer.seats_left for offer in fare_offers(flight_pk=flight.pk)}

        assert offers == {"ELIGHT": 90, "ESTD": 105, "EFLEX": 110}  # less 20% and 5% of 100
        sell(flight, 90, "ELIGHT", LIGHT)
        with pytest.raises(SoldOut):
            sell(flight, 1, "ELIGHT", LIGHT)

    def test_what_is_left_counts_it_everywhere(self) -> None:
        flight = make_flight(economy=10)
        set_overbooking(flight_pk=flight.pk, cabin="economy", overbooking=3)

        assert cabins(flight_pk=flight.pk)[0].seats_left == 13
        assert seat_map(flight.pk)[0].seats_left == 13

    def test_sinks_to_what_is_sold_and_no_further(self) -> None:
        flight = make_flight(economy=10)
        set_overbooking(flight_pk=flight.pk, cabin="economy", overbooking=5)
        sell(flight, 12)

        with pytest.raises(Invalid) as caught:
            set_overbooking(flight_pk=flight.pk, cabin="economy", overbooking=1)

        assert [error.code for error in caught.value.errors] == ["below_sold"]
        assert counter(flight) == (10, 5, 3, 0)
        limits = set_overbooking(flight_pk=flight.pk, cabin="economy", overbooking=2)
        assert (limits.sold, limits.available, counter(flight)) == (12, 0, (10, 2, 0, 0))
        return_seats(flight_pk=flight.pk, cabin="economy", seats=12)
        assert counter(flight) == (10, 2, 12, 0)

    @pytest.mark.parametrize("overbooking", [-1, 11])
    def test_out_of_range(self, overbooking: int) -> None:
        flight = make_flight(economy=10)
        with pytest.raises(Invalid):
            set_overbooking(flight_pk=flight.pk, cabin="economy", overbooking=overbooking)
        with pytest.raises(NotFound):
            set_overbooking(flight_pk=flight.pk, cabin="first", overbooking=0)


@pytest.mark.django_db(transaction=True)
def test_the_last_seats_under_the_ceiling_are_raced_for() -> None:
    flight = make_flight(economy=4)
    FareFamily.objects.exclude(code="EFLEX").update(is_open=False)
    set_overbooking(flight_pk=flight.pk, cabin="economy", overbooking=2)

    answers = together([partial(sell, flight)] * 8)

    assert sorted(isinstance(answer, Problem) for answer in answers) == [False] * 6 + [True] * 2
    assert counter(flight) == (4, 2, 0, 0)
