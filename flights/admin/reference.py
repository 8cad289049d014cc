"""Airports, airlines, aircraft and fares: what flights refer to."""

from __future__ import annotations

import re
import zoneinfo
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from flights.admin.base import BaseInline, KeptAdmin, ReadOnlyAdmin
from flights.models import (
    AircraftType,
    Airline,
    Airport,
    CabinLayout,
    FareFamily,
    Flight,
    ScheduleDay,
    SeatZone,
)

if TYPE_CHECKING:
    BaseForm = forms.ModelForm[Any]
else:
    BaseForm = forms.ModelForm


class _CodesForm(BaseForm):
    """Checks the codes of the trade by their form; `codes` maps a field to its form and to its words."""

    codes: dict[str, tuple[str, str]] = {}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for name, (form, words) in self.codes.items():
            value = cleaned.get(name)
            if value and not re.fullmatch(form, value, re.ASCII):
                self.add_error(name, words)
        return cleaned


class AirportForm(_CodesForm):
    codes = {
        "iata": (r"[A-Z]{3}", "Three capital letters."),
        "city_code": (r"[A-Z]{3}", "Three capital letters."),
        "country": (r"[A-Z]{2}", "Two capital letters."),
    }

    def clean_time_zone(self) -> str:
        zone: str = self.cleaned_data["time_zone"]
        if zone not in zoneinfo.available_timezones():
            raise forms.ValidationError("The IANA database has no such zone.")
        return zone


@admin.register(Airport)
class AirportAdmin(KeptAdmin):
    form = AirportForm
    fixed = ("iata", "time_zone")  # flights' days are counted in it
    list_display = ["iata", "name", "city", "subdivision", "country", "city_code", "time_zone"]
    list_filter = ["country"]
    search_fields = ["=iata", "=city_code", "city__istartswith", "name"]


class AirlineForm(_CodesForm):
    codes = {
        "code": (r"[A-Z0-9]{2}", "Two capital letters or digits."),
        "ticketing_code": (r"[0-9]{3}", "Three digits."),
        "country": (r"[A-Z]{2}", "Two capital letters."),
    }


@admin.register(Airline)
class AirlineAdmin(KeptAdmin):
    form = AirlineForm
    fixed = ("code",)
    list_display = ["code", "name", "ticketing_code"]
    search_fields = ["=code", "name"]


class CabinLayoutForm(_CodesForm):
    codes = {"letters": (r"(?:([A-Z])(?!.*\1))+", "Capital letters, each once.")}


class CabinLayoutInline(BaseInline):
    """Rows of seats; they stand once flights are sold with them."""

    model = CabinLayout
    form = CabinLayoutForm
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_unused(obj) and super().has_add_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_unused(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_unused(obj) and super().has_delete_permission(request, obj)


class SeatZoneForm(_CodesForm):
    codes = {
        "characteristics": (r"([a-z_]+( [a-z_]+)*)?", "Words of small letters, with a space between."),
        "currency": (r"[A-Z]{3}", "Three capital letters."),
    }


class SeatZoneInline(BaseInline):
    """What rows are, and what choosing a seat of them costs from now on; what was charged stays."""

    model = SeatZone
    form = SeatZoneForm
    extra = 0


def _is_unused(aircraft: AircraftType | None) -> bool:
    return aircraft is None or not Flight.objects.filter(aircraft_type=aircraft).exists()


@admin.register(AircraftType)
class AircraftTypeAdmin(KeptAdmin):
    fixed = ("code",)
    list_display = ["code", "name"]
    search_fields = ["=code", "name"]
    inlines = [CabinLayoutInline, SeatZoneInline]


@admin.register(FareFamily)
class FareFamilyAdmin(KeptAdmin):
    """A fare is closed, never deleted; a changed multiplier is the price of every flight from then on."""

    fixed = ("code", "cabin")
    list_display = [
        "code",
        "name",
        "cabin",
        "multiplier",
        "protected_share",
        "refundable",
        "change_fee",
        "is_open",
    ]
    list_filter = ["cabin", "is_open", "refundable"]
    search_fields = ["=code", "name"]


@admin.register(ScheduleDay)
class ScheduleDayAdmin(ReadOnlyAdmin):
    list_display = ["day", "source_date", "loaded_at"]
    search_fields = ["day"]
    list_filter = ["loaded_at"]
