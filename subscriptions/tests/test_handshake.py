"""Who may open a socket."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.tests.factories import login, make_user
from subscriptions.log_reads import off_loop
from subscriptions.tests.factories import Client, Headers, bearer, http

pytestmark = pytest.mark.django_db(transaction=True)
OWN: Headers = [(b"origin", b"http://testserver")]


def token_of_a_user() -> str:
    return login(make_user())


def ticket_of_a_user() -> str:
    answer = http(login(make_user())).post("/ws-ticket")
    assert answer.status_code == 201
    return str(answer.json()["ticket"])


async def opens(path: str = "/ws/flight-updates", headers: Headers | None = None) -> bool:
    client = Client(path, headers)
    accepted = await client.open()
    await client.leave()
    return accepted


async def opens_by_ticket(headers: Headers, ticket: str | None = None) -> bool:
    return await opens(f"/ws/flight-updates?ticket={ticket or await off_loop(ticket_of_a_user)}", headers)


async def test_by_header() -> None:
    token = await off_loop(token_of_a_user)
    assert await opens(headers=bearer(token))
    assert await opens(headers=[*bearer(token), *OWN])
    assert await opens(headers=[(b"authorization", f"bearer  {token}".encode())])
    assert not await opens(headers=[*bearer(token), (b"origin", b"http://evil.example")])


async def test_by_a_header_that_is_none() -> None:
    for value in ("", "Bearer", "Bearer x", "Bearer a.b.c", "Basic abc", "Bearer \u00e4"):
        assert not await opens(headers=[(b"authorization", value.encode("latin-1"))]), value


async def test_without_anything() -> None:
    assert not await opens()
    assert not await opens(headers=OWN)
    assert not await opens("/ws/flight-updates?ticket=", OWN)
    assert not await opens("/ws/flight-updates?ticket=%00", OWN)
    assert not await opens("/ws/flight-updates?ticket=%ff", OWN)
    assert not await opens("/ws/flight-updates?" + "a=1&" * 50, OWN)


async def test_after_the_sessions_end() -> None:
    token = await off_loop(token_of_a_user)
    await off_loop(http(token).post, "/logout")
    assert not await opens(headers=bearer(token))


async def test_a_ticket_serves_once() -> None:
    ticket = await off_loop(ticket_of_a_user)
    assert await opens_by_ticket(OWN, ticket)
    assert not await opens_by_ticket(OWN, ticket)
    assert not await opens(f"/ws/flight-updates?ticket={ticket}&ticket={ticket}", OWN)


FOREIGN = [
    None,
    "null",
    "",
    "https://testserver",
    "http://testserver:8000",
    "http://testserver.evil.example",
    "http://evil.example",
    "testserver",
    "http://testserver/path",
    "http://user@testserver",
    "http://testserver:x",
    "http://testserver,http://testserver",
]


async def test_a_foreign_origin_is_refused_and_leaves_the_ticket() -> None:
    ticket = await off_loop(ticket_of_a_user)
    for origin in FOREIGN:
        headers = [] if origin is None else [(b"origin", origin.encode())]
        assert not await opens_by_ticket(headers, ticket), origin
    assert await opens_by_ticket(OWN, ticket)


async def test_our_own_origin() -> None:
    for origin in ("http://testserver", "http://testserver:80", "HTTP://TestServer"):
        assert await opens_by_ticket([(b"origin", origin.encode())]), origin


async def test_listed_origins(settings: Any) -> None:
    settings.SOCKET_ORIGINS = ["https://board.example"]
    assert await opens_by_ticket([(b"origin", b"https://board.example")])
    assert not await opens_by_ticket([(b"origin", b"http://board.example")])
    assert not await opens_by_ticket([(b"origin", b"https://board.example:8443")])


async def test_a_host_that_is_not_ours_is_no_own_origin(settings: Any) -> None:
    ticket = await off_loop(ticket_of_a_user)
    settings.ALLOWED_HOSTS = ["flightbook.example"]
    assert not await opens_by_ticket(OWN, ticket)


async def test_the_proxys_word_for_the_scheme(settings: Any) -> None:
    secure: Headers = [(b"origin", b"https://testserver"), (b"x-forwarded-proto", b"https")]
    assert not await opens_by_ticket(secure)
    settings.TRUSTED_PROXY_HOPS = 1
    assert await opens_by_ticket(secure)
    assert not await opens_by_ticket([*OWN, (b"x-forwarded-proto", b"https")])


async def test_no_other_path() -> None:
    token = await off_loop(token_of_a_user)
    for path in ("/", "/ws", "/ws/flight-updates/", "/ws/other", "/ws/flight-updates/x"):
        assert not await opens(path, bearer(token)), path
