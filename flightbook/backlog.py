"""The work that waits in the database, as metrics show it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from django.db import DatabaseError, InterfaceError

from accounts.public import mail_backlog
from bookings.public import backlog
from flights.public import feed_backlog
from subscriptions.public import webhook_backlog

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Queue:
    """`oldest_seconds`: since when its oldest waits, where that is known."""

    name: str
    waiting: int
    oldest_seconds: float | None = None


def queues() -> list[Queue] | None:
    """Every queue; None while the database is away."""
    try:
        return list(_queues())
    except (DatabaseError, InterfaceError):
        logger.warning("metrics: the database does not answer")
        return None


def _queues() -> Iterator[Queue]:
    yield Queue("feed_relay", *feed_backlog("relay"))
    yield Queue("feed_webhooks", *feed_backlog("webhooks"))
    yield Queue("feed_mail", *feed_backlog("mail"))
    yield Queue("feed_disruption", *feed_backlog("disruption"))
    yield Queue("webhooks", *webhook_backlog())
    yield Queue("mail", *mail_backlog())
    for name, count in asdict(backlog()).items():
        yield Queue(name, count)
