"""`POST /subscribe-flight`"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import Permission
from django.db import connection

from accounts.tests.factories import api_client, make_user
from flights.tests.factories import make_flight
from subscriptions import public
from subscriptions.models import Subscription

pytestmark = pytest.mark.django_db


def test_subscribes_once() -> None:
    user, flight = make_user(), make_flight()
    body = {"userId": user.public_id, "flightId": flight.public_id}
    client = api_client(user)
    first, second = client.post("/subscribe-flight", body), client.post("/subscribe-flight", body)
    assert (first.status_code, second.status_code) == (201, 200)
    message = {"message": f"Subscribed to flight updates for {flight.public_id}"}
    assert first.json() == second.json() == message
    assert Subscription.objects.count() == 1


def test_a_booking_brought_it_already() -> None:
    user, flight = make_user(), make_flight()
    assert public.follow(user_pk=user.pk, flight_pk=flight.pk, source="bkg1")
    answer = api_client(user).post(
        "/subscribe-flight", {"userId": user.public_id, "flightId": flight.public_id}
    )
    assert answer.status_code == 200
    public.end_source(source="bkg1")
    assert list(public.followed_flights(user.pk)) == [flight.pk]  # the own wish was kept beside it


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"flightId": "FL1"}, "/userId"),
        ({"userId": "x"}, "/flightId"),
        ({"userId": 1, "flightId": "FL1"}, "/userId"),
        ({"userId": "x", "flightId": ["FL1"]}, "/flightId"),
        ({"userId": "x", "flightId": "FL\u0000"}, "/flightId"),
    ],
)
def test_bad_input(body: dict[str, object], pointer: str) -> None:
    answer = api_client(make_user()).post("/subscribe-flight", body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("flight_id", ["FL0", "FL999999999", "FL" + "9" * 40, "fl1", "", "12"])
def test_unknown_flight(flight_id: str) -> None:
    user = make_user()
    answer = api_client(user).post("/subscribe-flight", {"userId": user.public_id, "flightId": flight_id})
    assert answer.status_code == (404 if flight_id else 400)
    assert not Subscription.objects.exists()


def test_nobody_elses() -> None:
    user, other, flight = make_user(), make_user(), make_flight()
    client = api_client(user)
    for user_id in (other.public_id, "nobody"):
        answer = client.post("/subscribe-flight", {"userId": user_id, "flightId": flight.public_id})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert not Subscription.objects.exists()


def test_for_others_by_permission() -> None:
    user, other, flight = make_user(), make_user(), make_flight()
    user.user_permissions.add(
        Permission.objects.get(codename="act_for_others", content_type__app_label="subscriptions")
    )
    answer = api_client(user).post(
        "/subscribe-flight", {"userId": other.public_id, "flightId": flight.public_id}
    )
    assert answer.status_code == 201
    assert list(public.followed_flights(other.pk)) == [flight.pk]


def test_wants_a_token() -> None:
    assert api_client().post("/subscribe-flight", {}).status_code == 401


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_is_first() -> None:
    user, flight = make_user(), make_flight()

    def follow(_: int) -> bool:
        try:
            return public.follow(user_pk=user.pk, flight_pk=flight.pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(follow, range(16)))
    assert sum(results) == 1
    assert Subscription.objects.count() == 1
