"""What is left of the service while parts of it come, go and die."""

from __future__ import annotations

import time

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from bench.compose_proof.load import Load, Request
from bench.compose_proof.stack import (
    ADDRESS,
    address_inside,
    compose,
    containers,
    eventually,
    is_healthy,
    logs,
    refused,
    run,
    scale,
    up,
)
from bench.compose_proof.traveller import Traveller, hear, served_by
from bench.compose_proof.use import BASE, STAFF

REPLICAS = {"booking": 3, "realtime": 2}
RESTARTING = 1012
WITHIN = 10  # seconds
FORGOTTEN = 4.0  # seconds until the gateway has heard of it that a replica is gone
PATIENCE = 120.0  # seconds for a replica to become healthy in, on a machine under load


def more_replicas_take_traffic() -> str:
    """As a newcomer asks for them; `migrate` runs again before they start, and finds nothing to do."""
    traveller = Traveller()
    began = time.monotonic()
    up(**REPLICAS)
    booking = {address_inside(container) for container in containers("booking")}
    realtime = {address_inside(container) for container in containers("realtime")}
    healthy = time.monotonic() - began
    began = time.monotonic()
    seen: set[str] = set()
    while not booking <= seen:
        assert time.monotonic() - began < WITHIN, (booking, seen)
        seen.add(served_by(httpx.get(f"{BASE}/flights/FL1").headers))
    by_socket: set[str] = set()
    while not realtime <= by_socket:
        assert time.monotonic() - began < WITHIN, (realtime, by_socket)
        with traveller.socket() as opened:
            by_socket.add(_replica(opened))
    spread = time.monotonic() - began
    return f"3 and 2 replicas healthy after {healthy:.0f} s, all with traffic {spread:.1f} s later"


def a_rollout_that_must_not_be() -> str:
    """An image that does not become healthy: refused, and who served goes on serving."""
    before = set(containers("booking"))
    broken = {"FLIGHTBOOK_IMAGE": "redis:8"}  # it has no gunicorn
    with Load(_reads) as reads:
        refusal = refused("docker/rollout", "--patience", "60", "booking", **broken)
    assert "the new replica was removed, the old ones go on" in refusal, refusal
    assert set(containers("booking")) == before
    assert not reads.failures, reads.failures
    return f"refused, with its last lines; reads {reads}"


def a_replica_that_is_gone() -> str:
    """Its address answers nothing, and seconds later DNS forgets it: what was on its way there and not sent
    goes elsewhere, though the list of the pool changes meanwhile."""
    traveller = Traveller()
    token = traveller.http.headers["Authorization"].removeprefix("Bearer ")
    seen = []
    for victim in containers("booking"):
        run("docker", "kill", victim)
        with Load(_tickets, token=token) as tickets:
            time.sleep(FORGOTTEN)
        run("docker", "start", victim)
        assert not tickets.failures, tickets.failures
        eventually(lambda: is_healthy(victim), seconds=PATIENCE)  # noqa: B023
        seen.append(str(tickets))
    return f"POSTs while each of {len(seen)} in turn was gone: {'; '.join(seen)}"


def sockets_are_sent_elsewhere() -> str:
    traveller, staff = Traveller(), Traveller(*STAFF)
    flight_id = traveller.search(days=21)[0]["flightId"]
    victim = containers("realtime")[0]
    gone = address_inside(victim)
    sockets = _sockets_on(traveller, gone)
    sequence = traveller.follow(sockets[0], flight_id)["sequence"]
    began = time.monotonic()
    run("docker", "stop", victim)
    codes = {_close_code(one) for one in sockets}
    stopped = time.monotonic() - began
    assert codes == {RESTARTING}, codes
    staff.report_delay(flight_id, 30)
    with traveller.socket() as again:
        assert _replica(again) != gone
        assert traveller.follow(again, flight_id)["sequence"] == sequence + 1
    return f"{len(sockets)} sockets got 1012, all ended in {stopped:.1f} s; a new one has the missed update"


def without_the_users_pool() -> str:
    traveller, staff = Traveller(), Traveller(*STAFF)
    flight_id = traveller.search(days=22)[0]["flightId"]
    compose("stop", "users")
    try:
        refused = httpx.post(f"{BASE}/login", json={}, timeout=20)
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable"), refused.text
        with Load(_reads) as reads:
            traveller.search(days=23)
            traveller.book(flight_id)
            with traveller.socket() as one, traveller.socket_by_ticket() as other:
                sequence = traveller.follow(one, flight_id)["sequence"] + 1
                traveller.follow(other, flight_id)
                assert staff.report_delay(flight_id, 45) == sequence
                assert [hear(one)["sequence"], hear(other)["sequence"]] == [sequence] * 2
        assert not reads.failures, reads.failures
    finally:
        scale(users=1)
    back = eventually(lambda: httpx.post(f"{BASE}/login", json={}).status_code == httpx.codes.BAD_REQUEST)
    return (
        f"search, sale, new sockets and updates go on, login is a 503; back {back:.1f} s after it is healthy"
    )


def without_redis() -> str:
    traveller, staff = Traveller(), Traveller(*STAFF)
    flight_id = traveller.search(days=24)[0]["flightId"]
    compose("stop", "redis")
    try:
        ready = httpx.get(f"{BASE}/health/ready", timeout=20)
        assert ready.json()["status"] == "degraded", ready.text
        assert ready.headers["X-Request-Id"] in logs("booking"), "the edge's id is in the replica's line"
        another = Traveller()  # registers and logs in
        another.search(days=25)
        another.book(flight_id)
        with another.socket() as opened:
            sequence = another.follow(opened, flight_id)["sequence"] + 1
            began = time.monotonic()
            assert staff.report_delay(flight_id, 90) == sequence
            assert hear(opened)["sequence"] == sequence
            heard = time.monotonic() - began
    finally:
        scale(redis=1)
    eventually(lambda: httpx.get(f"{BASE}/health/ready", timeout=20).json()["status"] == "ready")
    return (
        f"login, search, sale go on; degraded; an update is heard after {heard:.1f} s, by the log's watcher"
    )


def without_a_booking_pool() -> str:
    compose("stop", "booking")
    try:
        refused = httpx.get(f"{BASE}/flights/FL1", timeout=20)
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable"), refused.text
        assert "Retry-After" in refused.headers
        Traveller()
    finally:
        scale(booking=REPLICAS["booking"])
    return "its calls are 503 with Retry-After; register and login go on"


def _reads(number: int) -> Request:
    return ("GET", f"/flights/FL{number % 500 + 1}", None)


def _tickets(_: int) -> Request:
    return ("POST", "/ws-ticket", None)


def _replica(opened: ClientConnection) -> str:
    assert opened.response is not None
    return served_by(opened.response.headers)


def _sockets_on(traveller: Traveller, replica: str) -> list[ClientConnection]:
    """Some ten sockets, as far as they are on that replica."""
    opened = [traveller.socket() for _ in range(10)]
    for elsewhere in (one for one in opened if _replica(one) != replica):
        elsewhere.close()
    found = [one for one in opened if _replica(one) == replica]
    assert found, f"none of 10 sockets is on {replica} of {ADDRESS}"
    return found


def _close_code(opened: ClientConnection) -> int:
    try:
        while True:
            hear(opened)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 0


OF_REPLICAS = (
    a_rollout_that_must_not_be,
    a_replica_that_is_gone,
    sockets_are_sent_elsewhere,
    without_the_users_pool,
    without_redis,
    without_a_booking_pool,
)
CHECKS = (more_replicas_take_traffic, *OF_REPLICAS)
