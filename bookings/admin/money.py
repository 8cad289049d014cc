"""Payments, refunds and the ledger."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.db.models import QuerySet
from django.http import HttpRequest

from bookings.admin.base import ReadOnlyAdmin
from bookings.models import LedgerEntry, PaymentAttempt, Refund, SandboxPayment, SandboxRefund
from bookings.operations import mark_refund_paid_otherwise, try_refund_again
from flightbook.errors import Problem

SETTLE_PERMISSION = "bookings.change_refund"


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


class RefundActionForm(ActionForm):
    note = forms.CharField(required=False, max_length=150, label="How it was paid")


@admin.register(Refund)
class RefundAdmin(ReadOnlyAdmin):
    """A refund that a gateway refused is still owed: staff try again, or pay it in another way."""

    list_display = ("key", "payment", "state", "amount", "reason", "tries", "created_at", "done_at", "note")
    list_filter = ("state", "reason", "created_at")
    search_fields = ("key", "reference", "payment__booking__record_locator")
    list_select_related = ("payment",)
    action_form = RefundActionForm
    actions = ("try_again", "paid_otherwise")

    def has_settle_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(SETTLE_PERMISSION)

    @admin.action(description="Try again what was refused", permissions=["settle"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Refund]) -> None:
        staff = request.user.get_username()
        for refund in queryset:
            self._do(request, refund, partial(try_refund_again, refund_pk=refund.pk, staff=staff))

    @admin.action(description="Paid in another way (say how)", permissions=["settle"])
    def paid_otherwise(self, request: HttpRequest, queryset: QuerySet[Refund]) -> None:
        staff, note = request.user.get_username(), request.POST.get("note", "").strip()
        if not note:
            self.message_user(request, "Say how it was paid, beside the action.", messages.ERROR)
            return
        for refund in queryset:
            work = partial(mark_refund_paid_otherwise, refund_pk=refund.pk, note=note, staff=staff)
            self._do(request, refund, work)

    def _do(self, request: HttpRequest, refund: Refund, work: Callable[[], None]) -> None:
        try:
            work()
        except Problem as problem:
            self.message_user(request, f"{refund.key}: {problem}", messages.ERROR)
        else:
            refund.refresh_from_db()
            text = f"{refund.amount} {refund.payment.currency}: {refund.get_state_display()}. {refund.note}"
            self.message_user(request, text, messages.SUCCESS)
            self.log_change(request, refund, text)


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
