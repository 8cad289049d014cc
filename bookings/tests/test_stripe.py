"""The Stripe adapter against our own gateway, a process that keeps idempotency keys and fails on demand."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from bookings.models import PaymentAttempt
from bookings.payments import stripe as adapter
from bookings.payments.gateway import AlreadyCaptured, Approved, Declined, GatewaySilent, Payment
from bookings.payments.minor_units import minor_units
from bookings.payments.stripe import StripeGateway
from bookings.public import settle_payments
from bookings.tests.factories import Traveller, leases_over, payment_of
from bookings.tests.gateway_process import SECRET, GatewayProcess, gateway_process
from flights.tests.factories import make_flight

SILENT = ("pm_answer_lost", "pm_reset", "pm_fault_before")
STORED = ("pm_fault_after", "pm_fault_stored")


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with gateway_process(tmp_path_factory.mktemp("gateway")) as running:
        yield running


@pytest.fixture
def there(process: GatewayProcess, settings: Any) -> Iterator[GatewayProcess]:
    settings.PAYMENT_GATEWAY = "stripe"
    settings.STRIPE_API_BASE = process.address
    settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET = "sk_test", SECRET
    yield process
    process.faults()


def payment(token: str = "pm_card", amount: str = "100.10", currency: str = "USD") -> Payment:
    return Payment(uuid.uuid4(), Decimal(amount), currency, token, "", datetime.now(UTC))


def authorised(token: str = "pm_card") -> Payment:
    asked = payment(token)
    verdict = StripeGateway().authorise(asked)
    assert isinstance(verdict, Approved)
    return replace(asked, reference=verdict.reference)


def captured(token: str = "pm_card") -> Payment:
    taken = authorised(token)
    assert isinstance(StripeGateway().capture(taken), Approved)
    return taken


def spoilt(there: GatewayProcess, keys: int) -> Payment:
    """A payment so many of whose keys have a stored fault; nothing was made under them."""
    asked = payment()
    there.faults(fault_stored=1)
    for _ in range(keys):
        with pytest.raises(GatewaySilent):
            StripeGateway().authorise(asked)
    there.faults()
    return asked


def refund(of: Payment, amount: str, key: uuid.UUID | None = None) -> Approved | Declined:
    return StripeGateway().refund(of, refund_key=key or uuid.uuid4(), amount=Decimal(amount))


@pytest.mark.parametrize(
    ("amount", "currency", "units"),
    [("100.10", "USD", 10010), ("100", "JPY", 100), ("1.5", "KWD", 1500), ("7", "UGX", 700)],
)
def test_minor_units(amount: str, currency: str, units: int) -> None:
    assert minor_units(Decimal(amount), currency) == units


class TestAuthorise:
    def test_it_is_held_and_found_again(self, there: GatewayProcess) -> None:
        asked = authorised()

        [known] = there.payments(asked.key)
        assert (known["status"], known["amount"], known["currency"]) == ("requires_capture", 10010, "usd")
        assert StripeGateway().authorise(asked) == Approved(asked.reference)
        assert StripeGateway().look_up(asked) == Approved(asked.reference)
        assert StripeGateway().look_up(replace(asked, reference="")) is None

    @pytest.mark.parametrize(
        ("token", "amount", "currency"),
        [
            ("pm_declined", "1", "USD"),
            ("pm_needs_action", "1", "USD"),
            ("", "1", "USD"),
            ("pm_x", "1.50", "JPY"),
        ],
    )
    def test_refused(self, there: GatewayProcess, token: str, amount: str, currency: str) -> None:
        asked = payment(token, amount, currency)

        assert isinstance(StripeGateway().authorise(asked), Declined)
        assert "requires_capture" not in there.statuses(asked.key)

    @pytest.mark.parametrize("token", [*SILENT, *STORED])
    def test_silence_and_then_the_same_again_is_one_payment(self, there: GatewayProcess, token: str) -> None:
        asked = payment(token)
        with pytest.raises(GatewaySilent):
            StripeGateway().authorise(asked)

        assert isinstance(StripeGateway().authorise(asked), Approved)

        assert there.statuses(asked.key) == ["requires_capture"]

    def test_any_number_of_spoilt_keys_is_passed(self, there: GatewayProcess) -> None:
        asked = spoilt(there, 5)

        verdict = StripeGateway().authorise(asked)

        assert isinstance(verdict, Approved)
        assert StripeGateway().authorise(asked) == verdict
        assert there.statuses(asked.key) == ["requires_capture"]

    def test_what_was_made_under_a_spoilt_key_is_found(self, there: GatewayProcess) -> None:
        asked = spoilt(there, 4)
        there.faults(fault_after=1)
        with pytest.raises(GatewaySilent):
            StripeGateway().authorise(asked)

        assert isinstance(StripeGateway().authorise(asked), Approved)
        assert there.statuses(asked.key) == ["requires_capture"]

    def test_an_answer_lost_under_a_later_key_is_one_payment(self, there: GatewayProcess) -> None:
        asked = spoilt(there, 4)
        there.faults(answer_lost=1)
        with pytest.raises(GatewaySilent):
            StripeGateway().authorise(asked)
        there.faults()

        assert isinstance(StripeGateway().authorise(asked), Approved)
        assert there.statuses(asked.key) == ["requires_capture"]

    def test_control_without_the_key_a_lost_answer_is_charged_twice(self, there: GatewayProcess) -> None:
        there.faults(keys_forgotten=1)
        asked = payment("pm_answer_lost")
        with pytest.raises(GatewaySilent):
            StripeGateway().authorise(asked)

        StripeGateway().authorise(asked)

        assert there.statuses(asked.key) == ["requires_capture", "requires_capture"]

    def test_nobody_there(self, there: GatewayProcess, settings: Any) -> None:
        settings.STRIPE_API_BASE = "http://127.0.0.1:1"
        with pytest.raises(GatewaySilent):
            StripeGateway().authorise(payment())

    def test_too_slow(self, there: GatewayProcess, settings: Any) -> None:
        settings.PAYMENT_TIMEOUT_SECONDS = 0.1
        there.faults(delay_seconds=0.3)
        with pytest.raises(GatewaySilent):
            StripeGateway().authorise(payment("pm_delay"))


class TestCapture:
    def test_it_is_taken_once(self, there: GatewayProcess) -> None:
        taken = captured()

        assert StripeGateway().capture(taken) == Approved(taken.reference)
        assert there.statuses(taken.key) == ["succeeded"]

    def test_silence_and_then_again(self, there: GatewayProcess) -> None:
        held = authorised()
        there.faults(fault_after=1)
        with pytest.raises(GatewaySilent):
            StripeGateway().capture(held)
        there.faults()

        assert StripeGateway().capture(held) == Approved(held.reference)

    def test_refused_is_not_held_either(self, there: GatewayProcess) -> None:
        held = authorised("pm_capture_refused")

        assert isinstance(StripeGateway().capture(held), Declined)
        assert there.statuses(held.key) == ["canceled"]

    def test_of_a_voided_one(self, there: GatewayProcess) -> None:
        held = authorised()
        StripeGateway().void(held)

        assert isinstance(StripeGateway().capture(held), Declined)


class TestVoid:
    def test_what_is_held(self, there: GatewayProcess) -> None:
        held = authorised()

        assert StripeGateway().void(held) == StripeGateway().void(held) == Approved(held.reference)
        assert there.statuses(held.key) == ["canceled"]

    def test_too_late(self, there: GatewayProcess) -> None:
        taken, raced = captured(), authorised("pm_captured_before_void")

        assert StripeGateway().void(taken) == AlreadyCaptured(taken.reference)
        assert StripeGateway().void(raced) == AlreadyCaptured(raced.reference)

    def test_of_a_key_never_heard_of_a_later_authorise_is_refused(self, there: GatewayProcess) -> None:
        asked = payment()

        assert isinstance(StripeGateway().void(asked), Approved)
        assert isinstance(StripeGateway().void(asked), Approved)

        assert isinstance(StripeGateway().authorise(asked), Declined)
        assert there.statuses(asked.key) == ["canceled"]

    @pytest.mark.parametrize("token", [*SILENT, *STORED])
    def test_after_silence_without_a_reference(self, there: GatewayProcess, token: str) -> None:
        asked = payment(token)
        with pytest.raises(GatewaySilent):
            StripeGateway().authorise(asked)

        assert isinstance(StripeGateway().void(asked), Approved)

        assert isinstance(StripeGateway().authorise(asked), Declined)
        assert set(there.statuses(asked.key)) == {"canceled"}

    def test_after_any_number_of_spoilt_keys(self, there: GatewayProcess) -> None:
        asked = spoilt(there, 5)

        assert isinstance(StripeGateway().void(asked), Approved)

        assert isinstance(StripeGateway().authorise(asked), Declined)
        assert set(there.statuses(asked.key)) == {"canceled"}

    @pytest.mark.parametrize("amount", ["100.10", "1.00"])
    def test_a_key_that_is_forgotten_by_now_is_looked_for(self, there: GatewayProcess, amount: str) -> None:
        asked = replace(payment("pm_answer_lost"), created_at=datetime.now(UTC) - timedelta(days=2))
        with pytest.raises(GatewaySilent):
            StripeGateway().authorise(asked)
        there.faults(keys_forgotten=1)

        assert isinstance(StripeGateway().void(replace(asked, amount=Decimal(amount))), Approved)

        assert there.statuses(asked.key) == ["canceled"]

    def test_a_declined_one(self, there: GatewayProcess) -> None:
        asked = payment("pm_declined")
        StripeGateway().authorise(asked)

        assert StripeGateway().void(asked) == Approved("")


class TestRefund:
    def test_parts_of_it_once_each(self, there: GatewayProcess) -> None:
        taken, key = captured(), uuid.uuid4()

        assert refund(taken, "60.05", key) == refund(taken, "60.05", key)
        assert isinstance(refund(taken, "40.05"), Approved)
        assert isinstance(refund(taken, "0.01"), Declined)
        assert there.payments(taken.key)[0]["refunded"] == 10010

    @pytest.mark.parametrize("fault", ["answer_lost", "reset", "fault_before", "fault_after", "fault_stored"])
    def test_silence_and_then_again_is_one_refund(self, there: GatewayProcess, fault: str) -> None:
        taken, key = captured(), uuid.uuid4()
        there.faults(**{fault: 1})
        with pytest.raises(GatewaySilent):
            refund(taken, "10", key)
        there.faults()

        assert isinstance(refund(taken, "10", key), Approved)

        assert there.payments(taken.key)[0]["refunded"] == 1000

    def test_any_number_of_spoilt_keys_is_passed(self, there: GatewayProcess) -> None:
        taken, key = captured(), uuid.uuid4()
        there.faults(fault_stored=1)
        for _ in range(5):
            with pytest.raises(GatewaySilent):
                refund(taken, "10", key)
        there.faults()

        assert refund(taken, "10", key) == refund(taken, "10", key)

        assert there.payments(taken.key)[0]["refunded"] == 1000

    def test_a_key_forgotten_after_a_day_is_no_second_refund(self, there: GatewayProcess) -> None:
        taken, key = captured(), uuid.uuid4()
        there.faults(keys_forgotten=1)

        assert refund(taken, "10", key) == refund(taken, "10", key)

    def test_control_without_the_look_it_would_be(
        self, there: GatewayProcess, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(StripeGateway, "_refund_made", lambda *_: None)
        taken, key = captured(), uuid.uuid4()
        there.faults(keys_forgotten=1)

        assert refund(taken, "10", key) != refund(taken, "10", key)

    def test_refused(self, there: GatewayProcess) -> None:
        assert isinstance(refund(captured("pm_refund_refused"), "10"), Declined)


@pytest.mark.django_db
class TestTheSaleByStripe:
    def test_booked_captured_cancelled_refunded(self, there: GatewayProcess) -> None:
        traveller = Traveller()
        booking = traveller.booked(make_flight(), fare="EFLEX", paymentToken="pm_card")
        attempt = payment_of(booking)
        assert attempt.reference.startswith("pi_")
        settle_payments()
        assert there.statuses(attempt.key) == ["succeeded"]

        traveller.cancel(booking)
        settle_payments()

        [known] = there.payments(attempt.key)
        assert known["refunded"] == known["amount"] == int(booking.total * 100)

    def test_no_answer_and_the_same_key_again(self, there: GatewayProcess) -> None:
        traveller, flight = Traveller(), make_flight()
        asked = {"paymentToken": "pm_answer_lost", "key": "k"}
        assert traveller.book(flight, **asked).status_code == 503

        assert traveller.book(flight, **asked).status_code == 201

        assert there.statuses(PaymentAttempt.objects.get().key) == ["requires_capture"]

    def test_no_answer_and_nobody_came_again(self, there: GatewayProcess) -> None:
        Traveller().book(make_flight(), paymentToken="pm_fault_after")
        leases_over()

        settle_payments()

        attempt = PaymentAttempt.objects.get()
        assert (attempt.state, there.statuses(attempt.key)) == ("voided", ["canceled"])

    def test_faults_that_stay_and_nobody_came_again(self, there: GatewayProcess) -> None:
        traveller, flight = Traveller(), make_flight()
        there.faults(fault_stored=1)
        for _ in range(5):
            assert traveller.book(flight, paymentToken="pm_card", key="k").status_code == 503
        there.faults()
        leases_over()

        settle_payments()

        attempt = PaymentAttempt.objects.get()
        assert (attempt.state, there.statuses(attempt.key)) == ("voided", ["canceled"])

    def test_without_a_card(self, there: GatewayProcess) -> None:
        answer = Traveller().book(make_flight())

        assert (answer.status_code, answer.json()["code"]) == (402, "payment_declined")


def test_a_thread_keeps_its_connection(there: GatewayProcess) -> None:
    authorised()
    session = adapter._threads.session
    authorised()

    assert adapter._threads.session is session
