"""The database says no, by names that the code knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from bookings.models import (
    Booking,
    Coupon,
    IdempotencyKey,
    Passenger,
    PaymentAttempt,
    Refund,
    SandboxPayment,
    Segment,
)
from bookings.public import settle_payments
from bookings.tests.factories import Traveller
from flightbook.errors import constraint_name
from flights.tests.factories import make_flight

pytestmark = pytest.mark.django_db


def copy_of(row: Any, **changes: Any) -> None:
    """The same row once more."""
    row.pk = None
    row._state.adding = True
    for name, value in changes.items():
        setattr(row, name, value)
    row.save()


CASES: list[tuple[str, Callable[[], Any]]] = [
    ("booking_locator_unique", lambda: copy_of(Booking.objects.get(), public_id="bkgother")),
    ("booking_status_known", lambda: Booking.objects.update(status="Lost")),
    ("booking_total_not_negative", lambda: Booking.objects.update(total=-1)),
    ("booking_hold_has_due_time", lambda: Booking.objects.update(status="Held")),
    ("passenger_position_unique", lambda: copy_of(Passenger.objects.get())),
    ("segment_position_unique", lambda: copy_of(Segment.objects.get(), flight=make_flight())),
    ("segment_flight_once", lambda: copy_of(Segment.objects.get(), position=1)),
    ("coupon_unique", lambda: copy_of(Coupon.objects.get())),
    ("coupon_price_not_negative", lambda: Coupon.objects.update(price=-1)),
    ("payment_amount_not_negative", lambda: PaymentAttempt.objects.update(amount=-1)),
    ("refund_amount_positive", lambda: Refund.objects.create(payment=PaymentAttempt.objects.get(), amount=0)),
    ("idempotency_key_unique", lambda: copy_of(IdempotencyKey.objects.get())),
    ("idempotency_answer_whole", lambda: IdempotencyKey.objects.update(body=None)),
    ("sandbox_refund_within_amount", lambda: SandboxPayment.objects.update(refunded=1000)),
]


@pytest.mark.parametrize(("name", "write"), CASES)
def test_a_named_constraint(name: str, write: Callable[[], Any]) -> None:
    Traveller().book(make_flight(), key="k")
    settle_payments()

    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        write()

    assert constraint_name(caught.value) == name
