"""Telegrams that could not be applied."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class RejectedTelegram(models.Model):
    """A movement telegram of the right form that moved no flight: it waits in the reject queue for staff."""

    class Why(models.TextChoices):
        UNKNOWN_FLIGHT = "unknown", "No such flight"
        REFUSED = "refused", "The flight's state does not allow it"

    class State(models.TextChoices):
        WAITING = "waiting"
        APPLIED = "applied", "Applied since"
        DISMISSED = "dismissed"

    text = models.TextField(help_text="In its normal form, without the heading")
    digest = models.CharField(max_length=64, help_text="By which it is known again")
    filed = models.CharField(max_length=6, blank=True, default="", help_text="DDHHMM of its heading, in UTC")
    source = models.CharField(max_length=60)
    why = models.CharField(max_length=8, choices=Why.choices)
    detail = models.CharField(max_length=500)
    state = models.CharField(max_length=9, choices=State.choices, default=State.WAITING)
    received_at = models.DateTimeField(db_default=Now())
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_by = models.CharField(max_length=150, blank=True, default="")

    class Meta:
        ordering = ["-received_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["digest"], condition=Q(state="waiting"), name="telegram_waits_once"
            )
        ]

    def __str__(self) -> str:
        return " ".join(self.text.split()[:3])
