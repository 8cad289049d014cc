"""The admin: a flight changes through its report form alone, and no invariant can be broken."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.tests.factories import make_user
from flightbook.errors import Invalid, NotFound, PriceChanged
from flights import models, queries
from flights.models import (
    AircraftType,
    Airline,
    Airport,
    CabinInventory,
    CabinLayout,
    FareFamily,
    Feed,
    Flight,
    FlightUpdate,
)
from flights.operations import change_base_price, record_update
from flights.seat_inventory import claim_seats
from flights.seat_numbers import assign_seats
from flights.tests.factories import make_airport, make_fare_families, make_flight
from flights.types import FlightStatus, SeatClaim

pytestmark = pytest.mark.django_db
MODELS = [model for model in admin.site._registry if model._meta.app_label == "flights"]


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def staff() -> Client:
    return client_of(make_user(is_staff=True, is_superuser=True))


def change_page(row: Any) -> str:
    return reverse(f"admin:flights_{row._meta.model_name}_change", args=[row.pk])


def report(client: Client, flight: Flight, **form: Any) -> list[str]:
    """Sends a flight's report form; the messages of the page that follows."""
    response = client.post(reverse("admin:flights_flight_report", args=[flight.pk]), form)
    assert response.status_code == 302
    assert response["Location"] == change_page(flight)
    return [str(message) for message in client.get(response["Location"]).context["messages"]]


def make_rows() -> Flight:
    flight = make_flight()
    models.FeedConsumer.objects.create(name="relay")
    record_update(flight_pk=flight.pk, status="Delayed", delay_minutes=5, report_id="r1", source="test")
    assign_seats(flight_pk=flight.pk, cabin="economy", holder="bkg1", seats={0: "15A"})
    models.DisplacedSeat.objects.create(
        flight=flight, cabin="economy", seat="70A", holder="bkg2", passenger=0
    )
    models.RejectedTelegram.objects.create(text="MVT", digest="0", source="test", why="unknown", detail="x")
    models.ScheduleDay.objects.create(day=dt.date(2026, 1, 1), source_date=dt.date(2013, 1, 1))
    queries.log_name()
    return flight


class TestPages:
    def test_every_model_has_one(self) -> None:
        own = {
            model
            for model in models.__dict__.values()
            if getattr(model, "__module__", "").startswith("flights.models")
        }
        inlined = {CabinLayout, models.SeatZone}

        assert {model for model in own if hasattr(model, "_meta")} - inlined == set(MODELS)

    @pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
    def test_lists_searches_filters_and_shows(self, staff: Client, model: Any) -> None:
        make_rows()
        address = reverse(f"admin:flights_{model._meta.model_name}_changelist")
        site = admin.site._registry[model]

        assert site.search_fields
        assert staff.get(address).status_code == 200
        for text in ("FL1", "JFK", "relay", "bkg1", "2026-01-01", "FL" + "9" * 30, "é"):
            assert staff.get(address, {"q": text}).status_code == 200
        assert staff.get(change_page(model.objects.all()[0])).status_code == 200

    @pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
    def test_nothing_is_deleted(self, staff: Client, model: Any) -> None:
        make_rows()
        row = model.objects.all()[0]

        response = staff.post(
            reverse(f"admin:flights_{model._meta.model_name}_delete", args=[row.pk]), {"post": "yes"}
        )

        assert response.status_code == 403
        assert model.objects.filter(pk=row.pk).exists()

    @pytest.mark.parametrize(
        "model",
        [Flight, models.SeatAssignment, models.DisplacedSeat, FlightUpdate, Feed, models.FeedConsumer],
        ids=lambda model: model.__name__,
    )
    def test_what_operations_write_is_read_only(self, staff: Client, model: Any) -> None:
        make_rows()
        row = model.objects.all()[0]
        before = model.objects.filter(pk=row.pk).values().get()

        assert (
            staff.post(change_page(row), {"available": "9999", "sequence": "7", "name": "x"}).status_code
            == 403
        )
        assert staff.get(reverse(f"admin:flights_{model._meta.model_name}_add")).status_code == 403
        assert model.objects.filter(pk=row.pk).values().get() == before

    @pytest.mark.parametrize(
        ("words", "found"),
        [
            ("FL{pk}", True),
            ("AA181", True),
            ("jfk lax", True),
            ("lax jfk", False),
            ("JFK {day}", True),
            ("JFK 2001-01-01", False),
            ("nonsense", False),
        ],
    )
    def test_a_flight_is_found_by(self, staff: Client, words: str, found: bool) -> None:
        flight = make_flight()
        query = words.format(pk=flight.pk, day=flight.departure_date)

        page = staff.get(reverse("admin:flights_flight_changelist"), {"q": query}).content.decode()

        assert (change_page(flight) in page) == found

    def test_days(self, staff: Client) -> None:
        flight = make_flight(departs_in=dt.timedelta(0))
        Flight.objects.update(departure_date=dt.datetime.now(dt.UTC).date())
        address = reverse("admin:flights_flight_changelist")

        assert change_page(flight) in staff.get(address, {"day": "0"}).content.decode()
        assert change_page(flight) not in staff.get(address, {"day": "1"}).content.decode()


class TestReport:
    def test_the_form_offers_what_the_state_allows(self, staff: Client) -> None:
        page = staff.get(change_page(make_flight(status="Departed"))).content.decode()

        offered = [status for status in FlightStatus.values if f'<option value="{status}"' in page]
        assert offered == ["Departed", "Landed", "Diverted"]

    def test_is_recorded(self, staff: Client) -> None:
        flight = make_flight()

        assert report(
            staff,
            flight,
            status="Delayed",
            delay_minutes="45",
            reason="Technical issue",
            gate="B1",
            terminal="4",
        ) == [f"Recorded as update 1 of {flight.public_id}."]

        update = FlightUpdate.objects.get()
        assert (update.status, update.delay_minutes, update.reason) == ("Delayed", 45, "Technical issue")
        assert (update.gate, update.terminal) == ("B1", "4")
        assert update.source.startswith("admin:traveller")

    def test_empty_fields_stay_and_zero_is_a_delay(self, staff: Client) -> None:
        flight = make_flight(gate="B1")
        report(staff, flight, status="Delayed", delay_minutes="0", gate="")

        flight.refresh_from_db()
        assert (flight.delay_minutes, flight.gate) == (0, "B1")

    def test_a_new_schedule(self, staff: Client) -> None:
        flight = make_flight(departure=dt.datetime(2030, 7, 1, 12, tzinfo=dt.UTC))
        report(staff, flight, status="Scheduled", departure="2030-07-01 14:00", confirmed="yes")

        flight.refresh_from_db()
        assert flight.scheduled_departure == dt.datetime(2030, 7, 1, 14, tzinfo=dt.UTC)

    def test_what_cancels_or_moves_it_is_previewed_first(self, staff: Client) -> None:
        flight = make_flight()
        address = reverse("admin:flights_flight_report", args=[flight.pk])

        for change in ({"status": "Cancelled"}, {"status": "Scheduled", "arrival": "2030-07-01 11:00"}):
            response = staff.post(address, change | {"reason": "Crew & co"})
            assert response["Location"].startswith("/admin/bookings/disruption/preview/?flight=FL")
            assert staff.get(response["Location"]).status_code == 200
        assert queries.update_state(flight.pk).sequence == 0

    def test_errors_are_told_and_change_nothing(self, staff: Client) -> None:
        flight = make_flight(departure=dt.datetime(2030, 7, 1, 12, tzinfo=dt.UTC))

        assert report(staff, flight, status="Landed")[0].startswith("status: ")
        assert report(staff, flight, status="Delayed", delay_minutes="-5")[0].startswith("delay_minutes: ")
        assert report(staff, flight, status="Scheduled", arrival="2030-07-01 11:00", confirmed="yes")[
            0
        ].startswith("arrival: ")
        assert queries.update_state(flight.pk).sequence == 0

    def test_a_state_that_moved_on_meanwhile(self, staff: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        flight = make_flight(status="Landed")
        monkeypatch.setattr(
            "flights.admin.flight.allowed", lambda status: ("Boarding",)
        )  # an old page's form

        assert report(staff, flight, status="Boarding") == ["The flight is Landed; Boarding cannot follow."]

    def test_takes_the_permission(self) -> None:
        flight = make_flight()
        viewer = make_user(is_staff=True)
        viewer.user_permissions.add(Permission.objects.get(codename="view_flight"))
        address = reverse("admin:flights_flight_report", args=[flight.pk])

        assert b"report-form" not in client_of(viewer).get(change_page(flight)).content
        assert client_of(viewer).post(address, {"status": "Boarding"}).status_code == 403
        assert Client().post(address, {"status": "Boarding"}).status_code == 302  # to the login
        assert queries.update_state(flight.pk).sequence == 0

        viewer.user_permissions.add(Permission.objects.get(codename="report_flight_update"))
        viewer = User.objects.get(pk=viewer.pk)
        assert b"report-form" in client_of(viewer).get(change_page(flight)).content
        assert report(client_of(viewer), flight, status="Boarding") == [
            f"Recorded as update 1 of {flight.public_id}."
        ]

    def test_no_such_flight(self, staff: Client) -> None:
        for pk in (2**62, 2**70):
            assert (
                staff.post(f"/admin/flights/flight/{pk}/report/", {"status": "Boarding"}).status_code == 404
            )


class TestPrices:
    def test_a_base_price_is_changed_and_nothing_else(self, staff: Client) -> None:
        flight = make_flight()
        cabin = CabinInventory.objects.get(flight=flight)

        for wrong in ("0", "-1", "1.001", "x", "1e9"):
            assert staff.post(change_page(cabin), {"base_price": wrong}).status_code == 200
        form = {
            "base_price": "120.50",
            "overbooking": "0",
            "available": "9999",
            "capacity": "9999",
            "is_open": "",
        }
        assert staff.post(change_page(cabin), form).status_code == 302

        row = CabinInventory.objects.get(flight=flight)
        assert (row.base_price, row.available, row.capacity, row.is_open) == (
            Decimal("120.50"),
            100,
            100,
            True,
        )
        with pytest.raises(PriceChanged):
            claim_seats([SeatClaim(flight.pk, "economy", "EFLEX", 1, Decimal("160.00"))])

    def test_the_operation_refuses(self) -> None:
        flight = make_flight()
        for price in ("0", "-1", "1.001", "100000000", "NaN"):
            with pytest.raises(Invalid):
                change_base_price(flight_pk=flight.pk, cabin="economy", base_price=Decimal(price))
        with pytest.raises(NotFound):
            change_base_price(flight_pk=flight.pk, cabin="first", base_price=Decimal(1))


class TestReference:
    FARE = {"name": "Light", "multiplier": "1.1", "protected_share": "0.2", "change_fee": "", "is_open": "on"}

    def test_a_fare_is_edited_within_its_constraints(self, staff: Client) -> None:
        make_fare_families()
        fare = FareFamily.objects.get(code="ELIGHT")

        for wrong in ({"multiplier": "0"}, {"protected_share": "1"}, {"change_fee": "-1"}):
            assert staff.post(change_page(fare), self.FARE | wrong).status_code == 200  # the form again
        fare.refresh_from_db()
        assert fare.multiplier == 1
        assert (
            staff.post(change_page(fare), self.FARE | {"cabin": "business", "code": "X"}).status_code == 302
        )
        fare.refresh_from_db()
        assert (float(fare.multiplier), fare.cabin) == (1.1, "economy")

    def test_an_airports_code_and_zone_stand(self, staff: Client) -> None:
        airport = make_airport("JFK")
        form = {
            "name": "Kennedy",
            "city": "New York",
            "country": "US",
            "time_zone": "Asia/Tokyo",
            "iata": "XXX",
        }

        assert staff.post(change_page(airport), form).status_code == 302
        airport.refresh_from_db()
        assert (airport.name, airport.time_zone) == ("Kennedy", "America/New_York")

    def test_codes_have_their_form(self, staff: Client) -> None:
        airport = {"iata": "XYX", "name": "x", "city": "x", "country": "US", "time_zone": "Europe/Paris"}
        add = reverse("admin:flights_airport_add")
        for wrong in ({"iata": "xyz"}, {"time_zone": "Moon/Base"}, {"country": "us"}, {"city_code": "1"}):
            assert staff.post(add, airport | wrong).status_code == 200
        assert not Airport.objects.exists()
        assert staff.post(add, airport).status_code == 302

        add = reverse("admin:flights_airline_add")
        assert staff.post(add, {"code": "zz", "name": "x", "ticketing_code": "12"}).status_code == 200
        assert staff.post(add, {"code": "ZZ", "name": "x", "ticketing_code": "123"}).status_code == 302
        assert Airline.objects.get().code == "ZZ"

    def test_rows_of_seats_stand_once_flights_use_them(self, staff: Client) -> None:
        used = make_flight().aircraft_type
        spare = AircraftType.objects.create(code="ZZZ", name="Spare")
        rows = {"cabin": "economy", "first_row": "1", "last_row": "9", "letters": "ABC"}

        for aircraft, letters, count in ((used, "ABC", 0), (spare, "AAB", 0), (spare, "ABC", 1)):
            form = {"name": "x", "cabins-TOTAL_FORMS": "1", "cabins-INITIAL_FORMS": "0"}
            form |= {"seat_zones-TOTAL_FORMS": "0", "seat_zones-INITIAL_FORMS": "0"}
            form |= {f"cabins-0-{name}": value for name, value in (rows | {"letters": letters}).items()}
            staff.post(change_page(aircraft), form)
            assert CabinLayout.objects.filter(aircraft_type=aircraft, letters="ABC").count() == count
