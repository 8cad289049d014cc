"""What the gateway offers while all is well."""

from __future__ import annotations

import re
import socket
from concurrent.futures import ThreadPoolExecutor

import httpx

from bench.compose_proof.stack import ADDRESS, PORT, eventually, logs
from bench.compose_proof.traveller import Traveller, hear, served_by

BASE = f"http://{ADDRESS}"
STAFF = ("admin", "trial-only-admin")  # .env.example's
_LARGE = "x" * 300_000
_AT_ONCE = 4
_MANY = 900  # keep-alive requests that nginx takes over one connection: 1000


def the_nine_calls() -> str:
    traveller, staff = Traveller(), Traveller(*STAFF)
    flight_id = traveller.search()[-1]["flightId"]
    traveller.call("POST", "/subscribe-flight", 201, {"userId": traveller.user_id, "flightId": flight_id})
    assert flight_id in traveller.call("GET", f"/user-flights/{traveller.user_id}", 200)["flights"]
    booking_id = traveller.book(flight_id)
    [booked] = traveller.call("GET", f"/bookings/{traveller.user_id}", 200)["bookings"]
    assert (booked["bookingId"], booked["status"]) == (booking_id, "Confirmed")
    with traveller.socket() as by_header, traveller.socket_by_ticket() as by_ticket:
        for one in (by_header, by_ticket):
            assert traveller.follow(one, flight_id)["flightId"] == flight_id
        sequence = staff.report_delay(flight_id, 60)
        for one in (by_header, by_ticket):
            update = hear(one)
            assert (update["sequence"], update["delayDuration"]) == (sequence, "1 hour"), update
    traveller.call("POST", "/cancel-booking", 200, {"userId": traveller.user_id, "bookingId": booking_id})
    return "a booking, two sockets (header, ticket) and a delay heard on both"


def pages_and_admin() -> str:
    with httpx.Client(base_url=BASE, follow_redirects=True) as browser:
        for path in ("/", "/docs/", "/openapi.json", "/static/admin/css/base.css"):
            assert browser.get(path).status_code == httpx.codes.OK, path
        browser.get("/admin/login/")
        form = {
            "username": STAFF[0],
            "password": STAFF[1],
            "csrfmiddlewaretoken": browser.cookies["csrftoken"],
        }
        page = browser.post(
            "/admin/login/?next=/admin/", data=form, headers={"Referer": f"{BASE}/admin/login/"}
        )
        assert page.url.path == "/admin/", page.url
        assert "sessionid" in browser.cookies
    return "pages, documents, static files, a login to the admin"


def errors_of_the_gateway() -> str:
    refused = {
        "a bad token": (
            401,
            "token_invalid",
            _ask("POST", "/book-flight", headers={"Authorization": "Bearer a.b.c"}),
        ),
        "a large body": (413, "too_large", _ask("POST", "/book-flight", content=_LARGE)),
        "/metrics": (404, "not_found", _ask("GET", "/metrics")),
        "a long address": (414, "too_large", _ask("GET", f"/{'a' * 40_000}")),
        "large headers": (431, "too_large", _ask("GET", "/", headers={"X-Large": "a" * 40_000})),
    }
    for what, (status, code, answer) in refused.items():
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (status, code), (what, answer.text)
        assert answer.headers["Content-Type"] == "application/problem+json", what
        assert answer.headers["X-Request-Id"] == problem["requestId"], what
        assert "X-Served-By" not in answer.headers, what
    assert b'"code":"invalid"' in _raw(b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n")
    public = _ask("GET", "/flights/FL1", headers={"Authorization": "Bearer a.b.c"})
    assert public.status_code != httpx.codes.UNAUTHORIZED, "a public path asks for no token"
    return f"{', '.join(refused)}: each a problem document that no replica saw"


def one_address_too_many() -> str:
    """A request without a token, which no replica sees, counts too. Waits afterwards, until the gateway
    answers this address again."""
    requests = b"GET /bookings/nobody HTTP/1.1\r\nHost: localhost\r\n\r\n" * _MANY
    with ThreadPoolExecutor(_AT_ONCE) as connections:
        said = connections.map(lambda _: _raw(requests, answers=_MANY), range(_AT_ONCE))
        answers = b"".join(said)
    refused = answers.count(b"HTTP/1.1 429 ")
    assert refused, "nothing was refused"
    assert answers.count(b'"code":"throttled"') == refused
    assert answers.count(b"Retry-After: 1") == refused
    eventually(lambda: _ask("GET", "/health/live").status_code == httpx.codes.OK)
    return f"of {_AT_ONCE * _MANY} requests at once {refused} got a 429"


def ids_and_secrets_in_logs() -> str:
    traveller = Traveller()
    with traveller.socket_by_ticket() as opened:
        assert "101" in str(opened.response.status_code if opened.response else "")
    answer = _ask(
        "GET", "/health/ready", headers={"X-Request-Id": "chosen-by-a-client", "X-Forwarded-For": "192.0.2.1"}
    )
    assert answer.headers["X-Request-Id"] != "chosen-by-a-client"
    written = logs()
    assert answer.headers["X-Request-Id"] in written
    assert "192.0.2.1" not in written, "a client's word for its own address"
    assert not re.search(r"ticket=|Bearer |eyJ", written), "a secret stands in the logs"
    return "the edge's id is in its line; no ticket and no token in any"


def search_is_cached_for_a_second() -> str:
    traveller = Traveller()
    traveller.search(days=9)
    first = traveller.seen
    path = str(first.request.url)
    assert _ask("GET", path).headers["X-Cache"] == "HIT"
    same = _ask("GET", path, headers={"If-None-Match": first.headers["ETag"]})
    assert same.status_code == httpx.codes.NOT_MODIFIED
    eventually(lambda: _ask("GET", path).headers["X-Cache"] == "EXPIRED", seconds=5)
    assert served_by(_ask("GET", "/flights/FL1").headers)
    return "HIT, 304 for its ETag, EXPIRED after its second"


def _ask(method: str, path: str, **parts: object) -> httpx.Response:
    return httpx.request(method, path if "//" in path else f"{BASE}{path}", timeout=20, **parts)  # type: ignore[arg-type]


def _raw(requests: bytes, *, answers: int = 1) -> bytes:
    """What comes back, of problem documents."""
    with socket.create_connection(("localhost", PORT), timeout=5) as connection:
        connection.sendall(requests)
        received = b""
        while received.count(b'"requestId"') < answers:
            received += connection.recv(65536)
        return received


CHECKS = (
    the_nine_calls,
    pages_and_admin,
    errors_of_the_gateway,
    one_address_too_many,
    ids_and_secrets_in_logs,
    search_is_cached_for_a_second,
)
