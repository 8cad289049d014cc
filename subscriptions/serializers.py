"""The JSON of subscriptions."""

from __future__ import annotations

from rest_framework import serializers

from flightbook.http.serializers import ApiSerializer, StringField


class SubscribeRequest(ApiSerializer):
    user_id = StringField()
    flight_id = StringField()


class SubscribeResponse(ApiSerializer):
    message = serializers.CharField(help_text="Subscribed to flight updates for FL12345")


class FollowedFlightsResponse(ApiSerializer):
    user_id = serializers.CharField()
    flights = serializers.ListField(
        child=serializers.CharField(), help_text="Ids of the flights, in ascending order"
    )
    next_ = serializers.CharField(
        required=False, help_text="The next page's address; absent on the last page"
    )
