"""The log of updates and how far its readers are."""

from __future__ import annotations

from django.contrib import admin

from flights.admin.base import OfFlightAdmin, ReadOnlyAdmin
from flights.models import Feed, FeedConsumer, FlightUpdate, UpdateLog


@admin.register(FlightUpdate)
class FlightUpdateAdmin(OfFlightAdmin):
    list_display = [
        "flight",
        "sequence",
        "status",
        "delay_minutes",
        "reason",
        "occurred_at",
        "recorded_at",
        "source",
    ]
    list_filter = ["status"]
    search_help_text = "A flight's id, or a report's"
    other_search_field = "report_id"


@admin.register(FeedConsumer)
class FeedConsumerAdmin(ReadOnlyAdmin):
    list_display = ["name"]
    search_fields = ["name"]


@admin.register(Feed)
class FeedAdmin(OfFlightAdmin):
    list_display = ["consumer", "flight", "done_sequence", "pending", "pending_since", "leased_until"]
    list_filter = ["pending", "consumer"]
    list_select_related = ["flight", "consumer"]


@admin.register(UpdateLog)
class UpdateLogAdmin(ReadOnlyAdmin):
    list_display = ["name", "started_at"]
    search_fields = ["name"]
