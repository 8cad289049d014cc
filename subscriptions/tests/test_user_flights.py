"""`GET /user-flights/{userId}` and `DELETE /user-flights/{userId}/{flightId}`"""

from __future__ import annotations

import pytest

from accounts.tests.factories import api_client, make_user
from flights.tests.factories import make_flight
from subscriptions import public
from subscriptions.models import Subscription
from subscriptions.tests.factories import make_flights

pytestmark = pytest.mark.django_db


def test_lists_each_flight_once() -> None:
    user, (first, second) = make_user(), make_flights(2)
    for source in ("", "bkg1", "bkg2"):
        public.follow(user_pk=user.pk, flight_pk=second.pk, source=source)
    public.follow(user_pk=user.pk, flight_pk=first.pk)
    public.follow(user_pk=make_user().pk, flight_pk=make_flight(number=999).pk)
    answer = api_client(user).get(f"/user-flights/{user.public_id}")
    assert answer.status_code == 200
    assert answer.json() == {"userId": user.public_id, "flights": [first.public_id, second.public_id]}


def test_nothing_followed() -> None:
    user = make_user()
    answer = api_client(user).get(f"/user-flights/{user.public_id}")
    assert answer.json() == {"userId": user.public_id, "flights": []}


def test_pages_neither_double_nor_lose() -> None:
    user, rows, client = make_user(), make_flights(7), None
    for row in rows:
        public.follow(user_pk=user.pk, flight_pk=row.pk)
    client = api_client(user)
    seen: list[str] = []
    address = f"/user-flights/{user.public_id}?limit=2"
    while address:
        page = client.get(address).json()
        seen += page["flights"]
        public.unfollow(user_pk=user.pk, flight_pk=rows[0].pk)  # behind the cursor
        address = page.get("next", "")
    assert seen == [row.public_id for row in rows]


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "cursor=x", "cursor="])
def test_bad_page(query: str) -> None:
    user = make_user()
    assert api_client(user).get(f"/user-flights/{user.public_id}?{query}").status_code == 400


def test_nobody_elses() -> None:
    client, other, flight = api_client(make_user()), make_user(), make_flight()
    public.follow(user_pk=other.pk, flight_pk=flight.pk)
    for user_id in (other.public_id, "nobody", "a%00b"):
        assert client.get(f"/user-flights/{user_id}").status_code == 404
        assert client.delete(f"/user-flights/{user_id}/{flight.public_id}").status_code == 404
    assert Subscription.objects.count() == 1


def test_unsubscribes_from_all_sources() -> None:
    user, (one, other) = make_user(), make_flights(2)
    for row, source in ((one, ""), (one, "bkg1"), (other, "")):
        public.follow(user_pk=user.pk, flight_pk=row.pk, source=source)
    client = api_client(user)
    answers = [client.delete(f"/user-flights/{user.public_id}/{one.public_id}") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [204, 204]
    assert answers[0].content == b""
    assert list(public.followed_flights(user.pk)) == [other.pk]


@pytest.mark.parametrize("flight_id", ["FL999999999", "x"])
def test_unsubscribe_from_no_flight(flight_id: str) -> None:
    user = make_user()
    assert api_client(user).delete(f"/user-flights/{user.public_id}/{flight_id}").status_code == 404


def test_end_source_wants_a_source() -> None:
    with pytest.raises(ValueError, match="own wish"):
        public.end_source(source="")
