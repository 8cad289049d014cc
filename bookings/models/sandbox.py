"""The sandbox gateway's own book: what a real gateway would hold on its side."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now


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
