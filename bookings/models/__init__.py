"""The tables of the sale. A booking's `public_id` is what apps below know it by (a seat's holder, a
subscription's source)."""

from bookings.models.disruption import Disruption
from bookings.models.money import LedgerEntry, PaymentAttempt, Refund
from bookings.models.requests import IdempotencyKey, Quote, new_quote_id
from bookings.models.sale import (
    LOCATOR_ALPHABET,
    Booking,
    BookingStatus,
    Charge,
    Coupon,
    Passenger,
    PaymentMethod,
    Segment,
    new_booking_id,
    new_record_locator,
)
from bookings.models.sandbox import SandboxPayment, SandboxRefund

__all__ = [
    "LOCATOR_ALPHABET",
    "Booking",
    "BookingStatus",
    "Charge",
    "Coupon",
    "Disruption",
    "IdempotencyKey",
    "LedgerEntry",
    "Passenger",
    "PaymentAttempt",
    "PaymentMethod",
    "Quote",
    "Refund",
    "SandboxPayment",
    "SandboxRefund",
    "Segment",
    "new_booking_id",
    "new_quote_id",
    "new_record_locator",
]
