"""`POST /flight-updates`: several reports, each answered for itself."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.tests.factories import api_client, make_user
from flights.models import FlightUpdate
from flights.tests.factories import make_flight

pytestmark = pytest.mark.django_db


def post(updates: Any, **user: Any) -> Any:
    return api_client(make_user(**user)).post("/flight-updates", {"updates": updates})


def test_each_is_recorded_or_refused_for_itself() -> None:
    first, second = make_flight(), make_flight(number=300)
    answer = post(
        [
            {"flightId": first.public_id, "status": "Delayed", "delayMinutes": 20, "reportId": "r1"},
            {"flightId": first.public_id, "status": "Landed"},
            {"flightId": second.public_id, "status": "Lost"},
            {"flightId": "FL999999", "status": "Delayed"},
            {"status": "Delayed"},
            {"flightId": first.public_id, "status": "Delayed", "delayMinutes": 20, "reportId": "r1"},
            {"flightId": first.public_id, "status": "Delayed", "delayMinutes": 40},
            {"flightId": second.public_id, "status": "Cancelled", "reason": "Crew"},
        ],
        is_superuser=True,
    )
    assert answer.status_code == 200
    found = answer.json()["updates"]
    outcomes = ["applied", "refused", "refused", "refused", "refused", "not_applied", "applied", "applied"]
    assert [one["outcome"] for one in found] == outcomes
    codes = [one["problem"]["code"] for one in found if one["outcome"] == "refused"]
    assert codes == ["invalid_transition", "invalid", "not_found", "invalid"]
    assert found[2]["problem"]["errors"][0]["pointer"] == "/updates/2/status"
    assert [one["update"]["sequence"] for one in found if "update" in one] == [1, 2, 1]
    assert FlightUpdate.objects.count() == 3


@pytest.mark.parametrize("updates", [[], "x", [1], [{}] * 501])
def test_a_batch_is_one_to_500_objects(updates: Any) -> None:
    assert post(updates, is_superuser=True).status_code == 400


def test_it_takes_the_permission() -> None:
    assert post([{"flightId": "FL1", "status": "Delayed"}]).status_code == 403
