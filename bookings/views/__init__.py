"""The endpoints of the sale. What moves money or seats goes by an idempotency key: see `base.SaleView`."""

from bookings.views.lists import BookingInFull, Bookings
from bookings.views.sale import BookFlight, CancelBooking, PayBooking

__all__ = ["BookFlight", "BookingInFull", "Bookings", "CancelBooking", "PayBooking"]
