"""What the airline's staff see in the admin: a webhook's retries, and a booking's money."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect
from standardwebhooks import Webhook

from bench.browser_proof.system import AIRPORT, STAFF, TRAVELLER, ZONE, Account, System, eventually

_RETRY_SECONDS, _MONEY_SECONDS = 60.0, 60.0


class Receiver(ThreadingHTTPServer):
    """Fails once, then verifies with the reference implementation and keeps what it is told."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.secret = ""
        self.statuses: list[int] = []
        self.told: list[Any] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/flights"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = 204 if self.server.statuses else 500
        message: Any = Webhook(self.server.secret).verify(body, dict(self.headers))
        self.server.statuses.append(status)
        if status < 500:  # noqa: PLR2004
            self.server.told.append(message["data"])
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def _receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()


@contextmanager
def admin(browser: Browser, system: System) -> Iterator[Page]:
    """A page that is logged in to the admin."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(f"{system.base}/admin/")
    page.get_by_label("Username").fill(STAFF[0])
    page.get_by_label("Password").fill(STAFF[1])
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Site administration")).to_be_visible()
    yield page
    context.close()


def retries_are_shown(page: Page, system: System, image: Path) -> str:
    """An endpoint that answers 500, then 204: the delivery's page lists both attempts."""
    traveller, staff = Account(system, *TRAVELLER), Account(system, *STAFF)
    flight = _on_sale(traveller)["flightId"]
    traveller.call("POST", "/subscribe-flight", {"userId": traveller.user_id, "flightId": flight})
    with _receiver() as server:
        server.secret = traveller.call("POST", "/webhooks", {"url": server.url})["secret"]
        sequence = staff.report(flight, status="Delayed", delayMinutes=50, reason="Late inbound aircraft")
        eventually(lambda: len(server.statuses) == 2, _RETRY_SECONDS)  # noqa: PLR2004
    assert server.statuses == [500, 204]
    assert [(one["flightId"], one["sequence"]) for one in server.told] == [(flight, sequence)]
    page.goto(f"{system.base}/admin/subscriptions/webhookdelivery/")
    row = page.locator("#result_list tbody tr").first
    expect(row.locator(".field-state")).to_have_text("Delivered")
    expect(row.locator(".field-attempts")).to_have_text("2")
    row.locator("a").first.click()
    expect(page.locator("#tries-group .field-status")).to_have_text(["500", "204"])
    page.screenshot(path=image, full_page=True)
    return f"500, then 204, both verified and both in the log: {image}"


def ledger_is_shown(page: Page, system: System, image: Path) -> str:
    """A booking that was paid, captured and cancelled: each step is a line of its ledger."""
    traveller = Account(system, *TRAVELLER)
    flight = _on_sale(traveller)
    fare = next(one for one in flight["fares"] if one["refundable"])
    whom = {"userId": traveller.user_id}
    sale = {"flightId": flight["flightId"], "paymentMethod": "credit_card", "fare": fare["code"]}
    sale["cabin"] = fare["cabin"]
    key = {"Idempotency-Key": uuid.uuid4().hex}
    booked = traveller.call("POST", "/book-flight", whom | sale, headers=key)
    page.goto(f"{system.base}/admin/bookings/booking/?q={booked['recordLocator']}")
    page.locator("#result_list tbody th a").click()
    _await_events(page, ["Authorised", "Captured"])
    traveller.call("POST", "/cancel-booking", whom | {"bookingId": booked["bookingId"]})
    _await_events(page, ["Authorised", "Captured", "Refund Due", "Refunded"])
    amounts = page.locator("#ledger-group .field-amount").all_inner_texts()
    assert {float(amount) for amount in amounts} == {float(booked["price"])}, amounts
    page.screenshot(path=image, full_page=True)
    return f"{booked['recordLocator']}: authorised, captured, refund due, refunded {amounts[0]}: {image}"


def _await_events(page: Page, events: list[str]) -> None:
    def listed() -> bool:
        page.reload()
        return page.locator("#ledger-group .field-event").all_inner_texts() == events

    eventually(listed, _MONEY_SECONDS)


def _on_sale(traveller: Account) -> Any:
    day = (datetime.now(ZONE) + timedelta(days=2)).date().isoformat()
    return traveller.call("GET", "/search-flights", params={"from": AIRPORT, "to": "LAX", "date": day})[
        "flights"
    ][0]
