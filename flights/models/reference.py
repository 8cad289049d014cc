"""Airports, airlines, aircraft and fares: what flights refer to."""

from __future__ import annotations

import re
from decimal import Decimal

from django.db import models
from django.db.models import F, Func, Q

from flights.types import Cabin

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
            models.Index(Func("city", function="flights_fold"), name="airport_folded_city_idx"),
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
    country = models.CharField(
        max_length=2,
        blank=True,
        default="",
        db_default="",
        help_text="Whose operating licence it flies under, ISO 3166-1 alpha-2; passengers' rights ask for it",
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


class SeatZone(models.Model):
    """Some rows of a cabin whose seats are told apart: by what they are, and by what they cost where a fare
    does not include the choice of a seat. Rows in no zone are ordinary, and free to choose."""

    aircraft_type = models.ForeignKey(AircraftType, models.CASCADE, related_name="seat_zones")
    cabin = models.CharField(max_length=16, choices=Cabin.choices)
    first_row = models.PositiveSmallIntegerField()
    last_row = models.PositiveSmallIntegerField()
    characteristics = models.CharField(
        max_length=60, blank=True, default="", help_text="Words of the trade: front, exit_row, extra_legroom"
    )
    price = models.DecimalField(
        max_digits=10, decimal_places=2, help_text="Of a seat of these rows, in a fare without seat choice"
    )
    currency = models.CharField(max_length=3, help_text="Flights sold in another are not charged it")

    class Meta:
        ordering = ["aircraft_type", "first_row"]
        constraints = [
            models.UniqueConstraint(fields=["aircraft_type", "cabin", "first_row"], name="seat_zone_unique"),
            models.CheckConstraint(condition=Q(last_row__gte=F("first_row")), name="seat_zone_rows"),
            models.CheckConstraint(condition=Q(price__gte=0), name="seat_zone_price_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.aircraft_type_id} {self.cabin} {self.first_row}-{self.last_row} {self.price}"


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
