"""The scarce things of a flight: counters of seats, and seat numbers. Written by `seat_inventory` alone."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from flights.models.flight import Flight
from flights.types import Cabin


class CabinInventory(models.Model):
    """The seats of one cabin of one flight still for sale: the contended row.

    ``capacity + overbooking + excess = available + sold``, and `available` and `excess` are not both above
    zero. See `seat_inventory`.
    """

    flight = models.ForeignKey(Flight, models.PROTECT, related_name="inventory", db_index=False)
    cabin = models.CharField(max_length=16, choices=Cabin.choices)
    capacity = models.PositiveSmallIntegerField(help_text="The aircraft's seats")
    overbooking = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="How many may be sold beyond the capacity"
    )
    available = models.SmallIntegerField()
    excess = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="How many more were sold than capacity and overbooking allow"
    )
    base_price = models.DecimalField(max_digits=10, decimal_places=2)
    currency = models.CharField(max_length=3)
    is_open = models.BooleanField(default=True, help_text="Closed when the flight is cancelled or has left")
    closes_at = models.DateTimeField(help_text="When sale ends")

    class Meta:
        ordering = ["flight", "cabin"]
        verbose_name_plural = "cabin inventory"
        constraints = [
            models.UniqueConstraint(fields=["flight", "cabin"], name="inventory_unique"),
            models.CheckConstraint(
                condition=Q(available__gte=0),
                name="inventory_never_oversold",
                violation_error_message="The cabin is sold out.",
            ),
            models.CheckConstraint(
                condition=Q(available__lte=F("capacity") + F("overbooking")), name="inventory_within_capacity"
            ),
            models.CheckConstraint(
                condition=Q(excess=0) | Q(available=0), name="inventory_excess_sells_nothing"
            ),
            models.CheckConstraint(condition=Q(base_price__gt=0), name="inventory_price_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.cabin} {self.available}/{self.capacity}"


class SeatAssignment(models.Model):
    """Who holds a seat number of a flight. `holder` is an opaque id of the app above (a booking's)."""

    flight = models.ForeignKey(Flight, models.PROTECT, related_name="seat_assignments", db_index=False)
    seat = models.CharField(max_length=4)
    cabin = models.CharField(max_length=16, choices=Cabin.choices)
    holder = models.CharField(max_length=40, db_index=True)
    passenger = models.PositiveSmallIntegerField(help_text="The passenger's index in the holder's booking")
    assigned_at = models.DateTimeField(db_default=Now())
    released_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["flight", "seat"]
        constraints = [
            models.UniqueConstraint(
                fields=["flight", "seat"],
                condition=Q(released_at__isnull=True),
                name="seat_held_once",
                violation_error_message="The seat is taken.",
            ),
            models.UniqueConstraint(
                fields=["flight", "holder", "passenger"],
                condition=Q(released_at__isnull=True),
                name="seat_one_per_passenger",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.seat} {self.holder}"


class DisplacedSeat(models.Model):
    """A traveller whose seat number the flight's new aircraft lacks: work for staff until it is settled."""

    class How(models.TextChoices):
        RESEATED = "reseated", "Has another seat"
        ENDED = "ended", "Travels on this flight no more"
        AGREED = "agreed", "Settled by staff without a seat number"

    flight = models.ForeignKey(Flight, models.PROTECT, related_name="displaced_seats", db_index=False)
    cabin = models.CharField(max_length=16, choices=Cabin.choices)
    seat = models.CharField("seat before", max_length=4)
    holder = models.CharField(max_length=40)
    passenger = models.PositiveSmallIntegerField(help_text="The passenger's index in the holder's booking")
    displaced_at = models.DateTimeField(db_default=Now())
    settled_at = models.DateTimeField(null=True, blank=True)
    how = models.CharField(max_length=8, choices=How.choices, blank=True, default="")

    class Meta:
        ordering = ["flight", "seat"]
        constraints = [
            models.UniqueConstraint(
                fields=["holder", "flight", "passenger"],
                condition=Q(settled_at__isnull=True),
                name="displaced_once",
            ),
            models.CheckConstraint(
                condition=Q(settled_at__isnull=True, how="") | (Q(settled_at__isnull=False) & ~Q(how="")),
                name="displaced_settled_somehow",
            ),
        ]
        indexes = [
            models.Index(fields=["flight"], condition=Q(settled_at__isnull=True), name="displaced_open_idx")
        ]

    def __str__(self) -> str:
        return f"{self.seat} {self.holder}"
