"""What is sold (flights, cabins, fares, seats) and what happens to it (the log of updates and its feeds).

Money is exact: ``NUMERIC(10, 2)`` beside an ISO 4217 currency. Instants are UTC; local times are derived
with the airport's IANA zone. Counters and the log are written by `operations` and `seat_inventory` alone.
"""

from __future__ import annotations

import re
from decimal import Decimal

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower, Now

from flights.types import Cabin, FlightStatus

_SEAT = re.compile(r"([1-9][0-9]?)([A-Z])", re.ASCII)


class Airport(models.Model):
    """An airport with an IATA location identifier."""

    iata = models.CharField("IATA code", max_length=3, primary_key=True)
    name = models.CharField(max_length=200)
    city = models.CharField(max_length=120)
    subdivision = models.CharField(max_length=120, blank=True, help_text="State or province")
    country = models.CharField(max_length=2, help_text="ISO 3166-1 alpha-2")
    time_zone = models.CharField(max_length=64, help_text="IANA time zone")
    city_code = models.CharField(
        "IATA city code",
        max_length=3,
        blank=True,
        help_text="The metropolitan area's code, where it has several airports",
    )

    class Meta:
        ordering = ["iata"]
        indexes = [
            models.Index(Lower("city"), name="airport_city_idx"),
            models.Index(fields=["city_code"], condition=~Q(city_code=""), name="airport_city_code_idx"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(iata__regex=r"^[A-Z]{3}$"), name="airport_iata_form")
        ]

    def __str__(self) -> str:
        return f"{self.iata} {self.city}"


class Airline(models.Model):
    code = models.CharField("IATA designator", max_length=2, primary_key=True)
    name = models.CharField(max_length=120)
    ticketing_code = models.CharField(
        "accounting code", max_length=3, help_text="Three digits that begin a ticket number"
    )

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"


class AircraftType(models.Model):
    code = models.CharField("IATA type code", max_length=3, primary_key=True)
    name = models.CharField(max_length=120)

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"


class CabinLayout(models.Model):
    """The rows of one cabin of an aircraft type; its seats are rows times letters."""

    aircraft_type = models.ForeignKey(AircraftType, models.CASCADE, related_name="cabins")
    cabin = models.CharField(max_length=16, choices=Cabin.choices)
    first_row = models.PositiveSmallIntegerField()
    last_row = models.PositiveSmallIntegerField()
    letters = models.CharField(max_length=12, help_text="Seat letters of a row, e.g. ABCDEF")

    class Meta:
        ordering = ["aircraft_type", "first_row"]
        constraints = [
            models.UniqueConstraint(fields=["aircraft_type", "cabin"], name="cabin_layout_unique"),
            models.CheckConstraint(condition=Q(last_row__gte=F("first_row")), name="cabin_layout_rows"),
        ]

    @property
    def capacity(self) -> int:
        return (self.last_row - self.first_row + 1) * len(self.letters)

    def has_seat(self, seat: str) -> bool:
        """Whether `seat` ("12A") is one of this cabin's."""
        written = _SEAT.fullmatch(seat)  # one spelling a seat: "012A" would be a second one of "12A"
        return written is not None and self._has_row(int(written[1])) and written[2] in self.letters

    def _has_row(self, row: int) -> bool:
        return self.first_row <= row <= self.last_row

    def __str__(self) -> str:
        return f"{self.aircraft_type_id} {self.cabin} {self.first_row}-{self.last_row} {self.letters}"


class FareFamily(models.Model):
    """A fare offered in a cabin: its price is the base price times `multiplier`, its conditions are data.

    `protected_share` is the part of the cabin's capacity kept for dearer fares: the fare is open to a party
    of n while ``available - n >= ceil(capacity * protected_share)`` (nested booking limits).
    """

    code = models.CharField(max_length=8, primary_key=True)
    cabin = models.CharField(max_length=16, choices=Cabin.choices)
    name = models.CharField(max_length=60)
    multiplier = models.DecimalField(max_digits=6, decimal_places=4)
    protected_share = models.DecimalField(max_digits=4, decimal_places=3, default=Decimal(0))
    refundable = models.BooleanField(default=False)
    change_fee = models.DecimalField(
        max_digits=10,
        decimal_places=2,
        null=True,
        blank=True,
        help_text="Empty where the fare cannot be changed",
    )
    seat_choice = models.BooleanField(default=True, help_text="Seats may be chosen without a charge")
    is_open = models.BooleanField(default=True)

    class Meta:
        ordering = ["cabin", "multiplier"]
        verbose_name_plural = "fare families"
        constraints = [
            models.CheckConstraint(condition=Q(multiplier__gt=0), name="fare_family_multiplier_positive"),
            models.CheckConstraint(
                condition=Q(protected_share__gte=0) & Q(protected_share__lt=1),
                name="fare_family_protected_share",
            ),
            models.CheckConstraint(
                condition=Q(change_fee__isnull=True) | Q(change_fee__gte=0), name="fare_family_change_fee"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.name} ({self.cabin})"


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
            )
        ]
        permissions = [("report_flight_update", "Can report updates of a flight")]

    @property
    def public_id(self) -> str:
        return f"FL{self.pk}"

    @property
    def designator(self) -> str:
        return f"{self.airline_id}{self.number}"

    def __str__(self) -> str:
        return f"{self.designator} {self.origin_id}-{self.destination_id} {self.departure_date}"


class CabinInventory(models.Model):
    """The seats of one cabin of one flight still for sale: the contended row. See `seat_inventory`."""

    flight = models.ForeignKey(Flight, models.PROTECT, related_name="inventory", db_index=False)
    cabin = models.CharField(max_length=16, choices=Cabin.choices)
    capacity = models.PositiveSmallIntegerField()
    available = models.SmallIntegerField()
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
                condition=Q(available__lte=F("capacity")), name="inventory_within_capacity"
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


class ScheduleDay(models.Model):
    """A day of the schedule that is loaded. The row is the claim: a day is loaded once, whoever asks."""

    day = models.DateField(primary_key=True)
    source_date = models.DateField(help_text="The day of the source schedule that is played on it")
    loaded_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["day"]

    def __str__(self) -> str:
        return f"{self.day}"
