"""Signed events, sent as Stripe sends them: at least once, in no order, late.

The signature's form: https://docs.stripe.com/webhooks#verify-manually
"""

from __future__ import annotations

import hashlib
import hmac
import json
import queue
import secrets
import threading
import time
import urllib.request
from typing import Any

from bench.gateway.faults import Faults

TRIES = 4


def signature(payload: bytes, secret: str, at: int) -> str:
    mac = hmac.new(secret.encode(), f"{at}.".encode() + payload, hashlib.sha256)
    return f"t={at},v1={mac.hexdigest()}"


class Webhooks:
    """A thread that sends what is put; an unanswered event is tried again after 1, 2, 4 seconds."""

    def __init__(self, url: str, secret: str, faults: Faults) -> None:
        self._url, self._secret, self._faults = url, secret, faults
        self._due: queue.PriorityQueue[tuple[float, str, int, bytes]] = queue.PriorityQueue()
        if url:
            threading.Thread(target=self._run, daemon=True).start()

    def put(self, kind: str, thing: dict[str, Any]) -> None:
        if not self._url or self._faults.strikes("webhook_lost"):
            return
        event_id = f"evt_{secrets.token_hex(12)}"
        event = {
            "id": event_id,
            "object": "event",
            "type": kind,
            "created": int(time.time()),
            "data": {"object": thing},
        }
        late = self._faults.seconds("late_seconds") if self._faults.strikes("webhook_late") else 0.0
        for _ in range(2 if self._faults.strikes("webhook_duplicate") else 1):
            self._due.put((time.monotonic() + late, event_id, 0, json.dumps(event).encode()))

    def _run(self) -> None:
        while True:
            due, event_id, tries, payload = self._due.get()
            if (left := due - time.monotonic()) > 0:
                time.sleep(min(left, 0.05))
                self._due.put((due, event_id, tries, payload))
            elif not self._sent(payload) and tries + 1 < TRIES:
                self._due.put((time.monotonic() + 2**tries, event_id, tries + 1, payload))

    def _sent(self, payload: bytes) -> bool:
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature(payload, self._secret, int(time.time())),
        }
        request = urllib.request.Request(self._url, data=payload, headers=headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
                return bool(answer.status < 300)  # noqa: PLR2004
        except OSError:
            return False
