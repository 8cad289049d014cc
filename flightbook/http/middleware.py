"""The request's id from edge to log line, a line for each request, the headers of what is left of a limit."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse

from flightbook import logs

access = logging.getLogger("flightbook.access")
_USABLE = re.compile(r"[A-Za-z0-9._-]{8,64}")
_LOOKED_AT_ALL_THE_TIME = frozenset({"/health/live", "/metrics"})
_LONGEST_ANSWER = 256 * 1024


class _Answer(msgspec.Struct, rename="camel"):
    """What an answer to a sale, a payment, a cancellation says of its booking."""

    booking_id: str = ""


_answer = msgspec.json.Decoder(_Answer)


def current_request_id() -> str:
    """The id of the request being answered, or ``-`` outside of one."""
    return logs.current().get("request_id", "-")


def request_id_of(given: str) -> str:
    """The id that a request came with, where it is one that may stand in a log; else a new one."""
    return given if _USABLE.fullmatch(given) else uuid.uuid4().hex


class RequestIdFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = current_request_id()
        return True


class RequestContextMiddleware:
    """Takes ``X-Request-Id`` from the gateway or makes one, and sends it back; adds ``RateLimit`` headers.

    Writes the access line, with the user's and the booking's id where the request had one.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        with logs.about(request_id=request_id_of(request.headers.get("X-Request-Id", ""))):
            response = self.get_response(request)
            response["X-Request-Id"] = current_request_id()
            if access.isEnabledFor(logging.INFO) and request.path not in _LOOKED_AT_ALL_THE_TIME:
                _log(request, response, time.perf_counter() - began)
        for name, value in getattr(request, "rate_limit_headers", {}).items():
            response[name] = value
        return response


def _log(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
    match = request.resolver_match
    said: dict[str, Any] = {
        "method": request.method,
        "path": request.path,
        "route": match.route if match else None,
        "status": response.status_code,
        "seconds": round(seconds, 4),
        "bytes": None if response.streaming else len(response.content),
        "user_id": _user_id(request),
        "booking_id": _booking_id(request, response),
    }
    shown = {name: value for name, value in said.items() if value is not None}
    access.info("%s %s %d", request.method, request.path, response.status_code, extra=shown)


def _user_id(request: HttpRequest) -> str | None:
    """Of the user whom the request was answered for; nobody is looked up only for the line."""
    user = request.__dict__.get("_cached_user") or request.__dict__.get("user")
    # One that nobody has asked for yet is lazy, and would ask the database now.
    return None if hasattr(user, "_wrapped") else getattr(user, "public_id", None)


def _booking_id(request: HttpRequest, response: HttpResponse) -> str | None:
    """Out of the route, or out of the answer to a call that made or changed one."""
    named = request.resolver_match.kwargs.get("booking_id") if request.resolver_match else None
    if isinstance(named, str) or request.method != "POST" or response.streaming:
        return named
    if response.get("Content-Type") != "application/json" or len(response.content) > _LONGEST_ANSWER:
        return None
    try:
        return _answer.decode(response.content).booking_id or None
    except msgspec.DecodeError:  # a list, or another member by this name
        return None
