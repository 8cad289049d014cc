"""One flight followed in this process, and the one rule by which its followers hear of it.

All live followers have everything up to `sequence`. The next update is broadcast when it is at hand; where
the layer skipped one, the log is read, once for all. What is late or doubled is dropped by its sequence.

A follower comes with what it was sent by then (its own reading of the log, made after the group was joined)
and is let in once that is not behind `sequence`; being ahead does no harm: a broadcast passes over it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from django.db import InterfaceError, OperationalError

from subscriptions.daphne_server import Frame
from subscriptions.log_reads import Beginning, missed, off_loop, state_after_reset
from subscriptions.messages import EncodedUpdate
from subscriptions.sockets import Socket

logger = logging.getLogger(__name__)
# Updates kept while others are being sent or fetched; beyond it the log serves.
WAITING_UPDATES = 500
# A broadcast lets other tasks run after so many sockets.
_BREATH = 256

Fetch = Callable[[int, int], Awaitable[list[EncodedUpdate]]]


async def _from_log(flight_pk: int, sequence: int) -> list[EncodedUpdate]:
    return await off_loop(missed, flight_pk, sequence)


class Topic:
    """See above. `joined`: this process is in the layer's group; until then the watcher serves."""

    def __init__(self, flight_pk: int, fetch: Fetch = _from_log) -> None:
        self.flight_pk = flight_pk
        self.sequence: int | None = None  # until the first follower has read the log
        self.log: str | None = None
        self.joined = False
        self.joining = asyncio.Lock()
        self.newcomers: set[Socket] = set()
        self._live: dict[Socket, int] = {}
        self._announced = 0
        self._waiting: dict[int, EncodedUpdate] = {}
        self._worker: asyncio.Task[None] | None = None
        self._sending = asyncio.Lock()
        self._fetch = fetch

    @property
    def is_empty(self) -> bool:
        return not self._live and not self.newcomers

    # --- Who follows ---

    async def admit(self, socket: Socket, beginning: Beginning) -> None:
        """Sends what `beginning` holds and what came since, then lets the socket in."""
        log, sent, target, page = beginning.log, beginning.sequence, beginning.target, beginning.updates
        while not socket.is_closed:
            await socket.drain()
            for update in page:
                socket.send_text(update.text)
                sent = max(sent, update.sequence)
            if state := await self._state_of_another(log):
                log, sent, target, page = state.log, state.sequence, state.sequence, [state]
                continue
            if sent >= max(target, self.sequence or 0):
                break
            page = await self._fetch(self.flight_pk, sent)
            if not page:  # the log was changed for another one: the watcher will say so to all
                break
        if not socket.is_closed:
            self._enter(socket, sent, log)

    async def _state_of_another(self, log: str) -> EncodedUpdate | None:
        """Where the log was changed since `log` was read: the state to begin anew with.

        None also where `log` is the new one, and this topic's still the old: the watcher will say so to all.
        """
        if self.log in (None, log):
            return None
        state = await off_loop(state_after_reset, self.flight_pk)
        return state if state.log != log else None

    def _enter(self, socket: Socket, sent: int, log: str) -> None:
        self._live[socket] = sent
        if self.sequence is None:
            self.sequence, self.log = sent, log
        self.announce(sent)

    def leave(self, socket: Socket) -> None:
        self._live.pop(socket, None)
        self.newcomers.discard(socket)

    # --- What is heard ---

    def receive(self, update: EncodedUpdate) -> None:
        """An update out of the layer: the next one, an old one, or one that betrays a gap."""
        if update.sequence > (self.sequence or 0) and len(self._waiting) < WAITING_UPDATES:
            self._waiting[update.sequence] = update
        self.announce(update.sequence)

    def announce(self, sequence: int) -> None:
        """The flight has come to `sequence`, whoever says it; what is missing up to there is sent."""
        self._announced = max(self._announced, sequence)
        is_behind = self.sequence is not None and self.sequence < self._announced
        if is_behind and (self._worker is None or self._worker.done()):
            self._worker = asyncio.create_task(self._catch_up())

    async def reset(self, state: EncodedUpdate) -> None:
        """The log was changed for another one: all begin anew with `state`, which says so."""
        async with self._sending:
            self.log = state.log
            self._waiting.clear()
            self.sequence = self._announced = state.sequence
            self._live = dict.fromkeys(self._live, state.sequence - 1)
            await self._broadcast(state)

    async def _catch_up(self) -> None:
        try:
            async with self._sending:
                while self.sequence is not None and self.sequence < self._announced:
                    await self._advance(self.sequence)
        except (OperationalError, InterfaceError) as error:
            logger.info("updates of flight %d wait for the database: %s", self.flight_pk, error)

    async def _advance(self, sequence: int) -> None:
        update = self._waiting.pop(sequence + 1, None)
        updates = [update] if update else await self._fetch(self.flight_pk, sequence)
        for following in updates:
            await self._broadcast(following)
        if not updates:  # announced, but not in the log: whoever said it will say it again
            self._announced = sequence
        self._waiting = {key: kept for key, kept in self._waiting.items() if key > (self.sequence or 0)}

    async def _broadcast(self, update: EncodedUpdate) -> None:
        """One frame for all. The sequence moves first: who enters meanwhile must have it."""
        self.sequence = update.sequence
        frame = Frame(update.text)
        for index, socket in enumerate(list(self._live)):
            if self._live.get(socket, update.sequence) < update.sequence:
                self._push(socket, frame)
            if index % _BREATH == _BREATH - 1:
                await asyncio.sleep(0)

    def _push(self, socket: Socket, frame: Frame) -> None:
        try:
            socket.push(frame)
        except Exception:  # one broken socket must not cost the others their update
            logger.exception("a socket following flight %d failed", self.flight_pk)
            self.leave(socket)
            socket.give_up()
