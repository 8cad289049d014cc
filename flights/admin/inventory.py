"""Counters and seats, as they are: `seat_inventory` writes them. A cabin's base price may be changed, and how
far it may be overbooked."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import F, QuerySet
from django.http import HttpRequest

from flightbook.errors import Problem
from flights.admin.base import LargeTableAdmin, OfFlightAdmin
from flights.models import CabinInventory, SeatAssignment
from flights.operations import change_base_price, set_overbooking

_SHOWN = ["flight", "cabin", "available", "capacity", "excess", "currency", "is_open", "closes_at"]


class OversoldFilter(admin.SimpleListFilter):
    """Cabins with more travellers than seats are work for staff before the flight leaves."""

    title = "more travellers than seats"
    parameter_name = "oversold"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("excess", "Beyond the ceiling: closed"), ("ceiling", "Within the ceiling")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[CabinInventory]) -> QuerySet[CabinInventory]:
        if self.value() == "excess":
            return queryset.filter(excess__gt=0)
        if self.value() == "ceiling":
            return queryset.filter(excess=0, available__lt=F("overbooking"))
        return queryset


@admin.register(CabinInventory)
class CabinInventoryAdmin(OfFlightAdmin):
    list_display = [*_SHOWN, "overbooking", "base_price"]
    list_filter = ["cabin", "is_open", OversoldFilter]
    fields = [*_SHOWN, "overbooking", "base_price"]
    readonly_fields = _SHOWN

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super(LargeTableAdmin, self).has_change_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: CabinInventory, form: Any, change: bool) -> None:  # noqa: FBT001
        """Writes the price and the ceiling alone: the rest of the row may have been sold from since the form
        was shown."""
        change_base_price(flight_pk=obj.flight_id, cabin=obj.cabin, base_price=obj.base_price)
        if "overbooking" in form.changed_data:
            try:
                set_overbooking(flight_pk=obj.flight_id, cabin=obj.cabin, overbooking=obj.overbooking)
            except Problem as problem:
                self.message_user(request, f"The ceiling stays as it was: {problem}", messages.ERROR)


@admin.register(SeatAssignment)
class SeatAssignmentAdmin(OfFlightAdmin):
    list_display = ["flight", "seat", "cabin", "holder", "passenger", "assigned_at", "released_at"]
    list_filter = ["cabin", ("released_at", admin.EmptyFieldListFilter)]
    search_help_text = "A flight's id, or a booking's"
    other_search_field = "holder"
