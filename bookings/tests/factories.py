"""Travellers with their clients, orders and bookings for tests, and what must be true after each of them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from accounts.models import User
from accounts.tests.factories import JsonClient, api_client, make_user
from bookings.models import Booking, PaymentAttempt
from bookings.payments.gateway import Gateway, GatewaySilent
from bookings.payments.sandbox import SUCCESS, SandboxGateway
from bookings.public import invariants as of_bookings
from flightbook.invariants import broken
from flights.models import CabinInventory, Flight
from flights.public import invariants as of_flights
from subscriptions.public import invariants as of_subscriptions


@dataclass
class Traveller:
    """A user with a client that is logged in as them."""

    user: User = field(default_factory=make_user)
    client: JsonClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = api_client(self.user)

    def post(self, path: str, body: Mapping[str, Any], *, key: str | None = None) -> Any:
        headers = {} if key is None else {"Idempotency-Key": key}
        return self.client.post(path, {"userId": self.user.public_id, **body}, headers=headers)

    def book(self, *flights: Flight, key: str | None = None, **body: Any) -> Any:
        """`POST /book-flight`, by credit card unless told otherwise."""
        ids = [flight.public_id for flight in flights]
        asked = {"flightId": ids[0]} if len(ids) == 1 else {"flightIds": ids}
        return self.post("/book-flight", {**asked, "paymentMethod": "credit_card", **body}, key=key)

    def booked(self, *flights: Flight, **body: Any) -> Booking:
        """A booking that was made."""
        answer = self.book(*flights, **body)
        assert answer.status_code == 201, answer.content
        return Booking.objects.get(public_id=answer.json()["bookingId"])

    def held(self, *flights: Flight, **body: Any) -> Booking:
        return self.booked(*flights, paymentMethod="hold", **body)

    def pay(self, booking: Booking, *, key: str | None = None, token: str = SUCCESS) -> Any:
        body = {"bookingId": booking.public_id, "paymentMethod": "credit_card", "paymentToken": token}
        return self.post("/pay-booking", body, key=key)

    def cancel(self, booking: Booking, *, key: str | None = None) -> Any:
        return self.post("/cancel-booking", {"bookingId": booking.public_id}, key=key)

    def quote_change(self, booking: Booking, old: Flight, new: Flight, **body: Any) -> Any:
        asked = {"bookingId": booking.public_id, "flightId": old.public_id, "newFlightId": new.public_id}
        return self.post("/change-quotes", asked | body)

    def change(self, booking: Booking, *, key: str | None = None, **body: Any) -> Any:
        """By credit card."""
        asked = {"bookingId": booking.public_id, "paymentMethod": "credit_card", **body}
        return self.post("/change-booking", asked, key=key)

    def choose(self, booking: Booking, flight: Flight, seats: Mapping[int, str], **body: Any) -> Any:
        """Seats of one flight, by passenger's index; by credit card."""
        wishes = [
            {"flightId": flight.public_id, "passenger": index, "seat": seat} for index, seat in seats.items()
        ]
        asked = {"bookingId": booking.public_id, "seats": wishes, "paymentMethod": "credit_card"}
        return self.post("/choose-seats", asked | body)

    def bookings(self, **query: Any) -> Any:
        return self.client.get(f"/bookings/{self.user.public_id}", query)

    def booking(self, booking: Booking) -> Any:
        return self.client.get(f"/bookings/{self.user.public_id}/{booking.public_id}")


def passengers(count: int, **last: str) -> list[dict[str, str]]:
    """That many adults; `last` changes the last one."""
    people = [{"givenName": f"Given{n}", "familyName": f"Family{n}", "type": "adult"} for n in range(count)]
    people[-1] |= last
    return people


def available(flight: Flight, cabin: str = "economy") -> int:
    return CabinInventory.objects.get(flight=flight, cabin=cabin).available


def payment_of(booking: Booking) -> PaymentAttempt:
    return booking.payments.order_by("-pk")[0]


def overdue(booking: Booking) -> None:
    """The hold's time is over."""
    Booking.objects.filter(pk=booking.pk).update(payment_due_by=Now() - timedelta(seconds=1))


def leases_over() -> None:
    """Every payment is the worker's to settle now."""
    PaymentAttempt.objects.update(lease_until=Now() - timedelta(seconds=1))


def silence(monkeypatch: pytest.MonkeyPatch, *calls: str, gateway: type[Gateway] = SandboxGateway) -> None:
    """The gateway does not answer these."""

    def silent(*_: object, **__: object) -> None:
        raise GatewaySilent("told to")

    for call in calls:
        monkeypatch.setattr(gateway, call, silent)


def new_key() -> str:
    return uuid.uuid4().hex


def check_books() -> None:
    """Every invariant of the sale and of what lies below it holds: counters, seat numbers, money."""
    found = broken([*of_flights(), *of_subscriptions(), *of_bookings()])
    assert not found, "; ".join(f"{it.check.name}: {', '.join(it.examples)}" for it in found)
