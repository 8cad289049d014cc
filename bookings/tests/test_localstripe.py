"""The Stripe adapter against localstripe, somebody else's idea of Stripe's API: its shape, from a card to a
signed event. `make stripe-test` installs it, into an environment of its own: it is GPL, and only ever run.

It knows no idempotency keys (those are tried in `test_stripe`), and an API older than ours: a parameter that
it refuses, and that today's Stripe asks for, is dropped on the way there.
"""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from django.test import Client

from bookings.models import PaymentAttempt
from bookings.payments.gateway import AlreadyCaptured, Approved, Declined, Payment
from bookings.payments.stripe import StripeGateway
from bookings.public import settle_payments
from bookings.tests.factories import Traveller, payment_of, silence
from flightbook.settings import BASE_DIR
from flights.tests.factories import make_flight

PROGRAM = BASE_DIR / ".venv-localstripe" / "bin" / "localstripe"
pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="localstripe is not here: make stripe-test")
GOOD, DECLINED, WANTS_3D_SECURE = "4242424242424242", "4000000000000341", "4000002500003155"
SECRET = "whsec_local"
_NEWER = "automatic_payment_methods["


@dataclass(frozen=True)
class Local:
    """localstripe at `port`; `address` is where requests go that it may not know."""

    port: int
    address: str
    events: Queue[tuple[bytes, str]]

    def post(self, path: str, **params: Any) -> Any:
        return json.loads(_ask(self.port, "POST", path, urlencode(params), {})[1])

    def card(self, number: str = GOOD) -> str:
        card = {"number": number, "exp_month": 12, "exp_year": 2030, "cvc": "123"}
        fields = {f"card[{name}]": value for name, value in card.items()}
        return str(self.post("/v1/payment_methods", type="card", **fields)["id"])


def _ask(port: int, method: str, path: str, body: str, headers: dict[str, str]) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("localhost", port, timeout=5)
    form = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": "Bearer sk_test_x"}
    connection.request(method, path, body, form | headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


class _Between(BaseHTTPRequestHandler):
    """Passes requests on without what localstripe is too old for, and takes its events."""

    port: int
    events: Queue[tuple[bytes, str]]

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
        """Silent."""

    def do_GET(self) -> None:
        self._pass_on("GET", "")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/events":
            self.events.put((body, self.headers["Stripe-Signature"]))
            self._answer(200, b"")
        else:
            kept = [(name, value) for name, value in parse_qsl(body.decode()) if not name.startswith(_NEWER)]
            self._pass_on("POST", urlencode(kept))

    def _pass_on(self, method: str, body: str) -> None:
        self._answer(*_ask(self.port, method, self.path, body, {}))

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def local() -> Iterator[Local]:
    with socket.socket(socket.AF_INET6) as free:
        free.bind(("::", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [str(PROGRAM), "--port", str(port), "--from-scratch"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    events: Queue[tuple[bytes, str]] = Queue()
    between = ThreadingHTTPServer(
        ("127.0.0.1", 0), type("Between", (_Between,), {"port": port, "events": events})
    )
    threading.Thread(target=between.serve_forever, daemon=True).start()
    try:
        _await_port(port)
        found = Local(port, f"http://127.0.0.1:{between.server_port}", events)
        _ask(port, "POST", "/_config/webhooks/ours", f"url={found.address}/events&secret={SECRET}", {})
        yield found
    finally:
        between.shutdown()
        process.kill()
        process.wait()


def _await_port(port: int) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("localhost", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < until, "localstripe does not listen"
            time.sleep(0.05)
        else:
            return


@pytest.fixture(autouse=True)
def _ours(local: Local, settings: Any) -> None:
    settings.PAYMENT_GATEWAY = "stripe"
    settings.STRIPE_API_BASE = local.address
    settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET = "sk_test_x", SECRET


def payment(token: str, currency: str = "USD") -> Payment:
    return Payment(uuid.uuid4(), Decimal(120), currency, token, "", datetime.now(UTC))


def authorised(local: Local) -> Payment:
    asked = payment(local.card())
    verdict = StripeGateway().authorise(asked)
    assert isinstance(verdict, Approved)
    return replace(asked, reference=verdict.reference)


def test_held_captured_and_given_back_in_parts(local: Local) -> None:
    held = authorised(local)
    assert StripeGateway().look_up(held) == Approved(held.reference)
    assert StripeGateway().capture(held) == Approved(held.reference)
    assert StripeGateway().void(held) == AlreadyCaptured(held.reference)
    key = uuid.uuid4()

    once = StripeGateway().refund(held, refund_key=key, amount=Decimal("20.50"))
    again = StripeGateway().refund(held, refund_key=key, amount=Decimal("20.50"))

    assert isinstance(once, Approved)
    assert once == again


def test_voided(local: Local) -> None:
    held = authorised(local)

    assert StripeGateway().void(held) == StripeGateway().void(held) == Approved(held.reference)
    assert isinstance(StripeGateway().capture(held), Declined)


@pytest.mark.parametrize("number", [DECLINED, WANTS_3D_SECURE])
def test_declined(local: Local, number: str) -> None:
    assert isinstance(StripeGateway().authorise(payment(local.card(number))), Declined)


def test_a_card_that_there_is_not(local: Local) -> None:
    assert isinstance(StripeGateway().authorise(payment("pm_unknown")), Declined)


@pytest.mark.django_db
def test_a_booking_from_card_to_refund_with_its_event(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    traveller = Traveller()
    booking = traveller.booked(make_flight(), fare="EFLEX", paymentToken=local.card())
    with monkeypatch.context() as patched:
        silence(patched, "capture", gateway=StripeGateway)
        settle_payments()
    StripeGateway().capture(replace(payment(""), reference=payment_of(booking).reference))
    assert (settle_payments(), payment_of(booking).state) == (0, "to_capture")

    body, signature = local.events.get(timeout=10)
    answer = Client().post(
        "/payment-events/stripe",
        body,
        content_type="application/json",
        headers={"Stripe-Signature": signature},
    )

    assert answer.status_code == 204
    settle_payments()
    assert PaymentAttempt.objects.get().state == "captured"
    traveller.cancel(booking)
    settle_payments()
    assert booking.payments.get().refunds.get().state == "done"
