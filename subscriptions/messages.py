"""An update on its way: encoded once by whoever read it from the log, from there on only carried.

Over the channel layer goes a dict of plain values (`to_layer`); to a socket goes `text`, as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flightbook.http.json import encode
from flights import public as flights
from subscriptions.models import WebhookDelivery, WebhookEndpoint
from subscriptions.types import CHANNELS, KINDS, Preference

LAYER_TYPE = "flight.update"


@dataclass(frozen=True, slots=True)
class EncodedUpdate:
    """`text` is the contract's message of the update `sequence` in the log named `log`. `recorded` is when it
    was (seconds since 1970), 0 where that is not known."""

    flight_pk: int
    sequence: int
    log: str
    text: str
    recorded: float = 0.0


def group_name(flight_pk: int) -> str:
    """The layer's group of a flight."""
    return f"flight.{flight_pk}"


def encode_update(update: flights.UpdateView, log: str, *, reset: bool = False) -> EncodedUpdate:
    """`reset` says to the client that its own count is void: it begins anew with this state."""
    body = flights.update_message(update, log)
    if reset:
        body = {"flightId": body["flightId"], "reset": True} | body
    recorded = update.recorded_at.timestamp() if update.recorded_at else 0.0
    return EncodedUpdate(update.flight_pk, update.sequence, log, encode(body).decode(), recorded)


def encode_updates(updates: Iterable[flights.UpdateView], log: str) -> list[EncodedUpdate]:
    return [encode_update(update, log) for update in updates]


def to_layer(update: EncodedUpdate) -> dict[str, Any]:
    return {
        "type": LAYER_TYPE,
        "flight": update.flight_pk,
        "sequence": update.sequence,
        "log": update.log,
        "text": update.text,
        "recorded": update.recorded,
    }


def from_layer(message: Mapping[str, Any]) -> EncodedUpdate:
    recorded = message.get("recorded", 0.0)  # a relay of the release before this one does not say it
    return EncodedUpdate(message["flight"], message["sequence"], message["log"], message["text"], recorded)


def preference_message(preference: Preference) -> dict[str, Any]:
    return {
        "kinds": [kind for kind in KINDS if kind in preference.kinds],
        "delayThreshold": preference.delay_threshold,
        "channels": [channel for channel in CHANNELS if channel in preference.channels],
    }


def webhook_message(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """Without its secrets."""
    return {
        "webhookId": endpoint.public_id,
        "url": endpoint.url,
        "description": endpoint.description,
        "state": endpoint.state,
        "endReason": endpoint.end_reason or None,
        "createdAt": endpoint.created_at,
        "previousSecretUntil": endpoint.previous_secret_until,
    }


def delivery_message(row: WebhookDelivery) -> dict[str, Any]:
    """One message with its attempts."""
    return {
        "messageId": row.message_id,
        "flightId": flights.flight_id(row.flight_id) if row.flight_id is not None else None,
        "sequence": row.sequence or None,
        "state": row.state,
        "createdAt": row.created_at,
        "nextAttemptAt": row.due_at if row.state == WebhookDelivery.State.PENDING else None,
        "attempts": [
            {"at": t.at, "status": t.status, "milliseconds": t.milliseconds, "error": t.error or None}
            for t in row.tries.all()
        ],
    }
