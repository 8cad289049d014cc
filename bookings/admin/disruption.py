"""What the airline did to bookings, and before it does: who is affected, and what it costs."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from bookings.admin.base import ReadOnlyAdmin
from bookings.disruption import forecast, oversold
from bookings.models import Disruption
from flightbook.errors import NotFound
from flights.public import FlightStatus, flight, parse_flight_id

# What flights' own report form asks for: who may cancel a flight may see what that does.
REPORT_PERMISSION = "flights.report_flight_update"


class _TimesForm(forms.Form):
    """Of the report what is needed here; the rest is passed on as it is."""

    departure = forms.DateTimeField(required=False)
    arrival = forms.DateTimeField(required=False)


@admin.register(Disruption)
class DisruptionAdmin(ReadOnlyAdmin):
    list_display = ("booking", "flight", "kind", "state", "choice_until", "created_at", "settled_at")
    list_filter = ("kind", "state", "created_at")
    search_fields = ("booking__record_locator", "booking__public_id", "=flight__id")
    list_select_related = ("booking", "flight")

    def get_urls(self) -> list[URLPattern]:
        preview = self.admin_site.admin_view(self.preview_view)
        over = self.admin_site.admin_view(self.oversold_view)
        return [
            path("preview/", preview, name="bookings_disruption_preview"),
            path("oversold/", over, name="bookings_disruption_oversold"),
            *super().get_urls(),
        ]

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """A dry run of a report that cancels or moves a flight, or of its cancellation where none is given.
        Confirming sends the report to flights' own form."""
        context = self._context(request, "Before a flight is cancelled or moved")
        flight_pk = _flight_key(request)
        report = {name: value for name, value in request.GET.items() if name != "flight"}
        context |= {
            "forecast": forecast(flight_pk=flight_pk, **_times(request)),
            "flight_pk": flight_pk,
            "report": report,
            "cancels": report.get("status") == FlightStatus.CANCELLED,
        }
        return TemplateResponse(request, "admin/bookings/disruption/preview.html", context)

    def oversold_view(self, request: HttpRequest) -> HttpResponse:
        """Whom to ask to stay behind."""
        context = self._context(request, "More travellers than seats")
        flight_pk = _flight_key(request)
        context |= {"flight": flight(flight_pk), "cabins": oversold(flight_pk)}
        return TemplateResponse(request, "admin/bookings/disruption/oversold.html", context)

    def _context(self, request: HttpRequest, title: str) -> dict[str, Any]:
        user: Any = request.user
        if not user.has_perm(REPORT_PERMISSION):
            raise PermissionDenied
        return self.admin_site.each_context(request) | {
            "title": title,
            "opts": Disruption._meta,
            "sees_bookings": user.has_perm("bookings.view_booking"),
        }


def _flight_key(request: HttpRequest) -> int:
    try:
        flight_pk = parse_flight_id(request.GET.get("flight", ""))
        flight(flight_pk)
    except NotFound as problem:
        raise Http404 from problem
    return flight_pk


def _times(request: HttpRequest) -> dict[str, dt.datetime]:
    form = _TimesForm(request.GET)
    values = form.cleaned_data if form.is_valid() else {}
    return {name: value for name, value in values.items() if value is not None}
