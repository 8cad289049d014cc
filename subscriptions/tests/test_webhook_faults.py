"""Webhooks whose receivers are slow, rude or many: nobody else has to wait for them, and nothing is lost."""

from __future__ import annotations

import datetime as dt
import threading
import time
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.db.models.functions import Now
from django.utils import timezone

from accounts.tests.factories import make_user
from flightbook.errors import NotFound
from subscriptions.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from subscriptions.tests.receivers import answering, receiver
from subscriptions.types import Outcome, Target
from subscriptions.webhooks import addresses, calling, delivery, endpoints, leasing
from subscriptions.webhooks.delivery import deliver_due_webhooks

pytestmark = pytest.mark.django_db
LONG_AGO = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def _on_this_machine(settings: Any) -> None:
    settings.WEBHOOK_INSECURE_TARGETS = True


def waiting(url: str, count: int = 1, *, since: dt.timedelta = dt.timedelta()) -> WebhookEndpoint:
    """An endpoint for which so many messages wait, none of which has to wait for another."""
    endpoint = endpoints.register(user_pk=make_user().pk, url=url)
    rows = [
        WebhookDelivery(endpoint=endpoint, message_id=f"m-{number}", body="{}", due_at=timezone.now() - since)
        for number in range(count)
    ]
    WebhookDelivery.objects.bulk_create(rows)
    return endpoint


def only(endpoint: WebhookEndpoint) -> WebhookDelivery:
    return WebhookDelivery.objects.get(endpoint=endpoint)


def is_put_off(row: WebhookDelivery) -> bool:
    """By a failure's wait, not by a lease that nobody has ended."""
    soon = timezone.now() + leasing.LEASE / 2
    return (row.state, row.lease_token) == ("pending", None) and timezone.now() < row.due_at < soon


def test_an_answer_that_no_text_can_hold() -> None:
    with answering(b"\x00\n") as rude, receiver() as server:
        first, second = waiting(rude, since=LONG_AGO), waiting(server.url)
        assert deliver_due_webhooks() == 2
    assert is_put_off(only(first))
    error = WebhookAttempt.objects.get(delivery__endpoint=first).error
    assert error.startswith("BadStatusLine")
    assert error.isprintable()
    assert only(second).state == "delivered"


def poison(target: Target) -> Outcome:
    """What the database refuses, for the rude one's messages."""
    return Outcome(None, 1, "a\x00b") if "rude" in target.url else Outcome(204, 1)


@pytest.mark.parametrize(("age", "state"), [(dt.timedelta(), "pending"), (dt.timedelta(days=3), "failed")])
def test_what_cannot_be_kept_costs_the_others_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, age: dt.timedelta, state: str
) -> None:
    monkeypatch.setattr(delivery, "call", poison)
    first, second = waiting("http://rude/", since=LONG_AGO), waiting("http://kind/")
    WebhookDelivery.objects.filter(endpoint=first).update(created_at=Now() - age)
    assert deliver_due_webhooks() == 2
    assert only(second).state == "delivered"
    assert only(first).state == state
    assert is_put_off(only(first)) == (state == "pending")
    assert [record for record in caplog.records if record.exc_info]


@pytest.mark.django_db(transaction=True)
def test_a_success_is_kept_though_the_connection_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    def kill(*_: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    answered(monkeypatch)
    monkeypatch.setattr(delivery, "_judge", kill)
    endpoint = waiting("http://kind/")
    deliver_due_webhooks()
    assert only(endpoint).state == "delivered"


def test_a_call_that_breaks_costs_the_others_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def call(target: Target) -> Outcome:
        if "rude" in target.url:
            raise RuntimeError("can't start new thread")
        return Outcome(204, 1)

    monkeypatch.setattr(delivery, "call", call)
    first, second = waiting("http://rude/", since=LONG_AGO), waiting("http://kind/")
    assert deliver_due_webhooks() == 2
    assert only(second).state == "delivered"
    assert is_put_off(only(first))


def answered(monkeypatch: pytest.MonkeyPatch, *, milliseconds: int = 1, status: int = 204) -> list[int]:
    """Calls nobody; to which endpoints calls would have gone."""
    called: list[int] = []

    def call(target: Target) -> Outcome:
        called.append(target.endpoint_pk)
        return Outcome(status, milliseconds)

    monkeypatch.setattr(delivery, "call", call)
    return called


def test_who_has_much_that_waits_keeps_nobody_else_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    called = answered(monkeypatch)
    busy, other = waiting("http://busy/", 200, since=LONG_AGO), waiting("http://other/")
    deliver_due_webhooks()
    assert called.count(busy.pk) == 4
    assert called.count(other.pk) == 1


def test_endpoints_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    called = answered(monkeypatch)
    for number in range(20):
        waiting(f"http://busy{number}/", 50, since=LONG_AGO)
    other = waiting("http://other/")
    deliver_due_webhooks()
    deliver_due_webhooks()
    assert called.count(other.pk) == 1
    assert len(set(called)) == 21


@pytest.mark.parametrize(
    ("status", "milliseconds", "paused"),
    [(204, 40, False), (500, 40, True), (500, 14_000, True), (204, 14_000, True)],
)
def test_who_fails_or_is_slow_is_left_alone_for_a_while(
    monkeypatch: pytest.MonkeyPatch, status: int, milliseconds: int, paused: bool
) -> None:
    called = answered(monkeypatch, milliseconds=milliseconds, status=status)
    waiting("http://slow/", 9)
    deliver_due_webhooks()
    deliver_due_webhooks()
    assert len(called) == (4 if paused else 8)


def test_a_pause_grows_while_nothing_succeeds(monkeypatch: pytest.MonkeyPatch) -> None:
    answered(monkeypatch, status=503)
    endpoint = waiting("http://down/")
    pauses = []
    for _ in range(12):
        WebhookDelivery.objects.update(due_at=Now())
        WebhookEndpoint.objects.update(paused_until=None)
        assert deliver_due_webhooks() == 1
        endpoint.refresh_from_db()
        assert endpoint.paused_until is not None
        pauses.append((endpoint.paused_until - timezone.now()).total_seconds())
    assert pauses[0] < 5
    assert 300 < pauses[-1] < 900


def test_an_answer_may_take_longer_than_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calling, "CONNECT_SECONDS", 0.2)
    with receiver() as server:
        server.seconds = 0.6
        endpoint = waiting(server.url)
        deliver_due_webhooks()
    assert only(endpoint).state == "delivered"


def test_a_batch_ends_though_a_name_server_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """And who is found too late is not called: the message will be sent again."""
    over = threading.Event()
    resolve = addresses.resolve

    def stuck(place: Any) -> str:
        if place.host == "stuck":
            over.wait(20)
        return resolve(place)

    monkeypatch.setattr(addresses, "resolve", stuck)
    monkeypatch.setattr(calling, "WHOLE_SECONDS", 1.0)
    monkeypatch.setattr(delivery, "BATCH_SECONDS", 1.5)
    with receiver() as server:
        first, second = waiting("http://stuck/", since=LONG_AGO), waiting(server.url)
        began = time.monotonic()
        deliver_due_webhooks()
        took = time.monotonic() - began
        over.set()
    assert took < 10
    assert is_put_off(only(first))
    assert only(second).state == "delivered"


def test_whose_name_is_found_too_late_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(_: Any) -> str:
        time.sleep(0.3)
        return "127.0.0.1"

    monkeypatch.setattr(addresses, "resolve", late)
    monkeypatch.setattr(calling, "WHOLE_SECONDS", 0.2)
    with receiver() as server:
        endpoint = waiting(server.url)
        deliver_due_webhooks()
        assert server.received == []
    assert only(endpoint).state == "pending"


@pytest.mark.django_db(transaction=True)
def test_no_test_message_waits_for_what_is_just_ending() -> None:
    endpoint = endpoints.register(user_pk=make_user().pk, url="http://ends/")
    ended = threading.Event()

    def end() -> None:
        with transaction.atomic():
            endpoints.end(endpoint_pk=endpoint.pk, reason="")
            ended.set()
            time.sleep(0.5)
        connections.close_all()

    thread = threading.Thread(target=end)
    thread.start()
    ended.wait(10)
    with pytest.raises(NotFound):
        endpoints.ping(endpoint_pk=endpoint.pk)
    thread.join()
    assert not WebhookDelivery.objects.exists()
