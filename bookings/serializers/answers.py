"""What the documents tell of the answers."""

from __future__ import annotations

from rest_framework import serializers

from bookings.models import (
    BookingStatus,
    Charge,
    Coupon,
    Disruption,
    Passenger,
    PaymentAttempt,
    PaymentMethod,
    Refund,
)
from flightbook.http.serializers import ApiSerializer, ChoiceField, IntegerField, MoneyField, StringField
from flights.public import Cabin


class PassengerAnswer(ApiSerializer):
    given_name = StringField()
    family_name = StringField()
    type = ChoiceField(choices=Passenger.Type.choices)
    is_cancelled = serializers.BooleanField(required=False, help_text="This traveller alone was cancelled")


class SeatAnswer(ApiSerializer):
    passenger = IntegerField()
    seat = StringField()


class CouponAnswer(ApiSerializer):
    passenger = IntegerField()
    price = MoneyField()
    status = ChoiceField(choices=Coupon.Status.choices)
    refunded = MoneyField()
    ticket_number = StringField(required=False, help_text="Thirteen digits, once it is paid")
    coupon_number = IntegerField(required=False)


class ChargeAnswer(ApiSerializer):
    kind = ChoiceField(choices=Charge.Kind.choices)
    amount = MoneyField()
    currency = StringField()
    refunded = MoneyField()
    detail = StringField()
    flight_id = StringField(required=False)
    passenger = IntegerField(required=False)


class BookedFlightAnswer(ApiSerializer):
    flight_id = StringField()
    flight_number = StringField()
    from_ = StringField()
    to = StringField()
    departure = serializers.DateTimeField()
    arrival = serializers.DateTimeField()
    departure_local = serializers.DateTimeField()
    arrival_local = serializers.DateTimeField()
    status = StringField()
    cabin = ChoiceField(choices=Cabin.choices)
    fare = StringField()
    price = MoneyField()
    refundable = serializers.BooleanField()
    change_fee = MoneyField(allow_null=True)
    seats = SeatAnswer(many=True)
    coupons = CouponAnswer(many=True)


class BookedAnswer(ApiSerializer):
    message = StringField()
    booking_id = StringField()
    flight_id = StringField()
    price = MoneyField()
    record_locator = StringField()
    status = ChoiceField(choices=BookingStatus.choices)
    currency = StringField()
    payment_due_by = serializers.DateTimeField(required=False, help_text="Of a hold")
    passengers = PassengerAnswer(many=True)
    flights = BookedFlightAnswer(many=True)
    charges = ChargeAnswer(many=True, help_text="Beside the fares; the price has them")


class BookingLineAnswer(ApiSerializer):
    booking_id = StringField()
    flight_id = StringField()
    status = ChoiceField(choices=BookingStatus.choices)
    departure = serializers.DateTimeField()
    record_locator = StringField()
    price = MoneyField()
    currency = StringField()
    flights = serializers.ListField(child=StringField())


class BookingsAnswer(ApiSerializer):
    user_id = StringField()
    bookings = BookingLineAnswer(many=True)
    next = StringField(required=False, help_text="The address of the next page; absent on the last")


class PaymentAnswer(ApiSerializer):
    status = ChoiceField(choices=PaymentAttempt.State.choices)
    amount = MoneyField()
    currency = StringField()
    created_at = serializers.DateTimeField()


class BookingRefundAnswer(ApiSerializer):
    status = ChoiceField(choices=Refund.State.choices)
    amount = MoneyField()
    currency = StringField()
    reason = StringField()
    created_at = serializers.DateTimeField()


class EntitlementAnswer(ApiSerializer):
    code = StringField()
    right = StringField(help_text="refund, rebooking or compensation")
    source_ = StringField(help_text="The law or the condition that it stands in")
    amount = MoneyField(required=False)
    currency = StringField(required=False)


class DisruptionAnswer(ApiSerializer):
    kind = ChoiceField(choices=Disruption.Kind.choices)
    flight_id = StringField()
    status = ChoiceField(choices=Disruption.State.choices)
    entitlements = EntitlementAnswer(many=True)
    choice_until = serializers.DateTimeField(required=False, help_text="Afterwards it is refunded")
    created_at = serializers.DateTimeField()


class BookingAnswer(ApiSerializer):
    user_id = StringField()
    booking_id = StringField()
    flight_id = StringField()
    price = MoneyField()
    record_locator = StringField()
    status = ChoiceField(choices=BookingStatus.choices)
    currency = StringField()
    departure = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    payment_method = ChoiceField(choices=PaymentMethod.choices)
    payment_due_by = serializers.DateTimeField(required=False, help_text="Of a hold")
    passengers = PassengerAnswer(many=True)
    flights = BookedFlightAnswer(many=True)
    payments = PaymentAnswer(many=True)
    refunds = BookingRefundAnswer(many=True)
    charges = ChargeAnswer(many=True)
    disruptions = DisruptionAnswer(many=True, help_text="What the airline did to a flight of it")
