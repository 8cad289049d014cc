"""The writes of bookings, one file a use case. Seats are claimed in `sale` and, for others, in `change`."""

from bookings.operations.book import book_flight
from bookings.operations.cancel import cancel_booking, quote_cancellation
from bookings.operations.change import change_booking, quote_change
from bookings.operations.disrupt import handle_disruptions, register_consumers
from bookings.operations.expire import expire_holds
from bookings.operations.names import correct_name
from bookings.operations.pay import pay_booking
from bookings.operations.payment_events import take_payment_event
from bookings.operations.quotes import purge_quotes
from bookings.operations.seats import choose_seats
from bookings.operations.settle import settle_payments
from bookings.operations.settle_refunds import mark_refund_paid_otherwise, try_refund_again

__all__ = [
    "book_flight",
    "cancel_booking",
    "change_booking",
    "choose_seats",
    "correct_name",
    "expire_holds",
    "handle_disruptions",
    "mark_refund_paid_otherwise",
    "pay_booking",
    "purge_quotes",
    "quote_cancellation",
    "quote_change",
    "register_consumers",
    "settle_payments",
    "take_payment_event",
    "try_refund_again",
]
