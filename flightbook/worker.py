"""The work that waits in the database: captures, refunds, expired holds, mail, the next day's flights.

Every task takes its work under a lease: several workers may run side by side, and one may die at any moment.
"""

from __future__ import annotations

import logging
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from django.conf import settings
from django.db import connections

from accounts import public as accounts
from bookings import public as bookings
from flightbook import instruments
from flightbook.audit_runs import Auditor
from flights import public as flights
from subscriptions import public as subscriptions

logger = logging.getLogger(__name__)
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
_SOON, _SECOND, _HALF_MINUTE, _HOURLY = 0.5, 1.0, 30.0, 3600.0


@dataclass
class Task:
    """`run` works and says how much, every `period` seconds; where it `drains`, again while it finds any."""

    name: str
    run: Callable[[], int]
    period: float
    drains: bool = False
    due: float = field(default=0.0, init=False)
    failures: int = field(default=0, init=False)


def all_tasks() -> list[Task]:
    """The tasks in the order in which a round runs them; what a traveller waits for comes first."""
    return [
        Task("settle payments", bookings.settle_payments, _SOON, drains=True),
        Task("expire holds", bookings.expire_holds, _SOON, drains=True),
        Task("handle disruptions", bookings.handle_disruptions, _SOON, drains=True),
        Task("deliver mail", accounts.deliver_due_mail, _SOON, drains=True),
        Task("take in flight messages", flights.take_in_dropped_messages, _SECOND, drains=True),
        Task("start audits", Auditor().run, _SECOND),
        Task("extend the schedule", extend_schedule, _HOURLY),
        Task("purge idempotency keys", bookings.purge_idempotency_keys, _HOURLY, drains=True),
        Task("purge quotes", bookings.purge_quotes, _HOURLY, drains=True),
        Task("purge expired sessions", accounts.purge_expired, _HOURLY),
    ]


def notice_tasks() -> list[Task]:
    """What writes to outsiders of flights' changes: a process of its own, with `delivery_tasks` beside it."""
    return [
        Task("write webhook deliveries", subscriptions.write_webhook_deliveries, _SOON, drains=True),
        Task("tell followers by mail", subscriptions.tell_of_changes, _HALF_MINUTE, drains=True),
        Task("purge webhook deliveries", subscriptions.purge_deliveries, _HOURLY, drains=True),
    ]


def delivery_tasks() -> list[Task]:
    """What waits for outsiders, who may be slow to answer: a lane of its own, so that nothing else has to."""
    return [Task("deliver webhooks", subscriptions.deliver_due_webhooks, _SOON, drains=True)]


def extend_schedule() -> int:
    """Keeps a schedule that was once loaded going; where there is none, there is nothing to extend."""
    return flights.extend_schedule(days=settings.SCHEDULE_DAYS) if flights.has_schedule() else 0


class Stop:
    """Whether TERM or INT has come. `wait` sleeps until then, or for the given time."""

    def __init__(self) -> None:
        self.received = False
        self._reading, self._writing = socket.socketpair()
        self._reading.setblocking(False)
        self._writing.setblocking(False)

    @contextmanager
    def on_signals(self) -> Iterator[Stop]:
        """Handles both signals meanwhile, INT also where the shell that started us ignores it."""
        previous = {number: signal.signal(number, self._handle) for number in (signal.SIGTERM, signal.SIGINT)}
        descriptor = signal.set_wakeup_fd(self._writing.fileno())
        try:
            yield self
        finally:
            signal.set_wakeup_fd(descriptor)
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _handle(self, number: int, frame: object) -> None:
        self.received = True

    def now(self) -> None:
        """As a signal does, from any thread."""
        self.received = True
        with suppress(BlockingIOError):  # full of bytes that say the same
            self._writing.send(b"\0")

    def wait(self, seconds: float) -> None:
        # The signal's byte in the pipe ends the sleep: one that comes just before it is not lost.
        if not self.received:
            select.select([self._reading], [], [], max(0.0, seconds))


def work(tasks: Sequence[Task], stop: Stop) -> None:
    """Runs what is due, round by round, until `stop`; it is looked at between any two tasks."""
    while not stop.received:
        for task in tasks:
            if not stop.received and task.due <= time.monotonic():
                run_once(task)
        stop.wait(min(task.due for task in tasks) - time.monotonic())


def work_in_lanes(lanes: Sequence[Sequence[Task]], stop: Stop) -> None:
    """`work` for each of the lanes, side by side; where one breaks off, all stop, and it is raised."""

    def lane(tasks: Sequence[Task]) -> None:
        try:
            work(tasks, stop)
        finally:
            stop.now()
            connections.close_all()  # this thread's

    with ThreadPoolExecutor(len(lanes), "lane") as pool:
        running = [pool.submit(lane, tasks) for tasks in lanes]
    for ended in running:
        ended.result()


def run_once(task: Task) -> None:
    """Runs the task and sets when it is due again. A failure is logged, and waits longer each time."""
    began = time.perf_counter()
    try:
        done = task.run()
    except Exception:
        task.failures += 1
        instruments.task_runs.labels(task.name, "failed").inc()
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(task.failures - 1, 10))
        logger.exception("worker: could not %s; again in %.0f s", task.name, wait)
        connections.close_all()  # a broken one would fail every task after this
    else:
        task.failures = 0
        instruments.task_runs.labels(task.name, "done").inc()
        wait = 0.0 if done and task.drains else task.period
    instruments.task_seconds.labels(task.name).observe(time.perf_counter() - began)
    task.due = time.monotonic() + wait
