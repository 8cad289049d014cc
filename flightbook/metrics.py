"""What Prometheus reads: requests of this process, and the work that waits in the database.

Counters are this process's own: a scrape of a pool of several processes sees the one that answers it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from flightbook.backlog import queues

# A label takes few values, whatever clients send.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

registry = CollectorRegistry()
_requests = Counter(
    "flightbook_http_requests", "Requests answered.", ("method", "route", "status"), registry=registry
)
_durations = Histogram(
    "flightbook_http_request_duration_seconds",
    "From the first middleware to the finished response.",
    ("method", "route"),
    buckets=_SECONDS,
    registry=registry,
)


class MetricsMiddleware:
    """Counts and times every request by its route's template, so that ids in paths make no new series."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        start = time.perf_counter()
        response = self.get_response(request)
        method = request.method if request.method in _METHODS else "OTHER"
        route = request.resolver_match.route if request.resolver_match else "none"
        _requests.labels(method, route, response.status_code).inc()
        _durations.labels(method, route).observe(time.perf_counter() - start)
        return response


class BacklogCollector:
    """Rows that wait for a worker, read from the database at each scrape; none of them while it is away."""

    def collect(self) -> Iterator[Metric]:
        found = queues()
        up = GaugeMetricFamily("flightbook_database_up", "1 where the database answered this scrape.")
        up.add_metric([], 0 if found is None else 1)
        yield up
        waiting = GaugeMetricFamily("flightbook_backlog", "Rows that wait for a worker.", labels=["queue"])
        oldest = GaugeMetricFamily(
            "flightbook_backlog_oldest_seconds", "Since when the oldest of them waits.", labels=["queue"]
        )
        for queue in found or ():
            waiting.add_metric([queue.name], queue.waiting)
            if queue.oldest_seconds is not None:
                oldest.add_metric([queue.name], queue.oldest_seconds)
        yield waiting
        yield oldest


registry.register(BacklogCollector())


@csrf_exempt
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """`GET /metrics` in Prometheus' text format."""
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
