"""An update on its way: encoded once by whoever read it from the log, from there on only carried.

Over the channel layer goes a dict of plain values (`to_layer`); to a socket goes `text`, as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flightbook.http.json import encode
from flights import public as flights

LAYER_TYPE = "flight.update"


@dataclass(frozen=True, slots=True)
class EncodedUpdate:
    """`text` is the contract's message of the update `sequence` in the log named `log`."""

    flight_pk: int
    sequence: int
    log: str
    text: str


def group_name(flight_pk: int) -> str:
    """The layer's group of a flight."""
    return f"flight.{flight_pk}"


def encode_update(update: flights.UpdateView, log: str, *, reset: bool = False) -> EncodedUpdate:
    """`reset` says to the client that its own count is void: it begins anew with this state."""
    body = flights.update_message(update, log)
    if reset:
        body = {"flightId": body["flightId"], "reset": True} | body
    return EncodedUpdate(update.flight_pk, update.sequence, log, encode(body).decode())


def encode_updates(updates: Iterable[flights.UpdateView], log: str) -> list[EncodedUpdate]:
    return [encode_update(update, log) for update in updates]


def to_layer(update: EncodedUpdate) -> dict[str, Any]:
    return {
        "type": LAYER_TYPE,
        "flight": update.flight_pk,
        "sequence": update.sequence,
        "log": update.log,
        "text": update.text,
    }


def from_layer(message: Mapping[str, Any]) -> EncodedUpdate:
    return EncodedUpdate(message["flight"], message["sequence"], message["log"], message["text"])
