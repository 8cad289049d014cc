"""Argon2 at its floor, and in line."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from argon2 import low_level
from django.contrib.auth.hashers import check_password, make_password

from accounts import hashers
from accounts.tests.factories import api_client, hashed_password, make_user
from accounts.tests.racing import at_once
from flightbook.errors import Unavailable


@pytest.fixture(autouse=True)
def _two_slots(settings: Any) -> Iterator[None]:
    settings.PASSWORD_HASHES_AT_ONCE = 2
    hashers._slots.cache_clear()
    yield
    hashers._slots.cache_clear()


def test_the_parameters_are_the_floor() -> None:
    encoded = make_password("password123")
    assert encoded.startswith("argon2$argon2id$v=19$m=47104,t=1,p=1$")
    assert check_password("password123", encoded)
    assert not check_password("password124", encoded)


def test_no_more_than_the_setting_allows_are_hashed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lock, inside, most = threading.Lock(), 0, 0
    original = low_level.hash_secret

    def watched(*args: Any, **kwargs: Any) -> bytes:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        try:
            return original(*args, **kwargs)
        finally:
            with lock:
                inside -= 1

    monkeypatch.setattr(low_level, "hash_secret", watched)
    results = at_once([lambda: make_password("password123")] * 8)
    assert all(isinstance(result, str) for result in results)
    assert most == 2


@pytest.mark.django_db
def test_who_waits_too_long_hears_503_and_the_places_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    user = make_user(password=None)
    body = {"username": user.username, "password": "password123"}
    monkeypatch.setattr(hashers, "QUEUE_SECONDS", 0.01)
    with hashers.hashing_slot(), hashers.hashing_slot():
        answer = api_client().post("/login", body)
        assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "unavailable", "5")
        with pytest.raises(Unavailable):
            check_password("password123", hashed_password())
    assert api_client().post("/login", body).status_code == 200
