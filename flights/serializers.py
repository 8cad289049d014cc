"""JSON's shape of flights: what a request may say, and what the documents tell of the answers."""

from __future__ import annotations

import re
from typing import Any

from rest_framework import serializers

from flightbook.http.schema import ProblemSerializer
from flightbook.http.serializers import (
    ApiSerializer,
    ChoiceField,
    IntegerField,
    MomentField,
    MoneyField,
    StringField,
)
from flights.search import SORTS
from flights.types import Cabin, FlightStatus

SEAT_STATES = [("free", "Free"), ("taken", "Taken")]
BATCH_OUTCOMES = [
    ("applied", "Applied"),
    ("not_applied", "Repeated, or behind the flight's state"),
    ("refused", "Refused"),
]
TELEGRAM_OUTCOMES = [
    ("applied", "Applied"),
    ("not_applied", "Repeated, or behind the flight's state"),
    ("unknown_flight", "No flight is the one it names"),
    ("refused", "The flight's state does not allow it"),
    ("malformed", "Not of the standard's form"),
]


class DayField(serializers.DateField):
    """A calendar day, ``2024-09-10`` and no other of ISO 8601's forms."""

    def to_internal_value(self, value: Any) -> Any:
        if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
            self.fail("invalid", format="YYYY-MM-DD")
        return super().to_internal_value(value)


class SearchQuery(ApiSerializer):
    from_ = StringField(
        min_length=1, max_length=100, help_text="An airport's or a city's IATA code, or a city's name"
    )
    to = StringField(min_length=1, max_length=100, help_text="The same")
    date = DayField(help_text="The calendar day at the airport of departure")
    passengers = serializers.IntegerField(min_value=1, max_value=9, default=1)
    cabin = ChoiceField(choices=Cabin.choices, default=Cabin.ECONOMY.value)
    airline = serializers.RegexField(r"^[A-Za-z0-9]{2}\Z", required=False, help_text="IATA designator")
    max_price = serializers.DecimalField(max_digits=10, decimal_places=2, min_value=0, required=False)
    sort = ChoiceField(choices=list(SORTS), default="departure")


class UpdatesQuery(ApiSerializer):
    after = serializers.IntegerField(min_value=0, max_value=2**31 - 1, default=0, help_text="A sequence")
    limit = serializers.IntegerField(min_value=1, max_value=200, default=50)


class UpdateBody(ApiSerializer):
    status = ChoiceField(choices=FlightStatus.choices)
    delay_minutes = IntegerField(required=False, allow_null=True, min_value=0)
    reason = StringField(required=False, allow_blank=True, max_length=200)
    gate = StringField(required=False, allow_blank=True, max_length=8)
    terminal = StringField(required=False, allow_blank=True, max_length=8)
    departure = MomentField(required=False, help_text="A new schedule")
    arrival = MomentField(required=False)
    estimated_departure = MomentField(required=False)
    estimated_arrival = MomentField(required=False)
    occurred_at = MomentField(required=False, help_text="Now, where absent")
    report_id = StringField(
        required=False, min_length=1, max_length=100, help_text="A repeated one is not applied"
    )


class FlightMessagesBody(ApiSerializer):
    message = StringField(
        max_length=200_000, trim_whitespace=False, help_text="MVT, MVA and DIV telegrams, up to 500"
    )


class BatchUpdateBody(UpdateBody):
    flight_id = StringField()


class FlightUpdatesBody(ApiSerializer):
    """As it is read: each report is checked for itself, so that one bad one keeps none back."""

    updates = serializers.ListField(
        child=serializers.DictField(), min_length=1, max_length=500, help_text="Reports, in order"
    )


class FareAnswer(ApiSerializer):
    code = StringField()
    name = StringField()
    cabin = ChoiceField(choices=Cabin.choices)
    price = MoneyField()
    currency = StringField()
    seats_left = IntegerField()
    refundable = serializers.BooleanField()
    change_fee = MoneyField(allow_null=True)
    seat_choice = serializers.BooleanField()


class FoundFlightAnswer(ApiSerializer):
    flight_id = StringField()
    airline = StringField()
    departure = serializers.DateTimeField()
    arrival = serializers.DateTimeField()
    price = MoneyField()
    flight_number = StringField()
    airline_code = StringField()
    from_ = StringField()
    to = StringField()
    departure_local = serializers.DateTimeField()
    arrival_local = serializers.DateTimeField()
    duration_minutes = IntegerField()
    status = ChoiceField(choices=FlightStatus.choices)
    cabin = ChoiceField(choices=Cabin.choices)
    seats_left = IntegerField()
    currency = StringField()
    fares = FareAnswer(many=True)


class SearchAnswer(ApiSerializer):
    flights = FoundFlightAnswer(many=True)


class UpdateAnswer(ApiSerializer):
    """A flight's state after the update `sequence`; the message of the WebSocket too."""

    flight_id = StringField()
    status = ChoiceField(choices=FlightStatus.choices)
    delay_duration = StringField(allow_null=True)
    reason = StringField(allow_null=True)
    sequence = IntegerField()
    log = StringField()
    update_id = StringField(help_text="The same on every way that the update takes")
    occurred_at = serializers.DateTimeField(allow_null=True)
    delay_minutes = IntegerField(allow_null=True)
    departure = serializers.DateTimeField()
    arrival = serializers.DateTimeField()
    estimated_departure = serializers.DateTimeField(allow_null=True)
    estimated_arrival = serializers.DateTimeField(allow_null=True)
    gate = StringField(allow_null=True)
    terminal = StringField(allow_null=True)


class FlightMessageAnswer(ApiSerializer):
    """What became of one telegram. Both of `unknown_flight` and `refused` are kept for staff."""

    line = IntegerField(help_text="Where it begins; of a malformed one, where it is wrong")
    outcome = ChoiceField(choices=TELEGRAM_OUTCOMES)
    detail = StringField()
    type = StringField(required=False, help_text="MVT, MVA or DIV")
    flight = StringField(required=False, help_text="As the telegram has it: AA181/24.JFK")
    flight_id = StringField(required=False)
    updates = UpdateAnswer(many=True, help_text="None but of an applied one")
    position = IntegerField(required=False, help_text="In the line, from 1; of a malformed one")
    expected = StringField(required=False, help_text="What should stand there; of a malformed one")


class FlightMessagesAnswer(ApiSerializer):
    messages = FlightMessageAnswer(many=True, help_text="One a telegram, in order")


class BatchAnswer(ApiSerializer):
    """What became of one report of a batch."""

    outcome = ChoiceField(choices=BATCH_OUTCOMES)
    update_ = UpdateAnswer(required=False, help_text="Of an applied one")
    problem = ProblemSerializer(required=False, help_text="Of a refused one: why, as it would be alone")


class BatchesAnswer(ApiSerializer):
    updates = BatchAnswer(many=True, help_text="One a report, in order")


class NotAppliedAnswer(ApiSerializer):
    applied = serializers.BooleanField()


class UpdatesAnswer(ApiSerializer):
    flight_id = StringField()
    log = StringField()
    updates = UpdateAnswer(many=True)
    next = StringField(required=False, help_text="The address of the next page; absent on the last")


class CabinAnswer(ApiSerializer):
    cabin = ChoiceField(choices=Cabin.choices)
    seats_left = IntegerField()
    on_sale = serializers.BooleanField()


class MapSeatAnswer(ApiSerializer):
    seat = StringField(help_text="As `POST /book-flight` takes it: 12A")
    letter = StringField()
    state = ChoiceField(choices=SEAT_STATES)
    characteristics = serializers.ListField(
        child=StringField(), help_text="window, front, exit_row, extra_legroom"
    )
    price = MoneyField(required=False, help_text="In the cabin's `chargingFares`; in all others it is free")
    currency = StringField(required=False)


class MapRowAnswer(ApiSerializer):
    row = IntegerField()
    seats = MapSeatAnswer(many=True)


class SeatMapCabinAnswer(ApiSerializer):
    cabin = ChoiceField(choices=Cabin.choices)
    seats_left = IntegerField(help_text="Travellers without a seat number counted")
    letters = StringField(help_text="Of a row, from left to right")
    charging_fares = serializers.ListField(
        child=StringField(), help_text="Fares in which choosing a seat costs the seat's `price`"
    )
    rows = MapRowAnswer(many=True)


class SeatMapAnswer(ApiSerializer):
    flight_id = StringField()
    cabins = SeatMapCabinAnswer(many=True, help_text="From the front of the aircraft")


class FlightAnswer(UpdateAnswer):
    airline = StringField()
    airline_code = StringField()
    flight_number = StringField()
    from_ = StringField()
    to = StringField()
    from_city = StringField()
    to_city = StringField()
    departure_local = serializers.DateTimeField()
    arrival_local = serializers.DateTimeField()
    duration_minutes = IntegerField()
    cabins = CabinAnswer(many=True)
    fares = FareAnswer(many=True)
