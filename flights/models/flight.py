"""Flights, and the days of the schedule that are loaded."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from flights.models.reference import AircraftType, Airline, Airport
from flights.types import FlightStatus


class Flight(models.Model):
    """One flight leg on one day. Its public id is ``FL`` and the key: nothing is hidden in it."""

    airline = models.ForeignKey(Airline, models.PROTECT, related_name="+", db_index=False)
    number = models.PositiveSmallIntegerField("flight number")
    origin = models.ForeignKey(Airport, models.PROTECT, related_name="+", db_index=False)
    destination = models.ForeignKey(Airport, models.PROTECT, related_name="+", db_index=False)
    departure_date = models.DateField(help_text="The calendar day at the airport of departure")
    scheduled_departure = models.DateTimeField()
    scheduled_arrival = models.DateTimeField()
    estimated_departure = models.DateTimeField(null=True, blank=True)
    estimated_arrival = models.DateTimeField(null=True, blank=True)
    status = models.CharField(max_length=10, choices=FlightStatus.choices, default=FlightStatus.SCHEDULED)
    delay_minutes = models.PositiveIntegerField(null=True, blank=True)
    reason = models.CharField(max_length=200, blank=True, default="")
    gate = models.CharField(max_length=8, blank=True, default="")
    terminal = models.CharField(max_length=8, blank=True, default="")
    aircraft_type = models.ForeignKey(AircraftType, models.PROTECT, related_name="+", db_index=False)
    is_derived = models.BooleanField(default=False, help_text="A return leg derived from the outbound one")
    source_date = models.DateField(
        null=True, blank=True, help_text="The day of the source schedule it was made from"
    )
    sequence = models.PositiveIntegerField(default=0, help_text="Of its last update; 0 before the first")
    last_reported_at = models.DateTimeField(
        null=True, blank=True, help_text="When the newest applied report occurred"
    )

    class Meta:
        ordering = ["scheduled_departure", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["origin", "destination", "scheduled_departure", "airline", "number"],
                name="flight_unique",
            ),
            models.CheckConstraint(
                condition=Q(scheduled_arrival__gt=F("scheduled_departure")),
                name="flight_arrives_after_departure",
            ),
            models.CheckConstraint(condition=Q(status__in=FlightStatus.values), name="flight_status_known"),
        ]
        indexes = [
            models.Index(
                fields=["origin", "departure_date", "destination", "scheduled_departure"],
                name="flight_search_idx",
            ),
            models.Index(
                fields=["airline", "number", "scheduled_departure"], name="flight_designator_idx"
            ),  # as telegrams name a flight
        ]
        permissions = [
            ("report_flight_update", "Can report updates of a flight"),
            ("change_aircraft", "Can change a flight's aircraft"),
        ]

    @property
    def public_id(self) -> str:
        return f"FL{self.pk}"

    @property
    def designator(self) -> str:
        return f"{self.airline_id}{self.number}"

    def __str__(self) -> str:
        return f"{self.designator} {self.origin_id}-{self.destination_id} {self.departure_date}"


class ScheduleDay(models.Model):
    """A day of the schedule that is loaded. The row is the claim: a day is loaded once, whoever asks."""

    day = models.DateField(primary_key=True)
    source_date = models.DateField(help_text="The day of the source schedule that is played on it")
    loaded_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["day"]

    def __str__(self) -> str:
        return f"{self.day}"
