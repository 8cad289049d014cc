"""A booking with all that belongs to it, and its cancellation by the API's own operation."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST

from bookings.admin.base import ReadOnlyAdmin, ReadOnlyInline
from bookings.idempotency import Promise
from bookings.models import Booking, Charge, Coupon, LedgerEntry, Passenger, PaymentAttempt, Segment
from bookings.operations import cancel_booking
from flightbook.errors import Problem

CANCEL_PERMISSION = "bookings.act_for_others"


class PassengerInline(ReadOnlyInline):
    model = Passenger
    fields = ("position", "family_name", "given_name", "type")


class SegmentInline(ReadOnlyInline):
    model = Segment
    fields = ("position", "flight", "cabin", "fare", "refundable", "seats_claimed", "status")


class ChargeInline(ReadOnlyInline):
    model = Charge
    fields = ("kind", "amount", "refunded", "detail", "created_at")


class PaymentInline(ReadOnlyInline):
    model = PaymentAttempt
    fields = ("state", "amount", "currency", "gateway", "reference", "detail", "created_at")


class LedgerInline(ReadOnlyInline):
    model = LedgerEntry
    fields = ("created_at", "event", "debit", "credit", "amount", "currency", "payment", "refund")


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
    inlines = (PassengerInline, SegmentInline, ChargeInline, PaymentInline, LedgerInline)
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
    list_display = ("segment", "passenger", "price", "status", "refunded", "ticket_number", "coupon_number")
    list_filter = ("status", "segment__cabin", "segment__fare")
    search_fields = ("ticket_number", "segment__booking__record_locator", "passenger__family_name")
    list_select_related = ("segment", "passenger")


@admin.register(Charge)
class ChargeAdmin(ReadOnlyAdmin):
    list_display = ("booking", "kind", "amount", "refunded", "detail", "created_at")
    list_filter = ("kind", "created_at")
    search_fields = ("booking__record_locator",)
    list_select_related = ("booking",)
