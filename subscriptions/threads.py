"""Threads for the database beside an event loop, each with a connection that it keeps.

Django advises against kept connections under ASGI, where each request may come on another thread
(https://docs.djangoproject.com/en/5.2/ref/databases/#persistent-connections). These threads are few and our
own, and a new connection costs more than what is read over it: a crowd that comes back after a server's death
would wait for that alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import ParamSpec, TypeVar

from django.db import InterfaceError, OperationalError, connections

P = ParamSpec("P")
T = TypeVar("T")


class DatabaseThreads(ThreadPoolExecutor):
    """At most `count` threads, thus connections, however many wait."""

    def __init__(self, count: int, name: str) -> None:
        super().__init__(count, name)

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs `call` in one of the threads, in a copy of the context, which logs and spans go by."""
        loop, context = asyncio.get_running_loop(), copy_context()
        return await loop.run_in_executor(self, lambda: context.run(_guarded, lambda: call(*args, **kwargs)))


def _guarded(call: Callable[[], T]) -> T:
    """A connection that its server has closed meanwhile is opened anew; a broken one is not kept."""
    for connection in connections.all(initialized_only=True):
        connection.health_check_done = False  # type: ignore[attr-defined]  # the stubs leave it out
        connection.close_if_health_check_failed()
    try:
        return call()
    except (OperationalError, InterfaceError):
        connections.close_all()
        raise
