"""The values that flights hands out: enumerations and frozen dataclasses."""

from __future__ import annotations

from django.db.models import TextChoices


class Cabin(TextChoices):
    ECONOMY = "economy", "Economy"
    PREMIUM_ECONOMY = "premium_economy", "Premium economy"
    BUSINESS = "business", "Business"
    FIRST = "first", "First"


class FlightStatus(TextChoices):
    SCHEDULED = "Scheduled"
    BOARDING = "Boarding"
    DELAYED = "Delayed"
    DEPARTED = "Departed"
    LANDED = "Landed"
    DIVERTED = "Diverted"
    CANCELLED = "Cancelled"
