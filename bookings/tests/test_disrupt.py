"""A flight is cancelled or moved: what its bookings are told, entitled to, and given back."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from unittest.mock import Mock

import pytest
from django.core.management import call_command
from django.db.models.functions import Now

from accounts.models import Mail
from bookings.models import Booking, Disruption, Refund
from bookings.operations import disrupt
from bookings.operations.disrupt_one import disrupt_booking
from bookings.operations.unused import end_unused
from bookings.public import handle_disruptions, register_consumers, settle_payments
from bookings.tests.factories import Traveller, available, check_books, leases_over, passengers
from flights.models import Airline, Feed, Flight
from flights.public import record_update
from flights.tests.factories import make_flight

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def consumer() -> None:
    call_command("register_consumers")


@pytest.fixture
def traveller() -> Traveller:
    return Traveller()


def cancel(flight: Flight) -> None:
    record_update(flight_pk=flight.pk, status="Cancelled", reason="Crew", source="test")


def move(flight: Flight, hours: float) -> None:
    flight.refresh_from_db()
    departure = flight.scheduled_departure + hours * HOUR
    record_update(flight_pk=flight.pk, status="Scheduled", departure=departure, source="test")


def delay(flight: Flight, minutes: int) -> None:
    record_update(flight_pk=flight.pk, status="Delayed", delay_minutes=minutes, source="test")


def work() -> None:
    while handle_disruptions():
        pass


def states(booking: Booking) -> list[tuple[str, str]]:
    return [(row.kind, row.state) for row in Disruption.objects.filter(booking=booking).order_by("pk")]


def rights(booking: Booking) -> list[str]:
    return [right["code"] for right in Disruption.objects.filter(booking=booking).latest("pk").entitlements]


def letters(booking: Booking) -> list[str]:
    """The bodies of those about disruptions."""
    about = Mail.objects.filter(key__contains=f"{booking.public_id}:")
    return [mail.text for mail in about.order_by("pk") if "disrupted" in mail.key or "refunded" in mail.key]


class TestCancelled:
    def test_everything_unused_goes_back_at_once(self, traveller: Traveller) -> None:
        flight, other = make_flight(), make_flight(base_price=Decimal(50))
        booking = traveller.booked(flight, other, passengers=passengers(2))
        untouched = traveller.booked(other, fare="ELIGHT")
        settle_payments()

        cancel(flight)
        work()

        booking.refresh_from_db()
        untouched.refresh_from_db()
        assert (booking.status, untouched.status) == ("Cancelled", "Confirmed")
        assert booking.end_reason == f"airline cancelled {flight.public_id}"
        assert Refund.objects.get().amount == booking.total == Decimal(300)
        assert states(booking) == [("cancelled", "refunded")]
        assert rights(booking) == ["us_cancelled_refund", "own_cancelled_refund", "own_rebooking"]
        assert (available(flight), available(other)) == (100, 99)
        (letter,) = letters(booking)
        assert "is cancelled (Crew)" in letter
        assert "300.00 USD go back" in letter
        check_books()

    def test_is_shown_on_the_booking(self, traveller: Traveller) -> None:
        flight = make_flight(origin="FRA", destination="JFK", departs_in=dt.timedelta(days=3))
        booking = traveller.booked(flight, passengers=passengers(2, type="infant"))
        cancel(flight)
        work()

        (shown,) = traveller.booking(booking).json()["disruptions"]

        assert (shown["kind"], shown["flightId"], shown["status"]) == (
            "cancelled",
            flight.public_id,
            "refunded",
        )
        (compensation,) = [right for right in shown["entitlements"] if right["right"] == "compensation"]
        assert compensation["amount"] == 600 * sum(
            coupon.price > 0 for coupon in booking.segments.get().coupons.all()
        )
        assert (compensation["currency"], compensation["code"]) == ("EUR", "eu_cancelled_compensation")
        assert "Art. 5(1)(c)" in compensation["source"]

    def test_a_hold_ends_and_nobody_pays(self, traveller: Traveller) -> None:
        flight = make_flight()
        held = traveller.held(flight)
        cancel(flight)
        work()

        held.refresh_from_db()
        assert held.status == "Cancelled"
        assert "Nothing had been paid" in letters(held)[0]
        assert not Refund.objects.exists()
        check_books()

    def test_what_was_flown_stays_flown(self, traveller: Traveller) -> None:
        flown, cancelled = make_flight(), make_flight(base_price=Decimal(50))
        booking = traveller.booked(flown, cancelled)
        settle_payments()
        record_update(flight_pk=flown.pk, status="Departed", source="test")

        cancel(cancelled)
        work()

        booking.refresh_from_db()
        assert booking.status == "Confirmed"
        assert [segment.status for segment in booking.segments.order_by("position")] == [
            "Booked",
            "Cancelled",
        ]
        assert Refund.objects.get().amount == Decimal(50)
        assert (available(flown), available(cancelled)) == (99, 100)
        check_books()

    def test_again_it_does_nothing(self, traveller: Traveller) -> None:
        flight = make_flight()
        booking = traveller.booked(flight)
        cancel(flight)
        work()
        Feed.objects.update(done_sequence=0, pending=True)  # as a worker leaves it that was killed at the end
        work()

        assert states(booking) == [("cancelled", "refunded")]
        assert len(letters(booking)) == 1
        check_books()

    def test_one_that_was_killed_midway_is_followed_by_one_that_goes_on(
        self, traveller: Traveller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        flight = make_flight()
        bookings = [traveller.booked(flight) for _ in range(3)]
        cancel(flight)

        def dies_at_the_second(booking_pk: int, event: Any) -> bool:
            if booking_pk == bookings[1].pk:
                raise KeyboardInterrupt
            return disrupt_booking(booking_pk, event)

        monkeypatch.setattr(disrupt, "disrupt_booking", dies_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            handle_disruptions()
        monkeypatch.setattr(disrupt, "disrupt_booking", disrupt_booking)
        assert handle_disruptions() == 0  # leased to the dead one
        Feed.objects.update(leased_until=Now() - HOUR)
        work()

        assert [states(booking) for booking in bookings] == [[("cancelled", "refunded")]] * 3
        check_books()

    def test_one_that_fails_is_told_of_and_the_others_go_on(
        self, traveller: Traveller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        broken, fine = make_flight(), make_flight()
        bookings = [traveller.booked(flight) for flight in (broken, broken, fine)]
        cancel(broken)
        cancel(fine)

        def fails(booking: Booking, *args: Any, **kwargs: Any) -> Any:
            if booking.pk == bookings[0].pk:
                raise ValueError("more than was taken")
            return end_unused(booking, *args, **kwargs)

        monkeypatch.setattr("bookings.operations.disrupt_one.end_unused", fails)
        work()

        assert [states(booking) for booking in bookings] == [[], *[[("cancelled", "refunded")]] * 2]
        assert f"disruption of {broken.public_id}: booking {bookings[0].pk} failed" in caplog.text
        monkeypatch.undo()
        Feed.objects.update(leased_until=Now() - HOUR)
        work()
        assert states(bookings[0]) == [("cancelled", "refunded")]

    def test_many_are_done_slice_by_slice(
        self, traveller: Traveller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(disrupt, "SLICE", 2)
        flight = make_flight()
        bookings = [traveller.booked(flight) for _ in range(3)]
        cancel(flight)

        handle_disruptions(limit=1)
        assert [len(states(booking)) for booking in bookings] == [1, 1, 0]
        handle_disruptions(limit=1)
        assert [len(states(booking)) for booking in bookings] == [1, 1, 1]
        assert handle_disruptions() == 0

    def test_taken_back_before_anybody_was_told(self, traveller: Traveller) -> None:
        flight = make_flight()
        booking = traveller.booked(flight)
        cancel(flight)
        record_update(flight_pk=flight.pk, status="Scheduled", source="test")
        work()

        booking.refresh_from_db()
        assert (booking.status, states(booking)) == ("Confirmed", [])
        assert not Feed.objects.filter(consumer="disruption", pending=True).exists()


class TestChoice:
    @pytest.fixture(autouse=True)
    def hours(self, settings: Any) -> None:
        settings.DISRUPTION_CHOICE_HOURS = 48

    def test_who_has_not_chosen_in_time_is_refunded(self, traveller: Traveller) -> None:
        flight = make_flight()
        booking = traveller.booked(flight)
        cancel(flight)
        work()
        assert states(booking) == [("cancelled", "open")]
        assert "choiceUntil" in traveller.booking(booking).json()["disruptions"][0]
        assert "you may change to another flight free of charge" in letters(booking)[0]

        Disruption.objects.filter(state="open").update(choice_until=Now() - HOUR)
        work()

        booking.refresh_from_db()
        assert (booking.status, states(booking)) == ("Cancelled", [("cancelled", "refunded")])
        assert "go back to the card" in letters(booking)[1]
        check_books()

    def test_the_traveller_cancels_and_gets_all_of_it(self, traveller: Traveller) -> None:
        flight = make_flight()
        booking = traveller.booked(flight, fare="ELIGHT")
        cancel(flight)
        work()

        answer = traveller.cancel(booking).json()

        assert (answer["refund"]["amount"], states(booking)) == (100, [("cancelled", "refunded")])

    def test_the_traveller_changes_free_of_charge(self, traveller: Traveller) -> None:
        flight, later = make_flight(), make_flight(base_price=Decimal(300))
        booking = traveller.booked(flight, fare="ELIGHT")
        cancel(flight)
        work()

        answer = traveller.post(
            "/change-booking",
            {
                "bookingId": booking.public_id,
                "flightId": flight.public_id,
                "newFlightId": later.public_id,
                "expectedPrice": 0,
            },
        )

        assert answer.status_code == 200, answer.content
        assert states(booking) == [("cancelled", "rebooked")]
        booking.refresh_from_db()
        assert (booking.status, booking.total) == ("Confirmed", Decimal(100))
        Disruption.objects.filter(state="open").update(choice_until=Now() - HOUR)
        work()
        check_books()

    def test_the_flight_flies_after_all(self, traveller: Traveller) -> None:
        flight = make_flight()
        booking = traveller.booked(flight)
        cancel(flight)
        work()
        record_update(flight_pk=flight.pk, status="Scheduled", source="test")
        work()

        assert states(booking)[0] == ("cancelled", "kept")
        assert "as it was sold after all" in letters(booking)[1]


class TestMoved:
    def test_far_enough_it_may_be_cancelled_for_all_of_it(self, traveller: Traveller) -> None:
        flight = make_flight()
        booking = traveller.booked(flight, fare="ELIGHT")
        move(flight, 3)
        work()

        assert states(booking) == [("moved", "open")]
        assert rights(booking) == ["us_moved_domestic_refund", "own_moved_rebooking"]
        assert "You may cancel and get 100.00 USD back" in letters(booking)[0]
        answer = traveller.cancel(booking).json()
        assert answer["refund"] == answer["refund"] | {"amount": 100, "reason": "flight_moved"}
        assert states(booking) == [("moved", "refunded")]
        check_books()

    def test_less_far_it_is_told_of(self, traveller: Traveller) -> None:
        flight = make_flight(departs_in=dt.timedelta(days=5))
        booking = traveller.booked(flight, fare="ELIGHT")
        move(flight, 0.5)
        booking_of_the_new_time = traveller.booked(flight, fare="ELIGHT")
        work()

        assert (states(booking), rights(booking)) == ([("moved", "open")], [])
        assert states(booking_of_the_new_time) == []
        assert traveller.cancel(booking).json()["refund"]["amount"] == 0

    def test_small_moves_add_up_and_the_last_one_decides(self, traveller: Traveller) -> None:
        flight = make_flight()
        booking = traveller.booked(flight)
        for hours in (2, 2, -4):
            move(flight, hours)
            work()

        assert states(booking) == [("moved", "kept"), ("moved", "kept"), ("moved", "open")]
        given = [
            [right["code"] for right in row.entitlements]
            for row in Disruption.objects.filter(booking=booking).order_by("pk")
        ]
        assert given == [
            ["own_moved_rebooking"],
            ["us_moved_domestic_refund", "own_moved_rebooking"],
            [],
        ]
        assert "as it was sold after all" in letters(booking)[2]

    def test_a_delay_counts_once_it_gives_a_right(
        self, traveller: Traveller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """To whom it is no news, his booking is not even read."""
        looked = Mock(side_effect=disrupt_booking)
        monkeypatch.setattr(disrupt, "disrupt_booking", looked)
        flight = make_flight()
        booking = traveller.booked(flight)
        for minutes in (20, 50, 190, 200, 45):
            delay(flight, minutes)
            work()

        given = [
            [right["code"] for right in row.entitlements]
            for row in Disruption.objects.filter(booking=booking).order_by("pk")
        ]
        assert given == [["us_moved_domestic_refund", "own_moved_rebooking"], []]
        assert looked.call_count == 2

    def test_who_flies_has_kept_it(self, traveller: Traveller) -> None:
        flight = make_flight()
        booking = traveller.booked(flight)
        move(flight, 3)
        record_update(flight_pk=flight.pk, status="Departed", source="test")
        work()

        assert states(booking) == [("moved", "kept")]

    def test_an_hour_early_in_europe_by_a_carrier_of_its_own(self, traveller: Traveller) -> None:
        flight = make_flight(origin="JFK", destination="CDG", departs_in=dt.timedelta(days=5))
        Airline.objects.update(country="FR")
        booking = traveller.booked(flight)
        move(flight, -2)
        work()

        assert rights(booking) == ["eu_advanced_refund", "eu_advanced_compensation", "own_moved_rebooking"]


def test_a_consumer_is_registered_by_the_first_work_too() -> None:
    Feed.objects.all().delete()
    register_consumers()
    assert handle_disruptions() == 0


def test_leases_are_given_back(traveller: Traveller) -> None:
    flight = make_flight()
    traveller.booked(flight)
    delay(flight, 5)
    work()
    leases_over()
    assert not Feed.objects.filter(consumer="disruption", pending=True).exists()
