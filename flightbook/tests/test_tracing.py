"""Traces: what is exported of real servers, what never is, and what it costs where they are off or the
collector is away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.db.models.functions import Now
from opentelemetry import trace
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Decision
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags, TraceState
from opentelemetry.trace.status import Status, StatusCode

from accounts.tests.factories import api_client, make_user
from bookings.models import Booking, Refund
from bookings.tests.factories import Traveller as Buyer
from flightbook.tests import otlp
from flightbook.tests.otlp import Collector, Span, collector
from flightbook.tests.processes import ROOT, eventually, free_address, gunicorn, process, served
from flightbook.tests.test_journey import PASSWORD, Traveller
from flightbook.tracing.export import OfSteps
from flightbook.tracing.scrubbing import scrubbed
from flights.models import Feed
from flights.tests.factories import make_flight
from subscriptions.models import WebhookDelivery
from subscriptions.operations import follow
from subscriptions.tests.factories import register_relay, report
from subscriptions.tests.receivers import receiver
from subscriptions.webhooks.writing import write_webhook_deliveries

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
LATE = {"OTEL_BSP_SCHEDULE_DELAY": "3600000"}  # nothing is exported before the end


def settings_for(found: Collector, **more: str) -> dict[str, str]:
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": found.endpoint, "OTEL_SERVICE_NAME": "flightbook-test"} | more


EVERYTHING = """
import sys, flightbook.wsgi, flightbook.asgi, flightbook.management.commands.worker
import subscriptions.management.commands.relay, flightbook.management.commands.notices
from flightbook import tracing
tracing.begin()
with tracing.span("nothing", flights=1), tracing.handshake("ws", {}):
    tracing.answered(101)
print(sum(name.partition(".")[0] == "opentelemetry" for name in sys.modules))
"""


def _modules_loaded(**changes: str) -> int:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", EVERYTHING],
        cwd=ROOT,
        env=environment | changes,
        capture_output=True,
        check=True,
    )
    return int(done.stdout)


def test_off_nothing_of_it_is_imported() -> None:
    assert _modules_loaded() == 0
    with collector() as found:
        assert _modules_loaded(**settings_for(found)) > 50  # else the count would tell nothing
        assert [span.name for span in found.spans] == ["GET ws", "nothing"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
)
def test_what_it_cannot_speak_stops_the_start(name: str, value: str) -> None:
    command = [sys.executable, "-c", "import flightbook.settings"]
    started = subprocess.run(
        command, cwd=ROOT, env=os.environ | {name: value}, capture_output=True, check=False
    )
    assert started.returncode != 0
    assert name in started.stderr.decode().splitlines()[-1]


@pytest.mark.django_db(transaction=True)
def test_a_booking_is_one_trace(tmp_path: Path) -> None:
    """Through gunicorn's two workers; exported as they end."""
    api_client()
    flight = make_flight(economy=50)
    log = tmp_path / "log"
    settings = {**LATE, "WEB_WORKERS": "2", "LOG_FORMAT": "json"}
    with collector() as found, gunicorn(log, **settings_for(found, **settings)) as address:
        traveller = Traveller(address)
        traveller.register_and_log_in()
        query = {"from": "New York", "to": "Los Angeles", "date": flight.departure_date.isoformat()}
        traveller.call("GET", "/search-flights", 200, params=query)
        body = {"userId": traveller.user_id, "flightId": flight.public_id, "paymentMethod": "credit_card"}
        headers = {"Idempotency-Key": "my-key-1", "traceparent": TRACEPARENT, "tracestate": "me=secret1"}
        traveller.call("POST", "/book-flight", 201, body, headers=headers)
        traveller.call("GET", "/somewhere/else@example.com", 404)
        token = traveller.http.headers["Authorization"].removeprefix("Bearer ")
        assert httpx.get(f"http://{address}/health/ready").status_code == httpx.codes.OK
        assert_foreign_host_is_refused(address)
        assert found.calls == 0
    [booked] = [span for span in found.spans if span.attributes.get("http.route") == "book-flight"]
    assert (booked.name, booked.kind, booked.service) == ("POST book-flight", otlp.SERVER, "flightbook-test")
    assert booked.attributes["http.response.status_code"] == 201
    assert (booked.trace_id, booked.parent_id) == (TRACE, PARENT)
    assert_asked_both_servers(found, booked)
    assert_only_steps(found, "health")
    secrets = ("grace", "Grace", PASSWORD, token, "from=", "secret1", "my-key-1", "else@")
    assert_nothing_told(found, *secrets)
    assert_lines_name_their_trace(log, booked, *found.named("POST login"))


def assert_lines_name_their_trace(log: Path, *requests: Span) -> None:
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    traced = {line["route"]: line["traceId"] for line in lines if "traceId" in line and "route" in line}
    assert len(requests) == 2
    for request in requests:
        assert traced[request.attributes["http.route"]] == request.trace_id


def assert_foreign_host_is_refused(address: str) -> None:
    """The instrumentation asks for the host before anybody else does."""
    refused = httpx.get(f"http://{address}/search-flights", headers={"Host": "elsewhere.example"})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid")
    assert refused.headers["X-Request-Id"]


def assert_asked_both_servers(found: Collector, request: Span) -> None:
    below = [span for span in found.below(request) if span.kind == otlp.CLIENT]
    assert {span.trace_id for span in below} == {request.trace_id}
    assert {span.attributes["db.system.name"] for span in below} == {"postgresql", "redis"}
    statements = [str(span.attributes["db.query.text"]) for span in below]
    assert any("INSERT INTO" in text and "%s" in text for text in statements), statements


def assert_only_steps(found: Collector, *unnamed: str) -> None:
    """No statement stands alone, and what is asked all the time is left out."""
    assert not [span for span in found.spans if span.kind == otlp.CLIENT and not span.parent_id]
    assert not [span for span in found.spans for word in unnamed if word in span.name]


def assert_nothing_told(found: Collector, *secrets: str) -> None:
    assert found.spans
    told = {(span.name, secret) for span in found.spans for secret in secrets if secret in span.text}
    assert not told


@pytest.mark.django_db(transaction=True)
def test_a_handshake_has_a_span_and_no_ticket() -> None:
    api_client()
    with collector() as found, served(**settings_for(found, OTEL_BSP_SCHEDULE_DELAY="100")) as address:
        traveller = Traveller(address)
        traveller.register_and_log_in()
        with traveller.socket_with_ticket() as socket:
            ticket = socket.request.path.partition("ticket=")[2] if socket.request else ""
            [opened] = eventually(lambda: found.named("GET ws/flight-updates"))
        refused = httpx.get(f"http://{address}/login")
        assert refused.status_code == httpx.codes.METHOD_NOT_ALLOWED
        eventually(lambda: found.named("GET login"))
    assert (opened.kind, opened.attributes["http.response.status_code"]) == (otlp.SERVER, 101)
    assert [span for span in found.below(opened) if span.attributes.get("db.system.name") == "postgresql"]
    assert len(ticket) > 20
    assert_nothing_told(found, ticket, "ticket=", traveller.http.headers["Authorization"], "grace")
    [issued] = found.named("POST ws-ticket")
    assert (issued.kind, issued.attributes["http.response.status_code"]) == (otlp.SERVER, 201)
    assert_only_steps(found)


@pytest.mark.django_db(transaction=True)
def test_the_worker_shows_its_work_and_not_its_waiting() -> None:
    buyer = Buyer()
    booking = buyer.booked(make_flight(), make_flight(), fares=["ELIGHT", "EFLEX"])
    Booking.objects.update(created_at=Now() - timedelta(days=2))
    assert buyer.cancel(booking).status_code == 200
    with collector() as found, process("manage.py", "worker", **settings_for(found, **LATE)):
        eventually(lambda: Refund.objects.filter(state="done").exists())
        assert found.calls == 0
    [settled], [refunded] = found.named("settle payment"), found.named("make refund")
    assert settled.attributes == {
        "flightbook.state": "to_capture",
        "flightbook.gateway": "sandbox",
        "flightbook.booking_id": booking.public_id,
    }
    for step in (settled, refunded):
        assert {span.attributes["db.system.name"] for span in found.below(step)} == {"postgresql"}
    assert_only_steps(found)
    assert_nothing_told(found, buyer.user.email, buyer.user.username)


@pytest.mark.django_db(transaction=True)
def test_a_batch_of_the_relay_is_one_trace() -> None:
    register_relay()
    flight = make_flight()
    report(flight.pk)
    with collector() as found, process("manage.py", "relay", **settings_for(found, **LATE)):
        eventually(lambda: not Feed.objects.filter(flight=flight, pending=True).exists())
    [published] = found.named("publish updates")
    assert published.attributes == {"flightbook.flights": 1}
    below = found.below(published)
    assert "PUBLISH" in {span.name for span in below}
    assert {span.attributes["db.system.name"] for span in below} == {"postgresql", "redis"}
    assert_only_steps(found)


@pytest.mark.django_db(transaction=True)
def test_a_webhook_is_called_within_its_batch(settings: Any) -> None:
    settings.WEBHOOK_INSECURE_TARGETS = True
    user, flight = make_user(), make_flight()
    write_webhook_deliveries()  # registers the consumer
    follow(user_pk=user.pk, flight_pk=flight.pk)
    with receiver() as told, collector() as found:
        assert api_client(user).post("/webhooks", {"url": told.url}).status_code == 201
        report(flight.pk)
        changes = settings_for(found, **LATE, WEBHOOK_INSECURE_TARGETS="true")
        with process("manage.py", "notices", **changes):
            eventually(lambda: WebhookDelivery.objects.filter(state="delivered").exists())
    [called], [batch] = found.named("call webhook"), found.named("deliver webhooks")
    assert (called.parent_id, called.attributes["flightbook.attempt"]) == (batch.span_id, 1)
    assert told.received
    assert "traceparent" not in told.received[0][0]
    assert_only_steps(found)
    assert_nothing_told(found, told.url, "hook?", user.email)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("manner", ["refuses", "never answers"])
def test_a_collector_that_is_away_costs_spans_alone(tmp_path: Path, manner: str) -> None:
    """No request waits for it, nor does the end for long: exporting a batch is given up after 3 s."""
    small = {"OTEL_BSP_MAX_QUEUE_SIZE": "64", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "4", "WEB_WORKERS": "1"}
    log, query = tmp_path / "log", {"from": "JFK", "to": "LAX", "date": "2026-12-01"}
    with collector() as found:
        found.answers.clear()
        settings = settings_for(found, **small)
        if manner == "refuses":
            settings["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://{free_address()}"
        with gunicorn(log, **settings) as address, httpx.Client(base_url=f"http://{address}") as client:
            answers = [client.get("/search-flights", params=query) for _ in range(100)]
            began = time.monotonic()
        ended = time.monotonic() - began
    assert sorted(answer.elapsed for answer in answers)[90].total_seconds() < 2
    assert ended < 20  # 16 batches would take 48 s, of which the SDK waits 30
    assert (found.calls > 0) == (manner == "never answers")
    told = [line for line in log.read_text().splitlines() if " opentelemetry" in line]
    assert 1 <= len(told) <= 2, told  # of the exporter, and of the queue that is full: once a minute each


def _context(state: TraceState | None = None) -> SpanContext:
    return SpanContext(int(TRACE, 16), int(PARENT, 16), True, TraceFlags(1), state)


def _text(span: ReadableSpan) -> str:
    return str(span.to_json())


def test_an_exception_leaves_its_type_and_a_statement_no_value() -> None:
    told = "Key (email)=(ada@example.com) already exists"
    attributes = {
        "db.query.text": "SELECT 1 FROM t WHERE email = 'ada''s@example.com' AND name = %s",
        "url.query": "ticket=abcdef",
        "url.path": "/ada@example.com",
        "client.address": "192.0.2.7",
        "user_agent.original": "Ada/1.0",
    }
    event = Event("exception", {"exception.type": "IntegrityError", "exception.message": told})
    state = TraceState([("vendor", "ada")])
    status = Status(StatusCode.ERROR, told)
    given = ReadableSpan("GET x", _context(state), _context(state), None, attributes, [event], status=status)
    shown = scrubbed(given)
    assert shown.attributes == {"db.query.text": "SELECT 1 FROM t WHERE email = ? AND name = %s"}
    assert [(one.name, one.attributes) for one in shown.events] == [
        ("exception", {"exception.type": "IntegrityError"})
    ]
    assert shown.status.status_code is StatusCode.ERROR
    assert "ada" in _text(given)
    assert "ada" not in _text(shown)


def test_a_statement_alone_is_no_trace() -> None:
    sampler = OfSteps(ALWAYS_ON)
    inside = trace.set_span_in_context(trace.NonRecordingSpan(_context()))

    def decision(parent: Any, kind: SpanKind) -> Decision:
        return sampler.should_sample(parent, 1, "SELECT", kind).decision

    assert decision(None, SpanKind.CLIENT) is Decision.DROP
    assert decision(inside, SpanKind.CLIENT) is Decision.RECORD_AND_SAMPLE
    assert decision(None, SpanKind.SERVER) is Decision.RECORD_AND_SAMPLE
