"""The ASGI application as it is served: its bound on database connections, chunked bodies, its root."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from django.core.handlers.asgi import ASGIHandler
from django.db import connections

from flightbook.asgi import application
from flightbook.http.concurrency import ConcurrencyLimit

PLACES = 16


@pytest.fixture(autouse=True)
def _routes(settings: Any) -> None:
    settings.ROOT_URLCONF = "flightbook.tests.urls"


async def send(app: Any, method: str, url: str, **parts: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver", timeout=None) as client:
        return await client.request(method, url, **parts)


async def most_connections(app: Any, requests: int) -> int:
    """The greatest number of connections that any of so many parallel requests saw."""
    answers = await asyncio.gather(*(send(app, "GET", "/test/connections") for _ in range(requests)))
    assert {answer.status_code for answer in answers} == {200}
    return max(int(answer.json()["connections"]) for answer in answers)


@pytest.fixture
def _named(settings: Any) -> None:
    """Connections of requests bear a name, by which they are told from others'."""
    options = connections["default"].settings_dict["OPTIONS"]
    connections["default"].settings_dict["OPTIONS"] = options | {"application_name": "requests"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_named")
async def test_300_parallel_requests_stay_within_the_connections() -> None:
    limit = ConcurrencyLimit(ASGIHandler(), places=PLACES, wait_seconds=60)
    assert await most_connections(limit, 300) <= PLACES


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_named")
async def test_control_without_the_limit_they_do_not() -> None:
    assert await most_connections(ASGIHandler(), 40) > PLACES


async def test_a_body_in_chunks_without_a_length_is_read() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b'{"a":'
        yield b" 1}"

    response = await send(
        application, "POST", "/test/echo", content=chunks(), headers={"Content-Type": "application/json"}
    )
    assert response.json()["body"] == {"a": 1}


async def test_a_body_in_chunks_is_bounded_too(settings: Any) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 10_000

    response = await send(
        application, "POST", "/test/echo", content=chunks(), headers={"Content-Type": "application/json"}
    )
    assert (response.status_code, response.json()["code"]) == (413, "too_large")


async def test_a_client_cannot_move_the_root() -> None:
    sent: list[Any] = []

    inbox: asyncio.Queue[Any] = asyncio.Queue()
    inbox.put_nowait({"type": "http.request", "body": b"", "more_body": False})

    async def keep(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": "/x/health/live",
        "root_path": "/x",
        "query_string": b"",
        "headers": [(b"host", b"testserver")],
    }
    await application(scope, inbox.get, keep)
    assert sent[0]["status"] == 404
