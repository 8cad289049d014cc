"""Changing a flight of a booking, its quotes; choosing seats later."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from bookings.change_terms import RULES
from bookings.serializers.answers import BookedAnswer
from bookings.serializers.bodies import CARDS
from bookings.serializers.orders import MOST_FLIGHTS, MOST_PASSENGERS, SeatBody
from flightbook.errors import FieldError, Invalid
from flightbook.http.serializers import ApiSerializer, ChoiceField, MoneyField, StringField
from flights.public import Cabin

_FLIGHTS = ("flight_id", "new_flight_id")
_NAMED = {"flight_id": "/flightId", "new_flight_id": "/newFlightId", "fare": "/fare", "cabin": "/cabin"}


class QuoteChangeBody(ApiSerializer):
    user_id = StringField(max_length=40)
    booking_id = StringField(max_length=40)
    flight_id = StringField(max_length=40, help_text="The one that is booked")
    new_flight_id = StringField(max_length=40)
    fare = StringField(
        max_length=8,
        required=False,
        help_text="A fare's code; absent: the booked one, else the cheapest open",
    )
    cabin = ChoiceField(choices=Cabin.choices, required=False, help_text="The booked one where absent")


class _PaidBody(ApiSerializer):
    user_id = StringField(max_length=40)
    booking_id = StringField(max_length=40)
    expected_price = MoneyField(
        required=False, min_value=0, help_text="What is to be paid now; 409 `price_changed` where it differs"
    )
    payment_method = ChoiceField(choices=CARDS, required=False, help_text="Required where something is due")
    payment_token = StringField(
        max_length=200, required=False, help_text="What the gateway knows the card by"
    )


class ChangeBookingBody(_PaidBody):
    quote_id = StringField(
        max_length=40, required=False, help_text="Of `POST /change-quotes`: exactly what it says"
    )
    flight_id = StringField(max_length=40, required=False, help_text="Without a quote: the booked flight")
    new_flight_id = StringField(max_length=40, required=False)
    fare = StringField(max_length=8, required=False)
    cabin = ChoiceField(choices=Cabin.choices, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "quote_id" in attrs:
            faults = [
                FieldError(pointer, "ambiguous", "The quote says what is changed.")
                for name, pointer in (*_NAMED.items(), ("expected_price", "/expectedPrice"))
                if name in attrs
            ]
        else:
            missing = [_NAMED[name] for name in _FLIGHTS if name not in attrs]
            missing += [] if "expected_price" in attrs else ["/expectedPrice"]
            faults = [FieldError(pointer, "required", "Without a quote it is needed.") for pointer in missing]
        if faults:
            raise Invalid(detail="Some fields are not valid.", errors=faults)
        return attrs


class ChooseSeatsBody(_PaidBody):
    seats = SeatBody(  # type: ignore[call-arg]  # the stubs miss the list's own arguments
        many=True, allow_empty=False, max_length=MOST_FLIGHTS * MOST_PASSENGERS
    )


class _ChangePriceAnswer(ApiSerializer):
    new_flight_id = StringField()
    cabin = ChoiceField(choices=Cabin.choices)
    fare = StringField()
    fare_price = MoneyField(help_text="One adult's, of the new fare")
    fare_difference = MoneyField(help_text="Of all coupons; below 0 where the new ones carry less")
    change_fee = MoneyField(help_text="Of all travellers")
    charges_back = MoneyField(help_text="Paid for seat numbers of the old flight, and returned")
    amount_due = MoneyField(help_text="To be paid now")
    refund = MoneyField(help_text="What comes back")
    total = MoneyField(help_text="The booking's after the change")
    currency = StringField()
    reason = ChoiceField(choices=[(rule.code, rule.code) for rule in RULES])
    source_ = StringField(help_text="Where the rule stands")


class ChangeQuoteAnswer(_ChangePriceAnswer):
    message = StringField()
    quote_id = StringField()
    booking_id = StringField()
    flight_id = StringField()
    expires_at = serializers.DateTimeField()


class ChangedAnswer(BookedAnswer):
    change = _ChangePriceAnswer()


class SeatedAnswer(BookedAnswer):
    amount_paid = MoneyField(help_text="For the seats, now")
