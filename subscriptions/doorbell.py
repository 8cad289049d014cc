"""LISTEN on PostgreSQL from an event loop: wakes a worker early. It may be missed; below it stands a poll."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import psycopg2
from django.db import DEFAULT_DB_ALIAS, connections

from subscriptions.outages import Outage

_RETRY_SECONDS = 2.0


class Doorbell:
    """A connection of its own that listens on `channel`; mute behind PgBouncer's transaction mode."""

    def __init__(self, channel: str) -> None:
        self._channel = channel
        self._rung = asyncio.Event()
        self._connection: psycopg2.extensions.connection | None = None
        self._outage = Outage("the connection that listens")
        self._retry_at = 0.0

    async def wait(self, seconds: float) -> None:
        """Returns when it was rung since the last call, and after `seconds` in any case."""
        await self._ensure_connected()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._rung.wait(), seconds)
        self._rung.clear()

    def close(self) -> None:
        if self._connection is not None:
            asyncio.get_running_loop().remove_reader(self._connection.fileno())
            self._connection.close()
            self._connection = None

    async def _ensure_connected(self) -> None:
        loop = asyncio.get_running_loop()
        if self._connection is not None or loop.time() < self._retry_at:
            return
        try:
            self._connection = await asyncio.to_thread(_listening, self._channel)
        except psycopg2.Error as error:
            self._outage.begin(error)
            self._retry_at = loop.time() + _RETRY_SECONDS
            return
        self._outage.end()
        loop.add_reader(self._connection.fileno(), self._on_readable, self._connection)
        self._rung.set()  # what happened before LISTEN was not heard

    def _on_readable(self, connection: psycopg2.extensions.connection) -> None:
        # The number is asked for first: a connection that fails has none afterwards.
        descriptor = connection.fileno()
        try:
            connection.poll()
        except psycopg2.Error as error:
            self._outage.begin(error)
            asyncio.get_running_loop().remove_reader(descriptor)
            connection.close()
            self._connection = None
        if connection.notifies or self._connection is None:
            connection.notifies.clear()
            self._rung.set()


def _listening(channel: str) -> psycopg2.extensions.connection:
    parameters: dict[str, Any] = connections[DEFAULT_DB_ALIAS].get_connection_params()
    connection: psycopg2.extensions.connection = psycopg2.connect(**parameters)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {channel}")
    return connection
