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
from bookings.tickets import DRAW_SERIALS
from flightbook.errors import RequestInProgress
from flightbook.statements import Statement, one_row, run

# How long an attempt without an answer waits for the client to come again under its key, before the sweeper
# voids it.
RETRY_GRACE = timedelta(seconds=60)


# The first statement of a sale: see `begin`. The key's row names an attempt that is written after it, which
# its foreign key, checked at COMMIT, allows.
_NO_KEY = "WITH key AS (SELECT nextval('bookings_paymentattempt_id_seq') AS attempt_id)"
_NEW_KEY = """
WITH key AS (
    INSERT INTO bookings_idempotencykey
           (user_id, key, fingerprint, attempt_id, lease_until, lease_token, content_type)
    VALUES (%s, %s, %s, nextval('bookings_paymentattempt_id_seq'), statement_timestamp() + %s, %s, '')
    ON CONFLICT (user_id, key) DO NOTHING
    RETURNING attempt_id
)"""
_BEGIN = f"""
INSERT INTO bookings_paymentattempt (id, key, user_id, gateway, token, amount, currency, state, lease_until,
                                     lease_token, reference, detail, tries)
SELECT key.attempt_id, %s, %s, %s, %s, %s, %s, %s, statement_timestamp() + %s, %s, '', '', 0 FROM key
RETURNING id, created_at, ARRAY({DRAW_SERIALS})
"""  # noqa: S608 - made of constants
_TAKE = """
UPDATE bookings_paymentattempt
   SET state = 'to_capture', changed_at = statement_timestamp(), booking_id = {booking}, reference = %s,
       lease_until = statement_timestamp(), tries = 0
 WHERE id = %s AND lease_token = %s AND state = ANY(%s)
"""
_CAPTURED = """
UPDATE bookings_paymentattempt SET state = 'captured', changed_at = statement_timestamp()
 WHERE id = %s AND lease_token = %s AND state = 'to_capture'
"""
PAYMENT_IS_OURS = "payment_is_ours"


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


def begin(
    promise: Promise, *, user_pk: int, amount: Decimal, currency: str, token: str, serials: int
) -> tuple[PaymentAttempt, list[int]] | None:
    """`promise.begin` and `start` in one statement, for the first request under a key: the attempt, and
    so many serials for its tickets. None, and nothing is written, where the key is known already."""
    new = PaymentAttempt(
        user_id=user_pk,
        gateway=settings.PAYMENT_GATEWAY,
        token=token,
        amount=amount,
        currency=currency,
        lease_token=promise.token,
    )
    lease = lease_time()
    key = (promise.user_pk, promise.key, promise.fingerprint, lease, new.lease_token)
    row = (new.key, user_pk, new.gateway, token, amount, currency, new.state, lease, new.lease_token)
    source = _NO_KEY if promise.key is None else _NEW_KEY
    values = (*(() if promise.key is None else key), *row, serials)
    found = run([Statement(source + _BEGIN, values)])
    if not found:
        return None
    ((new.pk, new.created_at, drawn),) = found
    return new, drawn


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


def taking(attempt: PaymentAttempt, *, reference: str, token: uuid.UUID, booking: str) -> Statement:
    """`move` to `to_capture` for the caller to send, among the statements of its sale; `booking` is SQL for
    the key of what was sold. Where the payment is not ours any more it violates `PAYMENT_IS_OURS` there."""
    among = [state for state in sources(PAYMENT_TRANSITIONS, State.TO_CAPTURE) if state in UNSOLD_PAYMENTS]
    statement = Statement(_TAKE.format(booking=booking), (reference, attempt.pk, token, among))
    return one_row(statement, name=PAYMENT_IS_OURS)


def capturing(attempt: PaymentAttempt) -> Statement:
    """`move` to `captured` under the worker's lease, for the caller to send; as `taking` where it is not ours
    any more."""
    return one_row(Statement(_CAPTURED, (attempt.pk, attempt.lease_token)), name=PAYMENT_IS_OURS)


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


def call_back(attempt: PaymentAttempt) -> bool:
    """Has a sold payment voided in place of captured. False where it is captured, or a capture is under way
    (its lease is alive)."""
    waiting = PaymentAttempt.objects.filter(pk=attempt.pk, state=State.TO_CAPTURE, lease_until__lte=Now())
    return (
        waiting.update(state=State.TO_VOID, changed_at=Now(), lease_until=Now(), lease_token=None, tries=0)
        == 1
    )
