"""The gateway's ledger, and what each request does to it: answers as Stripe gives them."""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bench.gateway.faults import Faults

Json = dict[str, Any]
Params = dict[str, str]
PAYMENT_KEY, REFUND_KEY = "flightbook_payment", "flightbook_refund"
_TABLES = """
CREATE TABLE IF NOT EXISTS payment (
    number INTEGER PRIMARY KEY, id TEXT UNIQUE, key TEXT, amount INTEGER, currency TEXT, token TEXT,
    status TEXT, refunded INTEGER DEFAULT 0, created INTEGER, error TEXT DEFAULT '');
CREATE TABLE IF NOT EXISTS refund (
    number INTEGER PRIMARY KEY, id TEXT UNIQUE, key TEXT, payment TEXT, payment_key TEXT, amount INTEGER,
    created INTEGER);
CREATE TABLE IF NOT EXISTS answer (key TEXT PRIMARY KEY, asked TEXT, status INTEGER, body TEXT);
CREATE INDEX IF NOT EXISTS refund_payment ON refund (payment);
"""


class Refused(Exception):
    """An error of Stripe's: HTTP status, type, code, message."""

    def __init__(self, status: int, kind: str, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"type": kind, "code": code, "message": message}}


@dataclass
class Done:
    """What a request did: its answer, and the events to tell of."""

    body: Json
    events: list[tuple[str, Json]] = field(default_factory=list)


class Bank:
    """All requests one after the other, each in one transaction with its answer."""

    def __init__(self, path: str, faults: Faults) -> None:
        self._lock = threading.Lock()
        self._faults = faults
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_TABLES)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def stored(self, key: str, asked: str) -> tuple[int, Json] | None:
        """The answer that was given under an idempotency key."""
        row = self._db.execute("SELECT * FROM answer WHERE key = ?", [key]).fetchone()
        if row is None:
            return None
        if row["asked"] != asked:
            raise Refused(400, "idempotency_error", "", "The key was first used with other parameters.")
        return row["status"], json.loads(row["body"])

    def store(self, key: str, asked: str, status: int, body: Json) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO answer VALUES (?, ?, ?, ?)", [key, asked, status, json.dumps(body)]
        )

    def ledger(self) -> Json:
        with self._lock:
            payments = self._db.execute("SELECT * FROM payment ORDER BY number").fetchall()
            refunds = self._db.execute("SELECT * FROM refund ORDER BY number").fetchall()
        shown = ("key", "id", "status", "amount", "currency", "refunded", "token")
        return {
            "payments": [{name: row[name] for name in shown} for row in payments],
            "refunds": [
                {name: row[name] for name in ("key", "id", "payment_key", "amount")} | {"status": "succeeded"}
                for row in refunds
            ],
        }

    def token_of(self, payment_id: str) -> str:
        row = self._db.execute("SELECT token FROM payment WHERE id = ?", [payment_id]).fetchone()
        return "" if row is None else str(row["token"])

    def create(self, params: Params) -> Done:
        token = params.get("payment_method", "") if params.get("confirm") == "true" else ""
        status = {"pm_declined": "requires_payment_method", "pm_needs_action": "requires_action"}
        payment_id = f"pi_{secrets.token_hex(12)}"
        self._db.execute(
            "INSERT INTO payment (id, key, amount, currency, token, status, created)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                payment_id,
                params.get(f"metadata[{PAYMENT_KEY}]", ""),
                int(params["amount"]),
                params["currency"],
                token,
                status.get(token, "requires_capture") if token else "requires_payment_method",
                int(time.time()),
            ],
        )
        body = self._shown(payment_id)
        if token == "pm_declined":  # noqa: S105
            return Done(
                {
                    "error": {
                        "type": "card_error",
                        "code": "card_declined",
                        "message": "Your card was declined.",
                        "payment_intent": body,
                    }
                },
                [("payment_intent.payment_failed", body)],
            )
        is_held = body["status"] == "requires_capture"
        return Done(body, [("payment_intent.amount_capturable_updated", body)] if is_held else [])

    def capture(self, payment_id: str) -> Done:
        payment = self._payment(payment_id)
        self._expect(payment, "requires_capture")
        if payment["error"] or self._faults.strikes("capture_refused", token=payment["token"]):
            self._db.execute("UPDATE payment SET error = 'capture' WHERE id = ?", [payment_id])
            error = Refused(402, "card_error", "card_declined", "The bank will not pay what it authorised.")
            return Done(error.body)
        return self._to(payment_id, "succeeded", "payment_intent.succeeded")

    def cancel(self, payment_id: str) -> Done:
        payment = self._payment(payment_id)
        is_held = payment["status"] == "requires_capture"
        if is_held and self._faults.strikes("captured_before_void", token=payment["token"]):
            done = self._to(payment_id, "succeeded", "payment_intent.succeeded")
            error = self._unexpected(self._payment(payment_id))
            return Done(error.body, done.events)
        self._expect(payment, "requires_capture", "requires_payment_method", "requires_action")
        return self._to(payment_id, "canceled", "payment_intent.canceled")

    def refund(self, params: Params) -> Done:
        payment = self._payment(params["payment_intent"])
        self._expect(payment, "succeeded")
        amount = int(params["amount"])
        if payment["refunded"] + amount > payment["amount"]:
            raise Refused(
                400, "invalid_request_error", "amount_too_large", "More than is left of the charge."
            )
        if self._faults.strikes("refund_refused", token=payment["token"]):
            raise Refused(400, "invalid_request_error", "charge_not_refundable", "It can't be refunded.")
        refund_id = f"re_{secrets.token_hex(12)}"
        self._db.execute("UPDATE payment SET refunded = refunded + ? WHERE id = ?", [amount, payment["id"]])
        self._db.execute(
            "INSERT INTO refund (id, key, payment, payment_key, amount, created) VALUES (?, ?, ?, ?, ?, ?)",
            [
                refund_id,
                params.get(f"metadata[{REFUND_KEY}]", ""),
                payment["id"],
                payment["key"],
                amount,
                int(time.time()),
            ],
        )
        row = self._db.execute("SELECT * FROM refund WHERE id = ?", [refund_id]).fetchone()
        return Done(_refund(row), [("refund.created", _refund(row))])

    def payment(self, payment_id: str) -> Done:
        return Done(self._shown(payment_id))

    def payments(self, params: Params) -> Done:
        before = 2**62
        if after := params.get("starting_after"):
            before = self._payment(after)["number"]
        return self._page(
            "SELECT * FROM payment WHERE created >= ? AND number < ? ORDER BY number DESC LIMIT ?",
            [int(params.get("created[gte]", 0)), before],
            params,
            _intent,
        )

    def refunds(self, params: Params) -> Done:
        return self._page(
            "SELECT * FROM refund WHERE payment = ? ORDER BY number DESC LIMIT ?",
            [params.get("payment_intent", "")],
            params,
            _refund,
        )

    def _page(self, sql: str, values: list[Any], params: Params, show: Callable[[sqlite3.Row], Json]) -> Done:
        limit = int(params.get("limit", 10))
        rows = self._db.execute(sql, [*values, limit + 1]).fetchall()
        data = [show(row) for row in rows[:limit]]
        return Done({"object": "list", "url": "/v1", "has_more": len(rows) > limit, "data": data})

    def _payment(self, payment_id: str) -> sqlite3.Row:
        row: sqlite3.Row | None = self._db.execute(
            "SELECT * FROM payment WHERE id = ?", [payment_id]
        ).fetchone()
        if row is None:
            raise Refused(
                404, "invalid_request_error", "resource_missing", f"No such payment_intent: '{payment_id}'"
            )
        return row

    def _shown(self, payment_id: str) -> Json:
        return _intent(self._payment(payment_id))

    def _to(self, payment_id: str, status: str, event: str) -> Done:
        self._db.execute("UPDATE payment SET status = ? WHERE id = ?", [status, payment_id])
        body = self._shown(payment_id)
        return Done(body, [(event, body)])

    def _expect(self, payment: sqlite3.Row, *statuses: str) -> None:
        if payment["status"] not in statuses:
            raise self._unexpected(payment)

    @staticmethod
    def _unexpected(payment: sqlite3.Row) -> Refused:
        message = f"This PaymentIntent has a status of {payment['status']}."
        return Refused(400, "invalid_request_error", "payment_intent_unexpected_state", message)


def _intent(row: sqlite3.Row) -> Json:
    return {
        "id": row["id"],
        "object": "payment_intent",
        "amount": row["amount"],
        "currency": row["currency"],
        "status": row["status"],
        "created": row["created"],
        "capture_method": "manual",
        "metadata": {PAYMENT_KEY: row["key"]},
        "last_payment_error": None,
    }


def _refund(row: sqlite3.Row) -> Json:
    return {
        "id": row["id"],
        "object": "refund",
        "amount": row["amount"],
        "status": "succeeded",
        "payment_intent": row["payment"],
        "metadata": {REFUND_KEY: row["key"], PAYMENT_KEY: row["payment_key"]},
    }
