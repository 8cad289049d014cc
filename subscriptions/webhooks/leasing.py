"""Whose turn it is: takes some of what is due under a lease, fairly among endpoints.

- Of each endpoint at most `_OF_ONE_ENDPOINT` messages are taken at once, of each of its flights only the
  first that waits.
- The endpoint that was called longest ago comes first, and each has its first message before any has its
  second. However much waits for some, whoever else has something due is called within a few batches.
"""

from __future__ import annotations

import datetime as dt
import uuid

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from subscriptions.models import WebhookDelivery
from subscriptions.types import Target

LEASE = dt.timedelta(minutes=3)  # many times as long as a batch may take
AT_ONCE = 16
_OF_ONE_ENDPOINT = 4

# Hops through the indexes from endpoint to endpoint, and of one from flight to flight until it has enough: a
# long backlog of a flight costs one look at its first message.
_NEXT = """
WITH RECURSIVE waiting (endpoint_id) AS (
    SELECT min(endpoint_id) FROM subscriptions_webhookdelivery WHERE state = 'pending'
    UNION ALL
    SELECT (SELECT min(d.endpoint_id) FROM subscriptions_webhookdelivery AS d
             WHERE d.state = 'pending' AND d.endpoint_id > w.endpoint_id)
      FROM waiting AS w
     WHERE w.endpoint_id IS NOT NULL
), awake AS MATERIALIZED (
    SELECT e.id, e.called_at
      FROM waiting AS w
      JOIN subscriptions_webhookendpoint AS e ON e.id = w.endpoint_id
     WHERE e.state = 'active' AND (e.paused_until IS NULL OR e.paused_until <= statement_timestamp())
       AND EXISTS (SELECT FROM subscriptions_webhookdelivery AS d
                    WHERE d.endpoint_id = e.id AND d.state = 'pending' AND d.due_at <= statement_timestamp())
     ORDER BY e.called_at NULLS FIRST, e.id
), picked AS (
    SELECT e.id, e.called_at, heads.ids
      FROM awake AS e
     CROSS JOIN LATERAL (SELECT array(
        (SELECT d.id FROM subscriptions_webhookdelivery AS d  -- of no flight: tests, in no order
          WHERE d.endpoint_id = e.id AND d.flight_id IS NULL
            AND d.state = 'pending' AND d.due_at <= statement_timestamp()
          LIMIT %(of_one)s)
        UNION ALL
        (WITH RECURSIVE flight (id) AS (
            SELECT min(d.flight_id) FROM subscriptions_webhookdelivery AS d
             WHERE d.endpoint_id = e.id AND d.state = 'pending'
            UNION ALL
            SELECT (SELECT min(d.flight_id) FROM subscriptions_webhookdelivery AS d
                     WHERE d.endpoint_id = e.id AND d.state = 'pending' AND d.flight_id > f.id)
              FROM flight AS f
             WHERE f.id IS NOT NULL
        )
        SELECT head.id
          FROM flight AS f
         CROSS JOIN LATERAL (
            SELECT d.id, d.due_at FROM subscriptions_webhookdelivery AS d
             WHERE d.endpoint_id = e.id AND d.flight_id = f.id AND d.state = 'pending'
             ORDER BY d.sequence
             LIMIT 1
         ) AS head
         WHERE head.due_at <= statement_timestamp()
         LIMIT %(of_one)s)
        LIMIT %(of_one)s
     ) AS ids) AS heads
     WHERE heads.ids <> '{}'
     LIMIT %(at_once)s
)
SELECT due.id
  FROM picked AS e, unnest(e.ids) WITH ORDINALITY AS due (id, turn)
 ORDER BY due.turn, e.called_at NULLS FIRST, e.id
 LIMIT %(at_once)s
"""


def lease(token: uuid.UUID) -> list[Target]:
    """Takes up to `AT_ONCE` messages, whose lease is `token`; commits."""
    with transaction.atomic():
        due = WebhookDelivery.objects.filter(
            pk__in=_next(), state=WebhookDelivery.State.PENDING, due_at__lte=Now(), endpoint__state="active"
        )  # of what was found: another worker may have had it meanwhile
        taken = list(due.select_for_update(skip_locked=True, of=("self",)).select_related("endpoint"))
        WebhookDelivery.objects.filter(pk__in=[row.pk for row in taken]).update(
            due_at=Now() + LEASE, lease_token=token, attempts=F("attempts") + 1
        )
    return [_target(row) for row in taken]


def _next() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, {"of_one": _OF_ONE_ENDPOINT, "at_once": AT_ONCE})
        return [pk for (pk,) in cursor.fetchall()]


def _target(row: WebhookDelivery) -> Target:
    endpoint = row.endpoint
    keys = [endpoint.secret]
    if endpoint.previous_secret_until and endpoint.previous_secret_until > timezone.now():
        keys.append(endpoint.previous_secret)
    return Target(
        delivery_pk=row.pk,
        endpoint_pk=endpoint.pk,
        url=endpoint.url,
        message_id=row.message_id,
        body=row.body.encode(),
        secrets=tuple(keys),
        attempts=row.attempts + 1,
        created_at=row.created_at,
    )
