"""A flight's page: what it is, and a form with the changes that its state allows."""

from __future__ import annotations

import datetime as dt
import re
from functools import reduce
from operator import or_
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.http import urlencode

from flightbook.errors import Invalid, Problem
from flights.admin.aircraft import aircraft_view, may_change_aircraft
from flights.admin.base import ReadOnlyAdmin, ReadOnlyInline, flight_key
from flights.models import CabinInventory, Flight, FlightUpdate
from flights.operations import record_update
from flights.reports import LONGEST_DELAY
from flights.transitions import allowed
from flights.types import FlightStatus

REPORT_PERMISSION = "flights.report_flight_update"
_AIRPORT = re.compile(r"[A-Z]{3}", re.ASCII)
_DESIGNATOR = re.compile(r"([A-Z0-9]{2})([0-9]{1,4})", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class ReportForm(forms.Form):
    """A change of the flight; what is left empty stays as it is."""

    status = forms.ChoiceField()
    delay_minutes = forms.IntegerField(required=False, min_value=0, max_value=LONGEST_DELAY)
    reason = forms.CharField(required=False, max_length=200)
    gate = forms.CharField(required=False, max_length=8)
    terminal = forms.CharField(required=False, max_length=8)
    departure = forms.DateTimeField(required=False, label="New scheduled departure (UTC)")
    arrival = forms.DateTimeField(required=False, label="New scheduled arrival (UTC)")

    def __init__(self, flight: Flight, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["status"] = forms.ChoiceField(
            choices=[(status, status) for status in allowed(flight.status)]
        )

    @property
    def is_disruptive(self) -> bool:
        """Whether it changes the journey of who has booked."""
        values = self.cleaned_data
        cancels = values["status"] == FlightStatus.CANCELLED
        return cancels or bool(values["departure"] or values["arrival"])

    def report(self) -> dict[str, Any]:
        """The arguments of `record_update`."""
        return {name: value or None for name, value in self.cleaned_data.items()} | {
            "delay_minutes": self.cleaned_data["delay_minutes"],
            "reason": self.cleaned_data["reason"],
        }


class DayFilter(admin.SimpleListFilter):
    """Days near today, of departure; a wider look goes through the search."""

    title = "day of departure"
    parameter_name = "day"
    _days = {"-1": "Yesterday", "0": "Today", "1": "Tomorrow"}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(self._days.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Flight]) -> QuerySet[Flight]:
        value = self.value()
        if value not in self._days:
            return queryset
        return queryset.filter(departure_date=timezone.now().date() + dt.timedelta(days=int(value)))


class InventoryInline(ReadOnlyInline):
    model = CabinInventory
    fields = [
        "cabin",
        "available",
        "capacity",
        "overbooking",
        "excess",
        "base_price",
        "currency",
        "is_open",
        "closes_at",
    ]


class UpdateInline(ReadOnlyInline):
    model = FlightUpdate
    fields = ["sequence", "status", "delay_minutes", "reason", "gate", "terminal", "occurred_at", "source"]
    ordering = ["-sequence"]


@admin.register(Flight)
class FlightAdmin(ReadOnlyAdmin):
    change_form_template = "admin/flights/flight/change_form.html"
    list_display = ["public_id", "designator", "origin_id", "destination_id", "scheduled_departure", "status"]
    list_display_links = ["public_id", "designator"]
    list_filter = ["status", DayFilter, "airline", "is_derived"]
    list_select_related = ["airline"]
    search_fields = ["number"]
    search_help_text = "Any of: FL12345, AA181, JFK LAX (from, to), 2026-12-24"
    inlines = [InventoryInline, UpdateInline]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Flight], search_term: str
    ) -> tuple[QuerySet[Flight], bool]:
        """Words name the id, the flight number, the day, and the airports in their order."""
        airports = ["origin_id", "destination_id"]
        for word in search_term.upper().split():
            condition = _condition(word, airports)
            if condition is None:
                return queryset.none(), False
            queryset = queryset.filter(condition)
        return queryset, False

    def get_urls(self) -> list[URLPattern]:
        report = path(
            "<int:pk>/report/", self.admin_site.admin_view(self.report_view), name="flights_flight_report"
        )
        aircraft = path(
            "<int:pk>/aircraft/", self.admin_site.admin_view(aircraft_view), name="flights_flight_aircraft"
        )
        return [report, aircraft, *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        flight = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if flight is not None and _may_report(request):
            context["report_form"] = ReportForm(flight)
            context["links"] = _links(flight)
            context["report_url"] = reverse("admin:flights_flight_report", args=[flight.pk])
        if flight is not None and may_change_aircraft(request):
            context["aircraft_url"] = reverse("admin:flights_flight_aircraft", args=[flight.pk])
        return super().change_view(request, object_id, form_url, context)

    def report_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Takes the form of a flight's page; errors and success are told on that page. What cancels or moves
        the flight is shown first on the page that FLIGHT_REPORT_PREVIEW names, and comes back `confirmed`."""
        if request.method != "POST" or not _may_report(request):
            raise PermissionDenied
        flight = Flight.objects.filter(pk=pk).first()
        if flight is None:
            raise Http404
        form = ReportForm(flight, request.POST)
        if form.is_valid():
            preview = settings.FLIGHT_REPORT_PREVIEW
            if preview and form.is_disruptive and "confirmed" not in request.POST:
                return redirect(f"{reverse(preview)}?{_as_query(flight, form)}")
            _record(request, flight, form)
        for name, errors in form.errors.items():
            messages.error(request, f"{name}: {' '.join(map(str, errors))}")
        return redirect("admin:flights_flight_change", flight.pk)


def _may_report(request: HttpRequest) -> bool:
    user: Any = request.user
    return bool(user.has_perm(REPORT_PERMISSION) and user.has_perm("flights.view_flight"))


def _as_query(flight: Flight, form: ReportForm) -> str:
    filled = {name: form.data[name] for name in form.fields if form.data.get(name)}
    return urlencode({"flight": flight.public_id, **filled})


def _links(flight: Flight) -> list[tuple[str, str]]:
    """What other apps show of a flight: label and address."""
    query = urlencode({"flight": flight.public_id})
    return [(label, f"{reverse(name)}?{query}") for label, name in settings.FLIGHT_ADMIN_LINKS]


def _record(request: HttpRequest, flight: Flight, form: ReportForm) -> None:
    source = f"admin:{request.user.get_username()}"
    try:
        recorded = record_update(flight_pk=flight.pk, source=source, **form.report())
    except Invalid as problem:
        for error in problem.errors:
            messages.error(request, f"{error.pointer.lstrip('/')}: {error.detail}")
    except Problem as problem:
        messages.error(request, str(problem))
    else:
        number = recorded.update.sequence if recorded.update else flight.sequence
        messages.success(request, f"Recorded as update {number} of {flight.public_id}.")


def _condition(word: str, airports: list[str]) -> Q | None:
    """What one word of a search asks for, None where nothing; an airport takes the next of `airports`."""
    conditions = [condition for condition in (_by_key(word), _by_number(word), _by_day(word)) if condition]
    if conditions:
        return reduce(or_, conditions)  # FL123 is an id, and AirTran's flight 123
    return Q((airports.pop(0), word)) if _AIRPORT.fullmatch(word) and airports else None


def _by_key(word: str) -> Q | None:
    key = flight_key(word) if word.startswith("FL") else None
    return None if key is None else Q(pk=key)


def _by_number(word: str) -> Q | None:
    match = _DESIGNATOR.fullmatch(word)
    return Q(airline_id=match[1], number=int(match[2])) if match else None


def _by_day(word: str) -> Q | None:
    try:
        return Q(departure_date=dt.date.fromisoformat(word)) if _DAY.fullmatch(word) else None
    except ValueError:
        return None
