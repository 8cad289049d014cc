"""Each process of a parallel run has its own part of Redis."""

import os
from typing import Any

import pytest
from django.conf import settings

from flightbook.tests.parallel import redis_url_of, take_part


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/3"),
        ("redis://127.0.0.1:6379", "redis://127.0.0.1:6379/3"),
        ("rediss://:secret@cache/4?ssl_cert_reqs=none", "rediss://:secret@cache/7?ssl_cert_reqs=none"),
        ("unix:///tmp/a%20b/valkey?db=0", "unix:///tmp/a%20b/valkey?db=3"),
        ("unix:///tmp/valkey", "unix:///tmp/valkey?db=3"),
    ],
)
def test_the_database_of_a_process(url: str, expected: str) -> None:
    assert redis_url_of(3, url) == expected


def test_a_run_in_one_process_stays_as_it_is() -> None:
    environment = {"REDIS_URL": "redis://127.0.0.1/0"}
    take_part(environment)
    assert environment == {"REDIS_URL": "redis://127.0.0.1/0"}


def test_what_is_published_is_told_apart_by_a_prefix() -> None:
    environment = {"REDIS_URL": "redis://127.0.0.1/0", "PYTEST_XDIST_WORKER": "gw1"}
    take_part(environment)
    assert environment["REDIS_URL"] == "redis://127.0.0.1/1"
    assert environment["CHANNEL_PREFIX"] == "flightbook-gw1"


@pytest.mark.skipif("PYTEST_PLUGINS" not in os.environ, reason="not a parallel run of `make test`")
def test_it_acts_before_the_settings_are_loaded() -> None:
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    layer: Any = settings.CHANNEL_LAYERS["default"]["CONFIG"]
    assert layer["prefix"] == (f"flightbook-{worker}" if worker else "flightbook")
