"""The page on which a flight gets another aircraft: choose, see what it would do, confirm."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from flightbook.errors import Problem
from flights.models import AircraftType, Flight
from flights.operations import change_aircraft, preview_aircraft_change
from flights.types import AircraftChange

AIRCRAFT_PERMISSION = "flights.change_aircraft"


class AircraftForm(forms.Form):
    aircraft_type = forms.ModelChoiceField(AircraftType.objects.order_by("code"), label="New aircraft")


def may_change_aircraft(request: HttpRequest) -> bool:
    user: Any = request.user
    return bool(user.has_perm(AIRCRAFT_PERMISSION) and user.has_perm("flights.view_flight"))


def aircraft_view(request: HttpRequest, pk: int) -> HttpResponse:
    """GET shows the form and, with an aircraft chosen, what would happen; POST does it."""
    if not may_change_aircraft(request):
        raise PermissionDenied
    flight = Flight.objects.filter(pk=pk).select_related("aircraft_type").first()
    if flight is None:
        raise Http404
    form = AircraftForm(request.POST or request.GET or None)
    chosen = form.cleaned_data["aircraft_type"].pk if form.is_valid() else None
    if request.method == "POST" and chosen:
        _change(request, flight, chosen)
        return redirect("admin:flights_flight_change", flight.pk)
    context = admin.site.each_context(request) | {
        "title": f"Change the aircraft of {flight}",
        "flight": flight,
        "form": form,
        "chosen": chosen,
        "opts": Flight._meta,
        "change": _preview(request, flight, chosen) if chosen else None,
    }
    return TemplateResponse(request, "admin/flights/flight/aircraft.html", context)


def _preview(request: HttpRequest, flight: Flight, aircraft_type: str) -> AircraftChange | None:
    try:
        return preview_aircraft_change(flight_pk=flight.pk, aircraft_type=aircraft_type)
    except Problem as problem:
        messages.error(request, str(problem))
        return None


def _change(request: HttpRequest, flight: Flight, aircraft_type: str) -> None:
    try:
        change = change_aircraft(flight_pk=flight.pk, aircraft_type=aircraft_type)
    except Problem as problem:
        messages.error(request, str(problem))
        return
    too_many = sum(cabin.excess for cabin in change.cabins)
    messages.success(
        request,
        f"{flight.public_id} has the {aircraft_type} now: {len(change.displaced)} displaced from their "
        f"seats, {too_many} more travellers than seats.",
    )
