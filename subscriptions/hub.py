"""The hub of a process with sockets: one subscription of the channel layer per followed flight.

The layer delivers at most once, and Redis may die with all it holds. So the layer only hurries: what it skips
is betrayed by the next update's sequence, and what it loses at the end by the watcher, which compares the
followed flights with the log every `WATCH_SECONDS`. The same round finds sockets whose session is over,
leaves the groups of flights that nobody follows any more, and joins those that it could not before.

A process has one hub an event loop (`current_hub`). It works while there are sockets.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any
from weakref import WeakKeyDictionary

from channels.layers import get_channel_layer
from django.conf import settings
from django.db import InterfaceError, OperationalError
from redis.exceptions import RedisError

from flightbook import instruments
from subscriptions import daphne_server
from subscriptions.log_reads import Pulse, begin, off_loop, pulse, state_after_reset, watcher_thread
from subscriptions.messages import EncodedUpdate, from_layer, group_name
from subscriptions.outages import Outage
from subscriptions.socket_counts import SocketCounts
from subscriptions.sockets import CloseCode, Socket
from subscriptions.topics import Topic

logger = logging.getLogger(__name__)
WATCH_SECONDS = 2.0
# The layer has no time-outs of its own; while it is away it is tried again after so long.
LAYER_SECONDS = 2.0
# A user who has too many sockets elsewhere is not counted anew for each one that he tries.
FULL_SECONDS = 1.0
FAREWELL_SECONDS = daphne_server.CLOSE_SECONDS + 0.5


class Hub:
    """The sockets of this process and the flights that they follow."""

    def __init__(self) -> None:
        self.sockets: set[Socket] = set()
        self.topics: dict[int, Topic] = {}
        self.is_closing = False
        self._counts = SocketCounts()
        self._per_user: Counter[str] = Counter()  # by public id
        self._fewer: set[str] = set()  # users whose number went down since the last round
        self._full_until: dict[str, float] = {}
        self._layer: Any = get_channel_layer()  # type: ignore[no-untyped-call]
        self._layer_outage = Outage("the channel layer")
        self._retry_layer_at = 0.0
        self._database_outage = Outage("the watcher's database")
        self._log: str | None = None
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._channel = ""
        self._listening = asyncio.Event()
        daphne_server.before_shutdown(self.shut_down)

    # --- Sockets ---

    async def enter(self, socket: Socket) -> bool:
        """Takes a socket in; False where its user has as many as is allowed, here or in all processes."""
        user = socket.session.user_public_id
        if self.is_full(user):
            return False
        # Before the wait: others of his may come meanwhile, or the farewell.
        self._per_user[user] += 1
        self.sockets.add(socket)
        instruments.sockets.inc()
        if not self._tasks:
            self._start()
        is_in = False
        try:
            is_in = await off_loop(self._counts.admit, user, self._per_user[user])
        finally:
            if not is_in:
                self._remove(socket)
        if not is_in:
            self._full_until[user] = asyncio.get_running_loop().time() + FULL_SECONDS
        return is_in

    def is_full(self, user: str | None) -> bool:
        """Whether the user of that public id is known to have as many sockets as is allowed."""
        if user is None:
            return False
        is_full_elsewhere = self._full_until.get(user, 0.0) > asyncio.get_running_loop().time()
        return is_full_elsewhere or self._per_user.get(user, 0) >= settings.SOCKETS_PER_USER

    def leave(self, socket: Socket) -> None:
        """The socket is gone; its flights' groups are left in the watcher's next round."""
        socket.gone()
        for flight_pk in list(socket.topics):
            self.unfollow(socket, flight_pk)
        self._remove(socket)

    def _remove(self, socket: Socket) -> None:
        if socket not in self.sockets:
            return
        self.sockets.discard(socket)
        instruments.sockets.dec()
        user = socket.session.user_public_id
        self._per_user[user] -= 1
        if not self._per_user[user]:
            del self._per_user[user]
        self._fewer.add(user)

    async def follow(
        self, socket: Socket, flight_pk: int, *, after: int | None = None, log: str | None = None
    ) -> None:
        """Sends the state, or all after `after` in `log`, then each update. Anew where followed already.

        Raises:
            NotFound: there is no such flight.
        """
        self.unfollow(socket, flight_pk)
        topic = self.topics.setdefault(flight_pk, Topic(flight_pk))
        topic.newcomers.add(socket)  # keeps the topic while this waits
        socket.topics[flight_pk] = topic
        try:
            # Before the log is read: then each update is in what is read, or is heard, or both.
            await self._join(topic)
            await topic.admit(socket, await off_loop(begin, flight_pk, after=after, log=log))
        except BaseException:
            self.unfollow(socket, flight_pk)
            raise
        topic.newcomers.discard(socket)

    def unfollow(self, socket: Socket, flight_pk: int) -> None:
        topic = socket.topics.pop(flight_pk, None)
        if topic is not None:
            topic.leave(socket)

    async def shut_down(self) -> None:
        """Tells every client to come back elsewhere, and waits a moment for them to go."""
        self.is_closing = True
        for socket in list(self.sockets):
            socket.close(CloseCode.RESTARTING)
        await watcher_thread.run(self._counts.leave)
        deadline = asyncio.get_running_loop().time() + FAREWELL_SECONDS
        while self.sockets and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)

    # --- The layer ---

    async def _join(self, topic: Topic) -> None:
        """Joins the flight's group, or leaves it to the watcher's round while the layer is away."""
        await self._listening.wait()
        async with topic.joining:
            if topic.joined:
                return
            topic.joined = await self._reach(self._layer.group_add, topic)

    @property
    def _layer_rests(self) -> bool:
        """It is away, and is not tried again yet."""
        return asyncio.get_running_loop().time() < self._retry_layer_at

    async def _reach(self, call: Callable[[str, str], Coroutine[Any, Any, None]], topic: Topic) -> bool:
        """Calls the layer about the flight's group, and waits so long; False where the layer is away."""
        if self._layer_rests:
            return False
        try:
            async with asyncio.timeout(LAYER_SECONDS):
                await call(group_name(topic.flight_pk), self._channel)
        except (RedisError, OSError, TimeoutError) as error:
            self._layer_outage.begin(error)
            self._retry_layer_at = asyncio.get_running_loop().time() + LAYER_SECONDS
            return False
        self._layer_outage.end()
        return True

    async def _listen(self) -> None:
        while True:
            self._listening.set()  # from the next line on, the layer knows our channel
            try:
                self._hear(from_layer(await self._layer.receive(self._channel)))
            except (RedisError, OSError) as error:
                self._layer_outage.begin(error)
                await asyncio.sleep(LAYER_SECONDS)
            except Exception:  # whatever this one was, the next must be heard
                logger.exception("a message of the layer failed")
                await asyncio.sleep(LAYER_SECONDS)

    def _hear(self, update: EncodedUpdate) -> None:
        _measure(update)
        if self._log not in (None, update.log):
            self.wake()  # a restored backup: the watcher begins all flights anew
        elif topic := self.topics.get(update.flight_pk):
            topic.receive(update)

    # --- The watcher ---

    def wake(self) -> None:
        """Makes the watcher's next round begin now."""
        self._wake.set()

    def _start(self) -> None:
        self._channel = f"hub.{uuid.uuid4().hex}"
        self._listening.clear()
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._watch())]

    async def _watch(self) -> None:
        while self.sockets or self.topics or self._fewer:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), WATCH_SECONDS)
            self._wake.clear()
            try:
                await self.look_round()
            except Exception:  # the next round must come whatever this one met
                logger.exception("the watcher's round failed")
        self._tasks[0].cancel()
        self._tasks = []

    async def look_round(self) -> None:
        """One round: sockets to count or to cut off, ended sessions, updates that the layer lost, groups."""
        await self._settle_counts()
        for socket in list(self.sockets):
            socket.cut_off_if_slow()
        sids = {socket.session.sid for socket in self.sockets}
        try:
            found = await watcher_thread.run(pulse, list(self.topics), sids)
        except (OperationalError, InterfaceError) as error:
            self._database_outage.begin(error)
        else:
            self._database_outage.end()
            self._end_sessions(sids - found.live_sids)
            await self._compare(found)
        await self._leave_groups()
        instruments.followed_flights.set(len(self.topics))
        for topic in list(self.topics.values()):
            await self._join(topic)

    async def _settle_counts(self) -> None:
        """Keeps this process's lease on its part of the count, and says which numbers went down."""
        now = asyncio.get_running_loop().time()
        self._full_until = {user: until for user, until in self._full_until.items() if until > now}
        if self.is_closing:
            return
        present = dict(self._per_user)
        changed = {user: present.get(user, 0) for user in self._fewer}
        self._fewer.clear()
        if not await watcher_thread.run(self._counts.settle, changed, present):
            self._fewer |= changed.keys()
        # What came or went meanwhile may have been written before the older number was.
        told = present | changed
        self._fewer |= {user for user, number in told.items() if self._per_user.get(user, 0) != number}

    def _end_sessions(self, ended: set[str]) -> None:
        for socket in list(self.sockets):
            if socket.session.sid in ended:
                socket.close(CloseCode.SESSION_ENDED)

    async def _compare(self, found: Pulse) -> None:
        self._log = found.log
        for flight_pk, sequence in found.sequences.items():
            topic = self.topics.get(flight_pk)
            if topic is not None and topic.log not in (None, found.log):
                await topic.reset(await watcher_thread.run(state_after_reset, flight_pk))
            elif topic is not None:
                topic.announce(sequence)

    async def _leave_groups(self) -> None:
        for topic in list(self.topics.values()):
            async with topic.joining:  # a newcomer waits here, and then joins anew
                if topic.is_empty and topic.joined and not self._layer_rests:
                    topic.joined = False  # come what may: channels_redis forgets us before it asks Redis
                    await self._reach(self._layer.group_discard, topic)
            if topic.is_empty and not topic.joined:
                del self.topics[topic.flight_pk]


def _measure(update: EncodedUpdate) -> None:
    """Once an update, not once a socket. The clocks of database and replica are taken to agree."""
    instruments.updates_heard.inc()
    if update.recorded:
        instruments.fan_out_lag.observe(max(0.0, time.time() - update.recorded))


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def current_hub() -> Hub:
    """The running event loop's hub."""
    loop = asyncio.get_running_loop()
    hub = _hubs.get(loop)
    if hub is None:
        hub = _hubs[loop] = Hub()
    return hub
