"""Our signatures, judged by the reference implementation."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from accounts.tests.factories import api_client, make_user
from flights.tests.factories import make_flight
from subscriptions.operations import follow
from subscriptions.tests.factories import report
from subscriptions.tests.receivers import receiver
from subscriptions.webhooks.delivery import deliver_due_webhooks
from subscriptions.webhooks.writing import write_webhook_deliveries

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class Sent:
    """What came to a receiver while both of its endpoint's secrets were valid."""

    flight_id: str
    headers: dict[str, str]
    body: bytes
    secrets: dict[str, str]


@pytest.fixture
def sent(settings: Any) -> Sent:
    settings.WEBHOOK_INSECURE_TARGETS = True
    write_webhook_deliveries()  # registers the consumer
    user, flight = make_user(), make_flight()
    follow(user_pk=user.pk, flight_pk=flight.pk)
    client = api_client(user)
    with receiver() as server:
        webhook = client.post("/webhooks", {"url": server.url}).json()
        rotated = client.post(f"/webhooks/{webhook['webhookId']}/rotate-secret").json()
        report(flight.pk)
        write_webhook_deliveries()
        deliver_due_webhooks()
    [(headers, body)] = server.received
    return Sent(flight.public_id, headers, body, {"old": webhook["secret"], "new": rotated["secret"]})


def test_either_secret_verifies_during_a_rotation_and_no_other(sent: Sent) -> None:
    assert sent.secrets["old"] != sent.secrets["new"]
    for secret in sent.secrets.values():
        assert Webhook(secret).verify(sent.body, sent.headers)["data"]["flightId"] == sent.flight_id
    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        Webhook("whsec_" + "A" * 44).verify(sent.body, sent.headers)


@pytest.mark.parametrize("secret", ["old", "new"])
def test_a_changed_body_is_refused(sent: Sent, secret: str) -> None:
    message = json.loads(sent.body)
    message["data"]["delayMinutes"] = 1
    for body in (json.dumps(message), sent.body + b" ", b""):
        with pytest.raises(WebhookVerificationError, match="No matching signature"):
            Webhook(sent.secrets[secret]).verify(body, sent.headers)


@pytest.mark.parametrize("secret", ["old", "new"])
def test_changed_headers_are_refused(sent: Sent, secret: str) -> None:
    at = int(sent.headers["webhook-timestamp"])
    signatures = sent.headers["webhook-signature"].split()
    swapped = " ".join(f"v1,{'B' if one[3] == 'A' else 'A'}{one[4:]}" for one in signatures)
    for name, value, complaint in (
        ("webhook-id", "another", "No matching signature"),
        ("webhook-timestamp", str(at + 1), "No matching signature"),
        ("webhook-timestamp", str(at - 3600), "too old"),
        ("webhook-signature", swapped, "No matching signature"),
        ("webhook-signature", "", "Missing required headers"),
    ):
        with pytest.raises(WebhookVerificationError, match=complaint):
            Webhook(sent.secrets[secret]).verify(sent.body, sent.headers | {name: value})
