"""JSON's shape of bookings: what a request may say, and what the documents tell of the answers."""

from bookings.serializers.answers import BookedAnswer, BookingAnswer, BookingsAnswer
from bookings.serializers.bodies import CARDS, PayBookingBody
from bookings.serializers.cancellations import (
    CancelBookingBody,
    CancelledAnswer,
    CorrectNameBody,
    QuoteAnswer,
    QuoteCancellationBody,
)
from bookings.serializers.changes import (
    ChangeBookingBody,
    ChangedAnswer,
    ChangeQuoteAnswer,
    ChooseSeatsBody,
    QuoteChangeBody,
    SeatedAnswer,
)
from bookings.serializers.orders import BookFlightBody, flight_ids

__all__ = [
    "CARDS",
    "BookFlightBody",
    "BookedAnswer",
    "BookingAnswer",
    "BookingsAnswer",
    "CancelBookingBody",
    "CancelledAnswer",
    "ChangeBookingBody",
    "ChangeQuoteAnswer",
    "ChangedAnswer",
    "ChooseSeatsBody",
    "CorrectNameBody",
    "PayBookingBody",
    "QuoteAnswer",
    "QuoteCancellationBody",
    "QuoteChangeBody",
    "SeatedAnswer",
    "flight_ids",
]
