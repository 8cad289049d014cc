"""What of a span leaves the process: the attributes that are named here, and of an exception its type.

The instrumentation records more, and more with each version: addresses with their query strings (a ticket of
a socket), clients' addresses and programs, messages of exceptions, with which the database quotes its rows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import SpanContext
from opentelemetry.trace.status import Status

OWN = "flightbook."
# No url.path: a path that is no route of ours may be anything. The access line with the trace's id has it.
EXPORTED = frozenset(
    {
        "db.namespace",
        "db.query.text",
        "db.system.name",
        "error.type",
        "exception.type",
        "http.request.method",
        "http.response.status_code",
        "http.route",
        "network.protocol.version",
        "server.address",
        "server.port",
        "url.scheme",
    }
)
# Values travel beside a statement, as parameters; what stands in it all the same is not exported.
_LITERAL = re.compile(r"'(?:[^']|'')*'")
_LONGEST_STATEMENT = 4000


class ScrubbingExporter(SpanExporter):
    """Hands on to `exporter` what may leave."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._exporter.export([scrubbed(span) for span in spans])

    def shutdown(self) -> None:
        self._exporter.shutdown()


def scrubbed(span: ReadableSpan) -> ReadableSpan:
    """The span without what may not leave."""
    return ReadableSpan(
        name=span.name,
        context=_without_state(span.context),
        parent=_without_state(span.parent),
        resource=span.resource,
        attributes=_exported(span.attributes),
        events=[Event(event.name, _exported(event.attributes), event.timestamp) for event in span.events],
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _without_state(context: SpanContext | None) -> SpanContext | None:
    """`tracestate` is whatever the client sent."""
    if context is None:
        return None
    return SpanContext(context.trace_id, context.span_id, context.is_remote, context.trace_flags)


def _exported(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    kept = {
        name: value for name, value in (attributes or {}).items() if name in EXPORTED or name.startswith(OWN)
    }
    if isinstance(statement := kept.get("db.query.text"), str):
        kept["db.query.text"] = _LITERAL.sub("?", statement)[:_LONGEST_STATEMENT]
    return kept
