"""The reject queue: telegrams that moved no flight, to be applied again or dismissed."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from flights.admin.base import ReadOnlyAdmin
from flights.models import RejectedTelegram
from flights.telegrams.intake import dismiss_rejected, retry_rejected

_PERMISSION = "flights.report_flight_update"


@admin.register(RejectedTelegram)
class RejectedTelegramAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "why", "detail", "received_at", "source", "state", "settled_by"]
    list_filter = ["state", "why", "received_at"]
    search_fields = ["text"]
    search_help_text = "Any part of the telegram"
    actions = ["try_again", "dismiss"]

    def has_report_permission(self, request: HttpRequest) -> bool:
        """Who may report a flight's updates."""
        user: Any = request.user
        return bool(user.has_perm(_PERMISSION))

    @admin.action(description="Try again", permissions=["report"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[RejectedTelegram]) -> None:
        """Applies them in the order in which they came."""
        for row in queryset.order_by("received_at", "pk"):
            answer = retry_rejected(pk=row.pk, by=request.user.get_username())
            if answer is None:
                messages.warning(request, f"{row}: it waits no longer.")
            elif answer.outcome in ("applied", "not_applied"):
                messages.success(request, f"{row}: {answer.detail}")
            else:
                messages.error(request, f"{row}: {answer.detail}")

    @admin.action(description="Dismiss", permissions=["report"])
    def dismiss(self, request: HttpRequest, queryset: QuerySet[RejectedTelegram]) -> None:
        count = sum(dismiss_rejected(pk=row.pk, by=request.user.get_username()) for row in queryset)
        messages.success(request, f"Dismissed: {count}.")
