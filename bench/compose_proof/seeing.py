"""What Prometheus reads of the replicas while the system is used."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from bench.compose_proof.stack import containers, eventually, run
from bench.compose_proof.traveller import Traveller, hear
from bench.compose_proof.use import STAFF

PORTS = {"users": 8000, "booking": 8000, "realtime": 8000, "relay": 9100, "worker": 9100, "notices": 9100}
_SCRAPE = (
    "import sys, urllib.request; "
    "print(urllib.request.urlopen(f'http://localhost:{sys.argv[1]}/metrics').read().decode())"
)
_SALE = {"method": "POST", "route": "book-flight"}
FEEDS, OUTBOXES = ("feed_relay", "feed_webhooks", "feed_mail", "feed_disruption"), ("mail", "webhooks")
AUDITED = 120.0  # seconds to the first audit's end, which begins with the worker

Scrape = dict[tuple[str, frozenset[tuple[str, str]]], float]  # by name and labels


def what_prometheus_reads() -> str:
    """From inside: the gateway hands nothing out. A sale was made, and an update heard on an open socket."""
    traveller, staff = Traveller(), Traveller(*STAFF)
    flight_id = traveller.search(days=10)[0]["flightId"]
    traveller.book(flight_id)
    eventually(lambda: _has(_scrape("booking"), "oversold"), seconds=AUDITED)
    eventually(lambda: _has(_scrape("booking"), "bookings", status="Confirmed"), seconds=AUDITED)
    with traveller.socket() as opened:
        traveller.follow(opened, flight_id)
        staff.report_delay(flight_id, 20)
        hear(opened)
        # Counted in the watcher's rounds.
        eventually(lambda: _value(_scrape("realtime"), "sockets_flights") >= 1)
        found = {pool: _scrape(pool) for pool in PORTS}
    _sale(found["booking"])
    _live_updates(found["realtime"], found["relay"])
    for pool in ("worker", "notices"):
        assert any(name == "flightbook_worker_task_runs_total" for name, _ in found[pool]), pool
    told = ", ".join(f"{pool} {len(series)}" for pool, series in found.items())
    return f"series: {told}; oversold 0"


def _sale(booking: Scrape) -> None:
    assert _value(booking, "http_requests_total", status="201", **_SALE) >= 1
    assert _value(booking, "http_request_duration_seconds_count", **_SALE) >= 1
    assert _value(booking, "bookings", status="Confirmed") >= 1
    limit, left = (_value(booking, f"seats_{what}", cabin="economy") for what in ("limit", "available"))
    assert limit >= left > 0, (limit, left)
    assert _value(booking, "oversold") == 0
    for queue in (*FEEDS, *OUTBOXES):
        assert _value(booking, "backlog_oldest_seconds", queue=queue) >= 0
    assert 1 <= _value(booking, "http_requests_under_way") <= _value(booking, "http_places")
    assert _value(booking, "database_connections_max") > _value(booking, "database_connections", state="idle")


def _live_updates(realtime: Scrape, relay: Scrape) -> None:
    assert _value(realtime, "sockets") >= 1
    assert _value(realtime, "sockets_flights") >= 1
    assert _value(realtime, "fan_out_lag_seconds_count") >= 1
    assert _value(relay, "updates_published_total") >= 1


def _scrape(pool: str) -> Scrape:
    text = run("docker", "exec", containers(pool)[0], "python", "-c", _SCRAPE, str(PORTS[pool]))
    families = text_string_to_metric_families(text)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def _has(scrape: Scrape, name: str, **labels: str) -> bool:
    return (f"flightbook_{name}", frozenset(labels.items())) in scrape


def _value(scrape: Scrape, name: str, **labels: str) -> float:
    key = f"flightbook_{name}", frozenset(labels.items())
    assert key in scrape, key
    return scrape[key]


CHECKS = (what_prometheus_reads,)
