"""`POST /book-flight`: the design's sample, every optional field, every refusal; nothing is left half
done."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Mail
from accounts.tests.factories import api_client, make_user
from bookings.models import LOCATOR_ALPHABET, Booking, PaymentAttempt
from bookings.tests.factories import Traveller, available, check_books, passengers
from flights.models import CabinInventory, FareFamily, SeatAssignment
from flights.public import record_update
from flights.tests.factories import make_flight
from subscriptions.public import followed_flights

pytestmark = pytest.mark.django_db


def refused(answer: Any, status: int, code: str) -> dict[str, Any]:
    """The problem document; no seat was taken and nothing sold."""
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), body
    assert answer["Content-Type"] == "application/problem+json"
    assert not Booking.objects.exists()
    check_books()
    return body


def pointers(body: dict[str, Any]) -> list[str]:
    return [error["pointer"] for error in body["errors"]]


class TestTheDesignsSample:
    def test_three_fields_are_enough(self) -> None:
        traveller, flight = Traveller(), make_flight(base_price=Decimal("350.00"))

        answer = traveller.client.post(
            "/book-flight",
            {
                "userId": traveller.user.public_id,
                "flightId": flight.public_id,
                "paymentMethod": "credit_card",
            },
        )

        assert answer.status_code == 201
        body = answer.json()
        assert body["message"] == "Flight booked successfully"
        assert body["flightId"] == flight.public_id
        assert body["price"] == 350
        assert body["bookingId"].startswith("bkg")
        assert b'"price":350.00' in answer.content

    def test_what_is_added(self) -> None:
        traveller, flight = Traveller(), make_flight()

        body = traveller.book(flight).json()

        assert (body["status"], body["currency"]) == ("Confirmed", "USD")
        assert len(body["recordLocator"]) == 6
        assert set(body["recordLocator"]) <= set(LOCATOR_ALPHABET)
        assert body["passengers"] == [{"givenName": "Ada", "familyName": "Lovelace", "type": "adult"}]
        (segment,) = body["flights"]
        assert segment["flightId"] == flight.public_id
        assert (segment["from"], segment["to"], segment["flightNumber"]) == ("JFK", "LAX", flight.designator)
        assert (segment["cabin"], segment["fare"], segment["price"]) == ("economy", "ELIGHT", 100)
        assert (segment["refundable"], segment["changeFee"], segment["seats"]) == (False, None, [])
        assert segment["departure"] == flight.scheduled_departure.isoformat().replace("+00:00", "Z")
        assert dt.datetime.fromisoformat(segment["departureLocal"]) == flight.scheduled_departure
        assert "paymentDueBy" not in body

    def test_the_seat_is_taken_and_the_payment_waits_for_its_capture(self) -> None:
        traveller, flight = Traveller(), make_flight(economy=10)

        booking = traveller.booked(flight)

        assert available(flight) == 9
        payment = booking.payments.get()
        assert (payment.state, payment.amount, payment.gateway) == (
            "to_capture",
            Decimal("100.00"),
            "sandbox",
        )
        assert payment.reference
        check_books()

    def test_the_traveller_follows_the_flight_and_gets_a_mail(self) -> None:
        traveller, flight = Traveller(), make_flight()

        booking = traveller.booked(flight)

        assert list(followed_flights(traveller.user.pk)) == [flight.pk]
        mail = Mail.objects.get()
        assert mail.to == traveller.user.email
        assert booking.record_locator in mail.subject
        local = flight.scheduled_departure.astimezone(dt.timezone(dt.timedelta(0)))
        assert flight.designator in mail.text
        assert f"{local:%Y}" in mail.text
        assert "Ada Lovelace" in mail.text

    def test_the_holder_of_the_account_may_book_a_flight_twice(self) -> None:
        traveller, flight = Traveller(), make_flight(economy=10)

        assert traveller.booked(flight) != traveller.booked(flight)
        assert available(flight) == 8

    def test_a_holder_without_a_name_travels_by_the_username(self) -> None:
        traveller = Traveller(make_user(given_name="", family_name="", username="grace"))

        assert traveller.book(make_flight()).json()["passengers"][0]["familyName"] == "grace"


class TestOptions:
    def test_several_passengers(self) -> None:
        traveller, flight = Traveller(), make_flight(economy=10, base_price=Decimal("99.99"))
        family = [*passengers(2, type="child"), *passengers(1, type="infant")]

        body = traveller.book(flight, passengers=family).json()

        assert body["price"] == 99.99 + 74.99 + 10.00  # each rounded half up to the cent
        assert [person["type"] for person in body["passengers"]] == ["adult", "child", "infant"]
        assert available(flight) == 8  # the infant sits on a lap
        check_books()

    def test_several_flights(self) -> None:
        traveller = Traveller()
        there, back = make_flight(), make_flight(origin="LAX", destination="JFK", base_price=Decimal("80.00"))

        body = traveller.book(there, back, passengers=passengers(2)).json()

        assert body["flightId"] == there.public_id
        assert [segment["flightId"] for segment in body["flights"]] == [there.public_id, back.public_id]
        assert body["price"] == 360
        assert available(there) == available(back) == 98
        check_books()

    def test_cabin_and_fare(self) -> None:
        body = Traveller().book(make_flight(business=10), cabin="business", fare="BFLEX").json()

        assert body["price"] == 520
        assert (body["flights"][0]["refundable"], body["flights"][0]["changeFee"]) == (True, 0)

    def test_one_fare_for_each_flight(self) -> None:
        body = Traveller().book(make_flight(), make_flight(), fares=["ESTD", "EFLEX"]).json()

        assert [segment["price"] for segment in body["flights"]] == [125, 160]

    def test_chosen_seats(self) -> None:
        traveller, flight = Traveller(), make_flight()
        seats = [
            {"flightId": flight.public_id, "passenger": 1, "seat": "20b"},
            {"flightId": flight.public_id, "passenger": 0, "seat": "20A"},
        ]

        body = traveller.book(flight, passengers=passengers(3), seats=seats).json()

        assert body["flights"][0]["seats"] == [
            {"passenger": 0, "seat": "20A"},
            {"passenger": 1, "seat": "20B"},
        ]
        assert SeatAssignment.objects.filter(holder=body["bookingId"]).count() == 2

    def test_the_expected_price(self) -> None:
        assert Traveller().book(make_flight(), expectedPrice=100).status_code == 201

    def test_the_cheapest_fare_that_is_open_to_the_party(self) -> None:
        flight = make_flight(economy=10)  # ELIGHT keeps 2, ESTD 1 from itself
        CabinInventory.objects.filter(flight=flight).update(available=3)

        assert Traveller().book(flight, passengers=passengers(2)).json()["flights"][0]["fare"] == "ESTD"
        assert Traveller().book(flight).json()["flights"][0]["fare"] == "EFLEX"

    def test_a_hold(self) -> None:
        traveller, flight = Traveller(), make_flight(economy=10)

        body = traveller.book(flight, paymentMethod="hold").json()

        due = dt.datetime.fromisoformat(body["paymentDueBy"]) - dt.datetime.now(dt.UTC)
        assert dt.timedelta(minutes=29) < due <= dt.timedelta(minutes=30)
        assert body["status"] == "Held"
        assert available(flight) == 9
        assert not PaymentAttempt.objects.exists()
        check_books()

    def test_a_hold_ends_before_departure(self) -> None:
        flight = make_flight(departs_in=dt.timedelta(minutes=10))

        body = Traveller().book(flight, paymentMethod="hold").json()

        assert dt.datetime.fromisoformat(body["paymentDueBy"]) == flight.scheduled_departure

    def test_a_hold_ends_with_the_sale(self) -> None:
        closes_at = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=10)
        flights = make_flight(), make_flight(closes_at=closes_at)

        body = Traveller().book(*flights, paymentMethod="hold").json()

        assert dt.datetime.fromisoformat(body["paymentDueBy"]) == closes_at


class TestRefusals:
    def test_an_unknown_flight(self) -> None:
        make_flight()
        for unknown in ("FL999999999", "FL0", "nonsense", "FL" + "9" * 30):
            body = {"flightId": unknown, "paymentMethod": "credit_card"}
            refused(Traveller().post("/book-flight", body), 404, "not_found")

    def test_sold_out(self) -> None:
        flight = make_flight(economy=1, business=10)
        CabinInventory.objects.filter(flight=flight, cabin="economy").update(available=0, capacity=0)

        body = refused(Traveller().book(flight), 409, "sold_out")

        assert body["flightId"] == flight.public_id
        assert not PaymentAttempt.objects.exists()

    def test_a_named_fare_is_sold_out_where_the_cabin_is_not(self) -> None:
        flight = make_flight(economy=10)
        CabinInventory.objects.filter(flight=flight).update(available=2, capacity=2)
        FareFamily.objects.filter(code="ELIGHT").update(protected_share=Decimal("0.999"))

        refused(Traveller().book(flight, fare="ELIGHT"), 409, "sold_out")

    def test_the_party_is_too_large(self) -> None:
        refused(Traveller().book(make_flight(economy=2), passengers=passengers(3)), 409, "sold_out")

    def test_a_cabin_that_the_flight_has_not(self) -> None:
        refused(Traveller().book(make_flight(), cabin="first"), 409, "sold_out")

    def test_price_changed_says_the_new_one(self) -> None:
        body = refused(Traveller().book(make_flight(), expectedPrice=99.99), 409, "price_changed")

        assert (body["price"], body["currency"]) == (100, "USD")

    def test_a_cancelled_and_a_departed_flight(self) -> None:
        cancelled, departed = make_flight(), make_flight()
        record_update(flight_pk=cancelled.pk, status="Cancelled", source="test")
        record_update(flight_pk=departed.pk, status="Departed", source="test")

        refused(Traveller().book(cancelled), 409, "flight_cancelled")
        refused(Traveller().book(departed), 409, "flight_departed")

    def test_a_flight_whose_sale_is_over_gives_the_money_back(self) -> None:
        flight = make_flight(closes_at=dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1))

        refused(Traveller().book(flight), 409, "flight_departed")
        assert PaymentAttempt.objects.get().state == "to_void"

    def test_all_or_none(self) -> None:
        open_flight = make_flight(economy=10)
        gone = make_flight(closes_at=dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1))
        for method in ("credit_card", "hold"):
            refused(Traveller().book(open_flight, gone, paymentMethod=method), 409, "flight_departed")
        assert available(open_flight) == 10
        assert not SeatAssignment.objects.exists()
        assert not Mail.objects.exists()

    def test_a_seat_that_is_taken(self) -> None:
        traveller, flight = Traveller(), make_flight()
        seats = [{"flightId": flight.public_id, "passenger": 0, "seat": "20A"}]
        traveller.booked(flight, seats=seats)

        answer = Traveller().book(flight, seats=seats)

        assert (answer.status_code, answer.json()["code"]) == (409, "seat_taken")
        assert (answer.json()["flightId"], answer.json()["seats"]) == (flight.public_id, ["20A"])
        assert available(flight) == 99
        assert PaymentAttempt.objects.count() == 1  # asked before the gateway is
        check_books()

    def test_a_seat_that_is_taken_while_the_payment_is_authorised(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was read before decides nothing."""
        monkeypatch.setattr("bookings.pricing.check_free", lambda **_: None)
        flight = make_flight()
        seats = [{"flightId": flight.public_id, "passenger": 0, "seat": "20A"}]
        Traveller().booked(flight, seats=seats)

        answer = Traveller().book(flight, seats=seats)

        assert (answer.status_code, answer.json()["code"]) == (409, "seat_taken")
        assert available(flight) == 99
        assert PaymentAttempt.objects.latest("pk").state == "to_void"
        check_books()

    def test_a_seat_that_the_cabin_has_not(self) -> None:
        flight = make_flight()
        seats = [{"flightId": flight.public_id, "passenger": 0, "seat": "1A"}]

        refused(Traveller().book(flight, seats=seats), 400, "invalid")
        assert not PaymentAttempt.objects.exists()  # asked before the gateway is

    def test_declined(self) -> None:
        refused(Traveller().book(make_flight(), paymentToken="tok_declined"), 402, "payment_declined")
        refused(Traveller().book(make_flight(), paymentToken="tok_of_nobody"), 402, "payment_declined")
        assert {attempt.state for attempt in PaymentAttempt.objects.all()} == {"declined"}

    def test_somebody_elses_user_id(self) -> None:
        other, flight = make_user(), make_flight()
        for user_id in (other.public_id, "nobody"):
            refused(Traveller().book(flight, userId=user_id), 404, "not_found")

    def test_without_a_token(self) -> None:
        refused(api_client().post("/book-flight", {}), 401, "not_authenticated")


class TestBadInput:
    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"flightId": None}, "/flightId"),
            ({"flightId": 5}, "/flightId"),
            ({"paymentMethod": "cash"}, "/paymentMethod"),
            ({"paymentMethod": ["credit_card"]}, "/paymentMethod"),
            ({"flightIds": ["FL1"]}, "/flightIds"),
            ({"cabin": "steerage"}, "/cabin"),
            ({"fare": "BFLEX"}, "/fare"),
            ({"fare": "NONE"}, "/fare"),
            ({"fares": ["NONE"]}, "/fares/0"),
            ({"fares": ["ELIGHT", "ELIGHT"]}, "/fares"),
            ({"fare": "ELIGHT", "fares": ["ELIGHT"]}, "/fares"),
            ({"passengers": []}, "/passengers"),
            ({"passengers": "two"}, "/passengers"),
            ({"passengers": passengers(10)}, "/passengers"),
            ({"passengers": [{"givenName": "A", "type": "adult"}]}, "/passengers/0/familyName"),
            ({"passengers": [{"givenName": "A\0", "familyName": "B"}]}, "/passengers/0/givenName"),
            ({"passengers": passengers(1, type="pilot")}, "/passengers/0/type"),
            ({"passengers": passengers(1, type="child")}, "/passengers"),
            ({"passengers": [*passengers(2, type="infant"), *passengers(1, type="infant")]}, "/passengers"),
            ({"expectedPrice": "100"}, "/expectedPrice"),
            ({"expectedPrice": -1}, "/expectedPrice"),
            ({"expectedPrice": 1.001}, "/expectedPrice"),
            ({"paymentToken": ""}, "/paymentToken"),
            ({"seats": [{"flightId": "FL1", "passenger": 0, "seat": "20A"}]}, "/seats/0/flightId"),
        ],
    )
    def test_a_field(self, change: dict[str, Any], pointer: str) -> None:
        body = refused(Traveller().book(make_flight(), **change), 400, "invalid")

        assert pointers(body) == [pointer]
        assert not PaymentAttempt.objects.exists()

    def test_seats(self) -> None:
        flight = make_flight()
        people = [*passengers(1), *passengers(1, type="infant")]
        wishes = [(5, "20A"), (1, "20B"), (0, "20C"), (0, "20D"), (-1, "20E")]
        seats = [{"flightId": flight.public_id, "passenger": index, "seat": seat} for index, seat in wishes]

        body = refused(Traveller().book(flight, passengers=people, seats=seats[:4]), 400, "invalid")
        assert pointers(body) == ["/seats/0/passenger", "/seats/1/passenger", "/seats/3"]
        body = refused(Traveller().book(flight, passengers=people, seats=seats[4:]), 400, "invalid")
        assert pointers(body) == ["/seats/0/passenger"]

    def test_which_flights(self) -> None:
        traveller, flight = Traveller(), make_flight()
        for ids in ([], [flight.public_id] * 2, [f"FL{n}" for n in range(1, 8)]):
            body = {"flightIds": ids, "paymentMethod": "hold"}
            assert pointers(refused(traveller.post("/book-flight", body), 400, "invalid")) == ["/flightIds"]
        body = {"paymentMethod": "hold"}
        assert pointers(refused(traveller.post("/book-flight", body), 400, "invalid")) == ["/flightId"]

    def test_no_json(self) -> None:
        traveller = Traveller()
        for text in ("", "{", "[]", '{"a":1,"a":2}', "NaN"):
            answer = traveller.client.post("/book-flight", text, content_type="application/json")
            refused(answer, 400, "invalid")
        answer = traveller.client.post(
            "/book-flight", "a=b", content_type="application/x-www-form-urlencoded"
        )
        refused(answer, 415, "unsupported_media_type")
