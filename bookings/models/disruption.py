"""What the airline did to a booking: cancelled or moved a flight of it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from bookings.models.sale import Booking


class Disruption(models.Model):
    """One update of a flight that touches a booking, what the traveller is entitled to, and how it ended."""

    class Kind(models.TextChoices):
        CANCELLED = "cancelled"
        MOVED = "moved"

    class State(models.TextChoices):
        OPEN = "open"
        REFUNDED = "refunded"
        REBOOKED = "rebooked"
        KEPT = "kept"

    booking = models.ForeignKey(Booking, models.PROTECT, related_name="disruptions", db_index=False)
    flight = models.ForeignKey("flights.Flight", models.PROTECT, related_name="+")
    sequence = models.PositiveIntegerField(help_text="Of the flight's update that it comes from")
    kind = models.CharField(max_length=9, choices=Kind.choices)
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    entitlements = models.JSONField(
        default=list, help_text="By rule: code, source, amount where there is one"
    )
    choice_until = models.DateTimeField(
        null=True, blank=True, help_text="Until then the traveller may choose; afterwards it is refunded"
    )
    created_at = models.DateTimeField(db_default=Now())
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["booking", "flight", "sequence"], name="disruption_once")
        ]
        indexes = [
            models.Index(fields=["choice_until"], condition=Q(state="open"), name="disruption_open_idx")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.flight_id}"
