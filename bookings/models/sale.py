"""What was sold: bookings with their passengers, segments, coupons and charges."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from flightbook.ids import draw_id, draw_letters
from flights.public import Cabin

# No 0/O, 1/I/L, 2/Z, 5/S, 8/B, U/V: what is read over the telephone must come out as it was.
LOCATOR_ALPHABET = "ACDEFGHJKMNPQRTWXY34679"


def new_booking_id() -> str:
    """An opaque, unguessable booking id."""
    return draw_id("bkg")


def new_record_locator() -> str:
    """Six characters from a CSPRNG, out of an alphabet without look-alikes."""
    return draw_letters(LOCATOR_ALPHABET, 6)


class BookingStatus(models.TextChoices):
    HELD = "Held"
    CONFIRMED = "Confirmed"
    CANCELLED = "Cancelled"
    EXPIRED = "Expired"


class PaymentMethod(models.TextChoices):
    CREDIT_CARD = "credit_card", "Credit card"
    DEBIT_CARD = "debit_card", "Debit card"
    HOLD = "hold", "Hold without payment"


class Booking(models.Model):
    public_id = models.CharField(
        "booking id", max_length=15, unique=True, default=new_booking_id, editable=False
    )
    record_locator = models.CharField(max_length=6, default=new_record_locator, editable=False)
    user = models.ForeignKey("accounts.User", models.PROTECT, related_name="+", db_index=False)
    status = models.CharField(max_length=9, choices=BookingStatus.choices)
    total = models.DecimalField(
        max_digits=10, decimal_places=2, help_text="Coupons that were not exchanged, and charges"
    )
    currency = models.CharField(max_length=3)
    payment_method = models.CharField(max_length=11, choices=PaymentMethod.choices)
    payment_due_by = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    confirmed_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True, help_text="When it was cancelled or expired")
    end_reason = models.CharField(max_length=60, blank=True, default="")
    version = models.PositiveIntegerField(
        default=1, db_default=1, help_text="Counts its changes: a quote holds for one version"
    )

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["user", "-id"], name="booking_user_idx"),
            models.Index(fields=["payment_due_by"], condition=Q(status="Held"), name="booking_held_idx"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["record_locator"], name="booking_locator_unique"),
            models.CheckConstraint(condition=Q(status__in=BookingStatus.values), name="booking_status_known"),
            models.CheckConstraint(condition=Q(total__gte=0), name="booking_total_not_negative"),
            models.CheckConstraint(
                condition=~Q(status="Held") | Q(payment_due_by__isnull=False),
                name="booking_hold_has_due_time",
            ),
        ]
        permissions = [("act_for_others", "Can see and handle bookings of other users")]

    def __str__(self) -> str:
        return f"{self.record_locator} {self.status}"


class Passenger(models.Model):
    class Type(models.TextChoices):
        ADULT = "adult"
        CHILD = "child"
        INFANT = "infant"

    booking = models.ForeignKey(Booking, models.CASCADE, related_name="passengers", db_index=False)
    position = models.PositiveSmallIntegerField(help_text="Index in the booking, from 0")
    given_name = models.CharField(max_length=150)
    family_name = models.CharField(max_length=150)
    type = models.CharField(max_length=6, choices=Type.choices, default=Type.ADULT)
    cancelled_at = models.DateTimeField(
        null=True, blank=True, help_text="When this traveller alone was cancelled"
    )
    booked_as = models.JSONField(
        null=True, blank=True, help_text="Given and family name of the sale, once they were corrected"
    )

    class Meta:
        ordering = ["booking", "position"]
        constraints = [
            models.UniqueConstraint(fields=["booking", "position"], name="passenger_position_unique")
        ]

    def __str__(self) -> str:
        return f"{self.family_name}/{self.given_name}"


class Segment(models.Model):
    """One flight of a booking, with the fare it was sold at and that fare's conditions as they were then."""

    class Status(models.TextChoices):
        BOOKED = "Booked"
        CANCELLED = "Cancelled"
        EXCHANGED = "Exchanged"

    booking = models.ForeignKey(Booking, models.CASCADE, related_name="segments", db_index=False)
    position = models.PositiveSmallIntegerField(help_text="Index in the booking, from 0")
    flight = models.ForeignKey("flights.Flight", models.PROTECT, related_name="+")
    cabin = models.CharField(max_length=16, choices=[(c.value, c.label) for c in Cabin])
    fare = models.CharField(max_length=8)
    refundable = models.BooleanField()
    change_fee = models.DecimalField(max_digits=10, decimal_places=2, null=True, blank=True)
    seats_claimed = models.PositiveSmallIntegerField(
        help_text="Seats taken from the counter while it is booked: its travellers but infants"
    )
    status = models.CharField(
        max_length=9, choices=Status.choices, default=Status.BOOKED, db_default=Status.BOOKED
    )

    class Meta:
        ordering = ["booking", "position"]
        constraints = [
            models.UniqueConstraint(fields=["booking", "position"], name="segment_position_unique"),
            models.UniqueConstraint(
                fields=["booking", "flight"], condition=Q(status="Booked"), name="segment_flight_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.flight_id} {self.fare}"


class Coupon(models.Model):
    """What one passenger pays for one segment: a flight coupon of that passenger's ticket.

    A ticket is the coupons of one `ticket_number`, at most four: the airline's three-digit accounting code
    and a serial of ten digits, with its check digit beside it (IATA Resolution 722). Until it is paid a
    coupon has none. What a change exchanges hands its price on to the coupons that replace it.
    """

    class Status(models.TextChoices):
        OPEN = "Open"
        CANCELLED = "Cancelled"
        EXCHANGED = "Exchanged"

    segment = models.ForeignKey(Segment, models.CASCADE, related_name="coupons", db_index=False)
    passenger = models.ForeignKey(Passenger, models.CASCADE, related_name="coupons")
    price = models.DecimalField(max_digits=10, decimal_places=2)
    status = models.CharField(
        max_length=9, choices=Status.choices, default=Status.OPEN, db_default=Status.OPEN
    )
    refunded = models.DecimalField(
        max_digits=10,
        decimal_places=2,
        default=Decimal(0),
        db_default=Decimal(0),
        help_text="What of its price goes back, or went",
    )
    ticket_number = models.CharField(max_length=13, blank=True, default="", db_default="")
    coupon_number = models.PositiveSmallIntegerField(null=True, blank=True, help_text="1 to 4 in its ticket")
    check_digit = models.PositiveSmallIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["segment", "passenger"]
        constraints = [
            models.UniqueConstraint(fields=["segment", "passenger"], name="coupon_unique"),
            models.UniqueConstraint(
                fields=["ticket_number", "coupon_number"],
                condition=~Q(ticket_number=""),
                name="coupon_ticket_unique",
            ),
            models.CheckConstraint(condition=Q(price__gte=0), name="coupon_price_not_negative"),
            models.CheckConstraint(
                condition=Q(refunded__gte=0) & Q(refunded__lte=F("price")), name="coupon_refund_within_price"
            ),
        ]

    def __str__(self) -> str:
        return str(self.price)


class Charge(models.Model):
    """What is paid beside the fares: an ancillary service, or a fee (an EMD in the trade's words)."""

    class Kind(models.TextChoices):
        SEAT = "seat", "Seat"
        CHANGE_FEE = "change_fee", "Change fee"

    booking = models.ForeignKey(Booking, models.CASCADE, related_name="charges")
    segment = models.ForeignKey(
        Segment, models.CASCADE, null=True, blank=True, related_name="charges", db_index=False
    )
    passenger = models.ForeignKey(
        Passenger, models.CASCADE, null=True, blank=True, related_name="charges", db_index=False
    )
    kind = models.CharField(max_length=10, choices=Kind.choices)
    amount = models.DecimalField(max_digits=10, decimal_places=2)
    refunded = models.DecimalField(max_digits=10, decimal_places=2, default=Decimal(0), db_default=Decimal(0))
    detail = models.CharField(max_length=60, blank=True, default="", help_text="The seat, say")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="charge_positive"),
            models.CheckConstraint(
                condition=Q(refunded__gte=0) & Q(refunded__lte=F("amount")),
                name="charge_refund_within_amount",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount}"
