"""`GET /metrics`."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from flights.tests.factories import make_flight

pytestmark = pytest.mark.django_db


def samples(client: Client) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """What a scrape reads, through Prometheus' own parser."""
    response = client.get("/metrics")
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain")
    families = text_string_to_metric_families(response.content.decode())
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def count(client: Client, **labels: str) -> float:
    return samples(client).get(("flightbook_http_requests_total", frozenset(labels.items())), 0.0)


def test_requests_are_counted_by_route_and_not_by_path(client: Client) -> None:
    flight = make_flight()
    route = {"method": "GET", "route": "flights/<str:flight_id>", "status": "200"}
    before = count(client, **route)
    client.get(f"/flights/{flight.public_id}")
    client.get(f"/flights/{make_flight(number=182).public_id}")
    assert count(client, **route) == before + 2
    assert flight.public_id not in client.get("/metrics").content.decode()


@pytest.mark.parametrize("path", ["/nowhere", "/nowhere/else"])
def test_unknown_paths_share_a_series(client: Client, path: str) -> None:
    labels = {"method": "GET", "route": "none", "status": "404"}
    before = count(client, **labels)
    client.get(path)
    assert count(client, **labels) == before + 1


def test_invented_methods_share_a_series(client: Client) -> None:
    labels = {"method": "OTHER", "route": "health/live", "status": "405"}
    before = count(client, **labels)
    client.generic("BREW", "/health/live")
    assert count(client, **labels) == before + 1


def test_durations(client: Client) -> None:
    client.get("/health/live")
    labels = frozenset({"method": "GET", "route": "health/live"}.items())
    found = samples(client)
    assert found["flightbook_http_request_duration_seconds_count", labels] >= 1
    assert found["flightbook_http_request_duration_seconds_sum", labels] > 0


def test_backlogs(client: Client) -> None:
    found = samples(client)
    assert found["flightbook_database_up", frozenset()] == 1
    queues = {dict(labels)["queue"] for name, labels in found if name == "flightbook_backlog"}
    assert queues >= {"feed_relay", "mail", "payments_open", "refunds_open", "holds_overdue"}


@pytest.mark.django_db(transaction=True)
def test_without_a_database_the_rest_is_still_told(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "PORT", 1)
    found = samples(client)
    assert found["flightbook_database_up", frozenset()] == 0
    assert not [name for name, _ in found if name == "flightbook_backlog"]
    assert [name for name, _ in found if name == "flightbook_http_requests_total"]
