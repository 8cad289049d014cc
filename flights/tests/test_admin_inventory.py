"""The admin's own changes of what can be sold: ceiling, aircraft, displaced travellers."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.tests.factories import make_user
from flights.models import CabinInventory, DisplacedSeat, Flight
from flights.seat_numbers import assigned_seats
from flights.tests.factories import make_flight
from flights.tests.test_admin import change_page, client_of
from flights.tests.test_change_aircraft import make_small, sell, sell_seat

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> Client:
    return client_of(make_user(is_staff=True, is_superuser=True))


def aircraft_page(flight: Flight) -> str:
    return reverse("admin:flights_flight_aircraft", args=[flight.pk])


def told(client: Client, address: str) -> list[str]:
    return [str(message) for message in client.get(address).context["messages"]]


class TestCeiling:
    def test_is_set_within_what_is_sold(self, staff: Client) -> None:
        flight = make_flight(economy=10)
        cabin = CabinInventory.objects.get(flight=flight)

        staff.post(change_page(cabin), {"base_price": "100", "overbooking": "3"})
        sell(flight, 12)
        staff.post(change_page(cabin), {"base_price": "100", "overbooking": "1"})

        cabin.refresh_from_db()
        assert (cabin.overbooking, cabin.available) == (3, 1)
        assert any("12 of 10 seats are sold" in text for text in told(staff, change_page(cabin)))

    def test_oversold_cabins_are_found(self, staff: Client) -> None:
        CabinInventory.objects.filter(flight=make_flight()).update(excess=2, available=0)
        address = reverse("admin:flights_cabininventory_changelist")

        for asked, found in (("excess", 1), ("ceiling", 0)):
            assert staff.get(address, {"oversold": asked}).context["cl"].queryset.count() == found


class TestAircraft:
    def test_is_foreseen_then_changed(self, staff: Client) -> None:
        flight = make_flight(economy=20)
        sell_seat(flight, "bkg1", "40B")
        sell(flight, 14)
        make_small()

        page = staff.get(aircraft_page(flight), {"aircraft_type": "E90"})

        assert [cabin.excess for cabin in page.context["change"].cabins] == [3]
        assert b"passenger 0 of bkg1" in page.content
        assert not DisplacedSeat.objects.exists()
        assert staff.post(aircraft_page(flight), {"aircraft_type": "E90"}).status_code == 302
        assert told(staff, change_page(flight)) == [
            f"{flight.public_id} has the E90 now: 1 displaced from their seats, 3 more travellers than seats."
        ]

    def test_refusals_are_told(self, staff: Client) -> None:
        flight = make_flight()
        assert told(staff, f"{aircraft_page(flight)}?aircraft_type=32N") == ["The flight has this aircraft."]
        assert (
            staff.post(aircraft_page(flight), {"aircraft_type": "XXX"}).status_code == 200
        )  # the form again
        staff.post(aircraft_page(flight), {"aircraft_type": "32N"})
        assert told(staff, change_page(flight)) == ["The flight has this aircraft."]
        assert staff.get(reverse("admin:flights_flight_aircraft", args=[2**62])).status_code == 404

    def test_takes_the_permission(self) -> None:
        flight = make_flight()
        user = make_user(is_staff=True)
        user.user_permissions.add(Permission.objects.get(codename="view_flight"))

        assert client_of(user).get(aircraft_page(flight)).status_code == 403
        assert aircraft_page(flight).encode() not in client_of(user).get(change_page(flight)).content
        user.user_permissions.add(Permission.objects.get(codename="change_aircraft"))
        assert client_of(user).get(aircraft_page(flight)).status_code == 200
        assert aircraft_page(flight).encode() in client_of(user).get(change_page(flight)).content


class TestDisplaced:
    @pytest.fixture
    def work(self, staff: Client) -> DisplacedSeat:
        flight = make_flight(economy=20)
        sell_seat(flight, "bkg1", "40B")
        make_small()
        staff.post(aircraft_page(flight), {"aircraft_type": "E90"})
        return DisplacedSeat.objects.get()

    def test_is_reseated(self, staff: Client, work: DisplacedSeat) -> None:
        address = reverse("admin:flights_displacedseat_reseat", args=[work.pk])
        assert b"reseat-form" in staff.get(change_page(work)).content

        staff.post(address, {"seat": "99A"})
        staff.post(address, {"seat": "15b"})

        assert assigned_seats(holders=["bkg1"])["bkg1"] == [(work.flight_id, 0, "15B")]
        page = staff.get(change_page(work))
        assert [str(message) for message in page.context["messages"]] == [
            "The economy cabin has no seat 99A.",
            "Settled.",
        ]
        assert b"reseat-form" not in page.content

    def test_is_settled(self, staff: Client, work: DisplacedSeat) -> None:
        address = reverse("admin:flights_displacedseat_changelist")
        staff.post(address, {"action": "settle_selected", "_selected_action": [work.pk]})
        work.refresh_from_db()
        assert work.how == "agreed"

    def test_takes_the_permission(self, work: DisplacedSeat) -> None:
        user = make_user(is_staff=True)
        user.user_permissions.add(Permission.objects.get(codename="view_displacedseat"))
        address = reverse("admin:flights_displacedseat_reseat", args=[work.pk])

        assert b"reseat-form" not in client_of(user).get(change_page(work)).content
        assert client_of(user).post(address, {"seat": "15B"}).status_code == 403
