"""Every error is a problem document (RFC 9457), whoever finds it, under WSGI and ASGI alike."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, cast

import httpx
import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler

from flightbook.http.json import decode
from flightbook.http.middleware import RequestIdFilter

MEMBERS = {"type", "title", "status", "detail", "code", "requestId"}
Call = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture(autouse=True)
def _routes(settings: Any) -> None:
    settings.ROOT_URLCONF = "flightbook.tests.urls"


@pytest.fixture(params=["wsgi", "asgi"])
def call(request: Any) -> Call:
    """Sends one request to the whole Django application, as a server would."""

    async def under_wsgi(method: str, url: str, **parts: Any) -> httpx.Response:
        transport = httpx.WSGITransport(WSGIHandler(), raise_app_exceptions=False)
        with httpx.Client(transport=transport, base_url="http://testserver") as client:
            return client.request(method, url, **parts)

    async def under_asgi(method: str, url: str, **parts: Any) -> httpx.Response:
        transport = httpx.ASGITransport(cast("Any", ASGIHandler()), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return await client.request(method, url, **parts)

    return under_wsgi if request.param == "wsgi" else under_asgi


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The document, having looked at what all of them share."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = decode(response.content)
    assert document.keys() >= MEMBERS
    assert (document["status"], document["code"]) == (status, code)
    assert document["requestId"] == response.headers["X-Request-Id"]
    assert response.headers["Cache-Control"] == "no-store"
    return document


async def test_unknown_path(call: Call) -> None:
    problem(await call("GET", "/nowhere"), 404, "not_found")


@pytest.mark.parametrize("path", ["/register/", "/login/", "/book-flight/"])
async def test_a_slash_too_many_is_an_unknown_path_and_no_redirect(call: Call, path: str) -> None:
    problem(await call("POST", path, json={}), 404, "not_found")


async def test_the_docs_take_a_missing_slash(call: Call) -> None:
    response = await call("GET", "/docs")
    assert response.status_code == 301
    assert response.headers["Location"] == "/docs/"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/test/echo", {"POST", "PUT", "PATCH", "OPTIONS"}),
        ("POST", "/", {"GET", "HEAD"}),
        ("POST", "/openapi.json", {"GET", "HEAD"}),
        ("POST", "/metrics", {"GET", "HEAD"}),
        ("DELETE", "/static/flightbook/site.css", {"GET", "HEAD"}),
        ("POST", "/health/live", {"GET", "HEAD", "OPTIONS"}),
    ],
)
async def test_method_not_allowed(call: Call, method: str, path: str, allowed: set[str]) -> None:
    response = await call(method, path)
    problem(response, 405, "method_not_allowed")
    assert set(response.headers["Allow"].split(", ")) == allowed


async def test_options_names_the_methods(call: Call) -> None:
    response = await call("OPTIONS", "/test/echo")
    assert response.status_code == 200
    assert "POST" in response.headers["Allow"]


async def test_head_is_answered_as_get(call: Call) -> None:
    response = await call("HEAD", "/health/live")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"


async def test_not_acceptable(call: Call) -> None:
    problem(await call("POST", "/test/echo", json={}, headers={"Accept": "text/html"}), 406, "not_acceptable")


async def test_too_large(call: Call, settings: Any) -> None:
    body = {"text": "x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE}
    problem(await call("POST", "/test/echo", json=body), 413, "too_large")


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "nonsense", ""])
async def test_unsupported_media_type(call: Call, media_type: str) -> None:
    response = await call("POST", "/test/echo", content=b"{}", headers={"Content-Type": media_type})
    problem(response, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"a": 1,}',
        b'{"a": 1, "a": 2}',
        b'{"a": NaN}',
        b'{"a": "\\ud800"}',
        b'{"a": 1e999999999}',
        b'{"a": 1' + b"0" * 5000 + b"}",
        b"[]",
        b"null",
        b'"text"',
        b'{"a": "\xff"}',
        b"\xef\xbb\xbf{}",
        b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
)
async def test_malformed_json(call: Call, body: bytes) -> None:
    response = await call("POST", "/test/echo", content=body, headers={"Content-Type": "application/json"})
    document = problem(response, 400, "invalid")
    assert [error["pointer"] for error in document["errors"]] == [""]


@pytest.mark.parametrize("url", ["/flights/FL1%00", "/nowhere%00"])
async def test_nul_in_a_path_names_nothing(call: Call, url: str) -> None:
    problem(await call("GET", url), 404, "not_found")


async def test_nul_in_a_query(call: Call) -> None:
    problem(await call("GET", "/search-flights?from=%00"), 400, "invalid")


async def test_unknown_host(call: Call) -> None:
    document = problem(await call("GET", "/", headers={"Host": "elsewhere.example"}), 400, "invalid")
    assert "elsewhere" not in document["detail"]


async def test_cross_site_request(call: Call) -> None:
    problem(await call("POST", "/test/form", data={"a": "b"}), 403, "forbidden")


async def test_permission_denied(call: Call) -> None:
    problem(await call("GET", "/test/denied"), 403, "forbidden")


@pytest.mark.parametrize(("method", "path"), [("GET", "/test/broken"), ("PUT", "/test/echo")])
async def test_an_unexpected_exception_is_logged_under_the_id_that_the_client_gets(
    call: Call, caplog: pytest.LogCaptureFixture, method: str, path: str
) -> None:
    seen: list[str] = []

    class Watch(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            RequestIdFilter().filter(record)
            if record.exc_info:
                seen.append(record.__dict__["request_id"])

    watch = Watch()
    logging.getLogger("django.request").addHandler(watch)
    try:
        response = await call(method, path, headers={"X-Request-Id": "given-by-the-gateway"})
    finally:
        logging.getLogger("django.request").removeHandler(watch)
    document = problem(response, 500, "internal")
    assert "secret" not in response.text
    assert document["requestId"] == "given-by-the-gateway"
    assert seen == ["given-by-the-gateway"]


@pytest.mark.parametrize(("method", "path"), [("GET", "/test/away"), ("PATCH", "/test/echo")])
async def test_the_database_away(call: Call, method: str, path: str) -> None:
    response = await call(method, path)
    problem(response, 503, "unavailable")
    assert int(response.headers["Retry-After"]) > 0
    assert "10.0.0.7" not in response.text


async def test_an_unusable_request_id_is_replaced(call: Call) -> None:
    response = await call("GET", "/health/live", headers={"X-Request-Id": "two\twords"})
    assert len(response.headers["X-Request-Id"]) == 32


async def test_the_request_id_reaches_the_view(call: Call) -> None:
    response = await call("POST", "/test/echo", json={"a": 1}, headers={"X-Request-Id": "12345678"})
    assert response.json() == {"body": {"a": 1}, "requestId": "12345678"}


async def test_static_files(call: Call) -> None:
    response = await call("GET", "/static/flightbook/site.css")
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/css")
    assert b"prefers-color-scheme" in response.content
    unchanged = await call(
        "GET", "/static/flightbook/site.css", headers={"If-None-Match": response.headers["ETag"]}
    )
    assert unchanged.status_code == 304
    assert unchanged.content == b""
