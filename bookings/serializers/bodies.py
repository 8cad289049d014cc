"""The other requests that move money or seats."""

from __future__ import annotations

from bookings.models import PaymentMethod
from flightbook.http.serializers import ApiSerializer, ChoiceField, StringField

CARDS = [(PaymentMethod.CREDIT_CARD, "Credit card"), (PaymentMethod.DEBIT_CARD, "Debit card")]


class PayBookingBody(ApiSerializer):
    user_id = StringField(max_length=40)
    booking_id = StringField(max_length=40)
    payment_method = ChoiceField(choices=CARDS)
    payment_token = StringField(
        max_length=200, required=False, help_text="What the gateway knows the card by"
    )
