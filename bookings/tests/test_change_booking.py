"""POST /change-quotes and POST /change-booking."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db.models.functions import Now

from bookings.models import Booking, Coupon, PaymentAttempt, Quote, Refund, Segment
from bookings.operations import change
from bookings.public import settle_payments
from bookings.tests.factories import (
    Traveller,
    available,
    check_books,
    leases_over,
    new_key,
    overdue,
    passengers,
    silence,
)
from flights.models import CabinInventory, FareFamily, Flight, SeatAssignment
from flights.public import record_update
from flights.tests.factories import make_flight, make_seat_zones
from subscriptions.public import followed_flights

pytestmark = pytest.mark.django_db


def quoted(traveller: Traveller, booking: Booking, old: Flight, new: Flight, **body: Any) -> dict[str, Any]:
    answer = traveller.quote_change(booking, old, new, **body)
    assert answer.status_code == 201, answer.content
    return dict(answer.json())


def changed(traveller: Traveller, booking: Booking, old: Flight, new: Flight, **body: Any) -> dict[str, Any]:
    """By a quote."""
    quote = quoted(traveller, booking, old, new, **body)
    answer = traveller.change(booking, quoteId=quote["quoteId"])
    assert answer.status_code == 200, answer.content
    booking.refresh_from_db()
    return dict(answer.json())


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_a_dearer_flight_costs_the_difference_and_the_fee() -> None:
    traveller = Traveller()
    old, new = make_flight(), make_flight(base_price=Decimal("120.00"))
    seats = [{"flightId": old.public_id, "passenger": 0, "seat": "20A"}]
    booking = traveller.booked(old, fare="ESTD", passengers=passengers(2), seats=seats)

    quote = quoted(traveller, booking, old, new, fare="ESTD")
    assert (quote["fareDifference"], quote["changeFee"], quote["amountDue"]) == (50, 150, 200)
    assert (quote["total"], quote["reason"], quote["refund"]) == (450, "fare_changeable", 0)
    answer = traveller.change(booking, quoteId=quote["quoteId"])

    assert answer.status_code == 200, answer.content
    [flight] = answer.json()["flights"]
    assert (flight["flightId"], flight["price"], flight["seats"]) == (new.public_id, 300, [])
    assert [charge["kind"] for charge in answer.json()["charges"]] == ["change_fee"] * 2
    assert (available(old), available(new)) == (100, 98)
    assert not SeatAssignment.objects.filter(released_at=None).exists()
    statuses = Coupon.objects.order_by("pk").values_list("status", flat=True)
    assert list(statuses) == ["Exchanged", "Exchanged", "Open", "Open"]
    numbers = set(Coupon.objects.values_list("ticket_number", flat=True))
    assert len(numbers) == 4
    assert "" not in numbers
    assert followed_flights(user_pk=traveller.user.pk) == [new.pk]
    check_books()
    leases_over()
    settle_payments(limit=10)
    check_books()
    amounts = PaymentAttempt.objects.order_by("pk").values_list("state", "amount")
    assert [(state, int(amount)) for state, amount in amounts] == [("captured", 250), ("captured", 200)]


def test_what_is_left_over_of_a_fare_that_is_not_refundable_is_forfeited() -> None:
    traveller, old, new = Traveller(), make_flight(), make_flight(base_price=Decimal("40.00"))
    booking = traveller.booked(old, fare="ESTD")

    answer = changed(traveller, booking, old, new, fare="ELIGHT")

    assert answer["change"] | {"fareDifference": 0, "changeFee": 75, "amountDue": 75} == answer["change"]
    assert booking.total == 200
    assert (answer["flights"][0]["price"], answer["flights"][0]["fare"]) == (125, "ELIGHT")
    check_books()


def test_what_is_left_over_of_a_refundable_fare_comes_back() -> None:
    traveller, old, new = Traveller(), make_flight(), make_flight(base_price=Decimal("40.00"))
    booking = traveller.booked(old, fare="EFLEX")

    answer = changed(traveller, booking, old, new)

    assert answer["change"]["refund"] == 96
    assert booking.total == 64
    refund = Refund.objects.get()
    assert refund.amount == 96
    assert refund.reason == "change"
    check_books()
    leases_over()
    settle_payments(limit=10)
    check_books()
    assert Refund.objects.get().state == "done"


def test_a_hold_is_priced_anew_and_pays_nothing() -> None:
    traveller, old = Traveller(), make_flight()
    new = make_flight(base_price=Decimal("70.00"), closes_at=datetime.now(UTC) + timedelta(minutes=20))
    booking = traveller.held(old)

    answer = changed(traveller, booking, old, new)

    assert (answer["change"]["amountDue"], answer["change"]["reason"]) == (0, "not_paid")
    assert booking.total == 70
    assert booking.payment_due_by == new.inventory.get().closes_at
    assert not PaymentAttempt.objects.exists()
    assert traveller.pay(booking).status_code == 200
    assert not Coupon.objects.filter(status="Open", ticket_number="").exists()
    check_books()


def test_it_keeps_its_place_and_may_come_back() -> None:
    traveller, old, onward, new = Traveller(), make_flight(), make_flight(), make_flight()
    booking = traveller.booked(old, onward, fare="EFLEX")

    changed(traveller, booking, old, new)
    answer = changed(traveller, booking, new, old)

    assert [flight["flightId"] for flight in answer["flights"]] == [old.public_id, onward.public_id]
    assert booking.version == 3
    assert Segment.objects.filter(booking=booking, status="Exchanged").count() == 2
    assert [available(flight) for flight in (old, onward, new)] == [99, 99, 100]
    check_books()


def test_a_traveller_who_left_and_an_infant() -> None:
    traveller, old, new = Traveller(), make_flight(), make_flight(base_price=Decimal("200.00"))
    party = [*passengers(2), *passengers(1, type="infant")]
    booking = traveller.booked(old, fare="ESTD", passengers=party)
    body = {"bookingId": booking.public_id, "passengers": [1]}
    assert traveller.post("/cancel-booking", body).status_code == 200

    answer = changed(traveller, booking, old, new, fare="ESTD")

    assert (answer["change"]["changeFee"], answer["change"]["fareDifference"]) == (75, Decimal("137.5"))
    assert [coupon["passenger"] for coupon in answer["flights"][0]["coupons"]] == [0, 2]
    assert (available(old), available(new)) == (100, 99)
    check_books()


def test_without_a_quote_the_price_is_named() -> None:
    traveller, old, new = Traveller(), make_flight(), make_flight()
    booking = traveller.booked(old, fare="EFLEX")
    asked = {"flightId": old.public_id, "newFlightId": new.public_id, "fare": "EFLEX"}

    assert traveller.change(booking, **asked).json()["errors"][0]["pointer"] == "/expectedPrice"
    assert refusal(traveller.change(booking, **asked, expectedPrice=1)) == (409, "price_changed")
    assert traveller.change(booking, **asked, expectedPrice=0).status_code == 200


def test_one_key_is_one_change() -> None:
    traveller, old, new = Traveller(), make_flight(), make_flight(base_price=Decimal("120.00"))
    booking = traveller.booked(old, fare="EFLEX")
    quote, key = quoted(traveller, booking, old, new, fare="EFLEX"), new_key()

    first = traveller.change(booking, quoteId=quote["quoteId"], key=key)
    again = traveller.change(booking, quoteId=quote["quoteId"], key=key)

    assert (first.status_code, again.content) == (200, first.content)
    assert again["Idempotent-Replayed"] == "true"
    assert PaymentAttempt.objects.count() == 2


def test_a_fare_that_cannot_be_changed() -> None:
    traveller, old, new = Traveller(), make_flight(), make_flight()
    booking = traveller.booked(old, fare="ELIGHT")

    assert refusal(traveller.quote_change(booking, old, new)) == (409, "not_changeable")


class TestAfterTheAirlineCancelled:
    @pytest.fixture
    def old(self) -> Flight:
        old = make_flight()
        make_seat_zones(old)
        return old

    def test_the_like_is_free_of_charge_at_the_old_conditions(self, old: Flight) -> None:
        traveller, new = Traveller(), make_flight(base_price=Decimal("300.00"))
        seats = [{"flightId": old.public_id, "passenger": 0, "seat": "16A"}]
        booking = traveller.booked(old, fare="ELIGHT", seats=seats)
        record_update(flight_pk=old.pk, status="Cancelled", source="test")

        answer = changed(traveller, booking, old, new, fare="EFLEX")

        price, flight = answer["change"], answer["flights"][0]
        assert (price["reason"], price["fareDifference"], price["amountDue"]) == ("flight_cancelled", 0, 0)
        assert (price["chargesBack"], price["refund"]) == (30, 30)  # the seat that there is no more
        assert (flight["price"], flight["refundable"], flight["changeFee"]) == (100, False, None)
        check_books()

    def test_another_route_or_cabin_is_not(self, old: Flight) -> None:
        traveller, away = Traveller(), make_flight(destination="BOS")
        front = make_flight(business=8)
        booking = traveller.booked(old, fare="ELIGHT")
        record_update(flight_pk=old.pk, status="Cancelled", source="test")

        answers = [
            traveller.quote_change(booking, old, away),
            traveller.quote_change(booking, old, front, cabin="business"),
        ]

        assert [refusal(answer) for answer in answers] == [(409, "not_changeable")] * 2


class TestQuotes:
    """After each refusal nothing is changed, and what was authorised is voided."""

    @pytest.fixture
    def traveller(self) -> Traveller:
        return Traveller()

    @pytest.fixture
    def flights(self) -> tuple[Flight, Flight]:
        return make_flight(), make_flight(base_price=Decimal("150.00"))

    @pytest.fixture
    def booking(self, traveller: Traveller, flights: tuple[Flight, Flight]) -> Booking:
        return traveller.booked(flights[0], fare="ESTD")

    @pytest.fixture
    def quote(self, traveller: Traveller, flights: tuple[Flight, Flight], booking: Booking) -> str:
        return str(quoted(traveller, booking, *flights)["quoteId"])

    def assert_nothing_changed(self, flights: tuple[Flight, Flight]) -> None:
        leases_over()
        settle_payments(limit=10)
        assert [available(flight) for flight in flights] == [99, 100]
        assert Booking.objects.get().version == 1
        assert set(PaymentAttempt.objects.order_by("pk").values_list("state", flat=True)[1:]) <= {"voided"}
        check_books()

    def test_a_used_one(self, traveller: Traveller, booking: Booking, quote: str) -> None:
        assert traveller.change(booking, quoteId=quote).status_code == 200
        assert refusal(traveller.change(booking, quoteId=quote)) == (409, "quote_expired")

    def test_an_expired_one(
        self, traveller: Traveller, flights: tuple[Flight, Flight], booking: Booking, quote: str
    ) -> None:
        Quote.objects.update(expires_at=Now())

        assert refusal(traveller.change(booking, quoteId=quote)) == (409, "quote_expired")
        self.assert_nothing_changed(flights)

    def test_one_of_another_booking_or_user(
        self, traveller: Traveller, flights: tuple[Flight, Flight], booking: Booking, quote: str
    ) -> None:
        stranger = Traveller()
        other = stranger.booked(flights[0], fare="ESTD")

        assert refusal(stranger.change(other, quoteId=quote)) == (404, "not_found")
        assert refusal(stranger.change(booking, quoteId=quote)) == (404, "not_found")
        assert refusal(traveller.quote_change(other, *flights)) == (404, "not_found")

    def test_a_price_that_moved(
        self, traveller: Traveller, flights: tuple[Flight, Flight], booking: Booking, quote: str
    ) -> None:
        CabinInventory.objects.filter(flight=flights[1]).update(base_price=Decimal("160.00"))

        answer = traveller.change(booking, quoteId=quote)

        assert refusal(answer) == (409, "price_changed")
        assert answer.json()["price"] == 150
        self.assert_nothing_changed(flights)

    def test_sold_out_meanwhile(
        self, traveller: Traveller, flights: tuple[Flight, Flight], booking: Booking, quote: str
    ) -> None:
        FareFamily.objects.filter(code="ESTD").update(protected_share=Decimal("0.999"))
        CabinInventory.objects.filter(flight=flights[1]).update(available=50, capacity=50)

        answer = traveller.change(booking, quoteId=quote)

        assert (*refusal(answer), answer.json()["flightId"]) == (409, "sold_out", flights[1].public_id)

    def test_a_declined_card(
        self, traveller: Traveller, flights: tuple[Flight, Flight], booking: Booking, quote: str
    ) -> None:
        answer = traveller.change(booking, quoteId=quote, paymentToken="tok_declined")

        assert refusal(answer) == (402, "payment_declined")
        assert available(flights[0]) == 99

    def test_a_silent_gateway_and_the_same_key_again(
        self,
        traveller: Traveller,
        flights: tuple[Flight, Flight],
        booking: Booking,
        quote: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        key = new_key()
        with monkeypatch.context() as patch:
            silence(patch, "authorise")
            assert traveller.change(booking, quoteId=quote, key=key).status_code == 503

        assert traveller.change(booking, quoteId=quote, key=key).status_code == 200
        assert PaymentAttempt.objects.count() == 2
        check_books()

    def test_one_that_never_comes_again_is_voided(
        self,
        traveller: Traveller,
        flights: tuple[Flight, Flight],
        booking: Booking,
        quote: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        with monkeypatch.context() as patch:
            silence(patch, "authorise")
            assert traveller.change(booking, quoteId=quote, key=new_key()).status_code == 503

        self.assert_nothing_changed(flights)


def test_what_is_not_valid() -> None:
    traveller, old, onward, new = Traveller(), make_flight(), make_flight(), make_flight()
    booking = traveller.booked(old, onward, fare="EFLEX")
    wrong = [
        ({"newFlightId": old.public_id}, "/newFlightId"),
        ({"newFlightId": onward.public_id}, "/newFlightId"),
        ({"fare": "BSTD"}, "/fare"),
        ({"cabin": "galley"}, "/cabin"),
    ]
    for body, pointer in wrong:
        answer = traveller.quote_change(booking, old, new, **body)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer), body


def test_a_payment_method_is_asked_for_where_something_is_due() -> None:
    traveller, old, new = Traveller(), make_flight(), make_flight(base_price=Decimal("150.00"))
    booking = traveller.booked(old, fare="EFLEX")
    quote = quoted(traveller, booking, old, new, fare="EFLEX")
    body = {"bookingId": booking.public_id, "quoteId": quote["quoteId"]}

    assert traveller.post("/change-booking", body).json()["errors"][0]["pointer"] == "/paymentMethod"


def test_flights_and_bookings_that_cannot_be_changed() -> None:
    traveller, old, new = Traveller(), make_flight(), make_flight()
    left = make_flight(departs_in=timedelta(minutes=1))
    booking = traveller.booked(old, left, fare="EFLEX")
    Flight.objects.filter(pk=left.pk).update(status="Departed")

    assert refusal(traveller.quote_change(booking, left, new)) == (409, "flight_departed")
    assert refusal(traveller.quote_change(booking, new, old)) == (404, "not_found")
    changed(traveller, booking, old, new, fare="EFLEX")
    assert refusal(traveller.quote_change(booking, old, make_flight())) == (409, "not_changeable")
    Flight.objects.filter(pk=old.pk).update(status="Cancelled")
    assert refusal(traveller.quote_change(booking, new, old)) == (409, "flight_cancelled")


def test_a_booking_that_has_ended() -> None:
    traveller, old, new = Traveller(), make_flight(), make_flight()
    gone, late = traveller.booked(old, fare="EFLEX"), traveller.held(old)
    traveller.cancel(gone)
    overdue(late)

    assert refusal(traveller.quote_change(gone, old, new)) == (409, "already_cancelled")
    assert refusal(traveller.quote_change(late, old, new)) == (409, "hold_expired")


def test_one_that_died_after_the_card_was_authorised_is_gone_on_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    traveller, old, new = Traveller(), make_flight(), make_flight(base_price=Decimal("150.00"))
    booking = traveller.booked(old, fare="EFLEX")
    quote, key = quoted(traveller, booking, old, new), new_key()
    with monkeypatch.context() as patch:
        patch.setattr(change, "exchange_seats", dies)
        with pytest.raises(SystemError):
            traveller.change(booking, quoteId=quote["quoteId"], key=key)
    assert [available(flight) for flight in (old, new)] == [99, 100]
    check_books()

    assert traveller.change(booking, quoteId=quote["quoteId"], key=key).status_code == 200
    assert [available(flight) for flight in (old, new)] == [100, 99]
    assert PaymentAttempt.objects.count() == 2
    check_books()


def dies(**_: object) -> None:
    raise SystemError("killed")
