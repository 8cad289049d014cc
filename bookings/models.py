"""The sale: bookings with their passengers, segments and coupons; payments; idempotency keys; the sandbox
gateway's own book.

A booking's `public_id` is what apps below know it by (a seat's holder, a subscription's source).
"""

from __future__ import annotations

import secrets
import uuid

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from flights.public import Cabin

_ID_ALPHABET = "abcdefghjkmnpqrstvwxyz23456789"
# No 0/O, 1/I/L, 2/Z, 5/S, 8/B, U/V: what is read over the telephone must come out as it was.
LOCATOR_ALPHABET = "ACDEFGHJKMNPQRTWXY34679"


def new_booking_id() -> str:
    """An opaque, unguessable booking id."""
    return "bkg" + "".join(secrets.choice(_ID_ALPHABET) for _ in range(12))


def new_record_locator() -> str:
    """Six characters from a CSPRNG, out of an alphabet without look-alikes."""
    return "".join(secrets.choice(LOCATOR_ALPHABET) for _ in range(6))


class BookingStatus(models.TextChoices):
    HELD = "Held"
    CONFIRMED = "Confirmed"
    CANCELLED = "Cancelled"
    EXPIRED = "Expired"


class PaymentMethod(models.TextChoices):
    CREDIT_CARD = "credit_card", "Credit card"
    DEBIT_CARD = "debit_card", "Debit card"
    HOLD = "hold", "Hold without payment"


class Booking(models.Model):
    public_id = models.CharField(
        "booking id", max_length=15, unique=True, default=new_booking_id, editable=False
    )
    record_locator = models.CharField(max_length=6, default=new_record_locator, editable=False)
    user = models.ForeignKey("accounts.User", models.PROTECT, related_name="+", db_index=False)
    status = models.CharField(max_length=9, choices=BookingStatus.choices)
    total = models.DecimalField(max_digits=10, decimal_places=2)
    currency = models.CharField(max_length=3)
    payment_method = models.CharField(max_length=11, choices=PaymentMethod.choices)
    payment_due_by = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    confirmed_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True, help_text="When it was cancelled or expired")
    end_reason = models.CharField(max_length=60, blank=True, default="")

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["user", "-id"], name="booking_user_idx"),
            models.Index(fields=["payment_due_by"], condition=Q(status="Held"), name="booking_held_idx"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["record_locator"], name="booking_locator_unique"),
            models.CheckConstraint(condition=Q(status__in=BookingStatus.values), name="booking_status_known"),
            models.CheckConstraint(condition=Q(total__gte=0), name="booking_total_not_negative"),
            models.CheckConstraint(
                condition=~Q(status="Held") | Q(payment_due_by__isnull=False),
                name="booking_hold_has_due_time",
            ),
        ]
        permissions = [("act_for_others", "Can see and handle bookings of other users")]

    def __str__(self) -> str:
        return f"{self.record_locator} {self.status}"


class Passenger(models.Model):
    class Type(models.TextChoices):
        ADULT = "adult"
        CHILD = "child"
        INFANT = "infant"

    booking = models.ForeignKey(Booking, models.CASCADE, related_name="passengers", db_index=False)
    position = models.PositiveSmallIntegerField(help_text="Index in the booking, from 0")
    given_name = models.CharField(max_length=150)
    family_name = models.CharField(max_length=150)
    type = models.CharField(max_length=6, choices=Type.choices, default=Type.ADULT)

    class Meta:
        ordering = ["booking", "position"]
        constraints = [
            models.UniqueConstraint(fields=["booking", "position"], name="passenger_position_unique")
        ]

    def __str__(self) -> str:
        return f"{self.family_name}/{self.given_name}"


class Segment(models.Model):
    """One flight of a booking, with the fare it was sold at and that fare's conditions as they were then."""

    booking = models.ForeignKey(Booking, models.CASCADE, related_name="segments", db_index=False)
    position = models.PositiveSmallIntegerField(help_text="Index in the booking, from 0")
    flight = models.ForeignKey("flights.Flight", models.PROTECT, related_name="+")
    cabin = models.CharField(max_length=16, choices=[(c.value, c.label) for c in Cabin])
    fare = models.CharField(max_length=8)
    refundable = models.BooleanField()
    change_fee = models.DecimalField(max_digits=10, decimal_places=2, null=True, blank=True)
    seats_claimed = models.PositiveSmallIntegerField(
        help_text="Seats taken from the counter: passengers but infants"
    )

    class Meta:
        ordering = ["booking", "position"]
        constraints = [
            models.UniqueConstraint(fields=["booking", "position"], name="segment_position_unique"),
            models.UniqueConstraint(fields=["booking", "flight"], name="segment_flight_once"),
        ]

    def __str__(self) -> str:
        return f"{self.flight_id} {self.fare}"


class Coupon(models.Model):
    """What one passenger pays for one segment. A booking's total is the sum of its coupons."""

    segment = models.ForeignKey(Segment, models.CASCADE, related_name="coupons", db_index=False)
    passenger = models.ForeignKey(Passenger, models.CASCADE, related_name="coupons")
    price = models.DecimalField(max_digits=10, decimal_places=2)

    class Meta:
        ordering = ["segment", "passenger"]
        constraints = [
            models.UniqueConstraint(fields=["segment", "passenger"], name="coupon_unique"),
            models.CheckConstraint(condition=Q(price__gte=0), name="coupon_price_not_negative"),
        ]

    def __str__(self) -> str:
        return str(self.price)


class PaymentAttempt(models.Model):
    """One try to take money. Written before the gateway is called; `key` is what the gateway knows it by.

    `states` has the table of its transitions. The sale makes it `to_capture`, the sweeper `to_void` once the
    lease is over; both conditionally: 0 rows means that the other won.
    """

    class State(models.TextChoices):
        STARTED = "started"
        AUTHORISED = "authorised"
        TO_CAPTURE = "to_capture"
        CAPTURED = "captured"
        TO_VOID = "to_void"
        VOIDED = "voided"
        DECLINED = "declined"
        UNKNOWN = "unknown"

    key = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey("accounts.User", models.PROTECT, related_name="+")
    booking = models.ForeignKey(Booking, models.PROTECT, null=True, blank=True, related_name="payments")
    gateway = models.CharField(max_length=20)
    token = models.CharField(
        max_length=200, blank=True, default="", help_text="What the gateway knows the card by"
    )
    amount = models.DecimalField(max_digits=10, decimal_places=2)
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=10, choices=State.choices, default=State.STARTED)
    reference = models.CharField(
        max_length=100, blank=True, default="", help_text="The gateway's own id of it"
    )
    detail = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())
    lease_until = models.DateTimeField(
        help_text="Until then its owner is at work; afterwards a worker settles it"
    )
    lease_token = models.UUIDField(null=True, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["-id"]
        constraints = [models.CheckConstraint(condition=Q(amount__gte=0), name="payment_amount_not_negative")]
        indexes = [
            models.Index(
                fields=["lease_until"],
                condition=Q(state__in=["started", "authorised", "to_capture", "to_void", "unknown"]),
                name="payment_open_idx",
            )
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency} {self.state}"


class Refund(models.Model):
    """Money to be given back, written with the cancellation; the worker asks the gateway once the payment is
    captured."""

    class State(models.TextChoices):
        REQUESTED = "requested"
        DONE = "done"
        FAILED = "failed"

    key = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    payment = models.ForeignKey(PaymentAttempt, models.PROTECT, related_name="refunds")
    amount = models.DecimalField(max_digits=10, decimal_places=2)
    state = models.CharField(max_length=9, choices=State.choices, default=State.REQUESTED)
    reason = models.CharField(max_length=60)
    reference = models.CharField(max_length=100, blank=True, default="")
    created_at = models.DateTimeField(db_default=Now())
    done_at = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(
        db_default=Now(), help_text="When to try next; while it is being made, when its lease ends"
    )
    lease_token = models.UUIDField(null=True, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["-id"]
        constraints = [models.CheckConstraint(condition=Q(amount__gt=0), name="refund_amount_positive")]
        indexes = [models.Index(fields=["due_at"], condition=Q(state="requested"), name="refund_due_idx")]

    def __str__(self) -> str:
        return f"{self.amount} {self.state}"


class IdempotencyKey(models.Model):
    """A client's promise that equal keys mean one request, and the answer that was given. See
    `idempotency`."""

    user = models.ForeignKey("accounts.User", models.PROTECT, related_name="+", db_index=False)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of method, path and body")
    attempt = models.ForeignKey(
        PaymentAttempt, models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    lease_until = models.DateTimeField()
    lease_token = models.UUIDField()
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    content_type = models.CharField(max_length=80, blank=True, default="")
    body = models.BinaryField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), db_index=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["user", "key"], name="idempotency_key_unique"),
            models.CheckConstraint(
                condition=Q(status__isnull=True) | Q(body__isnull=False), name="idempotency_answer_whole"
            ),
        ]

    def __str__(self) -> str:
        return self.key


class SandboxPayment(models.Model):
    """The sandbox gateway's own book: what a real gateway would hold on its side."""

    class State(models.TextChoices):
        AUTHORISED = "authorised"
        DECLINED = "declined"
        CAPTURED = "captured"
        VOIDED = "voided"

    key = models.UUIDField(unique=True)
    token = models.CharField(max_length=200, blank=True, default="")
    amount = models.DecimalField(max_digits=10, decimal_places=2)
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=10, choices=State.choices)
    refunded = models.DecimalField(max_digits=10, decimal_places=2, default=0)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(refunded__lte=F("amount")), name="sandbox_refund_within_amount"
            )
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency} {self.state}"


class SandboxRefund(models.Model):
    """A refund that the sandbox gateway made; equal keys are one refund."""

    key = models.UUIDField(unique=True)
    payment = models.ForeignKey(SandboxPayment, models.PROTECT, related_name="refunds")
    amount = models.DecimalField(max_digits=10, decimal_places=2)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return str(self.amount)
