"""GET /flights/{flightId}, GET and POST /flights/{flightId}/updates."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import Permission

from accounts.tests.factories import JsonClient, api_client, make_user
from flights import operations, queries
from flights.models import Flight, FlightUpdate
from flights.tests.factories import make_flight

pytestmark = pytest.mark.django_db
ABSENT = [
    "FL0",
    "FL01",
    "FL1x",
    "fl1",
    "1",
    "FL",
    "FL9223372036854775807",
    "FL9223372036854775808",
    "FL" + "9" * 40,
]


@pytest.fixture
def reporter() -> JsonClient:
    user = make_user()
    user.user_permissions.add(Permission.objects.get(codename="report_flight_update"))
    return api_client(user)


def report(client: JsonClient, flight: Flight, **body: Any) -> Any:
    return client.post(f"/flights/{flight.public_id}/updates", body)


def delay(flight: Flight, minutes: int) -> None:
    operations.record_update(flight_pk=flight.pk, status="Delayed", delay_minutes=minutes, source="test")


class TestFlight:
    def test_in_full(self) -> None:
        departure = dt.datetime(2030, 7, 1, 22, 15, tzinfo=dt.UTC)
        flight = make_flight(departure=departure, economy=10)
        operations.record_update(
            flight_pk=flight.pk,
            status="Delayed",
            delay_minutes=60,
            reason="Technical issue",
            gate="B4",
            occurred_at=dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC),
            source="test",
        )

        answer = api_client().get(f"/flights/{flight.public_id}").json()

        assert [fare.pop("code") for fare in answer.pop("fares")] == ["ELIGHT", "ESTD", "EFLEX"]
        assert answer.pop("updateId") == f"{flight.public_id}-{queries.log_name()}-1"
        assert answer == {
            "flightId": flight.public_id,
            "status": "Delayed",
            "delayDuration": "1 hour",
            "reason": "Technical issue",
            "sequence": 1,
            "log": queries.log_name(),
            "occurredAt": "2026-01-01T12:00:00Z",
            "delayMinutes": 60,
            "departure": "2030-07-01T22:15:00Z",
            "arrival": "2030-07-02T04:15:00Z",
            "estimatedDeparture": "2030-07-01T23:15:00Z",
            "estimatedArrival": "2030-07-02T05:15:00Z",
            "gate": "B4",
            "terminal": None,
            "airline": "American Airlines",
            "airlineCode": "AA",
            "flightNumber": "AA181",
            "from": "JFK",
            "to": "LAX",
            "fromCity": "New York",
            "toCity": "Los Angeles",
            "departureLocal": "2030-07-01T18:15:00-04:00",
            "arrivalLocal": "2030-07-01T21:15:00-07:00",
            "durationMinutes": 360,
            "cabins": [{"cabin": "economy", "seatsLeft": 10, "onSale": True}],
        }

    def test_a_flight_that_is_not_on_sale_offers_nothing(self) -> None:
        flight = make_flight()
        operations.record_update(flight_pk=flight.pk, status="Cancelled", source="test")

        answer = api_client().get(f"/flights/{flight.public_id}").json()

        assert answer["fares"] == []
        assert [cabin["onSale"] for cabin in answer["cabins"]] == [False]

    @pytest.mark.parametrize("flight_id", ABSENT)
    @pytest.mark.parametrize("what", ["", "/updates"])
    def test_absent(self, flight_id: str, what: str) -> None:
        response = api_client().get(f"/flights/{flight_id}{what}")

        assert (response.status_code, response.json()["code"]) == (404, "not_found")


class TestUpdates:
    def test_in_pages(self) -> None:
        flight = make_flight()
        for minutes in range(1, 6):
            delay(flight, minutes)
        client = api_client()

        pages, address = [], f"/flights/{flight.public_id}/updates?limit=2"
        while address:
            page = client.get(address).json()
            assert (page["flightId"], page["log"]) == (flight.public_id, queries.log_name())
            pages.append([update["sequence"] for update in page["updates"]])
            address = page.get("next", "")

        assert pages == [[1, 2], [3, 4], [5]]

    def test_after_a_sequence(self) -> None:
        flight = make_flight()
        for minutes in (45, 90, 1):
            delay(flight, minutes)

        answer = api_client().get(f"/flights/{flight.public_id}/updates?after=1").json()

        assert [update["delayDuration"] for update in answer["updates"]] == ["1 hour 30 minutes", "1 minute"]
        beyond = api_client().get(f"/flights/{flight.public_id}/updates?after=9").json()
        assert (beyond["updates"], "next" in beyond) == ([], False)

    @pytest.mark.parametrize("query", ["after=-1", "after=x", "after=99999999999", "limit=0", "limit=201"])
    def test_malformed(self, query: str) -> None:
        response = api_client().get(f"/flights/{make_flight().public_id}/updates?{query}")

        assert response.status_code == 400
        assert [error["pointer"] for error in response.json()["errors"]] == [query.split("=", maxsplit=1)[0]]


class TestReport:
    def test_is_recorded(self, reporter: JsonClient) -> None:
        flight = make_flight()
        response = report(
            reporter,
            flight,
            status="Delayed",
            delayMinutes=120,
            reason="Late crew",
            gate="C3",
            terminal="2",
            occurredAt="2026-01-01T13:00:00+01:00",
            reportId="r1",
        )

        assert response.status_code == 201
        body = response.json()
        assert body["occurredAt"] == "2026-01-01T12:00:00Z"
        assert (body["delayDuration"], body["sequence"], body["gate"]) == ("2 hours", 1, "C3")
        assert body == reporter.get(f"/flights/{flight.public_id}/updates").json()["updates"][0]
        assert FlightUpdate.objects.get().source.startswith("api:traveller")

    def test_repeated_or_late_is_not_applied(self, reporter: JsonClient) -> None:
        flight = make_flight()
        report(reporter, flight, status="Boarding", reportId="r1", occurredAt="2026-01-01T12:00:00Z")

        for body in ({"reportId": "r1"}, {"occurredAt": "2026-01-01T11:59:59Z"}):
            response = report(reporter, flight, status="Delayed", **body)
            assert (response.status_code, response.json()) == (200, {"applied": False})
        assert queries.update_state(flight.pk).sequence == 1

    def test_a_transition_that_makes_no_sense(self, reporter: JsonClient) -> None:
        response = report(reporter, make_flight(status="Landed"), status="Boarding")

        assert (response.status_code, response.json()["code"]) == (409, "invalid_transition")
        assert response.json()["allowed"] == ["Landed"]

    def test_a_new_schedule(self, reporter: JsonClient) -> None:
        flight = make_flight(departure=dt.datetime(2030, 7, 1, 12, tzinfo=dt.UTC))

        response = report(reporter, flight, status="Scheduled", departure="2030-07-01T14:00:00Z")

        assert response.json()["arrival"] == "2030-07-01T20:00:00Z"

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({}, "/status"),
            ({"status": None}, "/status"),
            ({"status": "delayed"}, "/status"),
            ({"status": ["Delayed"]}, "/status"),
            ({"status": "Delayed", "delayMinutes": "5"}, "/delayMinutes"),
            ({"status": "Delayed", "delayMinutes": 5.5}, "/delayMinutes"),
            ({"status": "Delayed", "delayMinutes": -1}, "/delayMinutes"),
            ({"status": "Delayed", "delayMinutes": 10**30}, "/delayMinutes"),
            ({"status": "Delayed", "reason": 5}, "/reason"),
            ({"status": "Delayed", "reason": "x" * 201}, "/reason"),
            ({"status": "Delayed", "gate": "a\0"}, "/gate"),
            ({"status": "Delayed", "reportId": ""}, "/reportId"),
            ({"status": "Delayed", "occurredAt": "2026-01-01T12:00:00"}, "/occurredAt"),
            ({"status": "Delayed", "occurredAt": "2999-01-01T12:00:00Z"}, "/occurredAt"),
            ({"status": "Delayed", "occurredAt": "0001-01-01T00:00:00+14:00"}, "/occurredAt"),
            ({"status": "Delayed", "departure": "9999-12-31T23:59:59Z"}, "/departure"),
            ({"status": "Delayed", "arrival": "2001-01-01T00:00:00Z"}, "/arrival"),
        ],
    )
    def test_malformed(self, reporter: JsonClient, body: dict[str, Any], pointer: str) -> None:
        flight = make_flight()

        response = report(reporter, flight, **body)

        assert response.status_code == 400
        assert [error["pointer"] for error in response.json()["errors"]] == [pointer]
        assert queries.update_state(flight.pk).sequence == 0

    def test_who_may(self) -> None:
        flight = make_flight()

        anonymous = report(api_client(), flight, status="Boarding")
        assert (anonymous.status_code, anonymous.json()["code"]) == (401, "not_authenticated")
        staff = report(api_client(make_user(is_staff=True)), flight, status="Boarding")
        assert (staff.status_code, staff.json()["code"]) == (403, "forbidden")
        assert queries.update_state(flight.pk).sequence == 0

    def test_absent(self, reporter: JsonClient) -> None:
        for flight_id in ABSENT:
            response = reporter.post(f"/flights/{flight_id}/updates", {"status": "Boarding"})
            assert (response.status_code, response.json()["code"]) == (404, "not_found")
