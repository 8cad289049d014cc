"""JSON's shape of bookings: what a request may say, and what the documents tell of the answers."""

from bookings.serializers.answers import BookedAnswer, BookingAnswer, BookingsAnswer, CancelledAnswer
from bookings.serializers.bodies import CARDS, CancelBookingBody, PayBookingBody
from bookings.serializers.orders import BookFlightBody, flight_ids

__all__ = [
    "CARDS",
    "BookFlightBody",
    "BookedAnswer",
    "BookingAnswer",
    "BookingsAnswer",
    "CancelBookingBody",
    "CancelledAnswer",
    "PayBookingBody",
    "flight_ids",
]
