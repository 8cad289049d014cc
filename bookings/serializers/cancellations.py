"""Cancelling a booking or travellers of it, its quotes; correcting a name."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from bookings.models import BookingStatus, Charge
from bookings.serializers.orders import MOST_PASSENGERS
from flightbook.errors import Invalid
from flightbook.http.serializers import (
    ApiSerializer,
    ChoiceField,
    IntegerField,
    LineField,
    MoneyField,
    StringField,
)


class _WithPassengers(ApiSerializer):
    passengers = serializers.ListField(
        child=IntegerField(min_value=0, max_value=MOST_PASSENGERS - 1),
        required=False,
        min_length=1,
        max_length=MOST_PASSENGERS,
        help_text="Indices of the booking's `passengers` who leave; absent: all",
    )

    def validate_passengers(self, passengers: list[int]) -> list[int]:
        if len(set(passengers)) != len(passengers):
            raise serializers.ValidationError("A passenger stands twice.", code="duplicate")
        return passengers


class QuoteCancellationBody(_WithPassengers):
    user_id = StringField(max_length=40)
    booking_id = StringField(max_length=40)


class CancelBookingBody(_WithPassengers):
    user_id = StringField(max_length=40)
    booking_id = StringField(max_length=40)
    quote_id = StringField(
        max_length=40,
        required=False,
        help_text="Of `POST /cancellation-quotes`: on its terms, for whom it says",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "quote_id" in attrs and "passengers" in attrs:
            raise Invalid.of("/passengers", "ambiguous", "The quote says who leaves: send one of the two.")
        return attrs


class CorrectNameBody(ApiSerializer):
    user_id = StringField(max_length=40)
    booking_id = StringField(max_length=40)
    passenger = IntegerField(min_value=0, max_value=MOST_PASSENGERS - 1, help_text="An index of `passengers`")
    given_name = LineField(max_length=150)
    family_name = LineField(max_length=150)


class RefundAnswer(ApiSerializer):
    amount = MoneyField()
    currency = StringField()
    reason = StringField(help_text="The rule by which money comes back, or none does")


class CouponDueAnswer(ApiSerializer):
    flight_id = StringField()
    passenger = IntegerField()
    price = MoneyField()
    refunded = MoneyField()
    rule = StringField()
    source_ = StringField(help_text="Where the rule stands")


class ChargeDueAnswer(ApiSerializer):
    kind = ChoiceField(choices=Charge.Kind.choices)
    detail = StringField()
    flight_id = StringField(required=False)
    passenger = IntegerField(required=False)
    amount = MoneyField()
    refunded = MoneyField()
    rule = StringField()
    source_ = StringField()


class _DueAnswer(ApiSerializer):
    message = StringField()
    booking_id = StringField()
    refund = RefundAnswer()
    passengers = serializers.ListField(child=IntegerField(), help_text="Who leaves, by index")
    per_coupon = CouponDueAnswer(many=True)
    per_charge = ChargeDueAnswer(many=True)


class CancelledAnswer(_DueAnswer):
    status = ChoiceField(
        choices=BookingStatus.choices, help_text="The booking's: it lives on where somebody stays"
    )


class QuoteAnswer(_DueAnswer):
    quote_id = StringField()
    expires_at = serializers.DateTimeField()
