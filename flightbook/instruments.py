"""What this process counts, in one place below all apps, so that any of them can.

Where `PROMETHEUS_MULTIPROC_DIR` is set (gunicorn's settings do it), the processes of a replica keep their
values in files there, and a scrape of any of them adds them up:
https://prometheus.github.io/client_python/multiprocess/
"""

from __future__ import annotations

import os

from django.conf import settings
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector

_QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_LONG = (0.01, 0.05, 0.25, 1, 5, 15, 60, 300, 900)

registry = CollectorRegistry()
requests = Counter(
    "flightbook_http_requests", "Requests answered.", ("method", "route", "status"), registry=registry
)
request_seconds = Histogram(
    "flightbook_http_request_duration_seconds",
    "From the first middleware to the finished response.",
    ("method", "route"),
    buckets=_QUICK,
    registry=registry,
)
requests_under_way = Gauge(
    "flightbook_http_requests_under_way",
    "Requests that a thread of this replica is at work on.",
    registry=registry,
    multiprocess_mode="livesum",
)
places = Gauge(
    "flightbook_http_places",
    "Requests that this replica takes at once; each may hold a connection to the database.",
    registry=registry,
    multiprocess_mode="livesum",
)
sockets = Gauge("flightbook_sockets", "WebSockets open.", registry=registry, multiprocess_mode="livesum")
followed_flights = Gauge(
    "flightbook_sockets_flights",
    "Flights that the sockets of this process follow.",
    registry=registry,
    multiprocess_mode="livesum",
)
updates_heard = Counter(
    "flightbook_updates_heard", "Updates that came over the channel layer.", registry=registry
)
fan_out_lag = Histogram(
    "flightbook_fan_out_lag_seconds",
    "From the record of an update in the log to its arrival at a process with sockets.",
    buckets=_QUICK,
    registry=registry,
)
updates_published = Counter(
    "flightbook_updates_published", "Updates that a relay published.", registry=registry
)
task_runs = Counter(
    "flightbook_worker_task_runs", "Runs of the worker's tasks.", ("task", "outcome"), registry=registry
)
task_seconds = Histogram(
    "flightbook_worker_task_duration_seconds",
    "How long the worker's tasks take.",
    ("task",),
    buckets=_LONG,
    registry=registry,
)
standby_reads = Counter(
    "flightbook_standby_reads", "Public reads that the standby answered.", registry=registry
)
standby_lag = Gauge(
    "flightbook_standby_lag_seconds",
    "How far the standby is behind, as a process saw it last.",
    registry=registry,
    multiprocess_mode="livemax",
)


def whole() -> CollectorRegistry:
    """The values of all processes of this replica; of this one where it stands alone."""
    directory = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if not directory:
        return registry
    found = CollectorRegistry()
    MultiProcessCollector(found, path=directory)  # type: ignore[no-untyped-call]
    return found


def serve() -> None:
    """Answers Prometheus on `METRICS_PORT`, from a thread, for as long as the process lives; where that is 0,
    not at all."""
    if settings.METRICS_PORT:
        start_http_server(settings.METRICS_PORT, registry=registry)
