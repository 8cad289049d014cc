"""How a request says who it is: `Authorization: Bearer <access token>`."""

from __future__ import annotations

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts.models import User
from accounts.queries import user_of_token
from accounts.types import SessionHandle
from flightbook.errors import TokenInvalid


class SessionTokenAuthentication(BaseAuthentication):
    """Sets `request.user` to the `User` and `request.auth` to the `SessionHandle`. No header is no user."""

    def authenticate(self, request: Request) -> tuple[User, SessionHandle] | None:
        scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
        if scheme.lower() != "bearer":
            return None
        if not token.strip():
            raise TokenInvalid
        return user_of_token(token.strip())

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
