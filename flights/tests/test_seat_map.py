"""GET /flights/{flightId}/seats."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from flights.models import Flight
from flights.public import assign_seats, claim_seats, release_seats
from flights.tests.factories import make_flight, make_seat_zones
from flights.types import SeatClaim

pytestmark = pytest.mark.django_db


def seats(client: Client, flight: Flight) -> Any:
    answer = client.get(f"/flights/{flight.public_id}/seats")
    assert answer.status_code == 200, answer.content
    return answer.json()


def states(cabin: dict[str, Any]) -> dict[str, str]:
    return {seat["seat"]: seat["state"] for row in cabin["rows"] for seat in row["seats"]}


def test_the_seats_of_the_cabins_that_are_sold(client: Client) -> None:
    flight = make_flight(economy=100, business=24)  # the aircraft has four cabins

    answer = seats(client, flight)

    assert answer["flightId"] == flight.public_id
    business, economy = answer["cabins"]
    assert (business["cabin"], business["letters"], business["seatsLeft"]) == ("business", "ACDF", 24)
    assert [row["row"] for row in business["rows"]] == [3, 4, 5, 6, 7, 8]
    assert business["rows"][0]["seats"] == [
        {
            "seat": f"3{letter}",
            "letter": letter,
            "state": "free",
            "characteristics": ["window"] if letter in "AF" else [],
        }
        for letter in "ACDF"
    ]
    assert [economy["rows"][0]["row"], economy["rows"][-1]["row"]] == [15, 60]
    assert set(states(economy).values()) == {"free"}


def test_a_seat_is_taken_until_it_is_released_and_nobody_is_named(client: Client) -> None:
    flight, other = make_flight(business=24), make_flight()
    assign_seats(flight_pk=flight.pk, cabin="economy", holder="bkgsecret", seats={0: "15A", 1: "20F"})
    assign_seats(flight_pk=flight.pk, cabin="business", holder="bkgsecret", seats={2: "3C"})

    business, economy = seats(client, flight)["cabins"]
    assert [seat for seat, state in states(economy).items() if state == "taken"] == ["15A", "20F"]
    assert [seat for seat, state in states(business).items() if state == "taken"] == ["3C"]
    assert "secret" not in client.get(f"/flights/{flight.public_id}/seats").content.decode()
    assert set(states(seats(client, other)["cabins"][0]).values()) == {"free"}

    release_seats(holder="bkgsecret")
    assert set(states(seats(client, flight)["cabins"][1]).values()) == {"free"}


def test_a_row_has_its_price_where_a_fare_charges_for_the_choice(client: Client) -> None:
    flight = make_flight(business=24)
    make_seat_zones(flight)  # which makes ELIGHT charge

    business, economy = seats(client, flight)["cabins"]

    assert (business["chargingFares"], economy["chargingFares"]) == ([], ["ELIGHT"])
    exit_row, behind = economy["rows"][1]["seats"], economy["rows"][-1]["seats"]
    assert exit_row[0]["characteristics"] == ["window", "exit_row", "extra_legroom"]
    assert (exit_row[0]["price"], exit_row[0]["currency"]) == (30, "USD")
    assert (behind[1]["characteristics"], "price" in behind[1]) == ([], False)
    assert "price" not in business["rows"][0]["seats"][0]


def test_a_price_in_a_currency_that_the_flight_is_not_sold_in_is_none(client: Client) -> None:
    flight = make_flight()
    make_seat_zones(flight, currency="EUR")

    [economy] = seats(client, flight)["cabins"]

    assert not [seat for row in economy["rows"] for seat in row["seats"] if "price" in seat]


def test_seats_sold_without_a_number_are_counted(client: Client) -> None:
    flight = make_flight(economy=10)
    claim_seats([SeatClaim(flight.pk, "economy", "EFLEX", 3, flight.inventory.get().base_price * 16 / 10)])

    [economy] = seats(client, flight)["cabins"]

    assert economy["seatsLeft"] == 7
    assert set(states(economy).values()) == {"free"}


@pytest.mark.parametrize("flight_id", ["FL0", "FL1x", "FL9223372036854775807"])
def test_no_such_flight(client: Client, flight_id: str) -> None:
    answer = client.get(f"/flights/{flight_id}/seats")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_it_is_only_read(client: Client) -> None:
    assert client.post(f"/flights/{make_flight().public_id}/seats").status_code == 405
