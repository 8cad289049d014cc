"""Who means harm: bad tokens by the thousand, bodies that never arrive, sockets by the hundred."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress

import httpx

from bench.compose_proof.stack import (
    PORT,
    compose,
    containers,
    eventually,
    own_memory,
    processor_seconds,
    run,
)
from bench.compose_proof.traveller import Traveller
from bench.compose_proof.use import BASE

POOLS = ("users", "booking", "realtime")
_UNLIMITED = {"GATEWAY_REQUESTS_PER_SECOND": "50000", "GATEWAY_BURST": "50000"}
SECONDS = 8.0
SENDERS = 4
PIPELINED, A_CONNECTION = 50, 900  # requests; nginx ends a connection after 1000
SHARE = 0.1  # of the gateway's processor time that all pools together may take for a flood
SLOW_BODIES, BODY = 600, 200_000
SOCKETS, A_SOCKET = 150, 60 * 1024  # bytes of the gateway's memory


def bad_tokens_cost_the_gateway() -> str:
    """Well-formed ones of a key in force, with another signature: those that cost most to refuse."""
    header, claims, signature = Traveller().http.headers["Authorization"].split(".")
    token = f"{header}.{claims}.{signature[::-1]}"
    compose("up", "--detach", "--wait", "--no-deps", "gateway", **_UNLIMITED)
    try:
        idle = _processor_seconds_of(lambda: time.sleep(SECONDS))
        answers: Counter[bytes] = Counter()
        flooded = _processor_seconds_of(lambda: _flood(token, answers))
    finally:
        compose("up", "--detach", "--wait", "--no-deps", "gateway")
    assert set(answers) == {b"401"}, answers
    more = sum(flooded[pool] - idle[pool] for pool in POOLS)
    assert more < SHARE * flooded["gateway"], (idle, flooded)
    told = ", ".join(f"{name} {flooded[name]:.1f} ({idle[name]:.1f} when idle)" for name in flooded)
    return (
        f"{answers[b'401'] / SECONDS:.0f} refused a second for {SECONDS:.0f} s; seconds of processor: {told}"
    )


def _processor_seconds_of(work: Callable[[], object]) -> dict[str, float]:
    """Of the gateway and of each pool, its replicas together, while the work is done."""
    replicas = {name: containers(name) for name in ("gateway", *POOLS)}

    def taken() -> dict[str, float]:
        return {name: sum(map(processor_seconds, ids)) for name, ids in replicas.items()}

    before = taken()
    work()
    after = taken()
    return {name: after[name] - before[name] for name in replicas}


def _flood(token: str, answers: Counter[bytes]) -> None:
    request = (
        "POST /book-flight HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: {token}\r\nContent-Length: 0\r\n\r\n"
    ).encode()
    over = time.monotonic() + SECONDS

    def send() -> None:
        while time.monotonic() < over:
            with socket.create_connection(("localhost", PORT), timeout=10) as connection:
                for _ in range(A_CONNECTION // PIPELINED):
                    connection.sendall(request * PIPELINED)
                    answers.update(_statuses(connection, PIPELINED))
                    if time.monotonic() > over:
                        break

    senders = [threading.Thread(target=send) for _ in range(SENDERS)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()


def _statuses(connection: socket.socket, count: int) -> list[bytes]:
    """Of so many answers, each a problem document."""
    received = b""
    while received.count(b'"requestId"') < count:
        received += connection.recv(65536)
    return [part[:3] for part in received.split(b"HTTP/1.1 ")[1:]]


def bodies_that_never_arrive() -> str:
    """From one address: some are refused, the rest fits into the gateway's memory, and it goes on."""
    [gateway] = containers("gateway")
    workers = _processes(gateway)
    head = f"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: {BODY + 1}\r\n\r\n".encode()
    with ExitStack() as stack:
        refused = 0
        for _ in range(SLOW_BODIES):
            one = stack.enter_context(socket.create_connection(("localhost", PORT), timeout=10))
            with suppress(ConnectionError):  # refused, and closed before all of it was sent
                one.sendall(head + b"x" * BODY)
            refused += _is_refused(one)  # now: a connection that is reset later takes its answer with it
    assert refused, "none of them was refused"
    assert _processes(gateway) == workers, "a worker was killed"
    eventually(lambda: httpx.get(f"{BASE}/health/live").status_code == httpx.codes.OK)
    return f"{SLOW_BODIES} at once, {refused} got a 429; the workers live"


def _is_refused(connection: socket.socket) -> bool:
    connection.settimeout(0.01)
    with suppress(TimeoutError, ConnectionError):
        return connection.recv(16).startswith(b"HTTP/1.1 429 ")
    return False


def _processes(container: str) -> list[str]:
    return run("docker", "top", container, "-o", "pid").split()[1:]


def sockets_cost_the_gateway_little() -> str:
    """Their tokens were checked by JavaScript, and nothing of that may stay."""
    [gateway] = containers("gateway")
    traveller = Traveller()
    with ExitStack() as stack:
        before = own_memory(gateway)
        for _ in range(SOCKETS):
            stack.enter_context(traveller.socket())
        each = (own_memory(gateway) - before) / SOCKETS
    assert each < A_SOCKET, each
    return f"{each / 1024:.0f} KiB each of {SOCKETS}"


CHECKS = (bad_tokens_cost_the_gateway, bodies_that_never_arrive, sockets_cost_the_gateway_little)
