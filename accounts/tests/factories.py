"""Users, logins and clients for tests."""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

from django.contrib.auth.hashers import make_password
from rest_framework.test import APIClient

from accounts.keys import create_keys
from accounts.models import User
from accounts.sessions import open_session
from accounts.types import Login

PASSWORD = "password123"
_number = itertools.count(1)


class JsonClient(APIClient):
    """DRF's client, sending JSON unless told otherwise."""

    default_format = "json"


@cache
def hashed_password() -> str:
    """`PASSWORD`, hashed once a process: argon2 is slow on purpose."""
    return make_password(PASSWORD)


def make_user(**fields: Any) -> User:
    """A user whose password is `PASSWORD` unless `password` (in clear) says otherwise."""
    number = next(_number)
    values: dict[str, Any] = {
        "username": f"traveller{number}",
        "email": f"traveller{number}@example.com",
        "given_name": "Ada",
        "family_name": "Lovelace",
    } | fields
    password = values.pop("password", None)
    values["password"] = hashed_password() if password is None else make_password(password)
    return User.objects.create(**values)


def full_login(user: User) -> Login:
    """A session of `user` with all that a login answers."""
    create_keys()
    return open_session(user=user)


def login(user: User) -> str:
    """The access token of a new session of `user`."""
    return full_login(user).token


def api_client(user: User | None = None) -> JsonClient:
    """A client, logged in as `user` where there is one."""
    create_keys()
    client = JsonClient()
    if user is not None:
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {login(user)}")
    return client
