"""The addresses: registering, ending, their secrets, and the log of what was sent to them."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Sequence

from django.db import connection, transaction
from django.db.models import Count, F, Min
from django.db.models.functions import Now
from django.utils import timezone

from flightbook.errors import Invalid, NotFound, Throttled
from flightbook.http.json import encode, rfc3339
from subscriptions.models import WebhookDelivery, WebhookEndpoint
from subscriptions.webhooks import addresses, signing

MOST = 10
TESTS_A_MINUTE = 6
_COUNTING = 0x3EB  # the first of an advisory lock's two numbers
BOTH_VALID = dt.timedelta(hours=24)
State = WebhookEndpoint.State


def register(*, user_pk: int, url: str, description: str = "") -> WebhookEndpoint:
    """Registers an address of the user's; its secret is told this once.

    Raises:
        Invalid: the address is none that may be called, or the user has `MOST` already.
    """
    addresses.check_url(url)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(%s, %s)", [_COUNTING, user_pk]
        )  # two at once are counted
        if WebhookEndpoint.objects.filter(user_id=user_pk, state=State.ACTIVE).count() >= MOST:
            raise Invalid.of("/url", "limit", f"A user has at most {MOST} webhooks.")
        return WebhookEndpoint.objects.create(
            user_id=user_pk, url=url, description=description, secret=signing.new_secret()
        )


def active(user_pk: int) -> Sequence[WebhookEndpoint]:
    """The user's addresses, newest first."""
    return list(WebhookEndpoint.objects.filter(user_id=user_pk, state=State.ACTIVE).order_by("-pk"))


def own(user_pk: int, webhook_id: str) -> WebhookEndpoint:
    """One of the user's addresses, ended ones too: their log can be read on.

    Raises:
        NotFound
    """
    found = WebhookEndpoint.objects.filter(user_id=user_pk, public_id=webhook_id).first()
    if found is None:
        raise NotFound(detail="There is no such webhook.")
    return found


def end(*, endpoint_pk: int, reason: str) -> bool:
    """Ends an address and drops what waits for it; False where it had ended."""
    with transaction.atomic():
        ended = WebhookEndpoint.objects.filter(pk=endpoint_pk, state=State.ACTIVE).update(
            state=State.ENDED, end_reason=reason[:200], ended_at=Now()
        )
        waiting = WebhookDelivery.objects.filter(endpoint_id=endpoint_pk, state=WebhookDelivery.State.PENDING)
        waiting.update(state=WebhookDelivery.State.DROPPED, settled_at=Now(), lease_token=None)
    return ended == 1


def rotate_secret(*, endpoint_pk: int) -> tuple[str, dt.datetime]:
    """A new secret, and until when the one before signs beside it. One before that no longer does.

    Raises:
        NotFound: it has ended.
    """
    secret, until = signing.new_secret(), timezone.now() + BOTH_VALID
    found = WebhookEndpoint.objects.filter(pk=endpoint_pk, state=State.ACTIVE).update(
        previous_secret=F("secret"), previous_secret_until=until, secret=secret
    )
    if not found:
        raise NotFound(detail="There is no such webhook.")
    return secret, until


def ping(*, endpoint_pk: int) -> str:
    """Puts a test message among what is to be sent; its id.

    Raises:
        NotFound: it has ended.
        Throttled: there were `TESTS_A_MINUTE` in the last minute; nobody is to be flooded by us.
    """
    message_id = f"test-{secrets.token_hex(12)}"
    body = encode({"type": "webhook.test", "timestamp": rfc3339(timezone.now()), "data": {"webhook": True}})
    lately = WebhookDelivery.objects.filter(
        endpoint_id=endpoint_pk, flight=None, created_at__gt=Now() - dt.timedelta(minutes=1)
    )
    with transaction.atomic():
        # It neither ends, and drops what waits, before the message is there, nor are two counted at once.
        locked = WebhookEndpoint.objects.select_for_update(no_key=True)
        if not locked.filter(pk=endpoint_pk, state=State.ACTIVE).exists():
            raise NotFound(detail="There is no such webhook.")
        if lately.count() >= TESTS_A_MINUTE:
            raise Throttled(detail=f"At most {TESTS_A_MINUTE} tests a minute.", retry_after=60)
        WebhookDelivery.objects.create(endpoint_id=endpoint_pk, message_id=message_id, body=body.decode())
    return message_id


def deliveries(endpoint_pk: int, *, before: int | None, limit: int) -> Sequence[WebhookDelivery]:
    """The log, newest first, from behind the key `before`; with each one's attempts."""
    rows = WebhookDelivery.objects.filter(endpoint_id=endpoint_pk).order_by("-pk")
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return list(rows.prefetch_related("tries")[:limit])


def purge_deliveries(*, days: int = 30, limit: int = 5000) -> int:
    """Deletes what was settled so many days ago, a bounded number a call; how many."""
    old = WebhookDelivery.objects.filter(settled_at__lt=Now() - dt.timedelta(days=days))
    return WebhookDelivery.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:limit])).delete()[0]


def webhook_backlog() -> tuple[int, float]:
    """How many messages are due, and since how many seconds the first of them; ``(0, 0.0)`` for none."""
    due = WebhookDelivery.objects.filter(state=WebhookDelivery.State.PENDING, due_at__lte=Now())
    found = due.aggregate(count=Count("pk"), age=Now() - Min("due_at"))
    return found["count"], found["age"].total_seconds() if found["age"] is not None else 0.0
