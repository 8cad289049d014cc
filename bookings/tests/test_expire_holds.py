"""Holds: their limit, their expiry by the database's clock, and what comes back."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import Any

import pytest
from django.core.management import call_command

from accounts.models import Mail
from bookings.models import Booking
from bookings.operations import book
from bookings.public import backlog, expire_holds, handle_disruptions
from bookings.tests.factories import Traveller, available, check_books, overdue, passengers
from flights.models import SeatAssignment
from flights.public import record_update
from flights.tests.factories import make_flight
from flights.tests.races import together
from subscriptions.public import followed_flights

pytestmark = pytest.mark.django_db


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


class TestExpiry:
    def test_with_the_sale_of_a_flight_that_is_moved_earlier(self) -> None:
        call_command("register_consumers")
        traveller, hour = Traveller(), dt.timedelta(hours=1)
        earlier, later = make_flight(departs_in=3 * hour), make_flight(departs_in=3 * hour)
        held, kept = traveller.held(earlier), traveller.held(later)
        for flight, moved_by in ((earlier, -2.75 * hour), (later, 2 * hour)):
            departure = flight.scheduled_departure + moved_by
            record_update(flight_pk=flight.pk, status="Scheduled", departure=departure, source="test")
        while handle_disruptions():
            pass

        due_before, due_of_kept = held.payment_due_by, kept.payment_due_by
        held.refresh_from_db()
        kept.refresh_from_db()
        closes_at = earlier.inventory.get(cabin="economy").closes_at
        assert (held.payment_due_by, kept.payment_due_by) == (closes_at, due_of_kept)
        assert due_before is not None
        assert closes_at < due_before
        check_books()

    def test_everything_comes_back(self) -> None:
        traveller = Traveller()
        flights = make_flight(economy=10), make_flight(economy=10)
        seats = [{"flightId": flights[0].public_id, "passenger": 1, "seat": "20A"}]
        booking = traveller.held(*flights, passengers=passengers(2), seats=seats)
        overdue(booking)
        assert backlog().holds_overdue == 1

        assert expire_holds() == 1

        booking.refresh_from_db()
        assert booking.status == "Expired"
        assert [available(flight) for flight in flights] == [10, 10]
        assert not SeatAssignment.objects.filter(released_at__isnull=True).exists()
        assert not list(followed_flights(traveller.user.pk))
        assert Mail.objects.filter(key__endswith=":expired").count() == 1
        assert expire_holds() == 0
        check_books()

    def test_not_before_its_time_and_never_a_paid_one(self) -> None:
        traveller, flight = Traveller(), make_flight(economy=10)
        traveller.held(flight)
        paid = traveller.held(flight)
        traveller.pay(paid)
        overdue(paid)

        assert expire_holds() == 0
        assert available(flight) == 8

    def test_in_bites(self) -> None:
        traveller, flight = Traveller(), make_flight()
        for _ in range(3):
            overdue(traveller.held(flight))

        assert [expire_holds(limit=2), expire_holds(limit=2)] == [2, 1]

    def test_it_cannot_be_cancelled_afterwards(self) -> None:
        traveller, flight = Traveller(), make_flight(economy=10)
        booking = traveller.held(flight)
        overdue(booking)
        expire_holds()

        assert code(traveller.cancel(booking)) == (409, "not_cancellable")
        assert available(flight) == 10

    @pytest.mark.django_db(transaction=True)
    def test_many_workers(self) -> None:
        flight = make_flight(economy=100)
        for _ in range(4):
            traveller = Traveller()
            for _ in range(5):
                overdue(traveller.held(flight))

        assert sum(together([expire_holds] * 5)) == 20
        assert available(flight) == 100
        check_books()


class TestLimit:
    def test_of_open_holds(self, settings: Any) -> None:
        settings.HOLDS_PER_USER = 2
        traveller, flight = Traveller(), make_flight()
        first, _ = traveller.held(flight), traveller.held(flight)

        assert code(traveller.book(flight, paymentMethod="hold")) == (409, "hold_limit")
        assert Traveller().held(flight)
        overdue(first)  # no longer open, though no worker came by yet
        assert traveller.held(flight)

    def test_paid_and_cancelled_ones_do_not_count(self, settings: Any) -> None:
        settings.HOLDS_PER_USER = 1
        traveller, flight = Traveller(), make_flight()
        traveller.pay(traveller.held(flight))
        traveller.cancel(traveller.held(flight))

        assert traveller.held(flight)

    @pytest.mark.django_db(transaction=True)
    def test_it_holds_under_a_race(self, settings: Any) -> None:
        settings.HOLDS_PER_USER = 3

        assert self._rush() == 3

    @pytest.mark.django_db(transaction=True)
    def test_control_without_the_lock_there_are_more(
        self, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.HOLDS_PER_USER = 3
        monkeypatch.setattr(book, "_one_at_a_time", lambda user_pk: None)

        assert self._rush() > 3

    def _rush(self) -> int:
        traveller, flight = Traveller(), make_flight()
        others = [Traveller(traveller.user) for _ in range(12)]
        together([partial(other.book, flight, paymentMethod="hold") for other in others])
        check_books()
        return Booking.objects.count()
