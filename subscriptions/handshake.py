"""Who may open a socket: by an access token in the header, or by a ticket in the address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from accounts import public as accounts
from flightbook.errors import Forbidden, NotAuthenticated, TokenInvalid
from subscriptions.log_reads import off_loop

Scope = Mapping[str, Any]
_DEFAULT_PORTS = {"http": 80, "https": 443}


async def authenticate(scope: Scope) -> accounts.SessionHandle:
    """The session that opens the socket.

    A page of another site can't set the header, but could send a ticket that it got hold of: a ticket serves
    only with an Origin on the list. An Origin beside the header, where there is one, must be on it too.

    Raises:
        NotAuthenticated: neither header nor ticket.
        TokenInvalid: what is given is not valid, used or expired, or its session over.
        Forbidden: the Origin is not on the list.
    """
    token, origin = _bearer(scope), header(scope, b"origin")
    _check_origin(scope, origin)
    if token is not None:
        return await off_loop(accounts.authenticate_access_token, token)
    ticket = _ticket(scope)
    if origin is None:
        raise Forbidden(detail="A ticket wants an Origin.")
    return await off_loop(accounts.redeem_socket_ticket, ticket)


def named_user(scope: Scope) -> str | None:
    """The public id of the user that the header's token names, his session unseen; None without the header.

    Raises:
        TokenInvalid, Forbidden: as `authenticate` does.
    """
    _check_origin(scope, header(scope, b"origin"))
    token = _bearer(scope)
    return None if token is None else accounts.user_named_by(token)


def header(scope: Scope, name: bytes) -> str | None:
    """The values of a header (`name` in lower case), joined; None where it was not sent."""
    values = [value for key, value in scope["headers"] if key == name]
    return b",".join(values).decode("latin-1") if values else None


def _check_origin(scope: Scope, origin: str | None) -> None:
    if origin is not None and not _is_allowed(scope, origin):
        raise Forbidden(detail="This Origin may not open a socket here.")


def _bearer(scope: Scope) -> str | None:
    scheme, _, token = (header(scope, b"authorization") or "").strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _ticket(scope: Scope) -> str:
    """Raises `NotAuthenticated` without a ticket, `TokenInvalid` with several."""
    try:
        query = parse_qs(scope.get("query_string", b"").decode("ascii"), max_num_fields=20)
    except ValueError as error:
        raise NotAuthenticated from error
    tickets: list[str] = query.get("ticket", [])
    if not tickets:
        raise NotAuthenticated(detail="Send `Authorization: Bearer <token>` or `?ticket=`.")
    if len(tickets) > 1:
        raise TokenInvalid
    return tickets[0]


def _is_allowed(scope: Scope, origin: str) -> bool:
    given = _normal(origin)
    own = _own_origin(scope)
    listed = {_normal(allowed) for allowed in settings.SOCKET_ORIGINS}
    return given is not None and (given == own or given in listed)


def _own_origin(scope: Scope) -> tuple[str, str, int] | None:
    """The origin of the host that the client sees: its Host header, as far as ALLOWED_HOSTS has it."""
    host = header(scope, b"host") or ""
    domain, _ = split_domain_port(host)
    if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
        return None
    return _normal(f"{_scheme(scope)}://{host}")


def _scheme(scope: Scope) -> str:
    """Our own proxy's word for the scheme, where there is one; else how the socket came in."""
    forwarded = header(scope, b"x-forwarded-proto")
    if settings.TRUSTED_PROXY_HOPS and forwarded is not None:
        return forwarded.split(",", 1)[0].strip().lower()
    return "https" if scope.get("scheme") in ("wss", "https") else "http"


def _normal(origin: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of ``https://example.com[:port]``; None for anything else, ``null`` included."""
    try:
        parts = urlsplit(origin)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    has_more = parts.path or parts.query or parts.fragment or "@" in parts.netloc
    if not parts.hostname or port is None or has_more:
        return None
    return parts.scheme, parts.hostname, port
