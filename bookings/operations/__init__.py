"""The writes of bookings, one file a use case. The seats are claimed in `sale`, and nowhere else."""

from bookings.operations.book import book_flight
from bookings.operations.cancel import cancel_booking
from bookings.operations.expire import expire_holds
from bookings.operations.pay import pay_booking
from bookings.operations.settle import settle_payments

__all__ = ["book_flight", "cancel_booking", "expire_holds", "pay_booking", "settle_payments"]
