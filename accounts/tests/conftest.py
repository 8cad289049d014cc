from __future__ import annotations

import time
from types import SimpleNamespace

import pytest


@pytest.fixture
def one_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """All requests of the test fall into one minute of the limits', which no other run has used."""
    now = time.time() + 86_400
    clock = SimpleNamespace(time=lambda: now, monotonic=time.monotonic)
    monkeypatch.setattr("flightbook.http.throttling.time", clock)
