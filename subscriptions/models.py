"""Who follows what."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class Subscription(models.Model):
    """A user follows a flight. `source` is empty for the user's own wish, else the id of a booking:
    a cancelled booking ends what it brought and leaves the user's own wish alone."""

    user = models.ForeignKey("accounts.User", models.PROTECT, related_name="+", db_index=False)
    flight = models.ForeignKey("flights.Flight", models.PROTECT, related_name="+")
    source = models.CharField(max_length=40, blank=True, default="", db_index=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-created_at"]
        permissions = [("act_for_others", "Can follow flights for other users")]
        constraints = [
            models.UniqueConstraint(fields=["user", "flight", "source"], name="subscription_unique")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} follows {self.flight_id}"
