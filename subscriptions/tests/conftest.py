"""What the tests of sockets start, and what they leave behind."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from accounts.tests.factories import login, make_user
from subscriptions.log_reads import threads, watcher_thread
from subscriptions.tests.servers import Daphne, Valkey, make_certificate


@pytest.fixture(scope="session", autouse=True)
def _threads_end(django_db_setup: None) -> Iterator[None]:
    """Their kept connections would keep the database from being dropped."""
    yield
    threads.shutdown()
    watcher_thread.shutdown()
    gc.collect()  # what was local to them


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    server = Valkey(tmp_path)
    yield server
    server.kill()


@pytest.fixture
def daphne(
    transactional_db: None, valkey: Valkey, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Daphne]:
    """Without TLS, as everywhere behind the gateway; with it where the parameter says so."""
    login(make_user())  # makes the keys, which daphne then reads
    is_secure = getattr(request, "param", "plain") == "tls"
    server = Daphne(redis_port=valkey.port, certificate=make_certificate(tmp_path) if is_secure else None)
    yield server
    server.kill()
