"""The admin: everything can be found, nothing edited, and a booking cancelled by the API's own operation."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.tests.factories import make_user
from bookings.models import Booking, Charge, Disruption, LedgerEntry, Quote
from bookings.public import settle_payments
from bookings.tests.factories import Traveller, available, payment_of
from flights.tests.factories import make_flight

pytestmark = pytest.mark.django_db
MODELS = list(apps.get_app_config("bookings").get_models())


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def staff() -> Client:
    return client_of(make_user(is_staff=True, is_superuser=True))


@pytest.fixture
def booking() -> Booking:
    traveller, flight = Traveller(), make_flight()
    made = traveller.booked(flight, fare="EFLEX")
    other = traveller.book(flight, fare="EFLEX", key="k")
    settle_payments()
    traveller.cancel(Booking.objects.get(public_id=other.json()["bookingId"]))
    settle_payments()
    one_of_each(made)
    return made


def one_of_each(booking: Booking) -> None:
    """Rows that this booking's own life has not brought about."""
    segment = booking.segments.get()
    Charge.objects.create(booking=booking, segment=segment, kind=Charge.Kind.SEAT, amount=12)
    Quote.objects.create(
        booking=booking,
        booking_version=1,
        kind="change",
        terms={},
        amount=1,
        currency="USD",
        expires_at=Now(),
    )
    Disruption.objects.create(booking=booking, flight_id=segment.flight_id, sequence=1, kind="moved")
    if not LedgerEntry.objects.exists():
        LedgerEntry.objects.create(
            booking=booking,
            payment=payment_of(booking),
            event="authorised",
            debit="authorised",
            credit="sales",
            amount=booking.total,
            currency="USD",
        )


@pytest.mark.parametrize("model", MODELS)
def test_every_model_is_found_and_none_edited(model: type, staff: Client, booking: Booking) -> None:
    registered = admin.site._registry[model]
    assert registered.search_fields
    assert registered.list_filter
    meta = model._meta  # type: ignore[attr-defined]
    name = f"admin:{meta.app_label}_{meta.model_name}"
    row = model._default_manager.first()  # type: ignore[attr-defined]
    assert staff.get(reverse(f"{name}_changelist"), {"q": "a"}).status_code == 200
    assert staff.get(reverse(f"{name}_change", args=[row.pk])).status_code == 200
    assert staff.post(reverse(f"{name}_change", args=[row.pk]), {}).status_code == 403
    assert staff.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    assert staff.get(reverse(f"{name}_add")).status_code == 403


def test_the_button_cancels(staff: Client, booking: Booking) -> None:
    page = reverse("admin:bookings_booking_change", args=[booking.pk])
    button = reverse("admin:bookings_booking_cancel", args=[booking.pk])
    assert button in staff.get(page).content.decode()

    answer = staff.post(button, follow=True)

    assert "is cancelled; 160.00 USD go back (fare_refundable)" in answer.content.decode()
    booking.refresh_from_db()
    assert (booking.status, booking.end_reason[:5]) == ("Cancelled", "staff")
    assert button not in answer.content.decode()
    assert "already cancelled" in staff.post(button, follow=True).content.decode()
    assert staff.get(button).status_code == 405


@pytest.mark.parametrize("pk", ["abc", "99999999999999999999"])
def test_the_button_of_no_booking(pk: str, staff: Client, booking: Booking) -> None:
    staff.raise_request_exception = False
    assert staff.post(f"/admin/bookings/booking/{pk}/cancel/").status_code in (302, 404)


def test_the_action_cancels(staff: Client, booking: Booking) -> None:
    flight = make_flight(economy=10)
    held = Traveller().held(flight)

    staff.post(
        reverse("admin:bookings_booking_changelist"),
        {"action": "cancel_selected", "_selected_action": [held.pk]},
    )

    held.refresh_from_db()
    assert (held.status, available(flight)) == ("Cancelled", 10)


def test_who_only_looks_does_not_cancel(booking: Booking) -> None:
    user = make_user(is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_booking"))
    clerk = client_of(user)
    button = reverse("admin:bookings_booking_cancel", args=[booking.pk])

    page = clerk.get(reverse("admin:bookings_booking_change", args=[booking.pk]))
    assert page.status_code == 200
    assert button not in page.content.decode()
    clerk.post(button)
    clerk.post(
        reverse("admin:bookings_booking_changelist"),
        {"action": "cancel_selected", "_selected_action": [booking.pk]},
    )
    booking.refresh_from_db()
    assert booking.status == "Confirmed"


@pytest.mark.parametrize(
    ("year", "status"), [("2026", 200), ("0", 400), ("99999", 400), ("-1", 400), ("x", 400), ("", 400)]
)
def test_a_year_that_is_none_is_no_failure_of_ours(
    staff: Client, booking: Booking, year: str, status: int
) -> None:
    address = reverse("admin:bookings_booking_changelist")
    assert staff.get(f"{address}?created_at__year={year}").status_code == status
