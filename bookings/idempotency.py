"""Idempotency keys: equal keys of one user mean one request, with one effect and one answer.

A request under a key takes two commits where money moves, so that a crash leaves a trace to go on from:

1. Before the gateway is called: `Promise.begin` writes the key's row with a lease. On conflict another
   fingerprint is `IdempotencyKeyReused`; a stored answer is `Replayed`; a live lease is `RequestInProgress`;
   a lease that is over is taken by a conditional UPDATE, and with it the payment attempt that the dead owner
   had begun.
2. With the effect: `Promise.keep` stores the answer in the effect's own transaction, WHERE the lease's token
   is still ours. A first owner that was slower than its lease raises `LeaseLost` there, and its effect is
   rolled back.

Where no gateway stands between (a hold, a cancellation) both are one transaction.

Stored are answers of 2xx, 402, 404 and 409. All others leave nothing behind: the key may be used again at
once. The first lock of every transaction that moves money or seats is this row (see `flights.seat_inventory`
for the order).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from django.conf import settings
from django.db import transaction
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.db.models.functions import Now

from bookings.models import IdempotencyKey
from flightbook.errors import IdempotencyKeyReused, Invalid, Problem, RequestInProgress
from flightbook.statements import Statement, one_row

T = TypeVar("T")
KEPT_FOR = timedelta(hours=24)
LEASE_IS_OURS = "idempotency_lease_is_ours"
_KEEP = """
UPDATE bookings_idempotencykey
   SET status = %s, content_type = %s, body = %s, lease_until = statement_timestamp()
 WHERE user_id = %s AND key = %s AND lease_token = %s AND status IS NULL
"""
STORED_REFUSALS = frozenset({402, 404, 409})
_IS_LEASED = ExpressionWrapper(Q(lease_until__gt=Now()), output_field=BooleanField())
_IS_OLD = ExpressionWrapper(Q(created_at__lte=Now() - KEPT_FOR), output_field=BooleanField())


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, as it was or will be given."""

    status: int
    content_type: str
    body: bytes


class Replayed(Exception):
    """The request was answered before; here is that answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__("answered before")
        self.answer = answer


class LeaseLost(Exception):
    """Somebody else took this request over. Nothing of ours may be committed."""


def lease_time() -> timedelta:
    """How long an owner is left alone: the gateway's time and as much again as a slow database may take."""
    return timedelta(seconds=settings.PAYMENT_TIMEOUT_SECONDS + 20)


def fingerprint(*, method: str, path: str, body: bytes) -> str:
    """SHA-256 of what a request asks for."""
    digest = hashlib.sha256()
    for part in (method.encode(), path.encode(), body):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


@dataclass(frozen=True)
class _Row:
    """A key's row, judged by the database's clock."""

    pk: int
    created_at: dt.datetime
    fingerprint: str
    attempt_id: int | None
    lease_token: uuid.UUID
    status: int | None
    content_type: str
    body: bytes | memoryview | None
    is_leased: bool
    is_old: bool


@dataclass
class Promise:
    """One request, under its key or without one (then nothing is stored and nothing can be replayed).

    `render` gives a result or a problem its final form, so that what is stored is what is sent.
    `token` names this owner, here and in the payment attempt that it starts.
    """

    user_pk: int
    key: str | None = None
    fingerprint: str = ""
    render: Callable[[object], Answer] | None = None
    token: uuid.UUID = field(default_factory=uuid.uuid4)
    answer: Answer | None = None
    # What a dead owner left: its attempt and the token that it held it by.
    inherited_attempt: int | None = None
    inherited_token: uuid.UUID | None = None

    def begin(self) -> None:
        """Takes the key, inside the caller's transaction. Done again by the same owner it changes nothing.

        Raises:
            Replayed, IdempotencyKeyReused, RequestInProgress.
        """
        if self.key is None:
            return
        row = self._insert_or_find()
        if row.is_old:
            self._rows().filter(pk=row.pk, created_at=row.created_at).delete()
            row = self._insert_or_find()
        if row.lease_token == self.token:
            return
        if row.fingerprint != self.fingerprint:
            raise _reused()
        if row.status is not None:
            raise Replayed(Answer(row.status, row.content_type, bytes(row.body or b"")))
        self._take_over(row)

    def check_body(self) -> None:
        """For a request that is no good: under a key that another one was sent under before, that it is
        another.

        Raises:
            IdempotencyKeyReused
        """
        if (
            self.key is not None
            and self._rows().exclude(_IS_OLD).exclude(fingerprint=self.fingerprint).exists()
        ):
            raise _reused()

    def link(self, attempt_pk: int) -> None:
        """Names the attempt that is about to be made, for whoever has to go on in our place, and renews the
        lease.

        Raises:
            LeaseLost: it is not ours any more.
        """
        self._update(attempt_id=attempt_pk, lease_until=Now() + lease_time())

    def hold(self) -> None:
        """Locks the key's row, the first lock of a transaction, and renews the lease.

        Raises:
            LeaseLost: it is not ours any more.
        """
        self._update(lease_until=Now() + lease_time())

    def keep(self, outcome: object) -> None:
        """Stores the answer, inside the transaction of its effect.

        Raises:
            LeaseLost: somebody took the request over.
        """
        if self.render is None:
            return
        self.answer = self.render(outcome)
        answer = self.answer
        self._update(
            status=answer.status, content_type=answer.content_type, body=answer.body, lease_until=Now()
        )

    def keeping(self, outcome: object) -> list[Statement]:
        """`keep` for the caller to send, first of the statements of the effect; a lost lease violates
        `LEASE_IS_OURS` there."""
        if self.render is None:
            return []
        self.answer = self.render(outcome)
        if self.key is None:
            return []
        answer = self.answer.status, self.answer.content_type, self.answer.body
        return [one_row(Statement(_KEEP, (*answer, self.user_pk, self.key, self.token)), name=LEASE_IS_OURS)]

    def let_go(self) -> None:
        """Ends our lease without an answer, in a transaction of its own: the next try need not wait."""
        if self.key is not None:
            self._mine().update(lease_until=Now())

    def forget(self) -> None:
        """Frees the key, in a transaction of its own: what was asked under it could not be done at all."""
        if self.key is not None:
            self._mine().delete()

    def _rows(self) -> QuerySet[IdempotencyKey]:
        return IdempotencyKey.objects.filter(user_id=self.user_pk, key=self.key)

    def _mine(self) -> QuerySet[IdempotencyKey]:
        return self._rows().filter(lease_token=self.token, status__isnull=True)

    def _update(self, **values: Any) -> None:
        if self.key is not None and self._mine().update(**values) == 0:
            raise LeaseLost

    def _insert_or_find(self) -> _Row:
        new = IdempotencyKey(
            user_id=self.user_pk,
            key=self.key or "",
            fingerprint=self.fingerprint,
            lease_token=self.token,
            lease_until=Now() + lease_time(),
        )
        IdempotencyKey.objects.bulk_create([new], ignore_conflicts=True)
        found = self._rows().annotate(is_leased=_IS_LEASED, is_old=_IS_OLD)
        values = found.values(*_Row.__dataclass_fields__).first()
        if values is None:  # purged between the two statements
            raise RequestInProgress(retry_after=1)
        return _Row(**values)

    def _take_over(self, row: _Row) -> None:
        taken = self._rows().filter(lease_token=row.lease_token, status__isnull=True, lease_until__lte=Now())
        if row.is_leased or not taken.update(lease_token=self.token, lease_until=Now() + lease_time()):
            raise RequestInProgress(
                detail="The first request under this key is being worked on.", retry_after=1
            )
        self.inherited_attempt, self.inherited_token = row.attempt_id, row.lease_token


def _reused() -> Problem:
    return IdempotencyKeyReused(detail="Another method, path or body was sent under this key before.")


def decide(
    promise: Promise,
    work: Callable[[], T],
    *,
    refused: Callable[[Problem], bool] | None = None,
    begun: bool = False,
) -> T:
    """Runs `work` in one transaction under its promise.

    A refusal of `work` (402, 404, 409) undoes what it did back to a savepoint, is stored with what `refused`
    writes, committed, and only then raised. `refused` answers whether the refusal is final: one that is not
    is raised unstored. Anything else that is raised undoes everything.
    """
    with under_our_lease(), transaction.atomic():
        if not begun:
            promise.begin()
        try:
            with transaction.atomic():
                return work()
        except Problem as problem:
            if problem.status not in STORED_REFUSALS or isinstance(problem, RequestInProgress):
                raise
            if refused is None or refused(problem):
                promise.keep(problem)
            refusal = problem
    raise refusal


@contextmanager
def under_our_lease() -> Iterator[None]:
    """Around a transaction: where the lease was lost, it is undone, and the request is another one's."""
    try:
        yield
    except LeaseLost as lost:
        raise RequestInProgress(
            detail="Another try of this request went on in its place.", retry_after=1
        ) from lost


@contextmanager
def let_go_on_failure(promise: Promise) -> Iterator[None]:
    """Whatever is raised without an answer stored, the next try under the key need not wait for our lease to
    end. After a bad request, found only once the key was taken, that try may be another request."""
    try:
        yield
    except Replayed:
        raise
    except Invalid:
        promise.forget()
        raise
    except Exception:
        promise.let_go()
        raise


def purge_idempotency_keys(*, limit: int = 5000) -> int:
    """Deletes the keys that are older than a day, a bounded number a call; how many."""
    old = IdempotencyKey.objects.filter(_IS_OLD, lease_until__lte=Now())
    some = list(old.order_by("created_at").values_list("pk", flat=True)[:limit])
    return old.filter(pk__in=some).delete()[0]  # not one that was begun anew meanwhile
