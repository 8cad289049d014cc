"""A client that knows nothing but the contract."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

from bench.compose_proof.stack import ADDRESS

SECONDS = 20.0


class Traveller:
    """Registered and logged in. `seen` is the last response."""

    def __init__(self, username: str = "", password: str = "password123") -> None:  # noqa: S107 - the design's
        self.http = httpx.Client(base_url=f"http://{ADDRESS}", timeout=SECONDS)
        if not username:
            username = f"t{uuid.uuid4().hex[:12]}"
            who = {"username": username, "password": password, "email": f"{username}@example.com"}
            self.call("POST", "/register", 201, who)
        login = self.call("POST", "/login", 200, {"username": username, "password": password})
        self.user_id: str = login["userId"]
        self.http.headers["Authorization"] = f"Bearer {login['token']}"

    def call(self, method: str, path: str, status: int, body: Any = None, **parts: Any) -> Any:
        self.seen = self.http.request(method, path, json=body, **parts)
        assert self.seen.status_code == status, (method, path, self.seen.status_code, self.seen.text[:500])
        return self.seen.json() if self.seen.content else None

    def search(self, days: int = 7) -> list[Any]:
        day = (datetime.now(UTC) + timedelta(days=days)).date().isoformat()
        found = self.call(
            "GET", "/search-flights", 200, params={"from": "New York", "to": "LAX", "date": day}
        )
        flights: list[Any] = found["flights"]
        return flights

    def book(self, flight_id: str) -> str:
        body = {"userId": self.user_id, "flightId": flight_id, "paymentMethod": "credit_card"}
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        return str(self.call("POST", "/book-flight", 201, body, headers=headers)["bookingId"])

    def socket(self) -> ClientConnection:
        headers = {"Authorization": self.http.headers["Authorization"]}
        return connect(f"ws://{ADDRESS}/ws/flight-updates", additional_headers=headers)

    def socket_by_ticket(self) -> ClientConnection:
        """As a page of this host opens it."""
        ticket = self.call("POST", "/ws-ticket", 201)["ticket"]
        origin: Any = f"http://{ADDRESS}"
        return connect(f"ws://{ADDRESS}/ws/flight-updates?ticket={ticket}", origin=origin)

    def bookings(self) -> list[Any]:
        found: list[Any] = self.call("GET", f"/bookings/{self.user_id}", 200)["bookings"]
        return found

    def follow(self, socket: ClientConnection, flight_id: str, **since: Any) -> Any:
        """The first message; `since` is what the client had (`afterSequence`, `log`)."""
        socket.send(json.dumps({"userId": self.user_id, "flightId": flight_id, **since}))
        return hear(socket)

    def report_delay(self, flight_id: str, minutes: int) -> int:
        """What the airline's staff does; the update's sequence."""
        body = {"status": "Delayed", "delayMinutes": minutes, "reason": "Technical issue"}
        return int(self.call("POST", f"/flights/{flight_id}/updates", 201, body)["sequence"])


def hear(socket: ClientConnection, seconds: float = SECONDS) -> Any:
    return json.loads(socket.recv(timeout=seconds))


def served_by(headers: Any) -> str:
    """The replica that answered, the last where several were tried."""
    return str(headers["X-Served-By"]).split()[-1]
