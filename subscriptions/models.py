"""Who follows what, by which ways, and what goes out to them."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from flightbook.ids import draw_id
from subscriptions.types import CHANNELS, KINDS


def new_webhook_id() -> str:
    """``whk`` and 12 random characters."""
    return draw_id("whk")


def every_kind() -> list[str]:
    return list(KINDS)


def every_channel() -> list[str]:
    return list(CHANNELS)


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


class FollowPreference(models.Model):
    """What a user wants to hear of a flight, and by which ways; without a row, everything by all of them."""

    user = models.ForeignKey("accounts.User", models.PROTECT, related_name="+", db_index=False)
    flight = models.ForeignKey("flights.Flight", models.PROTECT, related_name="+")
    kinds = ArrayField(models.CharField(max_length=12), default=every_kind)
    delay_threshold = models.PositiveIntegerField(null=True, blank=True, help_text="Minutes")
    channels = ArrayField(models.CharField(max_length=12), default=every_channel)

    class Meta:
        ordering = ["user", "flight"]
        constraints = [models.UniqueConstraint(fields=["user", "flight"], name="follow_preference_unique")]

    def __str__(self) -> str:
        return f"{self.user_id} of {self.flight_id}"


class MailNotice(models.Model):
    """The update of a flight that a user was last told of by mail: the next one is measured by it."""

    user = models.ForeignKey("accounts.User", models.PROTECT, related_name="+", db_index=False)
    flight = models.ForeignKey("flights.Flight", models.PROTECT, related_name="+")
    sequence = models.PositiveIntegerField()

    class Meta:
        ordering = ["user", "flight"]
        constraints = [models.UniqueConstraint(fields=["user", "flight"], name="mail_notice_unique")]

    def __str__(self) -> str:
        return f"{self.user_id} of {self.flight_id} #{self.sequence}"


class WebhookEndpoint(models.Model):
    """An address that hears of the flights which its user follows. The secrets sign what is sent there."""

    class State(models.TextChoices):
        ACTIVE = "active"
        ENDED = "ended"

    public_id = models.CharField(max_length=15, unique=True, default=new_webhook_id, editable=False)
    user = models.ForeignKey("accounts.User", models.PROTECT, related_name="+")
    url = models.CharField("URL", max_length=500)
    description = models.CharField(max_length=200, blank=True, default="")
    secret = models.CharField(max_length=80)
    previous_secret = models.CharField(max_length=80, blank=True, default="")
    previous_secret_until = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=6, choices=State.choices, default=State.ACTIVE)
    end_reason = models.CharField(max_length=200, blank=True, default="")
    failures = models.PositiveIntegerField(default=0, help_text="In a row, without a success")
    paused_until = models.DateTimeField(null=True, blank=True)
    called_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.public_id} {self.url}"


class WebhookDelivery(models.Model):
    """One message to one endpoint. Those of a flight go out in their order; `body` is sent as it is."""

    class State(models.TextChoices):
        PENDING = "pending"
        DELIVERED = "delivered"
        FAILED = "failed"
        DROPPED = "dropped", "dropped: the endpoint ended"

    endpoint = models.ForeignKey(WebhookEndpoint, models.CASCADE, related_name="deliveries", db_index=False)
    message_id = models.CharField(max_length=120)
    flight = models.ForeignKey("flights.Flight", models.PROTECT, related_name="+", null=True, db_index=False)
    sequence = models.PositiveIntegerField(default=0)
    body = models.TextField()
    state = models.CharField(max_length=9, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(db_default=Now())
    lease_token = models.UUIDField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "webhook deliveries"
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "message_id"], name="webhook_delivery_once")
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(state="pending"), name="webhook_due_idx"),
            models.Index(
                fields=["endpoint", "flight", "sequence"],
                condition=Q(state="pending"),
                name="webhook_order_idx",
            ),
            models.Index(
                fields=["endpoint", "due_at"], condition=Q(state="pending"), name="webhook_turn_idx"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.message_id} to {self.endpoint_id}"


class WebhookAttempt(models.Model):
    """One call, with what came of it: `status` is the answer's, None where there was none."""

    delivery = models.ForeignKey(WebhookDelivery, models.CASCADE, related_name="tries")
    at = models.DateTimeField(db_default=Now())
    status = models.PositiveSmallIntegerField(null=True)
    milliseconds = models.PositiveIntegerField()
    error = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return f"{self.status or self.error}"
