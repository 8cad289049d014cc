"""`GET /bookings/{userId}` and one booking in full."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.tests.factories import api_client, make_user
from bookings.public import settle_payments
from bookings.tests.factories import Traveller, passengers
from flights.tests.factories import make_flight

pytestmark = pytest.mark.django_db


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


class TestList:
    def test_the_designs_sample(self) -> None:
        traveller, flight = Traveller(), make_flight()
        booking = traveller.booked(flight)

        answer = traveller.bookings()

        assert answer.status_code == 200
        departure = flight.scheduled_departure.isoformat().replace("+00:00", "Z")
        assert answer.json() == {
            "userId": traveller.user.public_id,
            "bookings": [
                {
                    "bookingId": booking.public_id,
                    "flightId": flight.public_id,
                    "status": "Confirmed",
                    "departure": departure,
                    "recordLocator": booking.record_locator,
                    "price": 100,
                    "currency": "USD",
                    "flights": [flight.public_id],
                }
            ],
        }

    def test_newest_first_in_pages(self) -> None:
        traveller, flight = Traveller(), make_flight()
        made = [traveller.booked(flight).public_id for _ in range(5)]
        Traveller().booked(flight)

        found, answer = [], traveller.bookings(limit=2)
        while True:
            found += [booking["bookingId"] for booking in answer.json()["bookings"]]
            if "next" not in answer.json():
                break
            answer = traveller.client.get(answer.json()["next"])
        assert found == made[::-1]

    def test_none(self) -> None:
        traveller = Traveller()

        assert traveller.bookings().json() == {"userId": traveller.user.public_id, "bookings": []}

    @pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 201}, {"limit": "x"}, {"cursor": "nonsense"}])
    def test_bad_pages(self, query: dict[str, Any]) -> None:
        assert code(Traveller().bookings(**query)) == (400, "invalid")

    def test_as_many_queries_for_one_as_for_many(self) -> None:
        traveller, flight = Traveller(), make_flight()

        def queries() -> int:
            with CaptureQueriesContext(
                connection,
            ) as captured:
                traveller.bookings()
            return len(captured)

        traveller.booked(flight)
        one = queries()
        for _ in range(4):
            traveller.booked(flight, make_flight())
        assert queries() == one


class TestInFull:
    def test_everything(self) -> None:
        traveller, flight = Traveller(), make_flight()
        seats = [{"flightId": flight.public_id, "passenger": 1, "seat": "20A"}]
        booking = traveller.booked(flight, fare="EFLEX", passengers=passengers(2), seats=seats)
        settle_payments()
        traveller.cancel(booking)

        body = traveller.booking(booking).json()

        assert (body["status"], body["price"], body["paymentMethod"]) == ("Cancelled", 320, "credit_card")
        assert [person["givenName"] for person in body["passengers"]] == ["Given0", "Given1"]
        (segment,) = body["flights"]
        assert (segment["fare"], segment["price"], segment["status"]) == ("EFLEX", 320, "Scheduled")
        assert segment["seats"] == []  # given back
        (payment,), (refund,) = body["payments"], body["refunds"]
        assert (payment["status"], payment["amount"]) == ("captured", 320)
        assert (refund["status"], refund["amount"], refund["reason"]) == ("requested", 320, "fare_refundable")

    def test_seats_and_due_time_of_a_hold(self) -> None:
        traveller, flight = Traveller(), make_flight()
        seats = [{"flightId": flight.public_id, "passenger": 0, "seat": "20A"}]
        booking = traveller.held(flight, seats=seats)

        body = traveller.booking(booking).json()

        assert body["flights"][0]["seats"] == [{"passenger": 0, "seat": "20A"}]
        assert body["paymentDueBy"].endswith("Z")
        assert body["payments"] == body["refunds"] == []

    def test_unknown(self) -> None:
        traveller = Traveller()

        answer = traveller.client.get(f"/bookings/{traveller.user.public_id}/bkgnone")
        assert code(answer) == (404, "not_found")


class TestWhose:
    def test_nobody_learns_of_others(self) -> None:
        traveller, stranger = Traveller(), Traveller()
        booking = traveller.booked(make_flight())
        for path in (
            f"/bookings/{traveller.user.public_id}",
            "/bookings/nobody",
            f"/bookings/{traveller.user.public_id}/{booking.public_id}",
            f"/bookings/{stranger.user.public_id}/{booking.public_id}",
        ):
            assert code(stranger.client.get(path)) == (404, "not_found")
            assert code(api_client().get(path)) == (401, "not_authenticated")

    def test_staff_with_the_permission(self) -> None:
        traveller, staff = Traveller(), Traveller(make_user(is_superuser=True))
        booking = traveller.booked(make_flight())

        for path in (
            f"/bookings/{traveller.user.public_id}",
            f"/bookings/{traveller.user.public_id}/{booking.public_id}",
        ):
            assert staff.client.get(path).status_code == 200
        assert Traveller(make_user(is_staff=True)).client.get(path).status_code == 404
