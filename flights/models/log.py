"""What happened to flights: the log of updates, and how far its readers are."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from flights.models.flight import Flight
from flights.types import FlightStatus


class FlightUpdate(models.Model):
    """One accepted report: the flight's state after it. Sequences run 1, 2, 3 … per flight without gaps."""

    flight = models.ForeignKey(Flight, models.PROTECT, related_name="updates", db_index=False)
    sequence = models.PositiveIntegerField()
    status = models.CharField(max_length=10, choices=FlightStatus.choices)
    delay_minutes = models.PositiveIntegerField(null=True, blank=True)
    reason = models.CharField(max_length=200, blank=True, default="")
    gate = models.CharField(max_length=8, blank=True, default="")
    terminal = models.CharField(max_length=8, blank=True, default="")
    scheduled_departure = models.DateTimeField()
    scheduled_arrival = models.DateTimeField()
    departure_before = models.DateTimeField(
        null=True, blank=True, help_text="The schedule that it replaced, where it made a new one"
    )
    arrival_before = models.DateTimeField(null=True, blank=True)
    estimated_departure = models.DateTimeField(null=True, blank=True)
    estimated_arrival = models.DateTimeField(null=True, blank=True)
    occurred_at = models.DateTimeField(help_text="When the airline reported it")
    recorded_at = models.DateTimeField(db_default=Now())
    report_id = models.CharField(max_length=100, null=True, blank=True)
    source = models.CharField(max_length=60, help_text="Who reported it: api, admin, replay …")

    class Meta:
        ordering = ["flight", "sequence"]
        constraints = [
            models.UniqueConstraint(fields=["flight", "sequence"], name="update_sequence_unique"),
            models.UniqueConstraint(
                fields=["flight", "report_id"],
                condition=Q(report_id__isnull=False),
                name="update_report_once",
            ),
            models.CheckConstraint(condition=Q(sequence__gte=1), name="update_sequence_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.flight_id} #{self.sequence} {self.status}"


class FeedConsumer(models.Model):
    """A reader of the log that must see every update of every flight, in order: the relay, say."""

    name = models.CharField(max_length=40, primary_key=True)

    def __str__(self) -> str:
        return self.name


class Feed(models.Model):
    """How far a consumer has come with one flight's log, and who works on it now. See `feeds`."""

    consumer = models.ForeignKey(FeedConsumer, models.CASCADE, related_name="+", db_index=False)
    flight = models.ForeignKey(Flight, models.PROTECT, related_name="+")
    done_sequence = models.PositiveIntegerField(default=0)
    pending = models.BooleanField(default=True)
    pending_since = models.DateTimeField(db_default=Now())
    leased_until = models.DateTimeField(null=True, blank=True)
    lease_token = models.UUIDField(null=True, blank=True)

    class Meta:
        ordering = ["consumer", "flight"]
        constraints = [models.UniqueConstraint(fields=["consumer", "flight"], name="feed_unique")]
        indexes = [
            models.Index(
                fields=["consumer", "pending_since"], condition=Q(pending=True), name="feed_pending_idx"
            )
        ]

    def __str__(self) -> str:
        return f"{self.consumer_id} {self.flight_id} {self.done_sequence}"


class UpdateLog(models.Model):
    """The one row that names the log its sequences count in; a restore from backup renames it."""

    name = models.CharField(max_length=40)
    started_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.name
