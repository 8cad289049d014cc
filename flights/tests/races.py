"""Several calls at once, each in a thread with a database connection of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connection

from flightbook.errors import Problem


def together(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """What the calls answered, or the `Problem` that each raised, in their order. All start at one signal."""
    barrier = threading.Barrier(len(calls))

    def one(call: Callable[[], Any]) -> Any:
        try:
            connection.ensure_connection()
            barrier.wait(timeout=30)
            return call()
        except Problem as problem:
            return problem
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


def in_background(call: Callable[[], Any]) -> Callable[[], Any]:
    """Starts `call`; what is handed back waits for its answer, or for the `Problem` that it raised."""
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.extend(together([call])))
    thread.start()

    def answer() -> Any:
        thread.join(timeout=30)
        return answers[0]

    return answer


def wait_for_a_lock() -> None:
    """Until another session of this database waits for a lock."""
    deadline = time.monotonic() + 30
    with connection.cursor() as cursor:
        while time.monotonic() < deadline:
            cursor.execute(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid IN"
                " (SELECT pid FROM pg_stat_activity WHERE datname = current_database())"
            )
            if cursor.fetchone()[0]:
                return
    raise AssertionError("No session waits for a lock.")
