"""Requests made up from /openapi.json, good and bad: none is a failure of ours."""

from __future__ import annotations

import json
from typing import Any

import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from accounts.tests.factories import api_client, login, make_user
from flightbook.openapi import document
from flightbook.tests.test_openapi import ENDPOINTS
from flights.tests.factories import make_flight

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
OPERATIONS = [(method, path) for path, methods in ENDPOINTS.items() for method in sorted(methods)]
EXAMPLES = 8  # of each operation, good and bad
MUCH = 10**6


@pytest.fixture(scope="module")
def schema() -> Any:
    api_client()  # makes the token keys where there are none
    schema = schemathesis.openapi.from_dict(json.loads(document()))
    schema.app = WSGIHandler()
    return schema


def with_real_ids(case: Any, ids: dict[str, str]) -> None:
    """Puts in ids of what exists, since none that is made up would ever get past a 404.

    What else a booking may refer to is left out: a fare, a seat, a price.
    """
    for part in (case.path_parameters, case.body):
        if isinstance(part, dict):
            part.update({name: value for name, value in ids.items() if name in part})
            for name in ("flightIds", "fare", "fares", "seats", "expectedPrice"):
                part.pop(name, None)
            if case.operation.path == "/book-flight":
                part["flightId"] = ids["flightId"]


def real_ids(user: Any) -> dict[str, str]:
    ids = {"userId": user.public_id, "flightId": make_flight().public_id}
    booked = api_client(user).post("/book-flight", ids | {"paymentMethod": "credit_card"})
    return ids | {"bookingId": booked.json()["bookingId"]}


@pytest.mark.django_db
@pytest.mark.usefixtures("_without_limits", "_one_connection")
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["good", "bad"])
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_made_up_requests(schema: Any, method: str, path: str, mode: Any) -> None:
    user = make_user(is_staff=True, is_superuser=True)
    headers = {"Authorization": f"Bearer {login(user)}", "Host": "testserver"}
    ids = real_ids(user)
    operation = schema[path][method]
    parts = (operation.body, operation.path_parameters, operation.query)
    if mode is GenerationMode.NEGATIVE and not any(parts):
        pytest.skip("nothing in it can be wrong")

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        if mode is GenerationMode.POSITIVE:
            with_real_ids(case, ids)
        case.call_and_validate(headers=headers, checks=CHECKS)

    send()


@pytest.fixture
def _without_limits(settings: Any) -> None:
    settings.RATE_LIMITS = dict.fromkeys(settings.RATE_LIMITS, MUCH)


@pytest.fixture
def _one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of a request leaves the test's transaction alone, as it does under Django's own client."""
    monkeypatch.setattr(connection, "close_if_unusable_or_obsolete", lambda: None)
