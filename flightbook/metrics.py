"""What Prometheus reads: what the processes of this replica counted, and what the database says.

The gateway keeps `/metrics` to itself: Prometheus asks each replica. Relay and worker, which serve no HTTP,
answer on `METRICS_PORT`.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from flightbook import instruments
from flightbook.collectors import DatabaseCollector

# A label takes few values, whatever clients send.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

facts = CollectorRegistry()
facts.register(DatabaseCollector())


class MetricsMiddleware:
    """Counts and times every request by its route's template, so that ids in paths make no new series."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        start = time.perf_counter()
        with instruments.requests_under_way.track_inprogress():
            response = self.get_response(request)
        method = request.method if request.method in _METHODS else "OTHER"
        route = request.resolver_match.route if request.resolver_match else "none"
        instruments.requests.labels(method, route, response.status_code).inc()
        instruments.request_seconds.labels(method, route).observe(time.perf_counter() - start)
        return response


@csrf_exempt
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """`GET /metrics` in Prometheus' text format."""
    counted = generate_latest(instruments.whole()) + generate_latest(facts)
    return HttpResponse(counted, content_type=CONTENT_TYPE_LATEST)
