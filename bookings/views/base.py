"""What all calls share that move money or seats: one owner, one key, one answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.public import own_user_pk
from bookings.idempotency import Answer, Promise, Replayed, decide, fingerprint
from flightbook.errors import IdempotencyKeyReused, Invalid, NotFound, Problem
from flightbook.http import problems
from flightbook.http.json import encode

ACT_FOR_OTHERS = "bookings.act_for_others"
_VISIBLE = re.compile(r"[\x21-\x7e]{1,255}")
KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="1 to 255 visible characters. The same request under the same key has one effect and one "
    "answer, replayed for 24 hours with `Idempotent-Replayed: true`.",
)


class SaleView(APIView):
    """A call that moves money or seats: throttled as such, and answered once a key."""

    throttle_scope = "sale"
    error_statuses = (402, 409, 422)

    def handle_exception(self, exc: Exception) -> Response:
        """A body that is no good may be another one than was sent under its key: that is told first."""
        problem = problems.as_problem(exc)
        if isinstance(problem, Invalid):
            try:
                _promise(self.request, _renderer(0, lambda _: None)).check_body()
            except IdempotencyKeyReused as reused:
                exc = reused
            except Problem:  # the key itself is no good: what was raised says so
                pass
        return super().handle_exception(exc)

    def answer_once(
        self,
        request: Request,
        *,
        user_id: str,
        status: int,
        message: Callable[[Any], Any],
        call: Callable[[int, Promise], Any],
    ) -> HttpResponse:
        """Answers with what `call(user_pk, promise)` did, or with what was answered under its key before."""
        promise = _promise(request, _renderer(status, message))
        try:
            done = call(_owner(request, user_id, promise), promise)
        except Replayed as replayed:
            response = _response(replayed.answer)
            response["Idempotent-Replayed"] = "true"
            return response
        return _response(promise.answer or _renderer(status, message)(done))


def actor(request: Request) -> Any:
    return request.user


def _owner(request: Request, user_id: str, promise: Promise) -> int:
    """Whose things are asked for. Not finding them is an answer like any other, kept under the key."""
    try:
        return own_user_pk(actor(request), user_id, permission=ACT_FOR_OTHERS)
    except NotFound as problem:
        refusal = problem
    return decide(promise, lambda: _raise(refusal))


def _raise(problem: Problem) -> int:
    raise problem


def _promise(request: Request, render: Callable[[object], Answer]) -> Promise:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _VISIBLE.fullmatch(key):
        raise Invalid.of("Idempotency-Key", "invalid", "1 to 255 visible ASCII characters.")
    asked = fingerprint(method=request.method or "", path=request.path, body=request._request.body)
    return Promise(user_pk=actor(request).pk, key=key, fingerprint=asked, render=render)


def _renderer(status: int, message: Callable[[Any], Any]) -> Callable[[object], Answer]:
    def render(outcome: object) -> Answer:
        if isinstance(outcome, Problem):
            return Answer(outcome.status, problems.CONTENT_TYPE, encode(problems.document(outcome)))
        return Answer(status, "application/json", encode(message(outcome)))

    return render


def _response(answer: Answer) -> HttpResponse:
    response = HttpResponse(answer.body, status=answer.status, content_type=answer.content_type)
    response["Cache-Control"] = "no-store"
    return response
