"""Staff's work list after a change of aircraft: give another seat, or note that it is settled."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse

from flightbook.errors import Problem
from flights.admin.base import OfFlightAdmin
from flights.models import DisplacedSeat
from flights.operations import reseat, settle_displaced

DISPLACED_PERMISSION = "flights.change_displacedseat"


class ReseatForm(forms.Form):
    seat = forms.CharField(max_length=4, label="Another seat of the cabin")


@admin.register(DisplacedSeat)
class DisplacedSeatAdmin(OfFlightAdmin):
    change_form_template = "admin/flights/displacedseat/change_form.html"
    list_display = ["flight", "cabin", "seat", "holder", "passenger", "displaced_at", "settled_at", "how"]
    list_filter = [("settled_at", admin.EmptyFieldListFilter), "how", "cabin"]
    search_help_text = "A flight's id, or a booking's"
    other_search_field = "holder"
    actions = ["settle_selected"]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.reseat_view)
        return [path("<int:pk>/reseat/", view, name="flights_displacedseat_reseat"), *super().get_urls()]

    def has_settle_permission(self, request: HttpRequest) -> bool:
        user: Any = request.user
        return bool(user.has_perm(DISPLACED_PERMISSION))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if row is not None and row.settled_at is None and self.has_settle_permission(request):
            context["reseat_form"] = ReseatForm()
            context["reseat_url"] = reverse("admin:flights_displacedseat_reseat", args=[row.pk])
        return super().change_view(request, object_id, form_url, context)

    def reseat_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Takes the form of a row's page."""
        if request.method != "POST" or not self.has_settle_permission(request):
            raise PermissionDenied
        form = ReseatForm(request.POST)
        if form.is_valid():
            _tell(request, lambda: reseat(displaced_pk=pk, seat=form.cleaned_data["seat"].upper()))
        return redirect("admin:flights_displacedseat_change", pk)

    @admin.action(description="Settled without a seat number", permissions=["settle"])
    def settle_selected(self, request: HttpRequest, queryset: QuerySet[DisplacedSeat]) -> None:
        for row in queryset:
            _tell(request, lambda pk=row.pk: settle_displaced(displaced_pk=pk))


def _tell(request: HttpRequest, call: Any) -> None:
    try:
        call()
    except Problem as problem:
        messages.error(request, str(problem))
    else:
        messages.success(request, "Settled.")
