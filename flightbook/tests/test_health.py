"""`GET /health/live`, `GET /health/ready`, `/status`, with each dependency taken away in turn."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts.tests.factories import api_client

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _keys() -> None:
    api_client()  # makes the token keys where there are none


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def ready(client: Client) -> tuple[int, dict[str, Any]]:
    response = client.get("/health/ready")
    return response.status_code, response.json()


def test_live_needs_nothing(client: Client, settings: Any, django_assert_num_queries: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    with django_assert_num_queries(0):
        response = client.get("/health/live")
    assert (response.status_code, response.json()) == (200, {"status": "alive"})
    assert "RateLimit" not in response
    assert response["Cache-Control"] == "no-store"


def test_ready(client: Client) -> None:
    status, body = ready(client)
    assert status == 200
    assert body == {
        "status": "ready",
        "checks": {name: {"state": "up"} for name in ("database", "migrations", "redis", "tokenKeys")},
    }


@pytest.mark.parametrize("port", [1, "silent"])
def test_without_redis_it_is_degraded_and_goes_on(
    client: Client, settings: Any, silent: int, port: Any
) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{silent if port == 'silent' else port}/0"
    status, body = ready(client)
    assert (status, body["status"]) == (200, "degraded")
    assert body["checks"]["redis"]["state"] == "degraded"


@pytest.mark.parametrize("port", [1, "silent"])
def test_without_a_database_it_says_so_in_bounded_time(
    client: Client, monkeypatch: pytest.MonkeyPatch, silent: int, port: Any
) -> None:
    monkeypatch.setitem(connection.settings_dict, "HOST", "127.0.0.1")
    monkeypatch.setitem(connection.settings_dict, "PORT", silent if port == "silent" else port)
    start = time.monotonic()
    response = client.get("/health/ready")
    assert time.monotonic() - start < 5  # the first run's wrapper and docker ask no longer
    body = response.json()
    assert (response.status_code, body["code"]) == (503, "unavailable")
    assert response["Content-Type"] == "application/problem+json"
    assert response["Retry-After"]
    assert "database" in body["detail"]
    assert body["checks"]["database"]["state"] == "down"
    assert body["checks"]["redis"]["state"] == "up"


def test_a_migration_that_is_not_applied_is_named(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flightbook.health._needed_migrations", lambda: {("flights", "9999_tomorrow")})
    status, body = ready(client)
    assert status == 503
    assert "flights.9999_tomorrow" in body["checks"]["migrations"]["detail"]
    assert body["checks"]["database"]["state"] == "up"


def test_an_empty_database_has_no_migrations(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "NAME", "postgres")
    status, body = ready(client)
    assert (status, body["checks"]["migrations"]["state"]) == (503, "down")


def test_without_token_keys(client: Client, settings: Any, tmp_path: Path) -> None:
    settings.TOKEN_KEYS_DIR = tmp_path / "none"
    status, body = ready(client)
    assert (status, body["checks"]["tokenKeys"]["state"]) == (503, "down")
    assert str(tmp_path) not in str(body)


def test_status_page(client: Client, settings: Any) -> None:
    response = client.get("/status")
    assert response.status_code == 200
    assert "All is well." in response.content.decode()
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    degraded = client.get("/status")
    assert degraded.status_code == 200
    assert "not everything does" in degraded.content.decode()


def test_status_page_without_token_keys(client: Client, settings: Any, tmp_path: Path) -> None:
    settings.TOKEN_KEYS_DIR = tmp_path / "none"
    response = client.get("/status")
    assert response.status_code == 503
    assert "There is no usable key." in response.content.decode()
