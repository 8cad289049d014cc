"""What a client may come back to: idempotency keys with their answers, and quotes."""

from __future__ import annotations

import secrets

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from bookings.models.money import PaymentAttempt
from bookings.models.sale import Booking


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


def new_quote_id() -> str:
    """An opaque, unguessable quote id."""
    return "qte" + secrets.token_hex(8)


class Quote(models.Model):
    """What a cancellation or a change of a booking comes to, good until `expires_at` and for one version of
    the booking; taken once."""

    class Kind(models.TextChoices):
        CANCELLATION = "cancellation"
        CHANGE = "change"

    public_id = models.CharField("quote id", max_length=19, unique=True, default=new_quote_id, editable=False)
    booking = models.ForeignKey(Booking, models.CASCADE, related_name="quotes")
    booking_version = models.PositiveIntegerField()
    kind = models.CharField(max_length=12, choices=Kind.choices)
    terms = models.JSONField(help_text="What was offered, in the operation's own form")
    amount = models.DecimalField(
        max_digits=10, decimal_places=2, help_text="To be paid; negative where it comes back"
    )
    currency = models.CharField(max_length=3)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["expires_at"], condition=Q(used_at__isnull=True), name="quote_untaken_idx")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount} {self.currency}"
