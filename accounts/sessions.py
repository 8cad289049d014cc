"""Sessions: opened by a login, carried on by refresh tokens, ended once and for good; and the tickets for
their sockets.

Secrets are 256 random bits and are kept by their SHA-256 alone: so many bits need no salt and no slow hash.
What serves once is taken by one conditional statement; whoever gets no row from it came second. The
database's clock decides what has expired.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from accounts.models import RefreshToken, Session, SocketTicket, User
from accounts.tokens import AccessClaims, sign_access_token
from accounts.types import Login, SessionHandle, Ticket
from flightbook.errors import InvalidCredentials, TokenInvalid


def open_session(*, user: User) -> Login:
    """A new session of `user`, whose password the caller has checked, with its first pair of tokens.

    Raises:
        InvalidCredentials: the password was changed or the user disabled since `user` was read.
    """
    with transaction.atomic():
        # Locked and read again: a new password ends all sessions, and this one must not slip in after it.
        unchanged = User.objects.select_for_update(no_key=True).filter(
            pk=user.pk, password=user.password, is_active=True
        )
        if not unchanged.exists():
            raise InvalidCredentials
        session = Session.objects.create(
            sid=secrets.token_urlsafe(32), user=user, expires_at=Now() + settings.REFRESH_TOKEN_LIFETIME
        )
        refresh_token = _add_refresh_token(session)
    return _login(session.sid, user.public_id, refresh_token)


def refresh(*, refresh_token: str) -> Login:
    """The next pair of tokens for an unused refresh token; its session lives 14 days longer from now.

    A second use means that somebody has a copy: it ends the session, and with it every token of the family.

    Raises:
        TokenInvalid: the token is unknown, expired or used, or its session over.
    """
    digest = _digest(refresh_token)
    with transaction.atomic():
        session = _take_refresh_token(digest)
        next_token = _add_refresh_token(session) if session else ""
    if session is None:
        _end_if_reused(digest)
        raise TokenInvalid
    return _login(session.sid, session.user.public_id, next_token)


def end_sessions(*, sids: Iterable[str], reason: str) -> int:
    """Ends sessions and says how many; those that are over stay as they are."""
    return Session.objects.filter(sid__in=list(sids)).end(reason)


def issue_ticket(*, sid: str) -> Ticket:
    """A ticket that opens one WebSocket of the session.

    Raises:
        TokenInvalid: the session is over.
    """
    session = Session.objects.live().filter(sid=sid).first()
    if session is None:
        raise TokenInvalid
    ticket = secrets.token_urlsafe(32)
    lifetime: timedelta = settings.SOCKET_TICKET_LIFETIME
    SocketTicket.objects.create(session=session, ticket_hash=_digest(ticket), expires_at=Now() + lifetime)
    return Ticket(ticket=ticket, expires_in=int(lifetime.total_seconds()))


def redeem_socket_ticket(ticket: str) -> SessionHandle:
    """The session of a ticket, which is gone from then on.

    Raises:
        TokenInvalid: the ticket is unknown, used or expired, or its session over.
    """
    with connection.cursor() as cursor:
        cursor.execute(_REDEEM, [_digest(ticket)])
        row = cursor.fetchone()
    if row is None:
        raise TokenInvalid
    sid, user_pk, user_public_id = row
    return SessionHandle(sid=sid, user_pk=user_pk, user_public_id=user_public_id)


_REDEEM = """
DELETE FROM accounts_socketticket ticket
USING accounts_session session JOIN accounts_user person ON person.id = session.user_id
WHERE ticket.ticket_hash = %s AND ticket.expires_at > clock_timestamp() AND session.id = ticket.session_id
    AND session.ended_at IS NULL AND session.expires_at > clock_timestamp() AND person.is_active
RETURNING session.sid, person.id, person.public_id
"""


def _take_refresh_token(digest: str) -> Session | None:
    """Marks the token used and moves its session's end, if both are alive.

    The session's row is locked first: a logout or a changed password is before it or after it, never beside
    it.
    """
    session = (
        Session.objects.live()
        .select_for_update(of=("self",), no_key=True)
        .select_related("user")
        .filter(refresh_tokens__token_hash=digest)
        .first()
    )
    if session is None or not RefreshToken.objects.take(digest):
        return None
    Session.objects.filter(pk=session.pk).update(expires_at=Now() + settings.REFRESH_TOKEN_LIFETIME)
    return session


def _end_if_reused(digest: str) -> None:
    Session.objects.filter(refresh_tokens__token_hash=digest, refresh_tokens__used_at__isnull=False).end(
        "token_reused"
    )


def _add_refresh_token(session: Session) -> str:
    token = secrets.token_urlsafe(32)
    RefreshToken.objects.create(
        session=session, token_hash=_digest(token), expires_at=Now() + settings.REFRESH_TOKEN_LIFETIME
    )
    return token


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _login(sid: str, user_public_id: str, refresh_token: str) -> Login:
    lifetime: timedelta = settings.ACCESS_TOKEN_LIFETIME
    return Login(
        user_public_id=user_public_id,
        token=sign_access_token(AccessClaims(sid=sid, user_public_id=user_public_id)),
        refresh_token=refresh_token,
        expires_in=int(lifetime.total_seconds()),
    )
