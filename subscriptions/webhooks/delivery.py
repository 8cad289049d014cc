"""Sends what is to be sent: leases, commits, calls, keeps what came of it.

- Of each flight's messages to an endpoint only the first that waits is sent, so they arrive in order whatever
  number of workers there is; a message that is given up after three days makes room for the next.
- Any answer of 2xx settles a message; 410 ends the endpoint; anything else, a redirect too, is tried again,
  the later the more often it failed, with jitter.
- An endpoint that does not answer at all is left alone for a while, so that one dead address keeps nobody
  else waiting.
- At least once: who dies between the answer and its commit has it sent again when the lease is over, under
  the same webhook-id.
"""

from __future__ import annotations

import datetime as dt
import logging
import secrets
import uuid
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone

from flightbook import tracing
from subscriptions.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from subscriptions.types import Outcome, Target
from subscriptions.webhooks import endpoints
from subscriptions.webhooks.calling import call

logger = logging.getLogger(__name__)

# Longer than a batch can take: two rounds of a slow name server and a call.
LEASE = dt.timedelta(minutes=3)
GIVEN_UP_AFTER = dt.timedelta(days=3)
FIRST_WAIT, LONGEST_WAIT = dt.timedelta(seconds=5), dt.timedelta(hours=6)
LONGEST_PAUSE = dt.timedelta(minutes=10)
_AT_ONCE, _CALLS, _OF_ONE_ENDPOINT = 16, 8, 4
_GONE = 410
_random = secrets.SystemRandom()
State = WebhookDelivery.State


def deliver_due_webhooks() -> int:
    """Sends some of what is due; how many calls were made. Never call it inside a transaction."""
    token = uuid.uuid4()
    targets = _lease(token)
    if targets:
        with tracing.span("deliver webhooks", calls=len(targets)):
            _call_all(targets, token)
    return len(targets)


def _call_all(targets: Sequence[Target], token: uuid.UUID) -> None:
    contexts = [copy_context() for _ in targets]  # of logs and spans, which a thread would begin anew
    with ThreadPoolExecutor(_CALLS, "webhooks") as pool:
        outcomes = pool.map(lambda context, target: context.run(_call, target), contexts, targets)
        for target, outcome in zip(targets, outcomes, strict=True):
            _keep(target, outcome, token)


def _call(target: Target) -> Outcome:
    with tracing.span("call webhook", endpoint=target.endpoint_pk, attempt=target.attempts):
        return call(target)


def wait_after(attempts: int) -> dt.timedelta:
    """How long after the n-th failure: thrice as long each time up to six hours, give or take a third."""
    wait: dt.timedelta = min(LONGEST_WAIT, FIRST_WAIT * 3 ** min(attempts - 1, 12))
    return wait * _random.uniform(0.67, 1.33)


def _lease(token: uuid.UUID) -> list[Target]:
    earlier = WebhookDelivery.objects.filter(
        endpoint_id=OuterRef("endpoint_id"),
        flight_id=OuterRef("flight_id"),
        sequence__lt=OuterRef("sequence"),
        state=State.PENDING,
    )
    awake = Q(endpoint__paused_until__isnull=True) | Q(endpoint__paused_until__lte=Now())
    with transaction.atomic():
        due = WebhookDelivery.objects.filter(
            ~Exists(earlier), awake, state=State.PENDING, due_at__lte=Now(), endpoint__state="active"
        )
        rows = due.select_for_update(skip_locked=True, of=("self",)).select_related("endpoint")
        taken = _fair(list(rows.order_by("due_at", "pk")[: _AT_ONCE * 4]))
        WebhookDelivery.objects.filter(pk__in=[row.pk for row in taken]).update(
            due_at=Now() + LEASE, lease_token=token, attempts=F("attempts") + 1
        )
    return [_target(row) for row in taken]


def _fair(rows: list[WebhookDelivery]) -> list[WebhookDelivery]:
    """A few of each endpoint."""
    counts: Counter[int] = Counter()
    taken = []
    for row in rows:
        counts[row.endpoint_id] += 1
        if counts[row.endpoint_id] <= _OF_ONE_ENDPOINT:
            taken.append(row)
    return taken[:_AT_ONCE]


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


def _keep(target: Target, outcome: Outcome, token: uuid.UUID) -> None:
    """What came of a call: nothing of it, where the lease was lost meanwhile, but its attempt."""
    with transaction.atomic():
        # First the endpoint, then its messages, as who ends it does.
        WebhookEndpoint.objects.select_for_update(no_key=True).get(pk=target.endpoint_pk)
        WebhookAttempt.objects.create(
            delivery_id=target.delivery_pk,
            status=outcome.status,
            milliseconds=outcome.milliseconds,
            error=outcome.error,
        )
        mine = WebhookDelivery.objects.filter(pk=target.delivery_pk, lease_token=token, state=State.PENDING)
        if outcome.is_success:
            mine.update(state=State.DELIVERED, settled_at=Now(), lease_token=None)
        else:
            wait = wait_after(target.attempts)
            if timezone.now() + wait > target.created_at + GIVEN_UP_AFTER:
                mine.update(state=State.FAILED, settled_at=Now(), lease_token=None)
            else:
                mine.update(due_at=Now() + wait, lease_token=None)
        _judge(target, outcome)


def _judge(target: Target, outcome: Outcome) -> None:
    """What the call says of the endpoint."""
    endpoint = WebhookEndpoint.objects.filter(pk=target.endpoint_pk)
    if outcome.status == _GONE:
        endpoints.end(endpoint_pk=target.endpoint_pk, reason="It answered 410 Gone.")
        logger.info("webhook %d has ended: 410", target.endpoint_pk)
    elif outcome.status is not None:
        endpoint.exclude(failures=0).update(failures=0, paused_until=None)
    else:
        failures = endpoint.values_list("failures", flat=True).get() + 1
        pause = min(LONGEST_PAUSE, dt.timedelta(seconds=2 ** min(failures, 12)))
        endpoint.update(failures=failures, paused_until=Now() + pause * _random.uniform(0.67, 1.33))
