"""The endpoints of the sale. What moves money or seats goes by an idempotency key: see `base.SaleView`."""

from bookings.views.cancellations import CancelBooking, CorrectName, QuoteCancellation
from bookings.views.changes import ChangeBooking, ChooseSeats, QuoteChange
from bookings.views.events import StripeEvents
from bookings.views.lists import BookingInFull, Bookings
from bookings.views.sale import BookFlight, PayBooking

__all__ = [
    "BookFlight",
    "BookingInFull",
    "Bookings",
    "CancelBooking",
    "ChangeBooking",
    "ChooseSeats",
    "CorrectName",
    "PayBooking",
    "QuoteCancellation",
    "QuoteChange",
    "StripeEvents",
]
