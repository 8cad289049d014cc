"""Subscriptions in the admin."""

from __future__ import annotations

from django.contrib import admin

from subscriptions.models import Subscription


@admin.register(Subscription)
class SubscriptionAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # Django has it generic in its stubs only
    list_display = ["user", "flight", "source", "created_at"]
    list_filter = [("source", admin.EmptyFieldListFilter), "created_at"]
    list_select_related = ["user", "flight"]
    search_fields = ["user__username", "user__email", "user__public_id__exact", "source__exact"]
    search_help_text = "A user's name, address or id, or a booking's id"
    raw_id_fields = ["user", "flight"]
    readonly_fields = ["created_at"]
    date_hierarchy = "created_at"
