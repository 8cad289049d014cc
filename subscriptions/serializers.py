"""The JSON of subscriptions."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from flightbook.http.serializers import ApiSerializer, ChoiceField, IntegerField, StringField
from subscriptions.types import CHANNELS, DELAY_THRESHOLD, KINDS

WEBHOOK_STATES = [("active", "Active"), ("ended", "Ended")]
DELIVERY_STATES = [
    ("pending", "To be sent, or to be tried again"),
    ("delivered", "Answered with 2xx"),
    ("failed", "Given up after three days"),
    ("dropped", "The webhook ended before"),
]
_MINUTES_OF_A_WEEK = 7 * 24 * 60


class Words(serializers.ListField):
    """Some of a few words, each once."""

    def __init__(self, words: tuple[str, ...], **kwargs: Any) -> None:
        super().__init__(child=ChoiceField(choices=list(words)), max_length=len(words), **kwargs)


class PreferenceRequest(ApiSerializer):
    """What is absent stays as it is."""

    kinds = Words(KINDS, required=False, help_text="What to hear of; at first of everything")
    delay_threshold = IntegerField(
        required=False,
        min_value=0,
        max_value=_MINUTES_OF_A_WEEK,
        help_text=f"Minutes that a delay must change by; at first {DELAY_THRESHOLD} for mail, and none else",
    )
    channels = Words(CHANNELS, required=False, help_text="By which ways; at first by all")


class PreferenceResponse(ApiSerializer):
    user_id = serializers.CharField()
    flight_id = serializers.CharField()
    kinds = Words(KINDS)
    delay_threshold = IntegerField(allow_null=True)
    channels = Words(CHANNELS)


class SubscribeRequest(PreferenceRequest):
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


class WebhookRequest(ApiSerializer):
    url = StringField(max_length=500, help_text="https, at a public address")
    description = StringField(required=False, allow_blank=True, max_length=200)


class WebhookResponse(ApiSerializer):
    webhook_id = serializers.CharField()
    url = serializers.CharField()
    description = serializers.CharField()
    state = ChoiceField(choices=WEBHOOK_STATES)
    end_reason = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    previous_secret_until = serializers.DateTimeField(
        allow_null=True, help_text="Until then messages carry a signature by the secret before, too"
    )


class NewWebhookResponse(WebhookResponse):
    secret = serializers.CharField(help_text="`whsec_…`: told this once")


class WebhooksResponse(ApiSerializer):
    webhooks = WebhookResponse(many=True)


class SecretResponse(ApiSerializer):
    secret = serializers.CharField()
    previous_secret_until = serializers.DateTimeField()


class PingResponse(ApiSerializer):
    message_id = serializers.CharField(help_text="The message's `webhook-id`; its fate stands in the log")


class AttemptResponse(ApiSerializer):
    at = serializers.DateTimeField()
    status = IntegerField(allow_null=True, help_text="Of the answer; null where there was none")
    milliseconds = IntegerField()
    error = serializers.CharField(allow_null=True)


class DeliveryResponse(ApiSerializer):
    message_id = serializers.CharField()
    flight_id = serializers.CharField(allow_null=True)
    sequence = IntegerField(allow_null=True)
    state = ChoiceField(choices=DELIVERY_STATES)
    created_at = serializers.DateTimeField()
    next_attempt_at = serializers.DateTimeField(allow_null=True)
    attempts = AttemptResponse(many=True)


class DeliveriesResponse(ApiSerializer):
    deliveries = DeliveryResponse(many=True, help_text="Newest first")
    next_ = serializers.CharField(required=False, help_text="The next page's address")
