"""`GET /asyncapi.json` says what the socket and the webhooks really say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from jsonschema import Draft202012Validator
from standardwebhooks import Webhook

from accounts.tests.factories import api_client, make_user
from flightbook.asyncapi import document
from subscriptions.client_messages import Follow, Unfollow, parse
from subscriptions.log_reads import off_loop
from subscriptions.public import deliver_due_webhooks, write_webhook_deliveries
from subscriptions.tests.factories import make_flights, open_client, report
from subscriptions.tests.receivers import receiver

DOCUMENT: dict[str, Any] = json.loads(document())


def schema_of(message: str) -> dict[str, Any]:
    reference = DOCUMENT["components"]["messages"][message]["payload"]
    return {**reference, "components": DOCUMENT["components"]}


def check(message: str, body: dict[str, Any]) -> None:
    """`body` is of that message's form, and has no member that its form does not name."""
    Draft202012Validator(schema_of(message)).validate(body)
    name = DOCUMENT["components"]["messages"][message]["payload"]["$ref"].rpartition("/")[2]
    assert set(body) <= set(DOCUMENT["components"]["schemas"][name]["properties"])


def references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [found for inner in node for found in references(inner)]
    if not isinstance(node, dict):
        return []
    here = [node["$ref"]] if "$ref" in node else []
    return here + [found for inner in node.values() for found in references(inner)]


def test_every_reference_leads_somewhere(client: Client) -> None:
    answer = client.get("/asyncapi.json")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    assert json.loads(answer.content)["asyncapi"] == "3.0.0"
    assert client.get("/asyncapi.json", headers={"If-None-Match": answer["ETag"]}).status_code == 304
    assert len(references(DOCUMENT)) > 20
    for reference in references(DOCUMENT):
        place: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_what_a_client_says() -> None:
    follow = {"userId": "usr1", "flightId": "FL1", "afterSequence": 3, "log": "x7"}
    check("follow", follow)
    assert parse(json.dumps(follow)) == Follow("usr1", "FL1", 3, "x7")
    check("unfollow", {"unfollow": "FL1"})
    assert parse('{"unfollow": "FL1"}') == Unfollow("FL1")


@pytest.mark.django_db(transaction=True)
async def test_what_the_socket_says() -> None:
    user, [flight] = await off_loop(lambda: (make_user(), make_flights(1)))
    await off_loop(report, flight.pk, 2)
    ids = {"userId": user.public_id, "flightId": flight.public_id}
    async with open_client(user) as client:
        await client.say(**ids)
        state = await client.hear()
        await client.say(**ids, afterSequence=1, log=state["log"])
        update = await client.hear()
        await client.say(**ids, afterSequence=1, log="another")
        reset = await client.hear()
        await client.say(userId=user.public_id, flightId="FL999999")
        problem = await client.hear()
        await client.say(nonsense=1)
        nonsense = await client.hear()
    check("update", state)
    check("update", update)
    check("reset", reset)
    check("problem", problem)
    check("problem", nonsense)
    assert update["updateId"] == f"{flight.public_id}-{update['log']}-2"


@pytest.mark.django_db
def test_what_webhooks_say(settings: Any) -> None:
    settings.WEBHOOK_INSECURE_TARGETS = True
    write_webhook_deliveries()  # registers the consumer
    user, [flight] = make_user(), make_flights(1)
    client = api_client(user)
    client.post("/subscribe-flight", {"userId": user.public_id, "flightId": flight.public_id})
    with receiver() as server:
        webhook = client.post("/webhooks", {"url": server.url}).json()
        client.post(f"/webhooks/{webhook['webhookId']}/test")
        deliver_due_webhooks()
        report(flight.pk)
        write_webhook_deliveries()
        deliver_due_webhooks()
    bodies = [Webhook(webhook["secret"]).verify(body, headers) for headers, body in server.received]
    check("webhookTest", bodies[0])
    check("webhookUpdate", bodies[1])
    headers = DOCUMENT["components"]["schemas"]["WebhookHeaders"]
    for sent, _ in server.received:
        Draft202012Validator(headers).validate(sent)
