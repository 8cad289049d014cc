"""An order: what `POST /book-flight` may say."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from bookings.models import Passenger, PaymentMethod
from flightbook.errors import FieldError, Invalid
from flightbook.http.serializers import (
    ApiSerializer,
    ChoiceField,
    IntegerField,
    LineField,
    MoneyField,
    StringField,
)
from flights.public import Cabin

MOST_FLIGHTS, MOST_PASSENGERS = 6, 9


class PassengerBody(ApiSerializer):
    given_name = LineField(max_length=150)
    family_name = LineField(max_length=150)
    type = ChoiceField(choices=Passenger.Type.choices, default=Passenger.Type.ADULT.value)


class SeatBody(ApiSerializer):
    flight_id = StringField(max_length=40)
    passenger = IntegerField(min_value=0, max_value=MOST_PASSENGERS - 1, help_text="An index of `passengers`")
    seat = StringField(max_length=4, help_text="12A")

    def validate_seat(self, seat: str) -> str:
        return seat.upper()


class BookFlightBody(ApiSerializer):
    user_id = StringField(max_length=40)
    flight_id = StringField(max_length=40, required=False)
    payment_method = ChoiceField(choices=PaymentMethod.choices)
    flight_ids = serializers.ListField(
        child=StringField(max_length=40),
        required=False,
        min_length=1,
        max_length=MOST_FLIGHTS,
        help_text="In place of `flightId`: booked together, all or none",
    )
    cabin = ChoiceField(choices=Cabin.choices, default=Cabin.ECONOMY.value)
    fare = StringField(
        max_length=8, required=False, help_text="A fare's code; absent: the cheapest open one of the cabin"
    )
    fares = serializers.ListField(
        child=StringField(max_length=8),
        required=False,
        min_length=1,
        max_length=MOST_FLIGHTS,
        help_text="One a flight",
    )
    passengers = PassengerBody(  # type: ignore[call-arg]  # the stubs miss the list's own arguments
        many=True,
        required=False,
        allow_empty=False,
        max_length=MOST_PASSENGERS,
        help_text="Absent: the account's holder",
    )
    seats = SeatBody(  # type: ignore[call-arg]  # as above
        many=True, required=False, max_length=MOST_FLIGHTS * MOST_PASSENGERS
    )
    expected_price = MoneyField(
        required=False, min_value=0, help_text="The total; 409 `price_changed` where it differs"
    )
    payment_token = StringField(
        max_length=200, required=False, help_text="What the gateway knows the card by"
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """What no field tells alone. Works on the names inside, answers in the names outside."""
        faults = [*_flight_faults(attrs), *_passenger_faults(attrs)]
        faults = faults or list(_seat_faults(attrs))
        if faults:
            raise Invalid(detail="Some fields are not valid.", errors=faults)
        return attrs


def flight_ids(attrs: dict[str, Any]) -> list[str]:
    """The flights of a validated `BookFlightBody`."""
    return attrs["flight_ids"] if "flight_ids" in attrs else [attrs["flight_id"]]


def _flight_faults(attrs: dict[str, Any]) -> list[FieldError]:
    if "flight_id" in attrs and "flight_ids" in attrs:
        return [FieldError("/flightIds", "ambiguous", "Send `flightId` or `flightIds`, not both.")]
    if "flight_id" not in attrs and "flight_ids" not in attrs:
        return [FieldError("/flightId", "required", "Which flight?")]
    ids = flight_ids(attrs)
    faults = []
    if len(set(ids)) != len(ids):
        faults.append(FieldError("/flightIds", "duplicate", "A flight stands twice in one booking."))
    if "fare" in attrs and "fares" in attrs:
        faults.append(FieldError("/fares", "ambiguous", "Send `fare` or `fares`, not both."))
    elif "fares" in attrs and len(attrs["fares"]) != len(ids):
        faults.append(FieldError("/fares", "wrong_length", "One fare a flight."))
    return faults


def _passenger_faults(attrs: dict[str, Any]) -> list[FieldError]:
    types = [passenger["type"] for passenger in attrs.get("passengers", [])]
    if not types:
        return []
    adults, infants = types.count(Passenger.Type.ADULT), types.count(Passenger.Type.INFANT)
    if adults == 0:
        return [FieldError("/passengers", "no_adult", "At least one passenger must be an adult.")]
    if infants > adults:
        return [
            FieldError("/passengers", "too_many_infants", "An infant travels on an adult's lap: one each.")
        ]
    return []


def _seat_faults(attrs: dict[str, Any]) -> list[FieldError]:
    ids = flight_ids(attrs)
    types = [passenger["type"] for passenger in attrs.get("passengers", [])] or [Passenger.Type.ADULT]
    faults: list[FieldError] = []
    taken: set[tuple[str, object]] = set()
    for index, wish in enumerate(attrs.get("seats", [])):
        flight, passenger = wish["flight_id"], wish["passenger"]
        if flight not in ids:
            faults.append(
                FieldError(f"/seats/{index}/flightId", "unknown", "That flight is not in this booking.")
            )
        if passenger >= len(types):
            faults.append(FieldError(f"/seats/{index}/passenger", "unknown", "There is no such passenger."))
        elif types[passenger] == Passenger.Type.INFANT:
            faults.append(FieldError(f"/seats/{index}/passenger", "infant", "An infant has no seat."))
        if (flight, passenger) in taken or (flight, wish["seat"]) in taken:
            faults.append(FieldError(f"/seats/{index}", "duplicate", "A seat or a passenger stands twice."))
        taken |= {(flight, passenger), (flight, wish["seat"])}
    return faults
