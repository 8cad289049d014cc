from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings as django_settings

from accounts.keys import create_keys


@pytest.fixture(scope="session", autouse=True)
def _token_keys() -> None:
    create_keys()


@pytest.fixture(autouse=True)
def _wide_limits(settings: Any) -> None:
    """Tests are many requests of few users in one minute."""
    settings.RATE_LIMITS = dict.fromkeys(django_settings.RATE_LIMITS, 100_000)
