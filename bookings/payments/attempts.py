"""Payment attempts and their moves. Each move is one conditional UPDATE inside the caller's transaction:
False, or 0 rows, means that somebody else was first.

An unsold attempt belongs to the owner whose token it carries, as long as nobody else wrote his over it: the
owner of a retried request takes it from the dead one together with the idempotency key, the sweeper takes it
when its lease is over.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from bookings.idempotency import Promise, lease_time
from bookings.models import Booking, PaymentAttempt
from bookings.payments.gateway import Payment
from bookings.states import PAYMENT_TRANSITIONS, UNSOLD_PAYMENTS, State, sources
from flightbook.errors import RequestInProgress

# How long an attempt without an answer waits for the client to come again under its key, before the sweeper
# voids it.
RETRY_GRACE = timedelta(seconds=60)


def start(
    promise: Promise,
    *,
    user_pk: int,
    amount: Decimal,
    currency: str,
    token: str,
    booking: Booking | None = None,
) -> PaymentAttempt:
    """A new attempt, held by `promise` until the lease ends. Committed before the gateway hears of it."""
    attempt = PaymentAttempt.objects.create(
        user_id=user_pk,
        booking=booking,
        gateway=settings.PAYMENT_GATEWAY,
        token=token,
        amount=amount,
        currency=currency,
        lease_until=Now() + lease_time(),
        lease_token=promise.token,
    )
    promise.link(attempt.pk)
    return attempt


def told(attempt: PaymentAttempt) -> Payment:
    """The attempt as its gateway is told of it."""
    return Payment(
        key=attempt.key,
        amount=attempt.amount,
        currency=attempt.currency,
        token=attempt.token,
        reference=attempt.reference,
        created_at=attempt.created_at,
    )


def take_over(promise: Promise) -> PaymentAttempt | None:
    """The attempt that the dead owner of this promise had begun, now held by ours; None where there is none
    to go on with.

    Raises:
        RequestInProgress: the sweeper is at work on it this moment.
    """
    if promise.inherited_attempt is None:
        return None
    rows = PaymentAttempt.objects.filter(pk=promise.inherited_attempt, state__in=UNSOLD_PAYMENTS)
    taken = rows.filter(lease_token=promise.inherited_token)
    if taken.update(lease_token=promise.token, lease_until=Now() + lease_time(), tries=F("tries") + 1):
        return PaymentAttempt.objects.get(pk=promise.inherited_attempt)
    if rows.exclude(lease_token=promise.token).exists():
        raise RequestInProgress(detail="The earlier payment is being settled.", retry_after=2)
    return rows.first()


def move(
    attempt_pk: int,
    target: State,
    *,
    among: Collection[State] = (),
    token: uuid.UUID | None = None,
    **values: Any,
) -> bool:
    """Moves an attempt to `target` from whichever states lead there (and are `among` these, where given);
    with `token`, only while its owner is that one."""
    leading = sources(PAYMENT_TRANSITIONS, target)
    rows: QuerySet[PaymentAttempt] = PaymentAttempt.objects.filter(
        pk=attempt_pk, state__in=[state for state in leading if not among or state in among]
    )
    if token is not None:
        rows = rows.filter(lease_token=token)
    return rows.update(state=target, changed_at=Now(), **values) == 1


def give_up(attempt: PaymentAttempt, *, token: uuid.UUID | None) -> bool:
    """Leaves an unsold attempt to the worker, to be voided."""
    return move(attempt.pk, State.TO_VOID, among=UNSOLD_PAYMENTS, token=token, lease_until=Now(), tries=0)


def wait_for_retry(attempt: PaymentAttempt, state: State, *, token: uuid.UUID, **values: Any) -> bool:
    """Keeps an unsold attempt for the next try under the same key; without one the sweeper voids it."""
    return move(attempt.pk, state, token=token, lease_until=Now() + RETRY_GRACE, **values)
