"""Payments from before the ledger get their entries by a migration, those begun before it what is missing."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.db import connection

from bookings.models import LedgerEntry, PaymentAttempt, Refund, SandboxPayment
from bookings.operations import mark_refund_paid_otherwise, settle_payments
from bookings.payments.sandbox import CAPTURE_REFUSED, SUCCESS
from bookings.public import invariants
from bookings.tests.factories import Traveller, check_books, payment_of
from flightbook.invariants import broken
from flights.tests.factories import make_flight

pytestmark = pytest.mark.django_db
MIGRATION = import_module("bookings.migrations.0005_ledger_before_the_ledger")
TOLD = ("payment_id", "refund_id", "event", "debit", "credit", "amount", "currency", "booking_id")


def back_fill() -> None:
    with connection.cursor() as cursor:
        cursor.execute(MIGRATION.BACK_FILL)


def entries(*without: str) -> set[tuple[object, ...]]:
    """But those of payments in the states `without`."""
    return set(LedgerEntry.objects.exclude(payment__state__in=without).values_list(*TOLD))


def payments_of_every_kind() -> None:
    """To be captured, captured, refused at capture, voided, to be voided; given back, refused to be, and paid
    otherwise."""
    traveller, flight = Traveller(), make_flight()
    refused, otherwise, done = (traveller.booked(flight, fare="EFLEX") for _ in range(3))
    settle_payments()
    keys = [payment_of(booking).key for booking in (refused, otherwise)]
    of_others = SandboxPayment.objects.filter(key__in=keys)
    of_others.update(currency="EUR")
    for booking in (refused, otherwise, done):
        traveller.cancel(booking)
    settle_payments()
    of_others.update(currency="USD")
    owed = Refund.objects.get(payment__booking=otherwise)
    mark_refund_paid_otherwise(refund_pk=owed.pk, note="transfer", staff="ann")
    traveller.booked(flight, paymentToken=CAPTURE_REFUSED)
    traveller.cancel(traveller.booked(flight, fare="EFLEX"))
    traveller.pay(traveller.held(flight), token=SUCCESS)
    settle_payments()
    traveller.cancel(traveller.booked(flight, fare="EFLEX"))
    traveller.booked(flight)


def test_the_books_are_as_if_they_had_always_been_kept() -> None:
    payments_of_every_kind()
    kept = entries("voided", "to_void", "declined")  # nothing was taken in the end
    states = {state for state, _ in PaymentAttempt.State.choices}
    assert set(PaymentAttempt.objects.values_list("state", flat=True)) == states - {
        "started", "authorised", "unknown"
    }  # fmt: skip
    assert set(Refund.objects.values_list("state", flat=True)) == {"done", "failed", "paid_otherwise"}
    LedgerEntry.objects.all().delete()
    assert {it.check.name for it in broken(invariants())} >= {
        "bookings.ledger_tells_each_payment",
        "bookings.ledger_tells_each_refund",
        "bookings.ledger_balances",
    }

    back_fill()

    assert entries() == kept
    before = list(LedgerEntry.objects.values_list("pk", *TOLD))
    back_fill()
    assert list(LedgerEntry.objects.values_list("pk", *TOLD)) == before
    check_ledger()


def test_what_was_begun_before_it_gets_what_happened_before() -> None:
    payments_of_every_kind()
    kept = entries()
    LedgerEntry.objects.filter(event="authorised").delete()
    LedgerEntry.objects.filter(event="refund_due", refund__isnull=False).delete()
    assert broken(invariants())

    back_fill()

    assert entries() == kept
    check_ledger()


def test_afterwards_the_rest_goes_its_way() -> None:
    traveller, flight = Traveller(), make_flight()
    booking, kept = traveller.booked(flight, fare="EFLEX"), traveller.booked(flight)
    settle_payments()
    last = traveller.booked(flight)
    traveller.cancel(booking)
    LedgerEntry.objects.all().delete()

    back_fill()
    settle_payments()

    assert list(last.ledger.values_list("event", flat=True)) == ["authorised", "captured"]
    assert list(booking.ledger.values_list("event", flat=True))[-1] == "refunded"
    assert kept.ledger.count() == 2
    check_books()


def check_ledger() -> None:
    found = [it for it in broken(invariants()) if it.check.name.startswith("bookings.ledger")]
    assert not found, [it.examples for it in found]
