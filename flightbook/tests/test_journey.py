"""A traveller's whole journey over HTTP and WebSockets, through the served port, beside relay and worker."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from django.contrib.auth.models import Permission
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from accounts.models import Mail
from accounts.tests.factories import api_client, login, make_user
from bookings.models import PaymentAttempt
from flightbook.tests.processes import PATIENCE, eventually, whole_system
from flights.models import CabinInventory, Flight
from flights.tests.factories import make_flight

pytestmark = [pytest.mark.django_db(transaction=True)]
PASSWORD = "a long walk in the rain"


class Traveller:
    """Somebody with a client, who reads nothing but the contract."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.http = httpx.Client(base_url=f"http://{address}", timeout=PATIENCE)
        self.user_id = ""

    def call(self, method: str, path: str, status: int, body: Any = None, **parts: Any) -> Any:
        response = self.http.request(method, path, json=body, **parts)
        assert response.status_code == status, (path, response.text)
        return response.json() if response.content else None

    def register_and_log_in(self) -> None:
        who = {"username": "grace", "password": PASSWORD}
        registered = self.call(
            "POST", "/register", 201, who | {"email": "grace@example.com", "givenName": "Grace"}
        )
        answer = self.call("POST", "/login", 200, who)
        assert answer["userId"] == registered["userId"]
        self.user_id = answer["userId"]
        self.http.headers["Authorization"] = f"Bearer {answer['token']}"

    def socket_with_header(self) -> ClientConnection:
        headers = {"Authorization": self.http.headers["Authorization"]}
        return connect(f"ws://{self.address}/ws/flight-updates", additional_headers=headers)

    def socket_with_ticket(self) -> ClientConnection:
        ticket = self.call("POST", "/ws-ticket", 201)["ticket"]
        origin: Any = f"http://{self.address}"
        return connect(f"ws://{self.address}/ws/flight-updates?ticket={ticket}", origin=origin)

    def follow(self, socket: ClientConnection, flight_id: str) -> Any:
        socket.send(json.dumps({"userId": self.user_id, "flightId": flight_id}))
        return receive(socket)


def receive(socket: ClientConnection) -> Any:
    return json.loads(socket.recv(timeout=PATIENCE))


def report_delay(address: str, flight: Flight) -> None:
    """What the airline's staff does."""
    staff = make_user()
    staff.user_permissions.add(Permission.objects.get(codename="report_flight_update"))
    response = httpx.post(
        f"http://{address}/flights/{flight.public_id}/updates",
        json={"status": "Delayed", "delayMinutes": 90, "reason": "Technical issue"},
        headers={"Authorization": f"Bearer {login(staff)}"},
        timeout=PATIENCE,
    )
    assert response.status_code == 201, response.text


def seats_left(flight: Flight) -> int:
    return CabinInventory.objects.get(flight=flight, cabin="economy").available


def test_a_whole_journey() -> None:
    api_client()  # makes the token keys where there are none
    flight = make_flight(economy=50)
    with whole_system() as address:
        traveller = Traveller(address)
        traveller.register_and_log_in()
        flight_id = search(traveller, flight)
        with traveller.socket_with_header() as by_header, traveller.socket_with_ticket() as by_ticket:
            sockets = [by_header, by_ticket]
            watch(traveller, sockets, flight_id)
            booking_id = book(traveller, flight, flight_id)
            hear_of_a_delay(address, sockets, flight)
            cancel(traveller, flight, booking_id)
            log_out(traveller, sockets)


def search(traveller: Traveller, flight: Flight) -> str:
    query = {"from": "New York", "to": "Los Angeles", "date": flight.departure_date.isoformat()}
    [found] = traveller.call("GET", "/search-flights", 200, params=query)["flights"]
    assert found["flightId"] == flight.public_id
    return str(found["flightId"])


def watch(traveller: Traveller, sockets: list[ClientConnection], flight_id: str) -> None:
    body = {"userId": traveller.user_id, "flightId": flight_id}
    traveller.call("POST", "/subscribe-flight", 201, body)
    assert traveller.call("GET", f"/user-flights/{traveller.user_id}", 200)["flights"] == [flight_id]
    for socket in sockets:
        state = traveller.follow(socket, flight_id)
        assert (state["flightId"], state["status"], state["sequence"]) == (flight_id, "Scheduled", 0)


def book(traveller: Traveller, flight: Flight, flight_id: str) -> str:
    body = {"userId": traveller.user_id, "flightId": flight_id, "paymentMethod": "credit_card"}
    headers = {"Idempotency-Key": "a-journey"}
    booked = traveller.call("POST", "/book-flight", 201, body, headers=headers)
    assert traveller.call("POST", "/book-flight", 201, body, headers=headers) == booked
    assert (booked["message"], booked["status"]) == ("Flight booked successfully", "Confirmed")
    assert seats_left(flight) == 49
    [listed] = traveller.call("GET", f"/bookings/{traveller.user_id}", 200)["bookings"]
    assert (listed["bookingId"], listed["flightId"]) == (booked["bookingId"], flight_id)
    # The worker takes the money and sends the confirmation.
    eventually(lambda: PaymentAttempt.objects.filter(state="captured").count() == 1)
    eventually(lambda: Mail.objects.filter(state="sent", to="grace@example.com").exists())
    return str(booked["bookingId"])


def hear_of_a_delay(address: str, sockets: list[ClientConnection], flight: Flight) -> None:
    report_delay(address, flight)
    for socket in sockets:
        message = receive(socket)
        assert (message["flightId"], message["sequence"]) == (flight.public_id, 1)
        assert (message["status"], message["delayDuration"]) == ("Delayed", "1 hour 30 minutes")
        assert message["reason"] == "Technical issue"


def cancel(traveller: Traveller, flight: Flight, booking_id: str) -> None:
    body = {"userId": traveller.user_id, "bookingId": booking_id}
    assert traveller.call("POST", "/cancel-booking", 200, body)["message"] == "Booking canceled successfully"
    assert traveller.call("POST", "/cancel-booking", 409, body)["code"] == "already_cancelled"
    assert seats_left(flight) == 50
    # The traveller's own wish to follow the flight outlives the booking.
    assert traveller.call("GET", f"/user-flights/{traveller.user_id}", 200)["flights"] == [flight.public_id]


def log_out(traveller: Traveller, sockets: list[ClientConnection]) -> None:
    traveller.call("POST", "/logout", 204)
    assert traveller.call("GET", f"/bookings/{traveller.user_id}", 401)["code"] == "token_invalid"
    for socket in sockets:
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=PATIENCE)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401
