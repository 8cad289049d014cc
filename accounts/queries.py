"""Reads: who a user is, and whether a session is alive by the database's clock."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Protocol

from accounts.models import Session, User
from accounts.tokens import read_access_token
from accounts.types import Account, SessionHandle
from flightbook.errors import NotFound, TokenInvalid


class Actor(Protocol):
    """The user of a request, as far as asking for somebody's things goes."""

    pk: Any
    public_id: str

    def has_perm(self, perm: str) -> bool: ...


def account(user_pk: int) -> Account:
    """
    Raises:
        NotFound: there is no such user.
    """
    user = User.objects.filter(pk=user_pk).first()
    if user is None:
        raise NotFound
    return _account(user)


def account_by_public_id(public_id: str) -> Account | None:
    """The user that a client names, or None; whatever the text, NUL included."""
    if not (public_id.isascii() and public_id.isalnum()):
        return None
    user = User.objects.filter(public_id=public_id).first()
    return None if user is None else _account(user)


def own_user_pk(user: Actor, public_id: str, *, permission: str | None = None) -> int:
    """The pk of the user that `public_id` names, where it is `user`'s own or `user` has `permission`.

    Raises:
        NotFound: otherwise, the same as for one that does not exist.
    """
    if user.public_id == public_id:
        return int(user.pk)
    if permission is not None and user.has_perm(permission):
        other = account_by_public_id(public_id)
        if other is not None:
            return other.pk
    raise NotFound


def session_of_token(token: str) -> Session:
    """The live session that an access token names, joined with its user: one read.

    Raises:
        TokenInvalid: the token is not valid, or its session is over, or its user disabled.
    """
    claims = read_access_token(token)
    session = Session.objects.live().select_related("user").filter(sid=claims.sid).first()
    if session is None or session.user.public_id != claims.user_public_id:
        raise TokenInvalid
    return session


def authenticate_access_token(token: str) -> SessionHandle:
    """
    Raises:
        TokenInvalid: the token is not valid, or its session is over, or its user disabled.
    """
    return session_of_token(token).handle()


def live_sessions(sids: Collection[str]) -> set[str]:
    """Those of the sids that are neither ended nor expired, of active users."""
    return set(Session.objects.live().filter(sid__in=sids).values_list("sid", flat=True))


def _account(user: User) -> Account:
    return Account(
        pk=user.pk,
        public_id=user.public_id,
        username=user.username,
        email=user.email,
        given_name=user.given_name,
        family_name=user.family_name,
        is_active=user.is_active,
    )
