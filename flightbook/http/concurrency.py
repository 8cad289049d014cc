"""A bound on what one ASGI process answers at once over HTTP: a request is a thread and a connection.

Django gives every ASGI request a thread of its own. 300 of them at once would be 300 connections against
PostgreSQL's 100, so those beyond the bound wait in line, and are told to come back when the line is too slow.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any

from flightbook.errors import Unavailable
from flightbook.http.problems import problem_response

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]  # frameworks differ in how they type the three

RETRY_AFTER_SECONDS = 5
_READ_AHEAD_BYTES = 512 * 1024


class ConcurrencyLimit:
    """Runs `application` for at most `places` requests at once; a 503 for who waits too long.

    Requests of `exempt` paths are let past: the sign of life, which needs no database, must not wait for it.

    A client that leaves while it waits gives its turn up. One that leaves later does not: its request runs to
    its end and keeps its place until then, since its thread and its connection are at work all the while.
    """

    def __init__(
        self, application: Application, *, places: int, wait_seconds: float, exempt: Collection[str] = ()
    ) -> None:
        self._application = application
        self._exempt = frozenset(exempt)
        self._places = asyncio.Semaphore(places)
        self._wait_seconds = wait_seconds
        self._running: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] in self._exempt:
            return await self._application(scope, receive, send)
        inbox = _Inbox(receive)
        try:
            if await self._place(inbox):
                # Cancelling Django's handler would not stop its thread. So where the server gives the client
                # up, that ends our waiting alone: the place is free when the thread is.
                await asyncio.shield(self._start(scope, inbox, send))
            elif not inbox.client_left:
                await _refuse(send)
        except asyncio.CancelledError:
            inbox.client_left = True
            raise

    async def _place(self, inbox: _Inbox) -> bool:
        """Whether a place became free within the time; the caller then holds it."""
        if not self._places.locked():
            return await self._places.acquire()  # at once, without a change of task
        turn: asyncio.Future[Any] = asyncio.ensure_future(self._places.acquire())
        leaving = asyncio.ensure_future(inbox.leaving())
        try:
            await asyncio.wait(
                (turn, leaving), timeout=self._wait_seconds, return_when=asyncio.FIRST_COMPLETED
            )
            return self._take(turn, inbox)
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._places.release()
            raise
        finally:
            turn.cancel()
            leaving.cancel()

    def _take(self, turn: asyncio.Future[Any], inbox: _Inbox) -> bool:
        if turn.done() and inbox.client_left:
            self._places.release()
        return turn.done() and not inbox.client_left

    def _start(self, scope: Scope, inbox: _Inbox, send: Send) -> asyncio.Task[None]:
        task = asyncio.ensure_future(self._run(scope, inbox, send))
        self._running.add(task)  # the loop itself keeps weak references only
        task.add_done_callback(self._finish)
        return task

    async def _run(self, scope: Scope, inbox: _Inbox, send: Send) -> None:
        async def send_to_present(message: Message) -> None:
            if not inbox.client_left:
                await send(message)

        try:
            await self._application(scope, inbox.receive, send_to_present)
        finally:
            inbox.close()

    def _finish(self, task: asyncio.Task[None]) -> None:
        self._places.release()
        self._running.discard(task)


class _Inbox:
    """What the client sends: read ahead while it waits, so that its leaving is seen, and none of it lost."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._ahead: deque[Message] = deque()
        self._pending: asyncio.Future[Message] | None = None
        self._body_ended = False
        self.client_left = False

    async def leaving(self) -> None:
        """Returns when the client has left; never, where it sends more than is kept for it meanwhile."""
        size = 0
        while size <= _READ_AHEAD_BYTES:
            message = await self._next()
            if message["type"] == "http.disconnect":
                self.client_left = True
                return
            self._ahead.append(message)
            size += len(message.get("body", b""))
        await asyncio.Event().wait()

    async def receive(self) -> Message:
        """The next message of the body. A disconnect after its end is kept from the application."""
        message = self._ahead.popleft() if self._ahead else await self._next()
        if message["type"] == "http.disconnect" and self._body_ended:
            self.client_left = True
            await asyncio.Event().wait()
        self._body_ended = not message.get("more_body", False)
        return message

    async def _next(self) -> Message:
        # Shielded, so that a reader that is cancelled leaves the message to the next one.
        if self._pending is None:
            self._pending = asyncio.ensure_future(self._receive())
        message = await asyncio.shield(self._pending)
        self._pending = None
        return message

    def close(self) -> None:
        if self._pending is not None:
            self._pending.cancel()


async def _refuse(send: Send) -> None:
    problem = Unavailable(detail="The server is at its limit.", retry_after=RETRY_AFTER_SECONDS)
    response = problem_response(problem)
    headers = [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in response.items()]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": response.content})
