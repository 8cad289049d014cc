"""Public reads on a standby: taken while it keeps up, left alone where it does not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection, connections
from django.test import Client

from flightbook import replica
from flightbook.env import Environment
from flightbook.replica import PRIMARY, REPLICA, PrimaryRouter, read_public, standby

POSITION = "SELECT %d"


@pytest.fixture
def second(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The same database under the standby's name; what either says of its log is set by the test."""
    monkeypatch.setenv("DATABASE_REPLICA_URL", os.environ["DATABASE_URL"])
    config = connection.settings_dict | Environment().standby("DATABASE_REPLICA_URL")
    config["NAME"] = connection.settings_dict["NAME"]
    monkeypatch.setitem(connections.settings, REPLICA, config)
    monkeypatch.setattr(replica, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(replica, "REST_SECONDS", 0.0)
    at(monkeypatch, written=100, replayed=100)
    standby.forget()
    yield config
    connections[REPLICA].close()
    delattr(connections._connections, REPLICA)  # type: ignore[attr-defined]
    standby.forget()


def at(monkeypatch: pytest.MonkeyPatch, *, written: int, replayed: int) -> None:
    monkeypatch.setattr(replica, "_WRITTEN", POSITION % written)
    monkeypatch.setattr(replica, "_REPLAYED", POSITION % replayed)


def asked() -> str:
    """Who answers a public read."""
    return read_public(lambda alias: alias)


pytestmark = pytest.mark.django_db(transaction=True, databases=[PRIMARY])


@pytest.fixture(autouse=True)
def _allow_the_standby(django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    django_db_blocker.unblock()


def test_where_none_is_set_the_primary_answers() -> None:
    assert asked() == PRIMARY


def test_one_that_keeps_up_answers(second: dict[str, Any]) -> None:
    assert asked() == REPLICA


def test_one_that_falls_behind_does_not_until_it_has_caught_up(
    second: dict[str, Any], monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.REPLICA_LAG_SECONDS = 0  # any
    assert asked() == REPLICA
    at(monkeypatch, written=200, replayed=150)
    asked()
    assert asked() == PRIMARY
    at(monkeypatch, written=200, replayed=200)
    assert asked() == REPLICA


def test_a_read_that_fails_there_is_the_primarys(second: dict[str, Any]) -> None:
    def read(alias: str) -> str:
        if alias == REPLICA:
            raise OperationalError("canceling statement due to conflict with recovery")
        return alias

    assert read_public(read) == PRIMARY
    assert asked() == REPLICA


def test_a_failure_of_both_is_the_primarys(second: dict[str, Any]) -> None:
    def read(alias: str) -> str:
        raise OperationalError(alias)

    with pytest.raises(OperationalError, match="default"):
        read_public(read)


def test_one_that_is_away_is_no_loss(second: dict[str, Any], client: Client) -> None:
    second["PORT"] = 1
    second["HOST"] = "127.0.0.1"
    assert asked() == PRIMARY
    ready = client.get("/health/ready").json()
    assert (ready["status"], ready["checks"]["standby"]["state"]) == ("degraded", "degraded")


def test_no_standby_at_all_is_none(second: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica, "_REPLAYED", "SELECT pg_last_wal_replay_lsn() - '0/0'::pg_lsn")
    assert asked() == PRIMARY  # a primary's own connection tells no position


def test_search_is_answered_there_and_cannot_write(second: dict[str, Any], client: Client) -> None:
    client.get("/search-flights?from=JFK&to=LAX&date=2026-12-24&passengers=1")
    with connections[REPLICA].cursor() as cursor:
        cursor.execute("SHOW default_transaction_read_only")
        assert cursor.fetchone() == ("on",)


def test_migrations_are_the_primarys() -> None:
    router = PrimaryRouter()
    assert router.allow_migrate(PRIMARY, "flights")
    assert not router.allow_migrate(REPLICA, "flights")
