"""Stripe's HTTP on top of the bank: routes, idempotency keys as Stripe keeps them, and the faults on the way.

https://docs.stripe.com/api/idempotent_requests: the answer of a request whose execution began is kept under
its key, faults included; other parameters under it are a 400; a key in use is a 409.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from bench.gateway.bank import PAYMENT_KEY, Bank, Done, Json, Params, Refused
from bench.gateway.faults import Faults
from bench.gateway.webhooks import Webhooks

PAYMENTS, REFUNDS = "/v1/payment_intents", "/v1/refunds"
_ONE = re.compile(rf"{PAYMENTS}/(pi_\w+)(?:/(capture|cancel))?")
_FAULT = {"error": {"type": "api_error", "message": "Something went wrong on our end."}}


class Lost(Exception):
    """No answer is given. `reset`: the connection is torn, not closed."""

    def __init__(self, *, reset: bool) -> None:
        super().__init__()
        self.reset = reset


class GatewayServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, bank: Bank, faults: Faults, webhooks: Webhooks) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.bank, self.faults, self.webhooks = bank, faults, webhooks
        self._in_use: set[str] = set()
        self._in_use_lock = threading.Lock()

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # else who asked has gone
            super().handle_error(request, client_address)

    def take(self, key: str) -> bool:
        with self._in_use_lock:
            if key in self._in_use:
                return False
            self._in_use.add(key)
            return True

    def give(self, key: str) -> None:
        with self._in_use_lock:
            self._in_use.discard(key)


class Handler(BaseHTTPRequestHandler):
    server: GatewayServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Silent: the ledger tells."""

    def do_GET(self) -> None:
        where = urlsplit(self.path)
        if where.path == "/ledger":
            self._answer(200, self.server.bank.ledger())
        elif where.path == "/faults":
            faults = self.server.faults
            self._answer(200, {"rates": faults.rates, "struck": dict(faults.struck)})
        else:
            self._guarded(lambda: self._look(where.path, dict(parse_qsl(where.query))))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/faults":
            self._set_faults(body)
        else:
            self._guarded(lambda: self._write(urlsplit(self.path).path, body.decode()))

    def _set_faults(self, body: bytes) -> None:
        try:
            self.server.faults.set(json.loads(body or b"{}"))
        except ValueError as error:
            self._answer(400, {"error": {"message": str(error)}})
        else:
            self._answer(200, {"rates": self.server.faults.rates})

    def _guarded(self, work: Callable[[], tuple[int, Json, bool]]) -> None:
        try:
            status, answer, replayed = work()
        except Refused as refused:
            self._answer(refused.status, refused.body)
        except Lost as lost:
            self._hang_up(reset=lost.reset)
        else:
            self._answer(status, answer, replayed=replayed)

    def _look(self, path: str, params: Params) -> tuple[int, Json, bool]:
        bank, one = self.server.bank, _ONE.fullmatch(path)
        with bank.transaction():
            if one:
                done = bank.payment(one[1])
            elif path in (PAYMENTS, REFUNDS):
                done = bank.payments(params) if path == PAYMENTS else bank.refunds(params)
            else:
                raise _no_such_url(path)
        return 200, done.body, False

    def _write(self, path: str, body: str) -> tuple[int, Json, bool]:
        key, asked = self.headers.get("Idempotency-Key") or "", f"{path}?{body}"
        if not self.server.take(key):
            raise Refused(
                409,
                "invalid_request_error",
                "idempotency_key_in_use",
                "The key is in use by another request.",
            )
        try:
            return self._write_once(path, dict(parse_qsl(body)), key, asked)
        finally:
            self.server.give(key)

    def _write_once(self, path: str, params: Params, key: str, asked: str) -> tuple[int, Json, bool]:
        strikes = partial(self.server.faults.strikes, **_asks_for(path, params))
        if strikes("reset"):
            raise Lost(reset=True)
        if strikes("fault_before"):
            return 500, _FAULT, False
        if strikes("delay"):
            time.sleep(self.server.faults.seconds("delay_seconds"))
        status, answer, replayed = self._done_once(path, params, key, asked, strikes)
        if not replayed and strikes("answer_lost"):
            raise Lost(reset=False)
        return status, answer, replayed

    def _done_once(
        self, path: str, params: Params, key: str, asked: str, strikes: Callable[[str], bool]
    ) -> tuple[int, Json, bool]:
        bank, done = self.server.bank, None
        with bank.transaction():
            is_known = not strikes("keys_forgotten")
            if is_known and (stored := bank.stored(key, asked)) is not None:
                return *stored, True
            if strikes("fault_stored"):
                status, answer = 500, _FAULT
            else:
                status, answer, done = self._execute(path, params)
                if status == 200 and strikes("fault_after"):  # noqa: PLR2004
                    status, answer = 500, _FAULT
            bank.store(key, asked, status, answer)
        for event in done.events if done else ():
            self.server.webhooks.put(*event)
        return status, answer, False

    def _execute(self, path: str, params: Params) -> tuple[int, Json, Done | None]:
        try:
            done = self._route(path, params)
        except Refused as refused:
            return refused.status, refused.body, None
        error = done.body.get("error")
        if error is None:
            return 200, done.body, done
        return (402 if error["type"] == "card_error" else 400), done.body, done

    def _route(self, path: str, params: Params) -> Done:
        bank, one = self.server.bank, _ONE.fullmatch(path)
        if path == PAYMENTS:
            return bank.create(params)
        if path == REFUNDS:
            return bank.refund(params)
        if one and one[2]:
            return bank.capture(one[1]) if one[2] == "capture" else bank.cancel(one[1])
        raise _no_such_url(path)

    def _answer(self, status: int, answer: Json, *, replayed: bool = False) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if replayed:
            self.send_header("Idempotent-Replayed", "true")
        self.end_headers()
        self.wfile.write(body)

    def _hang_up(self, *, reset: bool) -> None:
        self.close_connection = True
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()


def _asks_for(path: str, params: Params) -> dict[str, str]:
    """The card's token, by which a fault may be asked for when it is first used, once a payment of ours."""
    if path != PAYMENTS:
        return {}
    return {
        "token": params.get("payment_method", ""),
        "once": params.get(f"metadata[{PAYMENT_KEY}]", ""),
    }


def _no_such_url(path: str) -> Refused:
    return Refused(404, "invalid_request_error", "", f"Unrecognized request URL: {path}")
