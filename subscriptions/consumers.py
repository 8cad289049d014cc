"""The WebSocket `/ws/flight-updates`: what comes in from one client. What goes out is the hub's."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractContextManager
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError

from accounts.public import SessionHandle
from flightbook import logs, tracing
from flightbook.errors import (
    Forbidden,
    InternalError,
    Invalid,
    NotAuthenticated,
    NotFound,
    Problem,
    Throttled,
    TokenInvalid,
)
from flightbook.http.json import encode
from flightbook.http.middleware import request_id_of
from flightbook.http.problems import as_problem, document
from flights import public as flights
from subscriptions.client_messages import Follow, Unfollow, parse
from subscriptions.handshake import authenticate, header, named_user
from subscriptions.hub import FAREWELL_SECONDS, current_hub
from subscriptions.rates import Rate
from subscriptions.sockets import CloseCode, Event, Send, Socket

logger = logging.getLogger(__name__)
# Client messages that wait for the database; a client that has more of them open is flooding.
_PENDING_MESSAGES = 500

# Whose a socket is that is sent away unasked: the database can't say it, or the user has enough of them.
_NOBODY = SessionHandle(sid="", user_pk=0, user_public_id="")
_ONE_TOO_MANY = SessionHandle(sid="", user_pk=0, user_public_id="-")

Receive = Callable[[], Awaitable[Event]]


async def flight_updates(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
    """The ASGI application."""
    await FlightUpdatesConsumer(scope, receive, send).run()


class FlightUpdatesConsumer:
    """One connection. Messages are taken in at once, for their rate to be seen, and obeyed one by one.

    Not one of Channels' consumers: those keep two tasks and a channel of the layer for each socket (the hub
    has one for the whole process), and make a thread close old connections before each message.
    """

    def __init__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        self.hub = current_hub()
        self.socket: Socket | None = None
        self._scope, self._receive, self._send = scope, receive, send
        self._request_id = request_id_of(header(scope, b"x-request-id") or "")
        self._rate = Rate(settings.SOCKET_MESSAGES_PER_SECOND)
        self._commands: list[Follow | Unfollow | Problem] = []
        self._worker: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Until the client has gone, or was refused."""
        try:
            if await self._connects():
                while (message := await self._receive())["type"] == "websocket.receive":
                    self.take_in(message)
        except asyncio.CancelledError:  # the server stops
            await self._say_goodbye()
            raise
        finally:
            await self._clean_up()

    async def _connects(self) -> bool:
        await self._receive()
        headers = {"traceparent": header(self._scope, b"traceparent") or ""}
        # Not around what follows, as below.
        with tracing.handshake("ws/flight-updates", headers):
            session = await self._handshake()
        if session is None:
            return False
        await self._admit(Socket(self._send, session))
        return True

    async def _handshake(self) -> SessionHandle | None:
        """Whose the socket is. Refused before it is accepted, a client sees HTTP 403: None.

        Who has enough sockets is not looked up: a flood of openings must not keep the database's threads
        busy, nor with them Python's lock, for which the broadcasts would wait.
        """
        try:
            is_full = self.hub.is_full(named_user(self._scope))
            session = _ONE_TOO_MANY if is_full else await self._unless_gone(authenticate(self._scope))
        except (Forbidden, NotAuthenticated, TokenInvalid):
            tracing.answered(HTTPStatus.FORBIDDEN)
            await self._send({"type": "websocket.close"})
            return None
        except (OperationalError, InterfaceError) as error:
            logger.info("no socket while the database is away: %s", error)
            session = _NOBODY
        if session is None:
            return None
        tracing.answered(HTTPStatus.SWITCHING_PROTOCOLS)
        await self._send({"type": "websocket.accept"})
        return session

    async def _unless_gone(self, authentication: Coroutine[Any, Any, SessionHandle]) -> SessionHandle | None:
        """None where the client goes while its turn has not come; then nothing is done for it either."""
        ours, theirs = asyncio.ensure_future(authentication), asyncio.ensure_future(self._receive())
        try:
            await asyncio.wait((ours, theirs), return_when=asyncio.FIRST_COMPLETED)
            return None if theirs.done() else await ours
        finally:
            ours.cancel()
            theirs.cancel()

    async def _admit(self, socket: Socket) -> None:
        self.socket = socket
        if socket.session is _NOBODY:
            socket.close(CloseCode.RESTARTING)
        elif socket.session is _ONE_TOO_MANY or not await self.hub.enter(socket):
            self._refuse(socket, Throttled(detail="You have too many sockets open."))
        if self.hub.is_closing:  # perhaps since it was let in
            socket.close(CloseCode.RESTARTING)

    def take_in(self, message: Event) -> None:
        """Looks at size and rate, and puts the message behind those that wait."""
        socket, text = self.socket, message.get("text")
        if socket is None or socket.is_closed:
            return
        size = len(text.encode(errors="replace")) if text is not None else len(message["bytes"])
        if size > settings.SOCKET_FRAME_BYTES:
            socket.close(CloseCode.TOO_LARGE)
        elif not self._rate.allows(asyncio.get_running_loop().time()) or self._is_flooded:
            self._refuse(socket, Throttled(detail="You send too many messages."))
        else:
            self._commands.append(_parsed(text))
            self._worker = self._worker or asyncio.create_task(self._work(socket))

    @property
    def _is_flooded(self) -> bool:
        return len(self._commands) >= _PENDING_MESSAGES

    async def _work(self, socket: Socket) -> None:
        """For as long as something is to be done: most sockets say something once, and listen for hours.

        What a flooder said before it was shut out is not done: it would be reads for nobody.
        """
        while self._commands and not socket.is_closed:
            command = self._commands.pop(0)
            try:
                await self._obey(socket, command)
            except Exception as error:
                problem = as_problem(error)
                if problem is None:
                    with self._said_of_this_connection():
                        logger.exception("a client's message failed")
                    problem = InternalError(detail="The failure was logged.")
                self._complain(socket, problem, command)
        self._worker = None

    async def _obey(self, socket: Socket, command: Follow | Unfollow | Problem) -> None:
        match command:
            case Follow():
                await self._follow(socket, command)
            case Unfollow(flight_id):
                self.hub.unfollow(socket, flights.parse_flight_id(flight_id))
            case Problem():
                raise command

    async def _follow(self, socket: Socket, command: Follow) -> None:
        if command.user_id != socket.session.user_public_id:
            raise NotFound(detail="There is no such user.")
        flight_pk = flights.parse_flight_id(command.flight_id)
        if flight_pk not in socket.topics and len(socket.topics) >= settings.FLIGHTS_PER_SOCKET:
            self._refuse(socket, Throttled(detail="You follow too many flights on one socket."))
            return
        await self.hub.follow(socket, flight_pk, after=command.after_sequence, log=command.log)

    def _said_of_this_connection(self) -> AbstractContextManager[object]:
        """Not around all of it: the hub's tasks, which serve other sockets too, would take the id over."""
        return logs.about(request_id=self._request_id)

    def _complain(self, socket: Socket, problem: Problem, command: object = None) -> None:
        with self._said_of_this_connection():
            body = document(problem)
        if isinstance(command, Follow | Unfollow):
            body["flightId"] = command.flight_id
        socket.send_text(encode(body).decode())

    def _refuse(self, socket: Socket, problem: Problem) -> None:
        """Says why, and closes."""
        self._complain(socket, problem)
        socket.close(CloseCode.TOO_MANY)

    async def _say_goodbye(self) -> None:
        """Sends 1012 and lets the server write it, until the client has answered or time is up."""
        if self.socket is None:
            return
        self.socket.close(CloseCode.RESTARTING)
        with contextlib.suppress(TimeoutError):  # a client need not answer
            async with asyncio.timeout(FAREWELL_SECONDS):
                while (await self._receive())["type"] != "websocket.disconnect":
                    pass

    async def _clean_up(self) -> None:
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.wait([self._worker])
        if self.socket is not None:
            self.hub.leave(self.socket)


def _parsed(text: str | None) -> Follow | Unfollow | Problem:
    """The message, or what is wrong with it, to be said in its turn."""
    if text is None:
        return Invalid.of("", "malformed", "Send text frames; this one is binary.")
    try:
        return parse(text)
    except Invalid as problem:
        return problem
