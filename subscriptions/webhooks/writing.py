"""Reads the log of updates and writes what is to be sent, in the order of the log.

A consumer of its own beside the relay, so that nothing slow keeps a socket waiting. At least once, and the
constraint on (endpoint, message) makes it once.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from flightbook.http.json import encode, rfc3339
from flights import public as flights
from subscriptions.filters import followers, wants
from subscriptions.models import WebhookDelivery, WebhookEndpoint

CONSUMER = "webhooks"
_BATCH = 50


def write_webhook_deliveries() -> int:
    """Writes what new updates of some flights mean for endpoints; how many flights."""
    flights.register_consumer(CONSUMER)
    leases = flights.lease_feeds(consumer=CONSUMER, limit=_BATCH)
    log = flights.log_name() if leases else ""
    for lease in leases:
        done = _write(lease, log)
        flights.advance_feed(lease, done_sequence=done)
    return len(leases)


def _write(lease: flights.FeedLease, log: str) -> int:
    """The sequence up to which deliveries are written."""
    since = max(lease.done_sequence - 1, 0)
    views = flights.updates_after(flight_pk=lease.flight_pk, sequence=since)
    before = views[0] if lease.done_sequence and views else None
    new = [view for view in views if view.sequence > lease.done_sequence]
    with transaction.atomic():
        rows = _rows(lease.flight_pk, before, new, log)
        WebhookDelivery.objects.bulk_create(rows, ignore_conflicts=True)
    return new[-1].sequence if new else lease.done_sequence


def _rows(
    flight_pk: int, before: flights.UpdateView | None, new: Sequence[flights.UpdateView], log: str
) -> list[WebhookDelivery]:
    preferences = followers(flight_pk, "webhook")
    endpoints = WebhookEndpoint.objects.filter(
        user_id__in=preferences, state=WebhookEndpoint.State.ACTIVE
    ).select_for_update(no_key=True)  # none ends, and drops what waits, between this and what is written
    found, places = [], list(endpoints.order_by("pk").values_list("pk", "user_id"))
    for after in new:
        body = _body(after, log) if places else ""
        for endpoint_pk, user_pk in places:
            if wants(preferences[user_pk], before, after):
                found.append(
                    WebhookDelivery(
                        endpoint_id=endpoint_pk,
                        message_id=flights.update_id(after, log),
                        flight_id=flight_pk,
                        sequence=after.sequence,
                        body=body,
                    )
                )
        before = after
    return found


def _body(view: flights.UpdateView, log: str) -> str:
    assert view.recorded_at is not None  # out of the log
    message = {
        "type": "flight.update",
        "timestamp": rfc3339(view.recorded_at),
        "data": flights.update_message(view, log),
    }
    return encode(message).decode()
