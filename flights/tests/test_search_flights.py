"""GET /search-flights."""

from __future__ import annotations

import datetime as dt
import json
import socket
import time
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from flights import operations, seat_inventory, views
from flights.models import Airport, CabinInventory, FareFamily, Flight
from flights.search import search
from flights.search_cache import SearchCache
from flights.tests.factories import make_airline, make_airport, make_flight
from flights.types import SearchCriteria, SeatClaim

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_cache(settings: Settings) -> None:
    settings.SEARCH_CACHE_SECONDS = 0


def found(**criteria: Any) -> list[dict[str, Any]]:
    response = Client().get("/search-flights", criteria)
    assert response.status_code == 200, response.content
    flights: list[dict[str, Any]] = json.loads(response.content, parse_float=Decimal)["flights"]
    return flights


def found_ids(flight: Flight, **criteria: Any) -> list[str]:
    asked = {"from": "JFK", "to": "LAX", "date": flight.departure_date.isoformat()} | criteria
    return [one["flightId"] for one in found(**asked)]


def test_a_found_flight_in_full() -> None:
    departure = dt.datetime(2030, 7, 1, 22, 15, tzinfo=dt.UTC)
    flight = make_flight(departure=departure, economy=50, business=4, base_price=Decimal("99.99"))

    (one,) = found(**{"from": "JFK", "to": "LAX", "date": "2030-07-01"})

    fares = one.pop("fares")
    assert one == {
        "flightId": flight.public_id,
        "airline": "American Airlines",
        "departure": "2030-07-01T22:15:00Z",
        "arrival": "2030-07-02T04:15:00Z",
        "price": Decimal("99.99"),
        "flightNumber": "AA181",
        "airlineCode": "AA",
        "from": "JFK",
        "to": "LAX",
        "departureLocal": "2030-07-01T18:15:00-04:00",
        "arrivalLocal": "2030-07-01T21:15:00-07:00",
        "durationMinutes": 360,
        "status": "Scheduled",
        "cabin": "economy",
        "seatsLeft": 50,
        "currency": "USD",
    }
    assert [(fare["code"], fare["cabin"], fare["price"], fare["seatsLeft"]) for fare in fares] == [
        ("ELIGHT", "economy", Decimal("99.99"), 40),
        ("ESTD", "economy", Decimal("124.99"), 47),  # 124.9875, rounded half up; ceil(50 * 0.05) = 3 are kept
        ("EFLEX", "economy", Decimal("159.98"), 50),
        ("BSTD", "business", Decimal("399.96"), 3),
        ("BFLEX", "business", Decimal("519.95"), 4),
    ]
    assert (fares[0]["refundable"], fares[0]["changeFee"]) == (False, None)
    assert (fares[2]["refundable"], fares[2]["changeFee"]) == (True, 0)


def test_the_day_is_the_one_at_the_airport_of_departure() -> None:
    late_evening = dt.datetime(2030, 1, 11, 3, 30, tzinfo=dt.UTC)  # 22:30 on the 10th in New York
    flight = make_flight(departure=late_evening)

    assert [one["flightId"] for one in found(**{"from": "JFK", "to": "LAX", "date": "2030-01-10"})] == [
        flight.public_id
    ]
    assert found(**{"from": "JFK", "to": "LAX", "date": "2030-01-11"}) == []


@pytest.mark.parametrize(
    ("origin", "destination"),
    [
        ("jfk", "lax"),
        ("NYC", "LAX"),
        ("New York", "Los Angeles"),
        ("  new   YORK ", "los angeles, ca"),
        ("New York, NY", "Los Angeles, California"),
        ("new york, us", "LOS ANGELES,CALIFORNIA"),
        ("New York, United States", "Los Angeles, USA"),
    ],
)
def test_places(origin: str, destination: str) -> None:
    flight = make_flight()

    assert found_ids(flight, **{"from": origin, "to": destination}) == [flight.public_id]


@pytest.mark.parametrize("place", ["Nowhere", "ZZZ", "Portland, XX", "New York, Ohio", "%", "new_york", ","])
def test_an_unknown_place_finds_nothing(place: str) -> None:
    flight = make_flight()

    assert found_ids(flight, **{"from": place}) == []


def test_an_ambiguous_name_finds_all_and_a_state_tells_them_apart() -> None:
    departure = dt.datetime(2030, 6, 1, 16, tzinfo=dt.UTC)
    oregon = make_flight(destination="PDX", departure=departure)
    maine = make_flight(destination="PWM", departure=departure)

    assert found_ids(oregon, to="portland") == [oregon.public_id, maine.public_id]
    assert (
        found_ids(oregon, to="Portland, OR") == found_ids(oregon, to="Portland, Oregon") == [oregon.public_id]
    )
    assert found_ids(oregon, to="portland, me") == [maine.public_id]


@pytest.mark.parametrize("name", ["St. Louis", "st louis", "St. Louis, MO"])
@pytest.mark.parametrize("kept", ["St Louis", "St. Louis"])
def test_a_name_is_found_with_its_point_and_without(name: str, kept: str) -> None:
    flight = make_flight(destination="STL")
    Airport.objects.filter(iata="STL").update(city=kept, subdivision="Missouri")

    assert found_ids(flight, to=name) == [flight.public_id]


@pytest.mark.parametrize(
    ("plain", "accented"),
    [
        ("Sao Paulo", "São Paulo"),
        ("Malmo", "MALMÖ"),
        ("Tromso", "TROMSØ"),
        ("Male", "Malé"),
        ("Husavik", "Húsavík"),
        ("Egilsstadir", "Egilsstaðir"),
        ("Thorshofn", "Þórshöfn"),
        ("Lodz", "Łódź"),
        ("Giessen", "Gießen"),
    ],
)
def test_a_name_is_found_with_its_accents_and_without(plain: str, accented: str) -> None:
    flight = make_flight(destination="STL")
    for kept in (plain, accented):
        Airport.objects.filter(iata="STL").update(city=kept, subdivision=accented)
        for written in (plain, accented, f"{plain}, {accented}", f"{accented}, {plain}"):
            assert found_ids(flight, to=written) == [flight.public_id], (kept, written)


def test_places_are_looked_up_by_the_index() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            "EXPLAIN SELECT iata FROM flights_airport WHERE flights_fold(city) = flights_fold(%s)", ["Malmö"]
        )
        assert "airport_folded_city_idx" in str(cursor.fetchall())


def test_a_city_code_finds_its_airports_and_an_airport_code_only_itself() -> None:
    departure = dt.datetime(2030, 6, 1, 16, tzinfo=dt.UTC)
    flights = {
        origin: make_flight(origin=origin, departure=departure).public_id for origin in ("JFK", "LGA", "EWR")
    }
    day = {"to": "LAX", "date": "2030-06-01"}

    assert {one["flightId"] for one in found(**{"from": "NYC"}, **day)} == set(flights.values())
    assert [one["flightId"] for one in found(**{"from": "EWR"}, **day)] == [flights["EWR"]]


def test_an_airport_code_wins_over_the_same_city_code() -> None:
    hobby = make_airport("HOU", city_code="HOU")
    make_airport("IAH", city_code="HOU")
    from_hobby = make_flight(origin=hobby.iata)
    make_flight(origin="IAH", departure=from_hobby.scheduled_departure)

    assert found_ids(from_hobby, **{"from": "HOU"}) == [from_hobby.public_id]


def test_the_party_must_fit_in_the_cabin() -> None:
    flight = make_flight(economy=3, business=9)

    assert found_ids(flight, passengers=3) == [flight.public_id]
    assert found_ids(flight, passengers=4) == []
    assert found_ids(flight, passengers=9, cabin="business") == [flight.public_id]
    assert found_ids(flight, cabin="first") == []


def test_the_price_is_of_the_cheapest_fare_that_is_open_to_the_party() -> None:
    flight = make_flight(economy=10)  # ELIGHT sells 8, ESTD 9, EFLEX 10
    day = {"from": "JFK", "to": "LAX", "date": flight.departure_date.isoformat()}

    assert [found(**day, passengers=n)[0]["price"] for n in (8, 9)] == [100, 125]
    CabinInventory.objects.update(available=8)
    assert [found(**day, passengers=n)[0]["price"] for n in (6, 7, 8)] == [100, 125, 160]
    FareFamily.objects.filter(code="ELIGHT").update(is_open=False)
    assert [fare["code"] for fare in found(**day)[0]["fares"]] == ["ESTD", "EFLEX"]


def test_a_sold_out_flight_is_not_found_and_a_claim_shows() -> None:
    flight = make_flight(economy=5)
    seat_inventory.claim_seats([SeatClaim(flight.pk, "economy", "EFLEX", 4, Decimal("160.00"))])
    day = {"from": "JFK", "to": "LAX", "date": flight.departure_date.isoformat()}

    (one,) = found(**day)
    assert (one["seatsLeft"], [fare["code"] for fare in one["fares"]]) == (1, ["EFLEX"])
    seat_inventory.claim_seats([SeatClaim(flight.pk, "economy", "EFLEX", 1, Decimal("160.00"))])
    assert found(**day) == []


@pytest.mark.parametrize("status", ["Cancelled", "Departed"])
def test_a_flight_that_left_or_is_cancelled_is_not_found(status: str) -> None:
    flight = make_flight()
    operations.record_update(flight_pk=flight.pk, status=status, source="test")

    assert found_ids(flight) == []


def test_a_flight_whose_sale_is_over_is_not_found() -> None:
    now = dt.datetime.now(dt.UTC)
    flight = make_flight(departure=now + dt.timedelta(minutes=5), closes_at=now - dt.timedelta(seconds=1))

    assert found_ids(flight) == []


def test_a_delayed_flight_keeps_its_scheduled_times() -> None:
    flight = make_flight()
    operations.record_update(flight_pk=flight.pk, status="Delayed", delay_minutes=60, source="test")

    (one,) = found(**{"from": "JFK", "to": "LAX", "date": flight.departure_date.isoformat()})
    assert one["status"] == "Delayed"
    assert dt.datetime.fromisoformat(one["departure"]) == flight.scheduled_departure


def test_airline_price_and_order() -> None:
    noon = dt.datetime(2030, 6, 1, 16, tzinfo=dt.UTC)
    make_airline("UA")
    early = make_flight(departure=noon, base_price=Decimal(300), duration=dt.timedelta(hours=6))
    cheap = make_flight(
        departure=noon + dt.timedelta(hours=1), base_price=Decimal(100), duration=dt.timedelta(hours=7)
    )
    quick = make_flight(departure=noon + dt.timedelta(hours=2), base_price=Decimal(200), airline="UA")
    Flight.objects.filter(pk=quick.pk).update(
        scheduled_arrival=quick.scheduled_departure + dt.timedelta(hours=5)
    )
    a, b, c = early.public_id, cheap.public_id, quick.public_id

    assert found_ids(early) == found_ids(early, sort="departure") == [a, b, c]
    assert found_ids(early, sort="price") == [b, c, a]
    assert found_ids(early, sort="duration") == [c, a, b]
    assert found_ids(early, maxPrice="200") == [b, c]
    assert found_ids(early, airline="ua") == [c]
    assert found_ids(early, airline="ZZ") == []


def test_a_past_date_finds_nothing() -> None:
    make_flight()

    assert found(**{"from": "JFK", "to": "LAX", "date": "2013-01-01"}) == []


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"from": None}, "from"),
        ({"to": None}, "to"),
        ({"date": None}, "date"),
        ({"from": " "}, "from"),
        ({"to": "x" * 101}, "to"),
        ({"date": "2030-02-30"}, "date"),
        ({"date": "20300201"}, "date"),
        ({"date": "2030-W05-1"}, "date"),
        ({"date": "tomorrow"}, "date"),
        ({"passengers": "0"}, "passengers"),
        ({"passengers": "10"}, "passengers"),
        ({"passengers": "two"}, "passengers"),
        ({"cabin": "steerage"}, "cabin"),
        ({"airline": "A"}, "airline"),
        ({"maxPrice": "-1"}, "maxPrice"),
        ({"maxPrice": "NaN"}, "maxPrice"),
        ({"sort": "smell"}, "sort"),
    ],
)
def test_a_missing_or_malformed_criterion_is_400(changed: dict[str, str | None], pointer: str) -> None:
    criteria = {"from": "JFK", "to": "LAX", "date": "2030-01-01"} | changed

    response = Client().get("/search-flights", {k: v for k, v in criteria.items() if v is not None})

    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert (problem["code"], [error["pointer"] for error in problem["errors"]]) == ("invalid", [pointer])


def test_an_unchanged_answer_is_304() -> None:
    flight = make_flight()
    criteria = {"from": "JFK", "to": "LAX", "date": flight.departure_date.isoformat()}
    first = Client().get("/search-flights", criteria)
    again = Client().get("/search-flights", criteria, headers={"If-None-Match": first["ETag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert again["ETag"] == first["ETag"]
    assert again["Cache-Control"] == first["Cache-Control"] == "public, max-age=0"

    seat_inventory.claim_seats([SeatClaim(flight.pk, "economy", "ELIGHT", 1, Decimal("100.00"))])
    changed = Client().get("/search-flights", criteria, headers={"If-None-Match": first["ETag"]})
    assert changed.status_code == 200
    assert changed["ETag"] != first["ETag"]


def own_criteria(flight: Flight) -> dict[str, str]:
    """A search that no other test makes: what is cached outlives a test."""
    price = f"{10_000 + time.time() % 80_000_000:.2f}"
    return {"from": "JFK", "to": "LAX", "date": flight.departure_date.isoformat(), "maxPrice": price}


def test_answers_are_cached(settings: Settings) -> None:
    settings.SEARCH_CACHE_SECONDS = 60
    criteria = own_criteria(make_flight())
    first = Client().get("/search-flights", criteria)
    CabinInventory.objects.update(available=7)

    cached = Client().get("/search-flights", criteria | {"from": " jfk"})

    assert (cached.content, cached["ETag"]) == (first.content, first["ETag"])
    assert cached["Cache-Control"] == "public, max-age=60"


def test_a_silent_cache_is_waited_for_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.SEARCH_CACHE_SECONDS = 60
    monkeypatch.setattr(views, "search_cache", SearchCache())
    criteria = own_criteria(make_flight())
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and never answers
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": url}}
        for available in (7, 6):
            CabinInventory.objects.update(available=available)
            answer = Client().get("/search-flights", criteria)
            assert answer.json()["flights"][0]["seatsLeft"] == available
        silent.settimeout(0)
        silent.accept()
        with pytest.raises(BlockingIOError):  # it was connected to once, and then left alone
            silent.accept()


def test_one_statement(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    flight = make_flight()

    with django_assert_num_queries(1):
        assert len(search(SearchCriteria("jfk", "lax", flight.departure_date))) == 1
