"""Webhooks from the update to the receiver, which knows nothing but the reference implementation."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import Client
from standardwebhooks import Webhook

from accounts.tests.factories import api_client, make_user
from flights.models import Feed
from flights.tests.factories import make_flight
from subscriptions.models import WebhookDelivery, WebhookEndpoint
from subscriptions.operations import follow
from subscriptions.tests.factories import report
from subscriptions.tests.receivers import Receiver, receiver
from subscriptions.webhooks import delivery
from subscriptions.webhooks.delivery import deliver_due_webhooks
from subscriptions.webhooks.endpoints import purge_deliveries
from subscriptions.webhooks.writing import write_webhook_deliveries

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _on_this_machine(settings: Any) -> None:
    settings.WEBHOOK_INSECURE_TARGETS = True


@pytest.fixture
def user() -> Any:
    write_webhook_deliveries()  # registers the consumer
    return make_user()


def register(user: Any, server: Receiver) -> dict[str, Any]:
    answer = api_client(user).post("/webhooks", {"url": server.url})
    assert answer.status_code == 201, answer.content
    found: dict[str, Any] = answer.json()
    return found


def followed(user: Any, **fields: Any) -> Any:
    flight = make_flight(**fields)
    follow(user_pk=user.pk, flight_pk=flight.pk)
    return flight


def send() -> int:
    write_webhook_deliveries()
    return deliver_due_webhooks()


def log_of(user: Any, webhook: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (
        api_client(user).get(f"/webhooks/{webhook['webhookId']}/deliveries").json()["deliveries"]
    )
    return found


def make_due() -> None:
    WebhookDelivery.objects.update(due_at=Now())
    WebhookEndpoint.objects.update(paused_until=None)


def test_a_receiver_verifies_each_update_once_and_in_order(user: Any) -> None:
    flight = followed(user)
    with receiver() as server:
        webhook = register(user, server)
        report(flight.pk, 3, delay_minutes=None, gate=None)
        report(make_flight(number=500).pk)  # nobody follows it
        for minutes in (20, 50, 90):
            report(flight.pk, delay_minutes=minutes)
        while send():
            pass
        send()
    messages = [
        Webhook(webhook["secret"]).verify(body, headers, json_parse=True) for headers, body in server.received
    ]
    data = [message["data"] for message in messages]
    assert [update["sequence"] for update in data] == [1, 2, 3, 4, 5, 6]
    assert server.ids == [update["updateId"] for update in data]
    log = api_client(user).get(f"/flights/{flight.public_id}/updates").json()["updates"]
    assert data == log
    assert {message["type"] for message in messages} == {"flight.update"}
    assert [entry["state"] for entry in log_of(user, webhook)] == ["delivered"] * 6


def test_a_written_message_is_not_written_again(user: Any) -> None:
    flight = followed(user)
    with receiver() as server:
        register(user, server)
        report(flight.pk)
        write_webhook_deliveries()
        # As if the writer had died before it could say so.
        Feed.objects.filter(consumer="webhooks").update(pending=True, done_sequence=0)
        write_webhook_deliveries()
    assert WebhookDelivery.objects.count() == 1


def test_both_secrets_sign_during_a_rotation(user: Any) -> None:
    with receiver() as server:
        webhook = register(user, server)
        client, path = api_client(user), f"/webhooks/{webhook['webhookId']}"
        second = client.post(f"{path}/rotate-secret").json()["secret"]
        assert client.post(f"{path}/test").status_code == 202
        deliver_due_webhooks()
        WebhookEndpoint.objects.update(previous_secret_until=Now())
        client.post(f"{path}/test")
        deliver_due_webhooks()
    (headers, body), (later_headers, later_body) = server.received
    for secret in (webhook["secret"], second):
        assert Webhook(secret).verify(body, headers)["type"] == "webhook.test"
    assert Webhook(second).verify(later_body, later_headers)
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(webhook["secret"]).verify(later_body, later_headers)


def test_a_failure_is_tried_again_and_keeps_the_order_of_its_flight_alone(user: Any) -> None:
    first, second = followed(user), followed(user, number=300)
    with receiver(500, 302) as server:
        webhook = register(user, server)
        report(first.pk)
        send()
        report(first.pk, delay_minutes=60)
        report(second.pk)
        WebhookEndpoint.objects.update(paused_until=None)
        while send():
            pass
        assert len(server.received) == 2  # the second flight's, redirected; the first one waits
        make_due()
        while send():
            pass
    sequences = [json.loads(body)["data"]["sequence"] for _, body in server.received]
    of_first = [s for s, id_ in zip(sequences, server.ids, strict=True) if id_.startswith(first.public_id)]
    assert of_first == [1, 1, 2]
    tried = {entry["messageId"]: [t["status"] for t in entry["attempts"]] for entry in log_of(user, webhook)}
    assert sorted(tried.values()) == [[204], [302, 204], [500, 204]]


def test_what_nobody_answers_pauses_the_endpoint(user: Any) -> None:
    flight = followed(user)
    with receiver() as server:
        webhook = register(user, server)
    report(flight.pk)
    assert send() == 1
    [entry] = log_of(user, webhook)
    assert entry["state"] == "pending"
    assert (entry["attempts"][0]["status"], "refused" in entry["attempts"][0]["error"]) == (None, True)
    endpoint = WebhookEndpoint.objects.get()
    assert endpoint.failures == 1
    assert endpoint.paused_until is not None
    WebhookDelivery.objects.update(due_at=Now())
    assert send() == 0


def test_tests_are_few_a_minute(user: Any) -> None:
    with receiver() as server:
        webhook = register(user, server)
    client = api_client(user)
    found = [client.post(f"/webhooks/{webhook['webhookId']}/test").status_code for _ in range(7)]
    assert found == [202] * 6 + [429]


def test_gone_ends_it(user: Any) -> None:
    flight = followed(user)
    with receiver(410) as server:
        webhook = register(user, server)
        report(flight.pk)
        report(flight.pk, delay_minutes=90)
        while send():
            pass
    assert len(server.received) == 1
    assert [entry["state"] for entry in log_of(user, webhook)] == ["dropped", "dropped"]
    client = api_client(user)
    assert client.get(f"/webhooks/{webhook['webhookId']}").json()["state"] == "ended"
    assert client.get("/webhooks").json() == {"webhooks": []}
    assert client.post(f"/webhooks/{webhook['webhookId']}/test").status_code == 404
    report(flight.pk, delay_minutes=200)
    assert send() == 0


def test_it_is_given_up_after_three_days_and_makes_room(user: Any) -> None:
    flight = followed(user)
    with receiver(500) as server:
        register(user, server)
        report(flight.pk)
        report(flight.pk, delay_minutes=90)
        write_webhook_deliveries()
        old = WebhookDelivery.objects.order_by("pk")[:1].values("pk")
        WebhookDelivery.objects.filter(pk__in=old).update(created_at=Now() - dt.timedelta(days=3))
        send()
        WebhookEndpoint.objects.update(paused_until=None)
        send()
    states = list(WebhookDelivery.objects.order_by("pk").values_list("state", flat=True))
    assert states == ["failed", "delivered"]
    WebhookDelivery.objects.update(settled_at=Now() - dt.timedelta(days=31))
    purge_deliveries()
    assert not WebhookDelivery.objects.exists()


def test_who_dies_after_the_answer_sends_it_again_under_the_same_id(
    user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(BaseException):
        pass

    def die(*_: Any) -> None:
        raise KilledError

    flight = followed(user)
    with receiver() as server:
        register(user, server)
        report(flight.pk)
        with monkeypatch.context() as patch:
            patch.setattr(delivery, "_keep", die)
            with pytest.raises(KilledError):
                send()
        assert send() == 0  # leased
        make_due()
        assert send() == 1
    assert len(server.ids) == 2
    assert len(set(server.ids)) == 1


def test_waits_grow_to_six_hours_with_jitter() -> None:
    waits = [delivery.wait_after(attempts) for attempts in range(1, 40)]
    assert dt.timedelta(seconds=3) < waits[0] < dt.timedelta(seconds=7)
    assert all(dt.timedelta(hours=4) <= wait <= dt.timedelta(hours=8) for wait in waits[12:])


def test_only_what_is_wished_for_is_sent(user: Any) -> None:
    flight = followed(user)
    wish = {"kinds": ["gate"], "channels": ["webhook"]}
    assert (
        api_client(user).patch(f"/user-flights/{user.public_id}/{flight.public_id}", wish).status_code == 200
    )
    with receiver() as server:
        register(user, server)
        report(flight.pk, delay_minutes=90)
        report(flight.pk, delay_minutes=90, gate="B7")
        while send():
            pass
    assert [json.loads(body)["data"]["gate"] for _, body in server.received] == ["B7"]


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "https://",
        "https://user@example.com/",
        "https://example.com/#a",
        "https://example.com:99999/",
        "https://[::1/",
        "https://127.0.0.1/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://exa mple.com/",
        "https://example.com/" + "a" * 500,
    ],
)
def test_addresses_that_are_refused(user: Any, settings: Any, url: str) -> None:
    settings.WEBHOOK_INSECURE_TARGETS = False
    answer = api_client(user).post("/webhooks", {"url": url})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/url"


def test_a_webhook_is_its_users_alone(user: Any, admin_client: Client) -> None:
    client, other = api_client(user), api_client(make_user())
    webhooks = [client.post("/webhooks", {"url": "https://example.com/hook"}).json() for _ in range(10)]
    assert client.post("/webhooks", {"url": "https://example.com/hook"}).status_code == 400
    path = f"/webhooks/{webhooks[0]['webhookId']}"
    assert "secret" not in client.get(path).json()
    for method, call in (
        ("get", path),
        ("delete", path),
        ("post", f"{path}/test"),
        ("get", f"{path}/deliveries"),
    ):
        assert getattr(other, method)(call).status_code == 404
    assert client.delete(path).status_code == 204
    assert len(client.get("/webhooks").json()["webhooks"]) == 9
    endpoint = WebhookEndpoint.objects.filter(state="active").first()
    assert endpoint is not None
    page = admin_client.get(f"/admin/subscriptions/webhookendpoint/{endpoint.pk}/change/").content.decode()
    assert endpoint.url in page
    assert endpoint.secret not in page
    act = {"action": "end", "_selected_action": [endpoint.pk]}
    assert admin_client.post("/admin/subscriptions/webhookendpoint/", act).status_code == 302
    assert len(client.get("/webhooks").json()["webhooks"]) == 8
