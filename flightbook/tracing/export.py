"""How spans leave: from a thread, in batches, over OTLP/HTTP. Whoever made them never waits for it.

A collector that is away costs spans and nothing else: the queue is bounded (`OTEL_BSP_MAX_QUEUE_SIZE`, 2,048)
and the oldest are dropped.
"""

from __future__ import annotations

import atexit
import logging
import os
import time
from collections.abc import Sequence

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes

from flightbook.logs import OncePerMinute
from flightbook.tracing.scrubbing import ScrubbingExporter

# At its end a process sends batches for so long; the last one may take a time-out more.
STOP_SECONDS = 3.0
TIMEOUT_SECONDS = "3"
# While the collector is away they write lines for every batch, and for every span that is dropped.
_NOISY = ("opentelemetry.exporter.otlp.proto.http.trace_exporter", "opentelemetry.sdk._shared_internal")


def begin_to_export(endpoint: str) -> None:
    """Exports this process' spans to `endpoint`, the base of an OTLP/HTTP address, until its end."""
    os.environ.setdefault("OTEL_EXPORTER_OTLP_TIMEOUT", TIMEOUT_SECONDS)
    for noisy in _NOISY:
        logging.getLogger(noisy).addFilter(OncePerMinute())
    exporter = EndingExporter(OTLPSpanExporter(endpoint=f"{endpoint.removesuffix('/')}/v1/traces"))
    provider = TracerProvider(shutdown_on_exit=False)
    provider.sampler = OfSteps(provider.sampler)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    atexit.register(_end, provider, exporter)


def _end(provider: TracerProvider, exporter: EndingExporter) -> None:
    exporter.end_within(STOP_SECONDS)
    provider.shutdown()


class EndingExporter(ScrubbingExporter):
    """One that can be told when to give up: the SDK itself allows 30 s to whom nobody answers."""

    _deadline: float | None = None

    def end_within(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self._deadline is not None and time.monotonic() > self._deadline:
            return SpanExportResult.FAILURE
        return super().export(spans)


class OfSteps(Sampler):
    """What PostgreSQL and Redis are asked in a request or a step is part of its trace, and decided by
    `sampler` with it. What a worker asks over and over, to find out whether there is work, makes none."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        parent = trace.get_current_span(parent_context).get_span_context()
        if kind is SpanKind.CLIENT and not parent.is_valid:
            return SamplingResult(Decision.DROP)
        return self._sampler.should_sample(
            parent_context, trace_id, name, kind, attributes, links, trace_state
        )

    def get_description(self) -> str:
        return f"OfSteps{{{self._sampler.get_description()}}}"
