"""What the tests of sockets leave behind."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from subscriptions.log_reads import threads


@pytest.fixture(scope="session", autouse=True)
def _threads_end(django_db_setup: None) -> Iterator[None]:
    """Their kept connections would keep the database from being dropped."""
    yield
    threads.shutdown()
    gc.collect()  # what was local to them
