"""Payments, refunds and the ledger."""

from __future__ import annotations

from django.contrib import admin

from bookings.admin.base import ReadOnlyAdmin
from bookings.models import LedgerEntry, PaymentAttempt, Refund, SandboxPayment, SandboxRefund


@admin.register(PaymentAttempt)
class PaymentAttemptAdmin(ReadOnlyAdmin):
    list_display = (
        "key",
        "booking",
        "user",
        "state",
        "amount",
        "currency",
        "tries",
        "lease_until",
        "created_at",
    )
    list_filter = ("state", "gateway", "created_at")
    search_fields = ("key", "reference", "booking__record_locator", "user__username")
    list_select_related = ("booking", "user")


@admin.register(Refund)
class RefundAdmin(ReadOnlyAdmin):
    list_display = ("key", "payment", "state", "amount", "reason", "tries", "created_at", "done_at")
    list_filter = ("state", "reason", "created_at")
    search_fields = ("key", "reference", "payment__booking__record_locator")
    list_select_related = ("payment",)


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "booking", "event", "debit", "credit", "amount", "currency")
    list_filter = ("event", "currency", "created_at")
    search_fields = ("booking__record_locator", "payment__key", "refund__key")
    list_select_related = ("booking",)


@admin.register(SandboxPayment)
class SandboxPaymentAdmin(ReadOnlyAdmin):
    list_display = ("key", "state", "amount", "currency", "refunded", "created_at")
    list_filter = ("state", "created_at")
    search_fields = ("key", "token")


@admin.register(SandboxRefund)
class SandboxRefundAdmin(ReadOnlyAdmin):
    list_display = ("key", "payment", "amount", "created_at")
    list_filter = ("created_at",)
    search_fields = ("key", "payment__key")
    list_select_related = ("payment",)
