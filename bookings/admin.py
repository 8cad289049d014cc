"""Bookings in the admin: to look up, and to cancel by the API's own operation. Nothing is edited by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST

from bookings.idempotency import Promise
from bookings.models import (
    Booking,
    Coupon,
    IdempotencyKey,
    Passenger,
    PaymentAttempt,
    Refund,
    SandboxPayment,
    SandboxRefund,
    Segment,
)
from bookings.operations import cancel_booking
from flightbook.errors import Problem

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
    _TabularInline = admin.TabularInline[Any, Model]
else:
    _ModelAdmin, _TabularInline = admin.ModelAdmin, admin.TabularInline

CANCEL_PERMISSION = "bookings.act_for_others"


class _ReadOnly:
    """Rows that operations write: an edit by hand would break what they promise."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(_ReadOnly, _ModelAdmin):
    list_per_page = 50
    show_full_result_count = False


class ReadOnlyInline(_ReadOnly, _TabularInline):
    extra = 0
    show_change_link = True


class PassengerInline(ReadOnlyInline):
    model = Passenger
    fields = ("position", "family_name", "given_name", "type")


class SegmentInline(ReadOnlyInline):
    model = Segment
    fields = ("position", "flight", "cabin", "fare", "refundable", "seats_claimed")


class PaymentInline(ReadOnlyInline):
    model = PaymentAttempt
    fields = ("state", "amount", "currency", "gateway", "reference", "detail", "created_at")


@admin.register(Booking)
class BookingAdmin(ReadOnlyAdmin):
    list_display = ("record_locator", "public_id", "user", "status", "total", "currency", "created_at")
    list_filter = ("status", "payment_method", "created_at")
    search_fields = (
        "record_locator",
        "public_id",
        "user__username",
        "user__email",
        "passengers__family_name",
    )
    list_select_related = ("user",)
    inlines = (PassengerInline, SegmentInline, PaymentInline)
    actions = ("cancel_selected",)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.cancel_view)
        return [path("<int:object_id>/cancel/", view, name="bookings_booking_cancel"), *super().get_urls()]

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(CANCEL_PERMISSION)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        can_cancel = self.has_cancel_permission(request)
        context = (extra_context or {}) | {"can_cancel": can_cancel}
        return super().change_view(request, object_id, form_url, context)

    @admin.action(description="Cancel on today's terms", permissions=["cancel"])
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet[Booking]) -> None:
        for booking in queryset:
            self._cancel(request, booking)

    @method_decorator(require_POST)
    def cancel_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """The button on a booking's page."""
        booking = get_object_or_404(Booking, pk=object_id)
        if self.has_cancel_permission(request):
            self._cancel(request, booking)
        else:
            self.message_user(request, f"This takes the permission {CANCEL_PERMISSION}.", messages.ERROR)
        return HttpResponseRedirect(reverse("admin:bookings_booking_change", args=[booking.pk]))

    def _cancel(self, request: HttpRequest, booking: Booking) -> None:
        staff = f"staff: {request.user.get_username()}"[:60]
        try:
            done = cancel_booking(
                user_pk=booking.user_id,
                booking_id=booking.public_id,
                promise=Promise(user_pk=booking.user_id),
                reason=staff,
            )
        except Problem as problem:
            self.message_user(request, f"{booking.record_locator}: {problem}", messages.ERROR)
        else:
            back = f"{done.refund} {done.currency} go back ({done.reason})"
            text = f"{booking.record_locator} is cancelled; {back}."
            self.message_user(request, text, messages.SUCCESS)
            self.log_change(request, booking, "Cancelled.")


@admin.register(Passenger)
class PassengerAdmin(ReadOnlyAdmin):
    list_display = ("family_name", "given_name", "type", "booking")
    list_filter = ("type",)
    search_fields = ("family_name", "given_name", "booking__record_locator")
    list_select_related = ("booking",)


@admin.register(Segment)
class SegmentAdmin(ReadOnlyAdmin):
    list_display = ("booking", "position", "flight", "cabin", "fare", "seats_claimed")
    list_filter = ("cabin", "fare", "booking__status")
    search_fields = ("booking__record_locator", "=flight__id")
    list_select_related = ("booking", "flight")


@admin.register(Coupon)
class CouponAdmin(ReadOnlyAdmin):
    list_display = ("segment", "passenger", "price")
    list_filter = ("segment__cabin", "segment__fare")
    search_fields = ("segment__booking__record_locator", "passenger__family_name")
    list_select_related = ("segment", "passenger")


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


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(ReadOnlyAdmin):
    list_display = ("key", "user", "status", "lease_until", "created_at")
    list_filter = ("status", "created_at")
    search_fields = ("key", "user__username")
    list_select_related = ("user",)
    exclude = ("body",)


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
