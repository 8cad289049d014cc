"""The relay: takes updates out of the log and publishes each to its flight's group on the channel layer.

At least once, and in order per flight: it leases flights, publishes what follows their `done_sequence`, and
keeps how far it came under the lease. What dies in between is published again by whoever leases the flight
next; hubs drop what they had. Several relays run side by side.

Everything is published from one event loop: the layer opens connections for each loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from channels.layers import get_channel_layer
from django.db import InterfaceError, OperationalError, connections
from redis.exceptions import RedisError

from flightbook import instruments, tracing
from flights import public as flights
from subscriptions.doorbell import Doorbell
from subscriptions.messages import EncodedUpdate, encode_updates, group_name, to_layer
from subscriptions.outages import Outage
from subscriptions.threads import DatabaseThreads

logger = logging.getLogger(__name__)

CONSUMER = "relay"
BATCH = 100
LEASE_SECONDS = 30
POLL_SECONDS = 1.0
# The layer has no time-out of its own.
PUBLISH_SECONDS = 3.0
_LONGEST_PAUSE = 2.0


class LayerAway(Exception):
    """The channel layer does not take messages; what was to be published waits in the log."""


@dataclass(frozen=True)
class Work:
    """A leased flight and its updates, encoded, in order."""

    lease: flights.FeedLease
    updates: Sequence[EncodedUpdate]


def take_work(limit: int) -> list[Work]:
    """Leases pending flights and reads what is to be published of each."""
    leases = flights.lease_feeds(consumer=CONSUMER, limit=limit, seconds=LEASE_SECONDS)
    log = flights.log_name() if leases else ""
    return [Work(lease, _updates(lease, log)) for lease in leases]


def _updates(lease: flights.FeedLease, log: str) -> list[EncodedUpdate]:
    after = flights.updates_after(flight_pk=lease.flight_pk, sequence=lease.done_sequence)
    return encode_updates(after, log)


class Relay:
    """One relay. `run` works until it is cancelled, `close` ends its database thread and connection."""

    def __init__(self) -> None:
        self._layer: Any = get_channel_layer()  # type: ignore[no-untyped-call]
        # One thread, so that its one connection can stay open.
        self._thread = DatabaseThreads(1, "relay-database")
        self._layer_outage = Outage("the channel layer")
        self._database_outage = Outage("the database")

    async def run(self) -> None:
        """Publishes what comes; recovers by itself from the loss of database or Redis."""
        bell = Doorbell(flights.UPDATE_CHANNEL)
        pause = 0.0
        try:
            await self._register()
            while True:
                worked, pause = await self._attempt(pause)
                if not worked:
                    await (asyncio.sleep(pause) if pause else bell.wait(POLL_SECONDS))
        finally:
            bell.close()

    async def close(self) -> None:
        await self._thread.run(connections.close_all)
        self._thread.shutdown()

    async def step(self) -> int:
        """One batch: leases flights, publishes, advances. The number of flights taken.

        Raises:
            LayerAway: the layer failed; what was published is kept as done, the leases are given back.
        """
        work = await self._thread.run(take_work, BATCH)
        if work:
            with tracing.span("publish updates", flights=len(work)):
                await self._publish_and_keep(work)
        return len(work)

    async def _publish_and_keep(self, work: Sequence[Work]) -> None:
        done: dict[int, int] = {}
        try:
            for item in work:
                await self._publish_all(item, done)
        finally:  # also when it is cancelled: nobody should wait for our leases to run out
            await self._keep(work, done)

    async def _keep(self, work: Sequence[Work], done: dict[int, int]) -> None:
        """Advances the feeds, to the end even where the relay is being stopped."""
        advancing = asyncio.ensure_future(self._thread.run(_advance, work, done))
        try:
            await asyncio.shield(advancing)
        except asyncio.CancelledError:
            with contextlib.suppress(
                OperationalError, InterfaceError
            ):  # then the leases run out by themselves
                await advancing
            raise

    async def _publish_all(self, item: Work, done: dict[int, int]) -> None:
        done[item.lease.flight_pk] = item.lease.done_sequence
        for update in item.updates:
            await self._publish(update)
            instruments.updates_published.inc()
            done[item.lease.flight_pk] = update.sequence

    async def _publish(self, update: EncodedUpdate) -> None:
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                await self._layer.group_send(group_name(update.flight_pk), to_layer(update))
        except (RedisError, OSError, TimeoutError) as error:
            raise LayerAway(str(error)) from error

    async def _attempt(self, pause: float) -> tuple[bool, float]:
        """A step: whether there was work, and how long to pause where something is away (0: nothing is)."""
        longer = min(max(0.1, pause * 2), _LONGEST_PAUSE)
        try:
            if self._layer_outage.is_on:
                await self._probe()
            taken = await self.step()
        except LayerAway as error:
            self._layer_outage.begin(error)
            return False, longer
        except (OperationalError, InterfaceError) as error:
            self._database_outage.begin(error)
            return False, longer
        self._layer_outage.end()
        self._database_outage.end()
        return taken > 0, 0.0

    async def _probe(self) -> None:
        """Raises `LayerAway`, before any lease is taken, while the layer still is."""
        await self._publish(EncodedUpdate(0, 0, "", ""))  # there is no flight 0, and nobody in its group

    async def _register(self) -> None:
        """Makes the relay a reader of the log, if it is not one yet; waits for the database to be there."""
        pause = 0.0
        while True:
            try:
                await self._thread.run(flights.register_consumer, CONSUMER)
            except (OperationalError, InterfaceError) as error:
                self._database_outage.begin(error)
                pause = min(max(0.1, pause * 2), _LONGEST_PAUSE)
                await asyncio.sleep(pause)
            else:
                return


def _advance(work: Sequence[Work], done: dict[int, int]) -> None:
    """Keeps how far each flight came, and ends the leases; one that was not begun goes back as it was."""
    for item in work:
        flight_pk = item.lease.flight_pk
        if not flights.advance_feed(item.lease, done_sequence=done.get(flight_pk, item.lease.done_sequence)):
            logger.info("the lease of flight %d was lost; it is published again", flight_pk)


async def serve(stop: asyncio.Event) -> None:
    """Runs a relay until `stop`, and ends it cleanly."""
    relay = Relay()
    running = asyncio.create_task(relay.run())
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([running, stopped], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    finally:
        await relay.close()
