"""Counters and seats, as they are: `seat_inventory` writes them. A cabin's base price may be changed."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from flights.admin.base import LargeTableAdmin, OfFlightAdmin
from flights.models import CabinInventory, SeatAssignment
from flights.operations import change_base_price


@admin.register(CabinInventory)
class CabinInventoryAdmin(OfFlightAdmin):
    list_display = [
        "flight",
        "cabin",
        "available",
        "capacity",
        "base_price",
        "currency",
        "is_open",
        "closes_at",
    ]
    list_filter = ["cabin", "is_open"]
    fields = ["flight", "cabin", "available", "capacity", "base_price", "currency", "is_open", "closes_at"]
    readonly_fields = ["flight", "cabin", "available", "capacity", "currency", "is_open", "closes_at"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super(LargeTableAdmin, self).has_change_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: CabinInventory, form: Any, change: bool) -> None:  # noqa: FBT001
        """Writes the price alone: the rest of the row may have been sold from since the form was shown."""
        change_base_price(flight_pk=obj.flight_id, cabin=obj.cabin, base_price=obj.base_price)


@admin.register(SeatAssignment)
class SeatAssignmentAdmin(OfFlightAdmin):
    list_display = ["flight", "seat", "cabin", "holder", "passenger", "assigned_at", "released_at"]
    list_filter = ["cabin", ("released_at", admin.EmptyFieldListFilter)]
    search_help_text = "A flight's id, or a booking's"
    other_search_field = "holder"
