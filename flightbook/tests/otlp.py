"""A collector for tests: takes in what is exported over OTLP/HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Message

SERVER, CLIENT = Message.SPAN_KIND_SERVER, Message.SPAN_KIND_CLIENT


@dataclass(frozen=True)
class Span:
    """One span as it arrived. `text`: everything in it, for what must not be."""

    service: str
    name: str
    kind: int
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    events: list[tuple[str, dict[str, Any]]]
    status: int
    text: str


@dataclass
class Collector:
    endpoint: str
    spans: list[Span] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)
    calls: int = 0
    # Where it is cleared, whoever exports is kept waiting.
    answers: threading.Event = field(default_factory=threading.Event)

    def named(self, name: str) -> list[Span]:
        return [span for span in list(self.spans) if span.name == name]

    def below(self, parent: Span) -> list[Span]:
        """The spans below this one, however deep."""
        known = list(self.spans)
        found, ids = [], {parent.span_id}
        while more := [span for span in known if span.parent_id in ids and span not in found]:
            found += more
            ids |= {span.span_id for span in more}
        return found

    def take_in(self, request: ExportTraceServiceRequest) -> None:
        for group in request.resource_spans:
            service = _values(group.resource.attributes).get("service.name", "")
            for scope in group.scope_spans:
                self.spans += [_span(service, message) for message in scope.spans]


def _span(service: str, message: Message) -> Span:
    return Span(
        service,
        message.name,
        message.kind,
        message.trace_id.hex(),
        message.span_id.hex(),
        message.parent_span_id.hex(),
        _values(message.attributes),
        [(event.name, _values(event.attributes)) for event in message.events],
        message.status.code,
        str(message),
    )


def _values(pairs: Any) -> dict[str, Any]:
    def value(pair: KeyValue) -> Any:
        kind = pair.value.WhichOneof("value")
        return getattr(pair.value, kind) if kind else None

    return {pair.key: value(pair) for pair in pairs}


@contextmanager
def collector() -> Iterator[Collector]:
    """One that listens on a port of its own until the end."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.calls += 1
            found.paths.add(self.path)
            found.answers.wait()
            found.take_in(ExportTraceServiceRequest.FromString(body))
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
            """Into the tests' output it would only be noise."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Collector(f"http://127.0.0.1:{server.server_address[1]}")
    found.answers.set()
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        yield found
    finally:
        found.answers.set()
        server.shutdown()
        server.server_close()
        serving.join()
