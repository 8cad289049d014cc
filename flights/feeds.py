"""How consumers read the log: at least once, in order per flight, with any number of workers.

A consumer leases **flights, not rows**, commits, handles every sequence after `done_sequence` in order and
advances. Per flight and consumer stands one `Feed` row:

- An update marks it pending in its own transaction, which holds the flight's row. So a feed is pending from
  the moment the update can be seen.
- `lease_feeds` takes pending feeds whose lease is over (or was never taken) with SKIP LOCKED; the token it
  writes is the right to advance, whatever the time: a slow worker whose feed was leased anew has lost it.
- `advance_feed` locks the flight first (as an update does: flight, then feed), then reads the sequence in a
  further statement, thus with a snapshot from after the wait. One UPDATE alone would, after waiting on the
  feed's row, compare with the flight's *old* sequence and clear what a new update had just marked.

**From where.** A feed's row comes into being with the first update after the consumer's registration and
begins at the sequence before it. Consumers are registered at deployment, before their first work, in a
transaction of its own: each update that is recorded afterwards sees them, so none is skipped. What was
recorded before a consumer existed was none of its business: a socket that asks for the past reads it from the
log itself.

Lock order: flight, (counters,) feed. The database's clock decides when a lease is over.
"""

from __future__ import annotations

import datetime as dt
import uuid

from django.db import connection, transaction
from django.db.models import Case, F, Min, Q, When
from django.db.models.functions import Greatest, Now

from flights.models import Feed, FeedConsumer, Flight
from flights.types import FeedLease

UPDATE_CHANNEL = "flight_updates"


def register_consumer(name: str) -> None:
    """Makes `name` a reader of every update from now on; again changes nothing."""
    FeedConsumer.objects.bulk_create([FeedConsumer(name=name)], ignore_conflicts=True)


def mark_pending(*, flight_pk: int, sequence: int) -> None:
    """Tells all consumers of a new update, inside its transaction, which holds the flight's row."""
    names = set(FeedConsumer.objects.values_list("name", flat=True))
    since = Case(When(pending=True, then=F("pending_since")), default=Now())
    known = Feed.objects.filter(flight_id=flight_pk).update(pending=True, pending_since=since)
    if known < len(names):
        new = [
            Feed(consumer_id=name, flight_id=flight_pk, done_sequence=sequence - 1) for name in sorted(names)
        ]
        Feed.objects.bulk_create(new, ignore_conflicts=True)


def wake_consumers() -> None:
    """NOTIFY at the transaction's commit. It serialises commits, so no sale may call it."""
    with connection.cursor() as cursor:
        cursor.execute(f"NOTIFY {UPDATE_CHANNEL}")


def lease_feeds(*, consumer: str, limit: int = 50, seconds: int = 30) -> list[FeedLease]:
    """Takes up to `limit` flights with updates for `consumer`, longest waiting first; commits."""
    token = uuid.uuid4()
    free = Q(leased_until__isnull=True) | Q(leased_until__lte=Now())
    with transaction.atomic():
        rows = list(
            Feed.objects.select_for_update(skip_locked=True)
            .filter(free, consumer_id=consumer, pending=True)
            .order_by("pending_since", "pk")[:limit]
        )
        Feed.objects.filter(pk__in=[row.pk for row in rows]).update(
            leased_until=Now() + dt.timedelta(seconds=seconds), lease_token=token
        )
    return [FeedLease(consumer, row.flight_id, row.done_sequence, token) for row in rows]


def advance_feed(lease: FeedLease, *, done_sequence: int) -> bool:
    """Keeps that everything to `done_sequence` was handled, and ends the lease; commits.

    The feed stays pending where the flight has moved on meanwhile. False: the lease was lost, and nothing was
    kept.
    """
    with transaction.atomic():
        locked = Flight.objects.select_for_update(no_key=True).filter(pk=lease.flight_pk)
        current = locked.values_list("sequence", flat=True).get()
        mine = Feed.objects.filter(
            consumer_id=lease.consumer, flight_id=lease.flight_pk, lease_token=lease.token
        )
        kept = mine.update(
            done_sequence=Greatest(F("done_sequence"), done_sequence),
            pending=done_sequence < current,
            pending_since=Now(),
            leased_until=None,
            lease_token=None,
        )
    return kept == 1


def feed_backlog(consumer: str) -> tuple[int, float]:
    """How many flights wait for `consumer`, and the seconds that the longest has; ``(0, 0.0)`` for none."""
    waiting = Feed.objects.filter(consumer_id=consumer, pending=True)
    count = waiting.count()
    oldest = waiting.aggregate(age=Now() - Min("pending_since"))["age"] if count else None
    return count, max(oldest.total_seconds(), 0.0) if oldest is not None else 0.0
