"""Problem documents (RFC 9457): the one form of every error answer, DRF's and Django's own included."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from django.core.exceptions import (
    BadRequest,
    DisallowedHost,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from rest_framework import exceptions as drf
from rest_framework.response import Response
from rest_framework.views import set_rollback

from flightbook import errors
from flightbook.errors import FieldError, Problem
from flightbook.http.json import encode
from flightbook.http.middleware import current_request_id

logger = logging.getLogger(__name__)
CONTENT_TYPE = "application/problem+json"


def document(problem: Problem) -> dict[str, Any]:
    """The problem's JSON members."""
    body: dict[str, Any] = {
        "type": f"urn:flightbook:problem:{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail or f"{problem.title}.",
        "code": problem.code,
        "requestId": current_request_id(),
    }
    if isinstance(problem, errors.Invalid):
        body["errors"] = [{"pointer": e.pointer, "code": e.code, "detail": e.detail} for e in problem.errors]
    return body | problem.extra


def problem_response(problem: Problem) -> HttpResponse:
    body = encode(document(problem))
    response = HttpResponse(body, status=problem.status, content_type=CONTENT_TYPE)
    response["Cache-Control"] = "no-store"
    if problem.retry_after is not None:
        response["Retry-After"] = str(problem.retry_after)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = "Bearer"
    return response


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's hook. None lets Django answer with `server_error`, which logs the traceback."""
    problem = as_problem(error)
    if problem is None:
        return None
    set_rollback()
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        logger.warning("unavailable: %s", error, exc_info=error.__cause__)
    answer = problem_response(problem)
    return Response(
        document(problem), status=problem.status, headers=dict(answer.headers), content_type=CONTENT_TYPE
    )


def _malformed(detail: str) -> Problem:
    return errors.Invalid.of("", "malformed", detail)


_Form = Callable[[Any], Problem]
# The first that fits; a narrower class stands before the one that it is derived from.
_FORMS: tuple[tuple[tuple[type[Exception], ...], _Form], ...] = (
    ((Problem,), lambda error: error),
    (
        (drf.ValidationError,),
        lambda error: errors.Invalid("Some fields are not valid.", errors=list(field_errors(error.detail))),
    ),
    ((RequestDataTooBig,), lambda _: errors.TooLarge("The body is larger than this server takes.")),
    ((DisallowedHost,), lambda _: _malformed("This server does not go by that host's name.")),
    ((UnreadablePostError,), lambda _: _malformed("The body broke off.")),
    (
        (drf.ParseError, BadRequest, SuspiciousOperation, MultiPartParserError),
        lambda error: _malformed(str(error) or "The request is malformed."),
    ),
    ((drf.NotAuthenticated,), lambda _: errors.NotAuthenticated("Send `Authorization: Bearer <token>`.")),
    ((drf.AuthenticationFailed,), lambda error: errors.TokenInvalid(str(error.detail))),
    ((drf.PermissionDenied, PermissionDenied), lambda _: errors.Forbidden()),
    ((drf.NotFound, Http404), lambda _: errors.NotFound()),
    ((drf.MethodNotAllowed,), lambda error: errors.MethodNotAllowed(str(error.detail))),
    ((drf.NotAcceptable,), lambda _: errors.NotAcceptable("This server speaks application/json.")),
    ((drf.UnsupportedMediaType,), lambda _: errors.UnsupportedMediaType()),
    ((drf.Throttled,), lambda error: errors.Throttled(retry_after=max(1, round(error.wait or 1)))),
    (
        (OperationalError, InterfaceError),
        lambda _: errors.Unavailable("The database did not answer.", retry_after=2),
    ),
)


def as_problem(error: Exception) -> Problem | None:
    """The contract's form of what a view raised; None for what is our fault."""
    return next((form(error) for kinds, form in _FORMS if isinstance(error, kinds)), None)


def field_errors(detail: Any, pointer: str = "") -> Iterator[FieldError]:
    """DRF's nested error detail as one `FieldError` a field, pointing into the body."""
    if isinstance(detail, Mapping):
        for key, inner in detail.items():
            name = str(key).replace("~", "~0").replace("/", "~1")  # RFC 6901
            yield from field_errors(inner, pointer if key == "non_field_errors" else f"{pointer}/{name}")
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            nested = isinstance(inner, Mapping | list)
            yield from field_errors(inner, f"{pointer}/{index}" if nested else pointer)
    else:
        yield FieldError(pointer, getattr(detail, "code", "invalid"), str(detail))


# --- Django's own answers -----------------------------------------------------------------------------------


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem_response(
        as_problem(exception) or errors.Invalid.of("", "malformed", "The request is malformed.")
    )


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem_response(errors.Forbidden())


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem_response(errors.NotFound(detail=f"Nothing is at {request.path}."))


def server_error(request: HttpRequest) -> HttpResponse:
    """The answer to what nothing else has answered; Django calls it while it handles the exception."""
    error = sys.exc_info()[1]
    known = as_problem(error) if isinstance(error, Exception) else None
    if known is not None and known.status == HTTPStatus.SERVICE_UNAVAILABLE:
        return problem_response(known)
    return problem_response(errors.InternalError(detail="The failure was logged under this request's id."))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return problem_response(errors.Forbidden(detail=f"Cross-site request check: {reason}"))


def locked_out(request: HttpRequest, credentials: Mapping[str, Any], *args: Any) -> HttpResponse:
    """The answer to a login form's user after too many failures."""
    return problem_response(errors.Throttled(detail="Too many failed logins; wait a while.", retry_after=900))
