"""What makes spans: OpenTelemetry's instrumentation of Django, psycopg2 and redis-py, and our own steps."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from django.conf import settings
from django.http import HttpRequest
from opentelemetry import propagate, trace
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.psycopg2 import Psycopg2Instrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor

from flightbook import logs

# The stable names of attributes, in place of those of before 2023: `scrubbing` knows no others.
_CONVENTIONS = {"OTEL_SEMCONV_STABILITY_OPT_IN": "http,database"}
_ASKED_ALL_THE_TIME = r"^https?://[^/]+/(?:health/\w+|metrics)$"
# Inside the request's log context, which a span adds its trace's id to, and inside what counts requests: the
# instrumentation refuses a foreign Host by an exception of its own.
_INSIDE = "flightbook.metrics.MetricsMiddleware"


class Recorder:
    """The process' instrumentation; making one puts it in place."""

    def __init__(self) -> None:
        os.environ.update(_CONVENTIONS)
        DjangoInstrumentor().instrument(
            excluded_urls=_ASKED_ALL_THE_TIME,
            request_hook=_note_trace_of_request,
            middleware_position=settings.MIDDLEWARE.index(_INSIDE) + 1,
            raise_exception_on_conflict=True,
        )
        Psycopg2Instrumentor().instrument(raise_exception_on_conflict=True)
        RedisInstrumentor().instrument(raise_exception_on_conflict=True)
        self._tracer = trace.get_tracer("flightbook")

    @contextmanager
    def span(self, name: str, attributes: Mapping[str, str | int]) -> Iterator[None]:
        named = {f"flightbook.{key}": value for key, value in attributes.items()}
        with self._tracer.start_as_current_span(name, attributes=named) as current, _logged(current):
            yield

    @contextmanager
    def handshake(self, route: str, headers: Mapping[str, str]) -> Iterator[None]:
        opening = self._tracer.start_as_current_span(
            f"GET {route}",
            context=propagate.extract(headers),
            kind=trace.SpanKind.SERVER,
            attributes={"http.request.method": "GET", "http.route": route},
        )
        with opening as current, _logged(current):
            yield

    def answered(self, status: int) -> None:
        trace.get_current_span().set_attribute("http.response.status_code", status)


def _logged(span: trace.Span) -> AbstractContextManager[object]:
    return logs.about(trace_id=_trace_id(span))


def _note_trace_of_request(span: trace.Span, request: HttpRequest) -> None:
    logs.note(trace_id=_trace_id(span))


def _trace_id(span: trace.Span) -> str:
    return trace.format_trace_id(span.get_span_context().trace_id)
