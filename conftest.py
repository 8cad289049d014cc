"""What every test stands on: keys that sign tokens, and limits that do not take a suite for a flood."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from django.conf import settings as django_settings


def pytest_collection_finish() -> None:
    """What was loaded and collected stays until the end: no collection of garbage need look at it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _token_keys() -> None:
    from accounts.keys import create_keys  # noqa: PLC0415 - needs the settings loaded

    create_keys()


@pytest.fixture(scope="session", autouse=True)
def _quick_emptying() -> None:
    from flightbook.tests import emptying  # noqa: PLC0415 - needs the settings loaded

    emptying.install()


@pytest.fixture(autouse=True)
def _wide_limits(settings: Any) -> None:
    """Tests come from one address, many a minute; those of the limits set their own."""
    settings.RATE_LIMITS = dict.fromkeys(django_settings.RATE_LIMITS, 100_000)
