"""`GET /metrics`."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from django.db import connection
from django.test import Client, RequestFactory
from prometheus_client.parser import text_string_to_metric_families

from bookings.tests.factories import Traveller
from flightbook import collectors
from flightbook.metrics import MetricsMiddleware
from flightbook.tests.processes import database_url, eventually
from flights.tests.factories import make_flight

pytestmark = pytest.mark.django_db


def samples(client: Client) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """What a scrape reads, through Prometheus' own parser."""
    response = client.get("/metrics")
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain")
    families = text_string_to_metric_families(response.content.decode())
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


ROOT = Path(__file__).resolve().parents[2]


def _counted(text: str, route: str) -> float:
    """GET requests of a route that were answered with 200, by a scrape."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "flightbook_http_requests_total" and sample.labels["route"] == route
    )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=10).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


async def _ask_at_once(url: str, times: int) -> None:
    async with httpx.AsyncClient(timeout=60) as client:
        await asyncio.gather(*[client.get(url) for _ in range(times)])


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


def _value(text: str, name: str) -> float:
    """Of a series without labels, by a scrape."""
    [found] = [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    ]
    return found


def test_requests_under_way(client: Client) -> None:
    """The scrape itself is one, and no longer when it is answered; a view that fails is over too."""
    for _ in range(2):
        assert samples(client)["flightbook_http_requests_under_way", frozenset()] == 1
    with pytest.raises(KeyError):
        MetricsMiddleware(lambda _: {}["nothing"])(RequestFactory().get("/"))  # type: ignore[index]  # a failure
    assert samples(client)["flightbook_http_requests_under_way", frozenset()] == 1


def test_backlogs(client: Client) -> None:
    found = samples(client)
    assert found["flightbook_database_up", frozenset()] == 1
    queues = {dict(labels)["queue"] for name, labels in found if name == "flightbook_backlog"}
    assert queues >= {"feed_relay", "mail", "payments_open", "refunds_open", "holds_overdue"}


@pytest.mark.django_db(transaction=True)
def test_without_a_database_the_rest_is_still_told(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    client.get("/health/live")  # of the rest
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "PORT", 1)
    found = samples(client)
    assert found["flightbook_database_up", frozenset()] == 0
    assert not [name for name, _ in found if name == "flightbook_backlog"]
    assert [name for name, _ in found if name == "flightbook_http_requests_total"]


def test_what_was_sold_and_who_is_connected(client: Client) -> None:
    Traveller().booked(make_flight(economy=10, business=4))
    collectors.bookings_by_status.forget()
    collectors.seats_on_sale.forget()
    found = samples(client)
    assert found["flightbook_bookings", frozenset({("status", "Confirmed")})] == 1
    economy = frozenset({("cabin", "economy")})
    assert found["flightbook_seats_limit", economy] - found["flightbook_seats_available", economy] == 1
    states = {dict(labels)["state"] for name, labels in found if name == "flightbook_database_connections"}
    assert "active" in states
    assert found["flightbook_database_connections_max", frozenset()] > 0


def test_what_scans_a_table_is_remembered() -> None:
    numbers = itertools.count(1)
    remembered = collectors.Remembered(lambda: next(numbers), seconds=60)
    assert (remembered(), remembered()) == (1, 1)
    remembered.forget()
    assert remembered() == 2
    assert collectors.Remembered(lambda: next(numbers), seconds=0)() == 3


@pytest.mark.django_db(transaction=True)
def test_the_processes_of_a_replica_are_added_up(tmp_path: Path) -> None:
    """gunicorn with three workers as in a deployment: whichever answers, the sum is of all."""
    address = f"127.0.0.1:{_free_port()}"
    directory = tmp_path / "flightbook-metrics"
    environment = {
        "DATABASE_URL": database_url(),
        "TMPDIR": str(tmp_path),
        "WEB_WORKERS": "3",
        "WEB_THREADS": "2",
    }
    command = [
        "-m",
        "gunicorn",
        "--config",
        "docker/gunicorn_settings.py",
        "--bind",
        address,
        "flightbook.wsgi",
    ]
    server = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=os.environ | environment)
    try:
        eventually(lambda: _answers(f"http://{address}/health/live"))
        asyncio.run(_ask_at_once(f"http://{address}/health/ready", 12))
        for _ in range(3):
            scraped = httpx.get(f"http://{address}/metrics", timeout=30).text
            assert _counted(scraped, "health/ready") == 12
            assert _value(scraped, "flightbook_http_places") == 6
            assert _value(scraped, "flightbook_http_requests_under_way") == 1
        assert len({path.name.split("_")[-1] for path in directory.glob("counter_*.db")}) > 1
    finally:
        server.terminate()
        server.wait(60)
