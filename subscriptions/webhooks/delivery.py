"""Sends what is to be sent: leases, commits, calls, keeps what came of it.

- Of each flight's messages to an endpoint only the first that waits is sent, so they arrive in order whatever
  number of workers there is; a message that is given up after three days makes room for the next.
- Any answer of 2xx settles a message; 410 ends the endpoint; anything else, a redirect too, is tried again,
  the later the more often it failed, with jitter.
- An endpoint that fails is left alone for a while, longer each time; one that is slow, for as long as it
  took: neither keeps anybody else waiting.
- A batch is over after `BATCH_SECONDS`, and what cannot be kept of one call costs the others nothing.
- At least once: who dies between the answer and its commit has it sent again when the lease is over, under
  the same webhook-id.
"""

from __future__ import annotations

import datetime as dt
import logging
import secrets
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from flightbook import tracing
from subscriptions.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from subscriptions.types import Outcome, Target
from subscriptions.webhooks import endpoints, leasing
from subscriptions.webhooks.calling import WHOLE_SECONDS, call

logger = logging.getLogger(__name__)

BATCH_SECONDS = WHOLE_SECONDS + 5.0  # a name server may take longer than a call; what it finds is not called
GIVEN_UP_AFTER = dt.timedelta(days=3)
FIRST_WAIT, LONGEST_WAIT = dt.timedelta(seconds=5), dt.timedelta(hours=6)
LONGEST_PAUSE = dt.timedelta(minutes=10)
_SLOW_MILLISECONDS = 1000
_GONE = 410
_random = secrets.SystemRandom()
State = WebhookDelivery.State


def deliver_due_webhooks() -> int:
    """Sends some of what is due; how many calls were made. Never call it inside a transaction."""
    token = uuid.uuid4()
    targets = leasing.lease(token)
    if targets:
        with tracing.span("deliver webhooks", calls=len(targets)):
            for target, outcome in _call_all(targets):
                _settle(target, outcome, token)
    return len(targets)


def wait_after(attempts: int) -> dt.timedelta:
    """How long after the n-th failure: thrice as long each time up to six hours, give or take a third."""
    longer: dt.timedelta = min(LONGEST_WAIT, FIRST_WAIT * 3 ** min(attempts - 1, 12))
    return longer * _random.uniform(0.67, 1.33)


def _call_all(targets: Sequence[Target]) -> Iterator[tuple[Target, Outcome]]:
    """All at the same time, each with what came of it."""
    pool = ThreadPoolExecutor(len(targets), "webhooks")
    # The context of logs and spans goes along: a thread would begin anew.
    calls = [pool.submit(copy_context().run, _call, target) for target in targets]
    wait(calls, BATCH_SECONDS)
    pool.shutdown(wait=False)  # whom a name server holds up ends by itself
    for target, future in zip(targets, calls, strict=True):
        yield target, _outcome(future)


def _call(target: Target) -> Outcome:
    with tracing.span("call webhook", endpoint=target.endpoint_pk, attempt=target.attempts):
        return call(target)


def _outcome(future: Future[Outcome]) -> Outcome:
    if not future.done():
        return Outcome(None, round(BATCH_SECONDS * 1000), "It took too long.")
    failure = future.exception()
    if failure is None:
        return future.result()
    logger.error("webhooks: a call broke", exc_info=failure)
    return Outcome(None, 0, "The call could not be made.")


def _settle(target: Target, outcome: Outcome, token: uuid.UUID) -> None:
    """Keeps what came of a call; where that fails, at least the message moves on."""
    try:
        _keep(target, outcome, token)
    except Exception:
        logger.exception("webhook %d: could not keep a call of %s", target.endpoint_pk, target.message_id)
        _move(target, outcome, token)


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
        _move(target, outcome, token)
        _judge(target, outcome)


def _move(target: Target, outcome: Outcome, token: uuid.UUID) -> None:
    """The message: settled, to be tried again, or given up."""
    mine = WebhookDelivery.objects.filter(pk=target.delivery_pk, lease_token=token, state=State.PENDING)
    again = wait_after(target.attempts)
    if outcome.is_success:
        mine.update(state=State.DELIVERED, settled_at=Now(), lease_token=None)
    elif timezone.now() + again > target.created_at + GIVEN_UP_AFTER:
        mine.update(state=State.FAILED, settled_at=Now(), lease_token=None)
    else:
        mine.update(due_at=Now() + again, lease_token=None)


def _judge(target: Target, outcome: Outcome) -> None:
    """What the call says of the endpoint."""
    if outcome.status == _GONE:
        endpoints.end(endpoint_pk=target.endpoint_pk, reason="It answered 410 Gone.")
        logger.info("webhook %d has ended: 410", target.endpoint_pk)
        return
    endpoint = WebhookEndpoint.objects.filter(pk=target.endpoint_pk)
    before = endpoint.values_list("failures", flat=True).get()
    failures = 0 if outcome.is_success else before + 1
    pause = _pause(outcome, failures)
    until = Now() + pause * _random.uniform(0.67, 1.33) if pause else None
    endpoint.update(called_at=Now(), failures=failures, paused_until=until)


def _pause(outcome: Outcome, failures: int) -> dt.timedelta:
    """How long the endpoint is left alone: twice as long after each failure, or as long as it took."""
    took = dt.timedelta(milliseconds=outcome.milliseconds)
    if failures:
        return min(LONGEST_PAUSE, max(took, dt.timedelta(seconds=2 ** min(failures, 12))))
    return took if outcome.milliseconds > _SLOW_MILLISECONDS else dt.timedelta()
