"""What a client may come back to."""

from __future__ import annotations

from django.contrib import admin

from bookings.admin.base import ReadOnlyAdmin
from bookings.models import IdempotencyKey, Quote


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(ReadOnlyAdmin):
    list_display = ("key", "user", "status", "lease_until", "created_at")
    list_filter = ("status", "created_at")
    search_fields = ("key", "user__username")
    list_select_related = ("user",)
    exclude = ("body",)


@admin.register(Quote)
class QuoteAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "booking", "kind", "amount", "currency", "expires_at", "used_at")
    list_filter = ("kind", "created_at")
    search_fields = ("public_id", "booking__record_locator")
    list_select_related = ("booking",)
