"""`POST /cancel-booking`: the design's sample, the terms, what comes back, and the race of many cancels."""

from __future__ import annotations

import datetime as dt
import threading
from collections import Counter
from functools import partial
from typing import Any

import pytest
from django.db.models.functions import Now

from accounts.models import Mail
from accounts.tests.factories import make_user
from bookings import mails
from bookings.models import Booking, PaymentAttempt, Refund, Segment
from bookings.operations import cancel, endings
from bookings.public import settle_payments
from bookings.tests.factories import Traveller, available, check_books, passengers, payment_of
from flights.models import Flight, SeatAssignment
from flights.public import record_update
from flights.tests.factories import make_flight
from flights.tests.races import together
from subscriptions.public import follow, followed_flights

pytestmark = pytest.mark.django_db
SOON, LATER = dt.timedelta(days=2), dt.timedelta(days=8)


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


def refund_of(answer: Any) -> tuple[float, str]:
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert body["refund"]["currency"] == "USD"
    return body["refund"]["amount"], body["refund"]["reason"]


class TestCancel:
    def test_the_designs_sample(self) -> None:
        traveller = Traveller()
        booking = traveller.booked(make_flight())

        answer = traveller.client.post(
            "/cancel-booking", {"userId": traveller.user.public_id, "bookingId": booking.public_id}
        )

        assert answer.status_code == 200
        body = answer.json()
        assert body["message"] == "Booking canceled successfully"
        assert (body["status"], body["bookingId"]) == ("Cancelled", booking.public_id)

    def test_everything_comes_back(self) -> None:
        traveller = Traveller()
        flights = make_flight(economy=10), make_flight(economy=10)
        follow(user_pk=traveller.user.pk, flight_pk=flights[1].pk)
        seats = [{"flightId": flights[0].public_id, "passenger": 1, "seat": "20A"}]
        booking = traveller.booked(*flights, passengers=passengers(2), seats=seats)

        traveller.cancel(booking)

        booking.refresh_from_db()
        assert (booking.status, booking.end_reason) == ("Cancelled", "traveller")
        assert booking.ended_at
        assert [available(flight) for flight in flights] == [10, 10]
        assert not SeatAssignment.objects.filter(released_at__isnull=True).exists()
        assert list(followed_flights(traveller.user.pk)) == [flights[1].pk]  # the user's own wish stays
        mail = Mail.objects.get(key__endswith=":cancelled")
        assert booking.record_locator in mail.subject
        check_books()

    def test_twice(self) -> None:
        traveller, flight = Traveller(), make_flight(economy=10)
        booking = traveller.booked(flight)
        traveller.cancel(booking)

        assert code(traveller.cancel(booking)) == (409, "already_cancelled")
        assert available(flight) == 10

    def test_a_hold(self) -> None:
        traveller, flight = Traveller(), make_flight(economy=10)

        assert refund_of(traveller.cancel(traveller.held(flight))) == (0, "nothing_paid")
        assert available(flight) == 10
        assert not Refund.objects.exists()

    @pytest.mark.parametrize("status", ["Departed", "Landed", "Diverted"])
    def test_a_flight_that_has_left(self, status: str) -> None:
        traveller, flight = Traveller(), make_flight(economy=10)
        booking = traveller.booked(flight)
        Flight.objects.filter(pk=flight.pk).update(status=status)

        assert code(traveller.cancel(booking)) == (409, "not_cancellable")
        assert available(flight) == 9

    def test_a_flight_whose_time_has_come(self) -> None:
        traveller, flight = Traveller(), make_flight()
        booking = traveller.booked(flight)
        past = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)
        Flight.objects.filter(pk=flight.pk).update(scheduled_departure=past)
        assert code(traveller.cancel(booking)) == (409, "not_cancellable")

        Flight.objects.filter(pk=flight.pk).update(estimated_departure=past + dt.timedelta(hours=1))
        assert traveller.cancel(booking).status_code == 200  # late: it stands at the gate still

    def test_somebody_elses(self) -> None:
        booking = Traveller().booked(make_flight())
        stranger = Traveller()
        body = {"bookingId": booking.public_id, "userId": booking.user.public_id}

        assert code(stranger.cancel(booking)) == (404, "not_found")
        assert code(stranger.post("/cancel-booking", body)) == (404, "not_found")
        booking.refresh_from_db()
        assert booking.status == "Confirmed"

    def test_staff_with_the_permission(self) -> None:
        booking = Traveller().booked(make_flight())
        staff = Traveller(make_user(is_superuser=True))
        body = {"bookingId": booking.public_id, "userId": booking.user.public_id}

        assert staff.post("/cancel-booking", body).status_code == 200

    def test_bad_input(self) -> None:
        answer = Traveller().post("/cancel-booking", {"bookingId": 7})

        assert code(answer) == (400, "invalid")
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/bookingId"]


class TestTerms:
    def test_a_refundable_fare(self) -> None:
        traveller = Traveller()
        booking = traveller.booked(make_flight(departs_in=SOON), fare="EFLEX")

        assert refund_of(traveller.cancel(booking)) == (160, "fare_refundable")

    def test_a_fare_that_gives_nothing_back(self) -> None:
        traveller = Traveller()
        booking = traveller.booked(make_flight(departs_in=SOON))

        assert refund_of(traveller.cancel(booking)) == (0, "fare_not_refundable")
        settle_payments()
        assert payment_of(booking).state == "captured"
        assert not Refund.objects.exists()

    def test_within_a_day_of_booking_a_week_ahead(self) -> None:
        traveller = Traveller()
        booking = traveller.booked(make_flight(departs_in=dt.timedelta(days=7, hours=1)))
        late = traveller.booked(make_flight(departs_in=dt.timedelta(days=7, hours=1)))
        Booking.objects.filter(pk=late.pk).update(created_at=Now() - dt.timedelta(hours=24, minutes=1))

        assert refund_of(traveller.cancel(booking)) == (100, "within_24_hours")
        assert refund_of(traveller.cancel(late)) == (0, "fare_not_refundable")

    def test_a_cancelled_flight(self) -> None:
        traveller, flight = Traveller(), make_flight(departs_in=SOON)
        booking = traveller.booked(flight)
        record_update(flight_pk=flight.pk, status="Cancelled", source="test")

        assert refund_of(traveller.cancel(booking)) == (100, "flight_cancelled")

    def test_flight_by_flight(self) -> None:
        traveller = Traveller()
        flights = make_flight(departs_in=SOON), make_flight(departs_in=SOON)
        booking = traveller.booked(*flights, fares=["EFLEX", "ELIGHT"])

        assert refund_of(traveller.cancel(booking))[0] == 160
        settle_payments()
        assert (payment_of(booking).state, Refund.objects.get().state) == ("captured", "done")


class TestMoney:
    def test_before_the_capture_it_is_voided(self) -> None:
        traveller = Traveller()
        booking = traveller.booked(make_flight(departs_in=LATER))

        traveller.cancel(booking)

        assert payment_of(booking).state == "to_void"
        settle_payments()
        assert payment_of(booking).state == "voided"
        assert not Refund.objects.exists()

    def test_after_the_capture_it_is_refunded(self) -> None:
        traveller = Traveller()
        booking = traveller.booked(make_flight(departs_in=LATER))
        settle_payments()

        traveller.cancel(booking)

        refund = Refund.objects.get()
        assert (int(refund.amount), refund.state, refund.reason) == (100, "requested", "within_24_hours")

    def test_while_it_is_captured_it_is_refunded_afterwards(self) -> None:
        traveller = Traveller()
        booking = traveller.booked(make_flight(departs_in=LATER))
        PaymentAttempt.objects.update(lease_until=Now() + dt.timedelta(minutes=1))  # a worker is at it

        traveller.cancel(booking)

        assert (payment_of(booking).state, Refund.objects.count()) == ("to_capture", 1)


@pytest.mark.django_db(transaction=True)
class TestRaces:
    def _rush(self, booking: Booking, traveller: Traveller) -> Counter[tuple[int, str]]:
        others = [Traveller(traveller.user) for _ in range(20)]
        return Counter(map(code, together([partial(other.cancel, booking) for other in others])))

    def test_twenty_cancels_are_one(self) -> None:
        traveller, flight = Traveller(), make_flight(economy=10, departs_in=LATER)
        booking = traveller.booked(flight)
        settle_payments()

        assert self._rush(booking, traveller) == {(200, ""): 1, (409, "already_cancelled"): 19}
        assert available(flight) == 10
        assert Refund.objects.count() == 1
        check_books()

    def test_control_without_the_lock_seats_come_back_twice(self, monkeypatch: pytest.MonkeyPatch) -> None:
        traveller, flight = Traveller(), make_flight(economy=10, departs_in=LATER)
        traveller.booked(flight, passengers=passengers(3))  # what the second return eats up
        booking = traveller.held(flight, passengers=passengers(2))
        both = threading.Barrier(2, timeout=10)
        real = endings._booked

        def found_by_both(booking: Booking) -> list[Segment]:
            rows = real(booking)
            both.wait()
            return rows

        def read(user_pk: int, booking_id: str) -> Booking:
            return Booking.objects.get(user_id=user_pk, public_id=booking_id)

        monkeypatch.setattr(cancel, "_lock", read)
        monkeypatch.setattr(cancel, "end", lambda booking, **_: True)
        monkeypatch.setattr(endings, "_booked", found_by_both)
        monkeypatch.setattr(mails, "tell_of_cancellation", lambda *_: None)  # its unique key would wait

        others = [Traveller(traveller.user) for _ in range(2)]
        answers = together([partial(other.cancel, booking) for other in others])

        assert [answer.status_code for answer in answers] == [200, 200]
        assert available(flight) == 9  # and three are sold
