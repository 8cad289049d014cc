"""What was taken and given back for it: payment attempts, refunds, and the ledger."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from bookings.models.sale import Booking


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
        FAILED = "failed"  # refused by the gateway: still owed, and work for staff
        PAID_OTHERWISE = "paid_otherwise"
        VOID = "void"  # nothing had been taken after all

    key = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    payment = models.ForeignKey(PaymentAttempt, models.PROTECT, related_name="refunds")
    amount = models.DecimalField(max_digits=10, decimal_places=2)
    state = models.CharField(max_length=14, choices=State.choices, default=State.REQUESTED)
    note = models.CharField(max_length=200, blank=True, default="", help_text="Of staff")
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


class LedgerEntry(models.Model):
    """One double entry: `amount` from the account `credit` to the account `debit`. Both sides stand in one
    row, so that the books of a booking sum to zero by their form; see `bookings.ledger` for what is posted
    when."""

    class Account(models.TextChoices):
        AUTHORISED = "authorised", "Held for us at the gateway"
        CAPTURED = "captured", "Taken: the gateway owes it to us"
        SALES = "sales", "Sold, not flown (air traffic liability)"
        REFUNDS_DUE = "refunds_due", "To be given back"

    class Event(models.TextChoices):
        AUTHORISED = "authorised"
        CAPTURED = "captured"
        CAPTURE_REFUSED = "capture_refused"
        REFUND_DUE = "refund_due"
        REFUNDED = "refunded"
        VOIDED = "voided"
        REFUNDED_OTHERWISE = "refunded_otherwise"
        REVERSED = "reversed"

    booking = models.ForeignKey(
        Booking,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="ledger",
        help_text="None for a payment that never got one",
    )
    payment = models.ForeignKey(PaymentAttempt, models.PROTECT, related_name="ledger", db_index=False)
    refund = models.ForeignKey(
        Refund, models.PROTECT, null=True, blank=True, related_name="ledger", db_index=False
    )
    event = models.CharField(max_length=18, choices=Event.choices)
    debit = models.CharField(max_length=11, choices=Account.choices)
    credit = models.CharField(max_length=11, choices=Account.choices)
    amount = models.DecimalField(max_digits=10, decimal_places=2)
    currency = models.CharField(max_length=3)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "ledger entries"
        constraints = [
            models.UniqueConstraint(
                fields=["payment", "event"],
                condition=Q(refund__isnull=True),
                name="ledger_payment_event_once",
            ),
            models.UniqueConstraint(
                fields=["refund", "event"], condition=Q(refund__isnull=False), name="ledger_refund_event_once"
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="ledger_amount_positive"),
            models.CheckConstraint(condition=~Q(debit=F("credit")), name="ledger_two_accounts"),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.amount} {self.currency}"
