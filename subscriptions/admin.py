"""Subscriptions in the admin, and what goes out to followers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest

from subscriptions.models import (
    FollowPreference,
    Subscription,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from subscriptions.webhooks import endpoints

if TYPE_CHECKING:
    BaseAdmin = admin.ModelAdmin[Any]
    BaseInline = admin.TabularInline[Any, Any]
else:
    BaseAdmin = admin.ModelAdmin
    BaseInline = admin.TabularInline


@admin.register(Subscription)
class SubscriptionAdmin(BaseAdmin):
    list_display = ["user", "flight", "source", "created_at"]
    list_filter = [("source", admin.EmptyFieldListFilter), "created_at"]
    list_select_related = ["user", "flight"]
    search_fields = ["user__username", "user__email", "user__public_id__exact", "source__exact"]
    search_help_text = "A user's name, address or id, or a booking's id"
    raw_id_fields = ["user", "flight"]
    readonly_fields = ["created_at"]
    date_hierarchy = "created_at"


class _ReadOnly:
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(FollowPreference)
class FollowPreferenceAdmin(_ReadOnly, BaseAdmin):
    list_display = ["user", "flight", "kinds", "delay_threshold", "channels"]
    list_select_related = ["user", "flight"]
    search_fields = ["user__username", "user__email", "user__public_id__exact"]


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(_ReadOnly, BaseAdmin):
    list_display = ["public_id", "user", "url", "state", "failures", "paused_until", "created_at"]
    list_filter = ["state", "created_at"]
    list_select_related = ["user"]
    search_fields = ["public_id__exact", "url", "user__username", "user__email", "user__public_id__exact"]
    exclude = ["secret", "previous_secret"]  # whoever has them can sign in our name
    actions = ["end"]

    def has_end_permission(self, request: HttpRequest) -> bool:
        user: Any = request.user
        return bool(user.has_perm("subscriptions.change_webhookendpoint"))

    @admin.action(description="End: it is called no longer", permissions=["end"])
    def end(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        reason = f"Ended by {request.user.get_username()}."
        count = sum(endpoints.end(endpoint_pk=row.pk, reason=reason) for row in queryset)
        messages.success(request, f"Ended: {count}.")


class AttemptInline(_ReadOnly, BaseInline):
    model = WebhookAttempt
    extra = 0
    fields = ["at", "status", "milliseconds", "error"]


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(_ReadOnly, BaseAdmin):
    list_display = ["message_id", "endpoint", "state", "attempts", "due_at", "created_at", "settled_at"]
    list_filter = ["state", "created_at"]
    list_select_related = ["endpoint"]
    search_fields = ["message_id__exact", "endpoint__public_id__exact", "endpoint__url"]
    search_help_text = "A webhook-id, or the webhook's id or address"
    show_full_result_count = False
    exclude = ["lease_token"]
    inlines = [AttemptInline]
    actions = ["send_again"]

    def has_send_permission(self, request: HttpRequest) -> bool:
        user: Any = request.user
        return bool(user.has_perm("subscriptions.change_webhookdelivery"))

    @admin.action(description="Try now what waits", permissions=["send"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> None:
        waiting = queryset.filter(state=WebhookDelivery.State.PENDING, lease_token=None)
        messages.success(request, f"To be tried now: {waiting.update(due_at=Now())}.")
