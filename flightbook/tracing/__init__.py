"""OpenTelemetry traces of requests, handshakes and the workers' steps; off, unless
`OTEL_EXPORTER_OTLP_ENDPOINT` says where they go.

Off, nothing of OpenTelemetry is imported and a span is a context manager that does nothing. On, every process
does `instrument` once, when the apps are ready, and `begin` once, after it was forked.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from flightbook.tracing.recording import Recorder

_NOTHING = nullcontext()
_recorder: Recorder | None = None


def instrument() -> None:
    """Has Django, psycopg2 and redis-py make spans; before the first handler and the first connection."""
    global _recorder  # noqa: PLW0603 - one a process
    if settings.TRACES_ENDPOINT and _recorder is None:
        from flightbook.tracing.recording import Recorder  # noqa: PLC0415 - a process without traces loads none of it

        _recorder = Recorder()


def begin() -> None:
    """Begins to export, from a thread of this process: not in one that will fork. At its end what waits is
    sent, within seconds."""
    if settings.TRACES_ENDPOINT:
        from flightbook.tracing.export import begin_to_export  # noqa: PLC0415 - as above

        begin_to_export(settings.TRACES_ENDPOINT)


def span(name: str, **attributes: str | int) -> AbstractContextManager[None]:
    """A span around a step, below the current one where there is one; lines logged inside carry its trace.

    Attributes are exported as ``flightbook.<name>``: numbers, states, public ids; nothing that tells of a
    person.
    """
    return _NOTHING if _recorder is None else _recorder.span(name, attributes)


def handshake(route: str, headers: Mapping[str, str]) -> AbstractContextManager[None]:
    """A server's span around the opening of a WebSocket, in the trace that its ``traceparent`` names."""
    return _NOTHING if _recorder is None else _recorder.handshake(route, headers)


def answered(status: int) -> None:
    """Notes the handshake's HTTP status in the current span."""
    if _recorder is not None:
        _recorder.answered(status)
