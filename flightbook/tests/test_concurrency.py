"""The bound on what one ASGI process answers at once, and the control without it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from flightbook.http.concurrency import Application, ConcurrencyLimit, Message, Receive, Scope, Send

SCOPE: dict[str, Any] = {"type": "http", "method": "POST", "path": "/book-flight", "headers": []}
LONG = 60.0


class Client:
    """One connection: what it sends, and what it is sent."""

    def __init__(self, body: bytes = b"") -> None:
        self.inbox: asyncio.Queue[Message] = asyncio.Queue()
        self.inbox.put_nowait({"type": "http.request", "body": body, "more_body": False})
        self.sent: list[Message] = []

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    def leave(self) -> None:
        self.inbox.put_nowait({"type": "http.disconnect"})

    def call(self, application: Application, path: str = "/book-flight") -> asyncio.Task[None]:
        scope = SCOPE | {"path": path}
        return asyncio.ensure_future(application(scope, self.inbox.get, self.send))

    @property
    def status(self) -> int | None:
        return self.sent[0]["status"] if self.sent else None


class Gated:
    """An application whose requests all wait for `gate`; it keeps count of those inside."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.inside = self.most_inside = self.served = 0
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            self.bodies.append((await receive())["body"])
            await self.gate.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            self.served += 1
        finally:
            self.inside -= 1


async def settle() -> None:
    """Lets every task go as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_no_more_than_the_places_run_at_once_and_all_are_served() -> None:
    inner = Gated()
    limit = ConcurrencyLimit(inner, places=4, wait_seconds=LONG)
    clients = [Client(str(number).encode()) for number in range(50)]
    calls = [client.call(limit) for client in clients]
    await settle()
    assert inner.inside == 4
    inner.gate.set()
    await asyncio.gather(*calls)
    assert inner.most_inside == 4
    assert [client.status for client in clients] == [200] * 50
    assert sorted(inner.bodies, key=int) == [
        str(number).encode() for number in range(50)
    ]  # none lost or swapped


async def test_control_without_the_limit_all_run_at_once() -> None:
    inner = Gated()
    calls = [Client().call(inner) for _ in range(50)]
    await settle()
    assert inner.inside == 50
    inner.gate.set()
    await asyncio.gather(*calls)


async def test_who_waits_too_long_gets_a_problem_document_and_the_place_is_not_lost() -> None:
    inner = Gated()
    limit = ConcurrencyLimit(inner, places=1, wait_seconds=0.01)
    first = Client().call(limit)
    await settle()
    refused = Client()
    await refused.call(limit)
    start, body = refused.sent
    headers = dict(start["headers"])
    assert start["status"] == 503
    assert headers[b"content-type"] == b"application/problem+json"
    assert int(headers[b"retry-after"]) > 0
    assert json.loads(body["body"])["code"] == "unavailable"
    inner.gate.set()
    await first
    await Client().call(limit)
    assert inner.served == 2


async def test_a_client_that_leaves_while_it_waits_gives_its_turn_up() -> None:
    inner = Gated()
    limit = ConcurrencyLimit(inner, places=1, wait_seconds=LONG)
    first = Client().call(limit)
    await settle()
    leaver, stayer = Client(b"leaver"), Client(b"stayer")
    left, stayed = leaver.call(limit), stayer.call(limit)
    await settle()
    leaver.leave()
    await left
    assert leaver.sent == []
    inner.gate.set()
    await asyncio.gather(first, stayed)
    assert inner.bodies == [b"", b"stayer"]


async def test_a_client_that_leaves_later_keeps_its_place_until_its_request_is_done() -> None:
    inner = Gated()
    limit = ConcurrencyLimit(inner, places=1, wait_seconds=LONG)
    client = Client()
    call = client.call(limit)
    await settle()
    client.leave()
    call.cancel()  # as daphne does to an application that does not end
    with pytest.raises(asyncio.CancelledError):
        await call
    following = Client().call(limit)
    await settle()
    assert inner.inside == inner.most_inside == 1
    assert inner.served == 0
    inner.gate.set()
    await following
    assert inner.most_inside == 1
    assert inner.served == 2
    assert client.sent == []


@pytest.mark.parametrize("how", ["fails", "cancelled while waiting"])
async def test_a_place_is_given_back_once_on_any_outcome(how: str) -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        raise RuntimeError("broken")

    inner = Gated()
    limit = ConcurrencyLimit(failing if how == "fails" else inner, places=2, wait_seconds=LONG)
    if how == "fails":
        for _ in range(5):
            with pytest.raises(RuntimeError):
                await Client().call(limit)
    else:
        calls = [Client().call(limit) for _ in range(6)]
        await settle()
        for call in calls[2:]:
            call.cancel()
        inner.gate.set()
        await asyncio.gather(*calls, return_exceptions=True)
    after = Gated()
    limit._application = after
    calls = [Client().call(limit) for _ in range(6)]
    await settle()
    assert after.inside == 2  # neither lost nor doubled
    after.gate.set()
    await asyncio.gather(*calls)


async def test_a_turn_granted_in_the_moment_of_leaving_is_not_lost() -> None:
    inner = Gated()
    limit = ConcurrencyLimit(inner, places=1, wait_seconds=LONG)
    first = Client().call(limit)
    await settle()
    leaver = Client()
    left = leaver.call(limit)
    await settle()
    inner.gate.set()  # the place becomes free …
    leaver.leave()  # … in the same turn of the loop
    await asyncio.gather(first, left)
    await asyncio.wait_for(Client().call(limit), 5)


async def test_the_sign_of_life_does_not_wait_in_line() -> None:
    inner = Gated()
    limit = ConcurrencyLimit(inner, places=1, wait_seconds=LONG, exempt=["/health/live"])
    first, second = Client().call(limit), Client().call(limit, "/health/live")
    await settle()
    assert inner.inside == 2
    inner.gate.set()
    await asyncio.gather(first, second)


async def test_a_body_in_pieces_reaches_the_application_whole_after_the_wait() -> None:
    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        pieces = [await receive()]
        while pieces[-1]["more_body"]:
            pieces.append(await receive())
        await send(
            {"type": "http.response.start", "status": 200, "body": b"".join(p["body"] for p in pieces)}
        )

    gated = Gated()
    limit = ConcurrencyLimit(gated, places=1, wait_seconds=LONG)
    first = Client().call(limit)
    await settle()
    client = Client()
    client.inbox.get_nowait()
    client.inbox.put_nowait({"type": "http.request", "body": b"one ", "more_body": True})
    call = client.call(limit)
    await settle()
    limit._application = echo
    gated.gate.set()
    await first
    client.inbox.put_nowait({"type": "http.request", "body": b"two", "more_body": False})
    await call
    assert client.sent[0]["body"] == b"one two"
