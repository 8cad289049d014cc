"""What to hear of a flight: `PATCH /user-flights/{userId}/{flightId}`, and with `POST /subscribe-flight`."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.tests.factories import api_client, make_user
from flights.tests.factories import make_flight
from subscriptions.models import FollowPreference

pytestmark = pytest.mark.django_db
ALL = ["delay", "gate", "cancellation", "diversion", "schedule", "status", "other"]


def test_what_is_absent_stays() -> None:
    user, flight = make_user(), make_flight()
    client, path = api_client(user), f"/user-flights/{user.public_id}/{flight.public_id}"
    assert client.patch(path, {"kinds": ["gate"]}).status_code == 404  # not followed
    ids = {"userId": user.public_id, "flightId": flight.public_id}
    assert client.post("/subscribe-flight", ids).status_code == 201
    assert not FollowPreference.objects.exists()
    first = client.patch(path, {"delayThreshold": 30}).json()
    assert first == ids | {"kinds": ALL, "delayThreshold": 30, "channels": ["mail", "webhook"]}
    second = client.patch(path, {"kinds": ["gate", "delay", "gate"], "channels": []}).json()
    assert second == ids | {"kinds": ["delay", "gate"], "delayThreshold": 30, "channels": []}
    answer = client.post("/subscribe-flight", ids | {"channels": ["mail"]})
    assert (answer.status_code, answer.json()["message"][:10]) == (200, "Subscribed")
    assert FollowPreference.objects.get().channels == ["mail"]
    assert api_client(make_user()).patch(path, {}).status_code == 404


@pytest.mark.parametrize(
    "wish",
    [
        {"kinds": ["weather"]},
        {"kinds": "gate"},
        {"delayThreshold": -1},
        {"channels": ["fax"]},
        {"kinds": [1]},
    ],
)
def test_what_makes_no_sense_is_refused(wish: dict[str, Any]) -> None:
    user, flight = make_user(), make_flight()
    ids = {"userId": user.public_id, "flightId": flight.public_id}
    assert api_client(user).post("/subscribe-flight", ids | wish).status_code == 400
    assert api_client(user).get(f"/user-flights/{user.public_id}").json()["flights"] == []
