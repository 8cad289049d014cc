"""The ledger shows each step of the money, and cannot be told anything twice; refunds over several payments;
and what staff do with a refund that was refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from accounts.models import Mail
from accounts.tests.factories import make_user
from bookings import ledger
from bookings.models import Booking, Charge, Coupon, LedgerEntry, PaymentAttempt, Refund, SandboxPayment
from bookings.operations import mark_refund_paid_otherwise, settle_payments, try_refund_again
from bookings.operations.refunds import refundable, request_refund
from bookings.payments.sandbox import CAPTURE_REFUSED
from bookings.tests.factories import Traveller, check_books, payment_of
from flightbook.errors import InvalidTransition
from flights.tests.factories import make_flight

pytestmark = pytest.mark.django_db
Account = ledger.Account


def events(booking: Booking) -> list[str]:
    return list(booking.ledger.order_by("pk").values_list("event", flat=True))


def with_seat_fee(booking: Booking, *, fee: int = 30, **fields: Any) -> PaymentAttempt:
    """A second payment of a booking, as a seat chosen later makes it."""
    Charge.objects.create(booking=booking, kind="seat", amount=fee)
    Booking.objects.filter(pk=booking.pk).update(total=F("total") + fee)
    values = {"amount": Decimal(fee), "currency": "USD", "gateway": "sandbox", "state": "to_capture"}
    lease = {"lease_until": Now(), "user_id": booking.user_id, "booking": booking}
    second = PaymentAttempt.objects.create(**(values | lease | fields))
    ledger.authorised(
        payment_pk=second.pk, booking_pk=booking.pk, amount=second.amount, currency=second.currency
    )
    SandboxPayment.objects.create(
        key=second.key, amount=fee, currency="USD", state="authorised", token=second.token
    )
    return second


def all_back(booking: Booking) -> None:
    """As a cancellation marks it."""
    Coupon.objects.filter(segment__booking=booking).update(refunded=F("price"))
    booking.charges.update(refunded=F("amount"))


def give_back(booking: Booking, amount: Decimal) -> None:
    with transaction.atomic():
        request_refund(booking=booking, amount=amount, reason="test")


def refused_refund() -> Refund:
    booking = Traveller().booked(make_flight(), fare="EFLEX")
    settle_payments()
    SandboxPayment.objects.update(currency="EUR")
    all_back(booking)
    give_back(booking, booking.total)
    settle_payments()
    return Refund.objects.get(state="failed")


class TestEachStep:
    def test_taken_and_given_back(self) -> None:
        traveller = Traveller()
        booking = traveller.booked(make_flight(), fare="EFLEX")
        total = booking.total
        assert ledger.balance(booking.pk) == {Account.AUTHORISED: total, Account.SALES: -total}
        settle_payments()
        assert ledger.balance(booking.pk)[Account.CAPTURED] == total
        traveller.cancel(booking)
        assert ledger.balance(booking.pk)[Account.REFUNDS_DUE] == -total
        settle_payments()

        assert events(booking) == ["authorised", "captured", "refund_due", "refunded"]
        assert not any(ledger.balance(booking.pk).values())
        keys = Mail.objects.order_by("pk").values_list("key", flat=True)
        assert [key.split(":")[0::2] for key in keys if not key.startswith("booking")] == [
            ["payment", "receipt"],
            ["refund", "done"],
        ]

    def test_voided(self) -> None:
        traveller = Traveller()
        booking = traveller.booked(make_flight(), fare="EFLEX")
        traveller.cancel(booking)
        settle_payments()

        assert events(booking) == ["authorised", "refund_due", "voided"]
        assert not any(ledger.balance(booking.pk).values())

    def test_a_payment_of_nobody_that_was_captured_all_the_same(self) -> None:
        attempt = PaymentAttempt.objects.create(
            user=make_user(), amount=5, currency="USD", gateway="sandbox", lease_until="2020-01-01T00:00Z",
            state="to_void",
        )  # fmt: skip
        SandboxPayment.objects.create(key=attempt.key, amount=5, currency="USD", state="captured")

        settle_payments()

        entries = LedgerEntry.objects.filter(booking=None).order_by("pk").values_list("event", flat=True)
        assert list(entries) == ["authorised", "captured", "refund_due", "refunded"]
        assert not Mail.objects.exists()
        check_books()

    @pytest.mark.parametrize("of_refund", [False, True])
    def test_nothing_is_told_twice(self, *, of_refund: bool) -> None:
        refund = refused_refund()

        def again() -> None:
            ledger.refund_due(refund) if of_refund else ledger.captured(refund.payment)

        name = "ledger_refund_event_once" if of_refund else "ledger_payment_event_once"
        with pytest.raises(IntegrityError, match=name), transaction.atomic():
            again()
        with connection.cursor() as cursor:  # the control: without its guard it would be
            cursor.execute(f"DROP INDEX {name}")
        before = LedgerEntry.objects.count()
        again()
        assert LedgerEntry.objects.count() == before + 1


class TestSeveralPayments:
    def test_the_newest_goes_back_first_and_what_is_not_captured_is_voided(self) -> None:
        booking = Traveller().booked(make_flight())
        settle_payments()
        second = with_seat_fee(booking)
        assert refundable(booking) == booking.total + 30

        give_back(booking, Decimal(80))

        second.refresh_from_db()
        assert (second.state, Refund.objects.get().amount) == ("to_void", Decimal(50))
        assert refundable(booking) == booking.total - 50

    def test_part_of_the_newest_and_then_more(self) -> None:
        booking = Traveller().booked(make_flight())
        first, second = payment_of(booking), with_seat_fee(booking)
        settle_payments()

        give_back(booking, Decimal(10))
        give_back(booking, Decimal(60))

        refunds = Refund.objects.order_by("pk").values_list("payment_id", "amount")
        parts = [(second.pk, 10), (second.pk, 20), (first.pk, 40)]
        assert list(refunds) == [(pk, Decimal(amount)) for pk, amount in parts]

    def test_never_more_than_was_taken(self) -> None:
        booking = Traveller().booked(make_flight())
        with pytest.raises(ValueError, match=booking.public_id):
            give_back(booking, booking.total + 1)
        assert not Refund.objects.exists()

    def test_a_refused_capture_brings_the_other_payments_back(self) -> None:
        booking = Traveller().booked(make_flight())
        settle_payments()
        with_seat_fee(booking, token=CAPTURE_REFUSED)

        settle_payments()

        booking.refresh_from_db()
        assert booking.status == "Cancelled"
        assert "had paid before goes back" in Mail.objects.get(key__endswith="capture-refused").text
        assert (Refund.objects.get().amount, Refund.objects.get().state) == (booking.total - 30, "done")
        assert not any(ledger.balance(booking.pk).values())
        check_books()


class TestARefusedRefund:
    def test_it_is_owed(self) -> None:
        refund = refused_refund()
        assert refund.payment.booking_id is not None
        assert ledger.balance(refund.payment.booking_id)[Account.REFUNDS_DUE] == -refund.amount

    def test_tried_again_under_a_new_key(self) -> None:
        refund = refused_refund()
        SandboxPayment.objects.update(currency="USD")

        try_refund_again(refund_pk=refund.pk, staff="ann")
        settle_payments()

        done = Refund.objects.get()
        assert (done.state, done.note) == ("done", "Again: ann")
        assert done.key != refund.key
        with pytest.raises(InvalidTransition):
            try_refund_again(refund_pk=refund.pk, staff="ann")

    def test_paid_in_another_way(self) -> None:
        refund = refused_refund()

        mark_refund_paid_otherwise(refund_pk=refund.pk, note="bank transfer 17", staff="ann")

        booking = Booking.objects.get()
        assert events(booking)[-1] == "refunded_otherwise"
        assert not any(ledger.balance(booking.pk).values())
        assert "bank transfer 17" in Mail.objects.get(key__endswith=":done").text
        with pytest.raises(InvalidTransition):
            mark_refund_paid_otherwise(refund_pk=refund.pk, note="again", staff="ann")

    def test_in_the_admin(self, admin_client: Any) -> None:
        refund = refused_refund()

        def act(action: str, **fields: str) -> str:
            data = {"action": action, "_selected_action": str(refund.pk), **fields}
            answer = admin_client.post("/admin/bookings/refund/", data)
            refund.refresh_from_db()
            return str(answer.wsgi_request._messages._queued_messages[-1])

        assert "Say how it was paid" in act("paid_otherwise")
        act("try_again")
        assert refund.state == "requested"
        assert "Only a refund that was refused" in act("paid_otherwise", note="cash")
        settle_payments()
        act("paid_otherwise", note="cash")
        assert (refund.state, refund.note) == ("paid_otherwise", "cash (admin)")
