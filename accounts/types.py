"""What accounts hands to other apps: facts about users and sessions, never a model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Account:
    """A user. `pk` is for foreign keys within the database; `public_id` is what clients know."""

    pk: int
    public_id: str
    username: str
    email: str
    given_name: str
    family_name: str
    is_active: bool


@dataclass(frozen=True)
class SessionHandle:
    """A live session and whose it is; `request.auth` of every authenticated request."""

    sid: str
    user_pk: int
    user_public_id: str


@dataclass(frozen=True)
class Login:
    """What a client receives on login and on each refresh. `expires_in`: seconds of the access token."""

    user_public_id: str
    token: str
    refresh_token: str
    expires_in: int


@dataclass(frozen=True)
class Ticket:
    """What opens one WebSocket within `expires_in` seconds."""

    ticket: str
    expires_in: int
