"""The edge of the application: what no view should see, and bare errors that no view gave their form."""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse

from flightbook import errors
from flightbook.http.problems import CONTENT_TYPE, problem_response

# The admin filters by what stands in its address, and fails on a year that Python's calendar has not.
_NO_YEAR = re.compile(r"(?:^|&)\w+__(?:iso_)?year=(?!0*[1-9]\d{0,3}(?:&|$))")


class EdgeMiddleware:
    """Refuses NUL and years beyond the calendar in addresses, measures bodies that came in chunks, answers
    405 by a problem document."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # PostgreSQL takes no NUL in a text: as a parameter it would be a failure of ours; it names nothing.
        if "\0" in request.path:
            return problem_response(errors.NotFound())
        if "%00" in request.META.get("QUERY_STRING", ""):
            return problem_response(errors.Invalid.of("", "malformed", "A NUL stands in the query."))
        if _NO_YEAR.search(request.META.get("QUERY_STRING", "")):
            return problem_response(errors.Invalid.of("", "malformed", "A year in the query is none."))
        # Without a Content-Length DRF would take the body for empty.
        if not request.META.get("CONTENT_LENGTH") and request.headers.get("Transfer-Encoding"):
            request.META["CONTENT_LENGTH"] = str(len(request.body))
        response = self.get_response(request)
        bare = (
            response.status_code == HTTPStatus.METHOD_NOT_ALLOWED
            and response.get("Content-Type") != CONTENT_TYPE
        )
        return _with_form(request, response) if bare else response


def _with_form(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    problem = problem_response(
        errors.MethodNotAllowed(detail=f'Method "{request.method}" is not allowed here.')
    )
    problem["Allow"] = response["Allow"]
    return problem
