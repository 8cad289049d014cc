"""Idempotency keys: one request, one effect, one answer; what is stored and what never; owners that die or
are too slow."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db.models.functions import Now

from accounts.models import Mail
from accounts.tests.factories import api_client, make_user
from bookings.idempotency import purge_idempotency_keys
from bookings.models import Booking, IdempotencyKey, PaymentAttempt, SandboxPayment
from bookings.operations import book, payment
from bookings.payments.sandbox import NO_ANSWER, NO_ANSWER_CHARGED, SandboxGateway
from bookings.tests.factories import Traveller, available, check_books, new_key
from flights.models import CabinInventory
from flights.tests.factories import make_flight
from flights.tests.races import together

pytestmark = pytest.mark.django_db


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


def assert_replayed(first: Any, again: Any) -> None:
    assert again.status_code == first.status_code
    assert again.content == first.content
    assert again["Content-Type"] == first["Content-Type"]
    assert again["Idempotent-Replayed"] == "true"
    assert not first.has_header("Idempotent-Replayed")


class TestReplay:
    def test_a_booking(self) -> None:
        traveller, flight, key = Traveller(), make_flight(economy=10), new_key()

        first, again = traveller.book(flight, key=key), traveller.book(flight, key=key)

        assert first.status_code == 201
        assert_replayed(first, again)
        assert available(flight) == 9
        assert (Booking.objects.count(), PaymentAttempt.objects.count(), Mail.objects.count()) == (1, 1, 1)

    def test_it_is_the_users_key_and_not_the_tokens(self) -> None:
        traveller, flight, key = Traveller(), make_flight(), new_key()
        first = traveller.book(flight, key=key)
        traveller.client = api_client(traveller.user)

        assert_replayed(first, traveller.book(flight, key=key))

    def test_another_users_same_key_is_another_key(self) -> None:
        flight, key = make_flight(economy=10), new_key()

        assert Traveller().book(flight, key=key).status_code == 201
        assert Traveller().book(flight, key=key).status_code == 201
        assert available(flight) == 8

    def test_without_a_key_nothing_is_replayed(self) -> None:
        traveller, flight = Traveller(), make_flight(economy=10)
        traveller.booked(flight)
        traveller.booked(flight)

        assert available(flight) == 8
        assert not IdempotencyKey.objects.exists()

    def test_a_hold_its_payment_and_a_cancellation(self) -> None:
        traveller, flight = Traveller(), make_flight(economy=10)
        hold_key, pay_key, cancel_key = new_key(), new_key(), new_key()

        held = traveller.book(flight, paymentMethod="hold", key=hold_key)
        assert_replayed(held, traveller.book(flight, paymentMethod="hold", key=hold_key))
        booking = Booking.objects.get()
        paid = traveller.pay(booking, key=pay_key)
        assert_replayed(paid, traveller.pay(booking, key=pay_key))
        cancelled = traveller.cancel(booking, key=cancel_key)
        assert_replayed(cancelled, traveller.cancel(booking, key=cancel_key))
        assert (held.status_code, paid.status_code, cancelled.status_code) == (201, 200, 200)
        assert available(flight) == 10

    def test_refusals(self) -> None:
        traveller, flight = Traveller(), make_flight(economy=1)
        full = make_flight(economy=1)
        CabinInventory.objects.filter(flight=full).update(available=0)
        calls: list[tuple[Callable[[str], Any], tuple[int, str]]] = [
            (
                lambda key: traveller.book(flight, paymentToken="tok_declined", key=key),
                (402, "payment_declined"),
            ),
            (lambda key: traveller.book(full, key=key), (409, "sold_out")),
            (
                lambda key: traveller.post("/cancel-booking", {"bookingId": "bkgnone"}, key=key),
                (404, "not_found"),
            ),
            (lambda key: traveller.book(flight, userId=make_user().public_id, key=key), (404, "not_found")),
        ]
        for call, expected in calls[:3]:
            key = new_key()
            first = call(key)
            assert code(first) == expected
            assert_replayed(first, call(key))
        key = new_key()
        nobody = {"flightId": flight.public_id, "paymentMethod": "hold", "userId": "nobody"}
        first = traveller.post("/book-flight", nobody, key=key)
        assert code(first) == (404, "not_found")
        assert_replayed(first, traveller.post("/book-flight", nobody, key=key))

    def test_a_refusal_stays_though_it_would_succeed_now(self) -> None:
        traveller, flight, key = Traveller(), make_flight(economy=1), new_key()
        CabinInventory.objects.filter(flight=flight).update(available=0)
        first = traveller.book(flight, key=key)
        CabinInventory.objects.filter(flight=flight).update(available=1)

        assert_replayed(first, traveller.book(flight, key=key))
        assert traveller.book(flight, key=new_key()).status_code == 201


class TestOtherRequestsUnderTheKey:
    def test_another_body_path_or_method_is_422(self) -> None:
        traveller, flight, key = Traveller(), make_flight(), new_key()
        booked = traveller.book(flight, key=key)
        booking = Booking.objects.get(public_id=booked.json()["bookingId"])

        assert code(traveller.book(make_flight(), key=key)) == (422, "idempotency_key_reused")
        assert code(traveller.cancel(booking, key=key)) == (422, "idempotency_key_reused")
        booking.refresh_from_db()
        assert booking.status == "Confirmed"
        assert Booking.objects.count() == 1

    def test_the_same_json_in_other_bytes_is_another_body(self) -> None:
        traveller, flight, key = Traveller(), make_flight(), new_key()
        traveller.book(flight, key=key)
        body = json.dumps(
            {"userId": traveller.user.public_id, "flightId": flight.public_id, "paymentMethod": "credit_card"}
        )

        answer = traveller.client.post(
            "/book-flight", "  " + body, content_type="application/json", headers={"Idempotency-Key": key}
        )

        assert code(answer) == (422, "idempotency_key_reused")

    @pytest.mark.parametrize("key", ["", " ", "with space", "a" * 256, "umlaut-ü", "tab\t"])
    def test_a_bad_key(self, key: str) -> None:
        flight = make_flight()

        answer = Traveller().book(flight, key=key)

        assert code(answer) == (400, "invalid")
        assert answer.json()["errors"][0]["pointer"] == "Idempotency-Key"
        assert available(flight) == 100

    def test_the_longest_key(self) -> None:
        assert Traveller().book(make_flight(), key="!~" * 127 + "a").status_code == 201


class TestNeverStored:
    def test_a_bad_request(self) -> None:
        traveller, flight, key = Traveller(), make_flight(), new_key()

        assert code(traveller.book(flight, fare="NONE", key=key)) == (400, "invalid")
        assert code(traveller.book(flight, cabin="steerage", key=key)) == (400, "invalid")
        assert not IdempotencyKey.objects.exists()
        assert traveller.book(flight, key=key).status_code == 201

    def test_an_unknown_seat(self) -> None:
        traveller, flight, key = Traveller(), make_flight(), new_key()
        wish = {"flightId": flight.public_id, "passenger": 0, "seat": "99Z"}

        assert code(traveller.book(flight, seats=[wish], key=key)) == (400, "invalid")
        assert not IdempotencyKey.objects.exists()
        assert not PaymentAttempt.objects.exists()

    def test_a_bad_request_found_when_the_seats_are_given(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Under a key that was taken already, after the payment was authorised: the aircraft was changed."""
        monkeypatch.setattr("bookings.pricing.check_seats", lambda **_: None)
        traveller, flight, key = Traveller(), make_flight(economy=10), new_key()
        wish = {"flightId": flight.public_id, "passenger": 0, "seat": "99Z"}

        assert code(traveller.book(flight, seats=[wish], key=key)) == (400, "invalid")

        assert not IdempotencyKey.objects.exists()
        assert PaymentAttempt.objects.get().state == PaymentAttempt.State.TO_VOID
        assert traveller.book(flight, key=key).status_code == 201
        assert available(flight) == 9

    def test_silence(self) -> None:
        traveller, flight, key = Traveller(), make_flight(economy=10), new_key()

        answer = traveller.book(flight, paymentToken=NO_ANSWER, key=key)

        assert code(answer) == (503, "unavailable")
        assert int(answer["Retry-After"]) > 0
        assert IdempotencyKey.objects.get().status is None
        assert available(flight) == 10

    def test_our_own_failure(self, monkeypatch: pytest.MonkeyPatch) -> None:
        traveller, flight, key = Traveller(), make_flight(economy=10), new_key()
        traveller.client.raise_request_exception = False

        def broken(**_: object) -> None:
            raise RuntimeError("a fault of ours")

        with monkeypatch.context() as patched:
            patched.setattr(book, "write_sale", broken)
            assert code(traveller.book(flight, key=key)) == (500, "internal")
        assert available(flight) == 10
        assert traveller.book(flight, key=key).status_code == 201
        assert available(flight) == 9
        assert PaymentAttempt.objects.count() == 1
        assert SandboxPayment.objects.count() == 1


class TestOwners:
    """What an owner leaves behind that died between its two commits: a key with a lease, an attempt that is
    started."""

    def _die_before_the_sale(
        self, traveller: Traveller, monkeypatch: pytest.MonkeyPatch, request: Callable[[], Any]
    ) -> None:
        def die(*_: object, **__: object) -> None:
            raise KeyboardInterrupt  # as little is done after it as after kill -9

        with monkeypatch.context() as patched:
            patched.setattr(book, "_sell", die)
            with pytest.raises(KeyboardInterrupt):
                request()

    def test_alive_it_is_left_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        traveller, flight, key = Traveller(), make_flight(), new_key()
        self._die_before_the_sale(traveller, monkeypatch, lambda: traveller.book(flight, key=key))

        answer = traveller.book(flight, key=key)

        assert code(answer) == (409, "request_in_progress")
        assert answer["Retry-After"] == "1"
        assert not Booking.objects.exists()

    def test_dead_it_is_taken_over_with_its_payment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        traveller, flight, key = Traveller(), make_flight(economy=10), new_key()
        self._die_before_the_sale(traveller, monkeypatch, lambda: traveller.book(flight, key=key))
        IdempotencyKey.objects.update(lease_until=Now() - timedelta(seconds=1))

        assert traveller.book(flight, key=key).status_code == 201
        assert PaymentAttempt.objects.count() == SandboxPayment.objects.count() == 1
        assert available(flight) == 9
        check_books()

    def test_a_price_that_moved_meanwhile_begins_a_new_payment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        traveller, flight, key = Traveller(), make_flight(), new_key()
        self._die_before_the_sale(traveller, monkeypatch, lambda: traveller.book(flight, key=key))
        IdempotencyKey.objects.update(lease_until=Now() - timedelta(seconds=1))
        CabinInventory.objects.update(base_price=90)

        assert traveller.book(flight, key=key).json()["price"] == 90
        assert [attempt.state for attempt in PaymentAttempt.objects.order_by("pk")] == [
            "to_void",
            "to_capture",
        ]

    def test_a_refusal_after_a_takeover_gives_the_payment_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        traveller, flight, key = Traveller(), make_flight(), new_key()
        self._die_before_the_sale(traveller, monkeypatch, lambda: traveller.book(flight, key=key))
        IdempotencyKey.objects.update(lease_until=Now() - timedelta(seconds=1))
        CabinInventory.objects.update(available=0)

        assert code(traveller.book(flight, key=key)) == (409, "sold_out")
        assert PaymentAttempt.objects.get().state == "to_void"

    def test_a_slow_first_owner_cannot_sell_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        traveller, flight, key = Traveller(), make_flight(economy=10), new_key()
        answers: list[Any] = []

        def overtaken(*args: Any, **kwargs: Any) -> Any:
            """While the first owner waits for the gateway, its lease ends and the client comes again."""
            with monkeypatch.context() as quick:
                quick.setattr(book, "authorise", real)
                IdempotencyKey.objects.update(lease_until=Now() - timedelta(seconds=1))
                answers.append(traveller.book(flight, key=key))
            return real(*args, **kwargs)

        real = payment.authorise
        monkeypatch.setattr(book, "authorise", overtaken)
        slow = traveller.book(flight, key=key)

        assert code(slow) == (409, "request_in_progress")
        assert [answer.status_code for answer in answers] == [201]
        assert (Booking.objects.count(), available(flight)) == (1, 9)
        monkeypatch.undo()
        assert_replayed(answers[0], traveller.book(flight, key=key))
        check_books()

    def test_charged_without_an_answer_the_retry_goes_on_with_the_same_payment(self) -> None:
        traveller, flight, key = Traveller(), make_flight(economy=10), new_key()

        assert code(traveller.book(flight, paymentToken=NO_ANSWER_CHARGED, key=key)) == (503, "unavailable")
        assert PaymentAttempt.objects.get().state == "unknown"
        answer = traveller.book(flight, paymentToken=NO_ANSWER_CHARGED, key=key)

        assert answer.status_code == 201
        assert SandboxPayment.objects.count() == PaymentAttempt.objects.count() == 1
        assert PaymentAttempt.objects.get().state == "to_capture"

    def test_not_charged_and_silent_again(self) -> None:
        traveller, flight, key = Traveller(), make_flight(economy=10), new_key()

        for _ in range(3):
            assert code(traveller.book(flight, paymentToken=NO_ANSWER, key=key)) == (503, "unavailable")
        assert PaymentAttempt.objects.get().state == "unknown"
        assert not SandboxPayment.objects.exists()

    def test_not_charged_and_then_the_gateway_answers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        traveller, flight, key = Traveller(), make_flight(economy=10), new_key()
        traveller.book(flight, paymentToken=NO_ANSWER, key=key)
        asked = []
        monkeypatch.setattr(SandboxGateway, "look_up", lambda self, payment: asked.append(payment.key))
        monkeypatch.setattr("bookings.payments.sandbox.NO_ANSWER", "tok_of_nobody_else")
        monkeypatch.setattr("bookings.payments.sandbox._GOOD", (NO_ANSWER,))

        assert traveller.book(flight, paymentToken=NO_ANSWER, key=key).status_code == 201
        assert asked == [PaymentAttempt.objects.get().key]


class TestPurge:
    def test_after_a_day_the_key_is_free(self) -> None:
        traveller, flight, key = Traveller(), make_flight(economy=10), new_key()
        traveller.book(flight, key=key)
        IdempotencyKey.objects.update(created_at=Now() - timedelta(hours=24, seconds=1))

        assert traveller.book(flight, key=key).status_code == 201  # though nobody had purged it yet
        assert available(flight) == 8

    def test_purge_deletes_the_old_ones_in_bites(self) -> None:
        traveller, flight = Traveller(), make_flight()
        running, fresh = new_key(), new_key()
        for key in (running, *(new_key() for _ in range(3))):
            traveller.book(flight, key=key)
        IdempotencyKey.objects.update(created_at=Now() - timedelta(hours=24, seconds=1))
        IdempotencyKey.objects.filter(key=running).update(lease_until=Now() + timedelta(seconds=60))
        traveller.book(flight, key=fresh)

        assert [purge_idempotency_keys(limit=2) for _ in range(3)] == [2, 1, 0]
        assert set(IdempotencyKey.objects.values_list("key", flat=True)) == {running, fresh}
        IdempotencyKey.objects.update(lease_until=Now())
        assert purge_idempotency_keys() == 1
        assert IdempotencyKey.objects.get().key == fresh


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_fifty_under_one_key(self) -> None:
        traveller, flight, key = Traveller(), make_flight(economy=100), new_key()
        clients = [Traveller(traveller.user) for _ in range(25)]

        def twice(client: Traveller) -> list[Any]:
            return [client.book(flight, key=key) for _ in range(2)]

        answers = [
            answer for pair in together([partial(twice, client) for client in clients]) for answer in pair
        ]

        assert {code(answer) for answer in answers} <= {(201, ""), (409, "request_in_progress")}
        assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
        assert (Booking.objects.count(), SandboxPayment.objects.count(), available(flight)) == (1, 1, 99)
        (first,) = [a for a in answers if a.status_code == 201 and not a.has_header("Idempotent-Replayed")]
        assert_replayed(first, traveller.book(flight, key=key))
        check_books()

    def test_many_holds_under_one_key(self) -> None:
        """One transaction: the others wait for its end and replay its answer."""
        traveller, flight, key = Traveller(), make_flight(economy=100), new_key()
        clients = [Traveller(traveller.user) for _ in range(25)]
        hold = [partial(client.book, flight, key=key, paymentMethod="hold") for client in clients]

        answers = together(hold)

        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.content for answer in answers}) == 1
        assert available(flight) == 99

    def test_two_keys_are_two_bookings(self) -> None:
        traveller, flight = Traveller(), make_flight(economy=100)
        clients = [Traveller(traveller.user) for _ in range(2)]
        together([partial(client.book, flight, key=new_key()) for client in clients])
        assert available(flight) == 98
