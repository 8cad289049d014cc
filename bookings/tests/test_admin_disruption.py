"""The admin's dry run of a cancellation or a move, and whom to ask to stay behind."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.tests.factories import make_user
from bookings.models import Booking, Disruption
from bookings.public import handle_disruptions, register_consumers
from bookings.tests.factories import Traveller, passengers
from flights.models import CabinInventory, Flight
from flights.tests.factories import make_flight

pytestmark = pytest.mark.django_db
PREVIEW = "admin:bookings_disruption_preview"
OVERSOLD = "admin:bookings_disruption_oversold"


def client_of(*permissions: str) -> Client:
    user = make_user(is_staff=True)
    for name in permissions:
        user.user_permissions.add(Permission.objects.get(codename=name))
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def staff() -> Client:
    return client_of("report_flight_update", "view_flight", "view_booking", "view_disruption")


@pytest.fixture
def flight() -> Flight:
    """Out of Frankfurt in three days: a booking of two, and a hold."""
    flight = make_flight(origin="FRA", destination="JFK", departs_in=dt.timedelta(days=3))
    traveller = Traveller()
    traveller.booked(flight, passengers=passengers(2))
    traveller.held(flight)
    return flight


def test_a_cancellation_is_foreseen_confirmed_and_carried_out(staff: Client, flight: Flight) -> None:
    register_consumers()
    report = reverse("admin:flights_flight_report", args=[flight.pk])

    shown = staff.get(staff.post(report, {"status": "Cancelled", "reason": "Crew"})["Location"])

    forecast = shown.context["forecast"]
    assert (len(forecast.bookings), forecast.travellers, forecast.may_rebook) == (2, 3, 2)
    assert forecast.refunds == {"USD": Decimal(200)}
    assert forecast.compensation == {"EUR": Decimal(1200)}
    assert not Disruption.objects.exists()
    assert b'value="Crew"' in shown.content
    staff.post(report, {"status": "Cancelled", "reason": "Crew", "confirmed": "yes"})
    handle_disruptions()
    assert set(Booking.objects.values_list("status", flat=True)) == {"Cancelled"}
    page = staff.get(reverse("admin:bookings_disruption_changelist"), {"state": "refunded"})
    assert page.context["cl"].queryset.count() == 2


def test_a_move_is_foreseen(staff: Client, flight: Flight) -> None:
    departure = f"{flight.scheduled_departure + dt.timedelta(hours=5):%Y-%m-%d %H:%M:%S}"
    query = {"flight": flight.public_id, "status": "Scheduled", "departure": departure}

    forecast = staff.get(reverse(PREVIEW), query).context["forecast"]

    assert (forecast.kind, forecast.refunds) == ("moved", {"USD": Decimal(200)})
    assert forecast.compensation == {"EUR": Decimal(1200)}


def test_who_may_not_see_bookings_sees_sums(flight: Flight) -> None:
    page = client_of("report_flight_update").get(reverse(PREVIEW), {"flight": flight.public_id})

    assert page.status_code == 200
    assert Booking.objects.order_by("pk")[0].record_locator not in page.content.decode()


def test_takes_the_permission_and_a_flight(staff: Client, flight: Flight) -> None:
    for page in (PREVIEW, OVERSOLD):
        assert client_of("view_booking").get(reverse(page), {"flight": flight.public_id}).status_code == 403
        for wrong in ("", "x", "FL999999999"):
            assert staff.get(reverse(page), {"flight": wrong}).status_code == 404


def test_whom_to_ask_to_stay_behind(staff: Client, flight: Flight) -> None:
    seat = [{"flightId": flight.public_id, "passenger": 0, "seat": "20A"}]
    seated = Traveller().booked(flight, seats=seat)
    dear = Traveller().booked(flight, fare="EFLEX")
    assert staff.get(reverse(OVERSOLD), {"flight": flight.public_id}).context["cabins"] == []
    CabinInventory.objects.filter(flight=flight).update(capacity=3, available=0, excess=2)

    (cabin,) = staff.get(reverse(OVERSOLD), {"flight": flight.public_id}).context["cabins"]

    pair, held = Booking.objects.order_by("pk")[:2]
    assert cabin.too_many == 2
    asked = [candidate.booking.booking_id for candidate in cabin.candidates]
    assert asked == [booking.public_id for booking in (held, pair, dear, seated)]
