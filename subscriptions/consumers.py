"""The WebSocket `/ws/flight-updates`: what comes in from one client. What goes out is the hub's."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from contextlib import AbstractContextManager
from typing import Any

from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import InterfaceError, OperationalError

from accounts.public import SessionHandle
from flightbook import logs
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
from subscriptions.client_messages import Follow, Rate, Unfollow, parse
from subscriptions.handshake import authenticate, header
from subscriptions.hub import FAREWELL_SECONDS, current_hub
from subscriptions.sockets import CloseCode, Socket

logger = logging.getLogger(__name__)
# Client messages that wait for the database; a client that has more of them open is flooding.
_PENDING_MESSAGES = 500

# Whose a socket is while the database can't say it: it is sent away as by a server that restarts.
_NOBODY = SessionHandle(sid="", user_pk=0, user_public_id="")

Message = dict[str, Any]


class FlightUpdatesConsumer(AsyncWebsocketConsumer):
    """One connection. Messages are taken in at once, for their rate to be seen, and obeyed one by one.

    It has no channel of its own on the layer: the hub has one for the whole process.
    """

    channel_layer_alias = None  # type: ignore[assignment]  # Channels is untyped, and takes None
    socket: Socket | None = None
    _worker: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.hub = current_hub()
        self._request_id = request_id_of(header(scope, b"x-request-id") or "")
        self._rate = Rate(settings.SOCKET_MESSAGES_PER_SECOND)
        self._commands: asyncio.Queue[Follow | Unfollow | Problem] = asyncio.Queue(_PENDING_MESSAGES)
        try:
            await super().__call__(scope, receive, send)  # type: ignore[no-untyped-call]
        except asyncio.CancelledError:  # the server stops
            await self._say_goodbye(receive)
            raise
        finally:
            await self._clean_up()

    async def dispatch(self, message: Message) -> None:
        """Channels' own makes a thread close old connections before each message; our reads close theirs."""
        match message["type"]:
            case "websocket.connect":
                await self.connect()
            case "websocket.receive":
                await self.take_in(message)
            case "websocket.disconnect":
                raise StopConsumer

    async def connect(self) -> None:
        """Refused before it is accepted, a client sees HTTP 403."""
        try:
            session = await authenticate(self.scope)
        except (Forbidden, NotAuthenticated, TokenInvalid):
            await self.base_send({"type": "websocket.close"})
            raise StopConsumer from None
        except (OperationalError, InterfaceError) as error:
            logger.info("no socket while the database is away: %s", error)
            session = _NOBODY
        await self.base_send({"type": "websocket.accept"})
        await self._admit(Socket(self.base_send, session))

    async def _admit(self, socket: Socket) -> None:
        if socket.session is _NOBODY or self.hub.is_closing:
            await socket.close(CloseCode.RESTARTING)
        elif self.hub.enter(socket):
            self.socket = socket
            self._worker = asyncio.create_task(self._work(socket))
        else:
            await self._refuse(socket, Throttled(detail="You have too many sockets open."))

    async def take_in(self, message: Message) -> None:
        """Looks at size and rate, and puts the message in the queue."""
        socket, text = self.socket, message.get("text")
        if socket is None or socket.is_closed:
            return
        size = len(text.encode(errors="replace")) if text is not None else len(message["bytes"])
        if size > settings.SOCKET_FRAME_BYTES:
            await socket.close(CloseCode.TOO_LARGE)
        elif not self._rate.allows(asyncio.get_running_loop().time()) or self._commands.full():
            await self._refuse(socket, Throttled(detail="You send too many messages."))
        else:
            self._commands.put_nowait(_parsed(text))

    async def _work(self, socket: Socket) -> None:
        while True:
            command = await self._commands.get()
            try:
                await self._obey(socket, command)
            except Exception as error:
                problem = as_problem(error)
                if problem is None:
                    with self._said_of_this_connection():
                        logger.exception("a client's message failed")
                    problem = InternalError(detail="The failure was logged.")
                await self._complain(socket, problem, command)

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
            await self._refuse(socket, Throttled(detail="You follow too many flights on one socket."))
            return
        await self.hub.follow(socket, flight_pk, after=command.after_sequence, log=command.log)

    def _said_of_this_connection(self) -> AbstractContextManager[object]:
        """Not around all of it: the hub's tasks, which serve other sockets too, would take the id over."""
        return logs.about(request_id=self._request_id)

    async def _complain(self, socket: Socket, problem: Problem, command: object = None) -> None:
        with self._said_of_this_connection():
            body = document(problem)
        if isinstance(command, Follow | Unfollow):
            body["flightId"] = command.flight_id
        await socket.send_text(encode(body).decode())

    async def _refuse(self, socket: Socket, problem: Problem) -> None:
        """Says why, and closes."""
        await self._complain(socket, problem)
        await socket.close(CloseCode.TOO_MANY)

    async def _say_goodbye(self, receive: Any) -> None:
        """Sends 1012 and lets the server write it, until the client has answered or time is up."""
        if self.socket is None:
            return
        await self.socket.close(CloseCode.RESTARTING)
        with contextlib.suppress(TimeoutError):  # a client need not answer
            async with asyncio.timeout(FAREWELL_SECONDS):
                while (await receive())["type"] != "websocket.disconnect":
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
