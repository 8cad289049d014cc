"""Reads: who a user is, and whether a session is alive by the database's clock."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Protocol

from django.db import connection

from accounts.models import Session, User
from accounts.tokens import read_access_token
from accounts.types import Account, SessionHandle
from flightbook.errors import NotFound, TokenInvalid
from flightbook.statements import Statement, run

# A live session is what `Session.objects.live` says.
_COLUMNS = [field.attname for field in User._meta.concrete_fields]
_USER = f"""
SELECT {", ".join(f"person.{name}" for name in _COLUMNS)}
  FROM accounts_session session JOIN accounts_user person ON person.id = session.user_id
 WHERE session.sid = %s AND session.ended_at IS NULL AND session.expires_at > statement_timestamp()
   AND person.is_active
"""  # noqa: S608 - made of constants


class Actor(Protocol):
    """The user of a request, as far as asking for somebody's things goes."""

    pk: Any
    public_id: str

    def has_perm(self, perm: str) -> bool: ...


class Person(Protocol):
    """The user of a request, as far as who they are goes."""

    pk: Any
    public_id: Any
    username: Any
    email: Any
    given_name: Any
    family_name: Any
    is_active: Any


def account(user_pk: int) -> Account:
    """
    Raises:
        NotFound: there is no such user.
    """
    user = User.objects.filter(pk=user_pk).first()
    if user is None:
        raise NotFound
    return account_of(user)


def account_by_public_id(public_id: str) -> Account | None:
    """The user that a client names, or None; whatever the text, NUL included."""
    if not (public_id.isascii() and public_id.isalnum()):
        return None
    user = User.objects.filter(public_id=public_id).first()
    return None if user is None else account_of(user)


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


def user_of_token(token: str) -> tuple[User, SessionHandle]:
    """The user of the live session that an access token names, and that session: one read, which every
    request begins with (by hand, since putting it together would cost more than the read).

    Raises:
        TokenInvalid: the token is not valid, or its session is over, or its user disabled.
    """
    claims = read_access_token(token)
    rows = run([Statement(_USER, (claims.sid,))])
    user = User.from_db(connection.alias, _COLUMNS, rows[0]) if rows else None
    if user is None or user.public_id != claims.user_public_id:
        raise TokenInvalid
    return user, SessionHandle(sid=claims.sid, user_pk=user.pk, user_public_id=user.public_id)


def authenticate_access_token(token: str) -> SessionHandle:
    """
    Raises:
        TokenInvalid: the token is not valid, or its session is over, or its user disabled.
    """
    return user_of_token(token)[1]


def user_named_by(token: str) -> str:
    """The public id of the user that an access token names. Nothing is read: the session may be over.

    Raises:
        TokenInvalid: the token is not ours, or out of time.
    """
    return read_access_token(token).user_public_id


def live_sessions(sids: Collection[str]) -> set[str]:
    """Those of the sids that are neither ended nor expired, of active users."""
    return set(Session.objects.live().filter(sid__in=sids).values_list("sid", flat=True))


def account_of(user: Person) -> Account:
    """What a request's user is to the apps above; nothing is read."""
    return Account(
        pk=user.pk,
        public_id=user.public_id,
        username=user.username,
        email=user.email,
        given_name=user.given_name,
        family_name=user.family_name,
        is_active=user.is_active,
    )
