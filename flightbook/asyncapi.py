"""`GET /asyncapi.json`: what is said on the WebSocket and to webhooks, as an AsyncAPI 3 document.

An update's shape is the one that /openapi.json has for it, out of the same serializer.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import etag

from flightbook import openapi
from flightbook.http.json import encode
from flightbook.pages import reading_only

_TEXT, _COUNT = {"type": "string"}, {"type": "integer", "minimum": 0}
_MESSAGES: dict[str, tuple[str, str]] = {
    "follow": ("Follow", "Follow a flight; with `afterSequence` and `log`, from where one left off."),
    "unfollow": ("Unfollow", "Follow a flight no longer."),
    "update": ("FlightUpdate", "First the flight's state, then each change, in order."),
    "reset": ("FlightReset", "The count is void: begin anew with this state."),
    "problem": ("FlightProblem", "What was said is not answered, and why. The socket stays open."),
    "webhookUpdate": ("WebhookUpdate", "A change of a flight that the webhook's user follows."),
    "webhookTest": ("WebhookTest", "Sent for `POST /webhooks/{webhookId}/test`."),
}
_BY_CLIENT, _BY_SOCKET = ("follow", "unfollow"), ("update", "reset", "problem")
_BY_WEBHOOK = ("webhookUpdate", "webhookTest")


@cache
def document() -> bytes:
    """The document of this code as JSON."""
    return encode(
        {
            "asyncapi": "3.0.0",
            "info": {
                "title": "Flightbook: updates of flights",
                "version": "1.0.0",
                "description": "Each flight has a log of numbered updates; docs/updates.md tells more.",
            },
            "defaultContentType": "application/json",
            "channels": _channels(),
            "operations": _operations(),
            "components": {
                "messages": {name: _message(name) for name in _MESSAGES},
                "schemas": _schemas(),
                "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            },
        }
    )


def _channels() -> dict[str, Any]:
    ticket = {
        "type": "object",
        "properties": {"ticket": {**_TEXT, "description": "Out of POST /ws-ticket, for a browser"}},
    }
    return {
        "flightUpdates": {
            "address": "/ws/flight-updates",
            "description": "Close codes: 1012 the server restarts, 4401 the session has ended, 4408 "
            "read too slowly, 4413 a message too large, 4429 too many sockets, flights, messages or frames.",
            "messages": {name: _to("components/messages", name) for name in (*_BY_CLIENT, *_BY_SOCKET)},
            "bindings": {"ws": {"method": "GET", "query": ticket}},
        },
        "webhook": {
            "address": None,
            "description": "The URL that was registered with POST /webhooks.",
            "messages": {name: _to("components/messages", name) for name in _BY_WEBHOOK},
        },
    }


def _operations() -> dict[str, Any]:
    return {
        "hear": _operation("receive", "flightUpdates", _BY_CLIENT, "What a client says."),
        "tell": _operation("send", "flightUpdates", _BY_SOCKET, "What the server says."),
        "callWebhook": {
            **_operation("send", "webhook", _BY_WEBHOOK, "A POST, to be answered with 2xx."),
            "bindings": {"http": {"method": "POST"}},
        },
    }


def _operation(action: str, channel: str, names: tuple[str, ...], summary: str) -> dict[str, Any]:
    return {
        "action": action,
        "channel": _to("channels", channel),
        "summary": summary,
        "messages": [_to(f"channels/{channel}/messages", name) for name in names],
    }


def _message(name: str) -> dict[str, Any]:
    schema, summary = _MESSAGES[name]
    found: dict[str, Any] = {"name": name, "summary": summary, "payload": _to("components/schemas", schema)}
    return found | {"headers": _to("components/schemas", "WebhookHeaders")} if name in _BY_WEBHOOK else found


def _schemas() -> dict[str, Any]:
    known = json.loads(openapi.document())["components"]["schemas"]
    update = _to("components/schemas", "FlightUpdate")
    problem = known["Problem"]
    return {
        "FlightStatus": known["FlightStatus"],
        "FlightUpdate": known["UpdateAnswer"],
        "FlightReset": _with(known["UpdateAnswer"], reset={"const": True}),
        "FieldProblem": known["FieldProblem"],
        "FlightProblem": problem | {"properties": problem["properties"] | {"flightId": _TEXT}},
        "Follow": _object(
            {"userId": _TEXT, "flightId": _TEXT},
            afterSequence={**_COUNT, "description": "The last sequence that one had"},
            log={**_TEXT, "description": "The log that it counts in"},
        ),
        "Unfollow": _object({"unfollow": {**_TEXT, "description": "A flight's id"}}),
        "WebhookUpdate": _envelope("flight.update", update),
        "WebhookTest": _envelope("webhook.test", _object({"webhook": {"const": True}})),
        "WebhookHeaders": _object(
            {
                "webhook-id": {**_TEXT, "description": "Of an update, its `updateId`"},
                "webhook-timestamp": {**_TEXT, "pattern": "^[0-9]+$"},
                "webhook-signature": {
                    **_TEXT,
                    "description": "`v1,…`, two in a rotation",
                },
            }
        ),
    }


def _envelope(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    return _object({"type": {"const": kind}, "timestamp": {**_TEXT, "format": "date-time"}, "data": data})


def _object(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": required | optional}


def _with(schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    return schema | {
        "properties": schema["properties"] | more,
        "required": [*schema["required"], *more],
    }


def _to(place: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/{place}/{name}"}


def _etag(request: HttpRequest) -> str:
    return f'"{hashlib.sha256(document()).hexdigest()[:32]}"'


@reading_only
@etag(_etag)
def asyncapi(request: HttpRequest) -> HttpResponse:
    return HttpResponse(document(), content_type="application/json", headers={"Cache-Control": "no-cache"})
