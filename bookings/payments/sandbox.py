"""A gateway that takes no money. It keeps its own book, in transactions of its own, as if it stood elsewhere.

The card's token says what happens: `tok_success` or none at all is authorised; `tok_declined` is not;
`tok_no_answer` stays silent and charges nothing; `tok_no_answer_charged` charges and loses the answer;
`tok_capture_refused` is authorised, and its capture refused. Any other token is declined.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from decimal import Decimal

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import F

from bookings.models import SandboxPayment, SandboxRefund
from bookings.payments.gateway import AlreadyCaptured, Approved, Declined, Gateway, GatewaySilent, Payment
from flightbook.statements import Statement, run

SUCCESS, DECLINED = "tok_success", "tok_declined"
NO_ANSWER, NO_ANSWER_CHARGED = "tok_no_answer", "tok_no_answer_charged"
CAPTURE_REFUSED = "tok_capture_refused"
_GOOD = ("", SUCCESS, NO_ANSWER_CHARGED, CAPTURE_REFUSED)
State = SandboxPayment.State
# The row that is there stays as it is; to touch it is to be told of it.
_ADD = """
INSERT INTO bookings_sandboxpayment AS known (key, token, amount, currency, state, refunded)
VALUES (%s, %s, %s, %s, %s, 0) ON CONFLICT (key) DO UPDATE SET state = known.state
RETURNING state
"""


class SandboxGateway(Gateway):
    name = "sandbox"

    def authorise(self, payment: Payment) -> Approved | Declined:
        if payment.token == NO_ANSWER:
            raise GatewaySilent("The sandbox was told not to answer.")
        state = State.AUTHORISED if payment.token in _GOOD else State.DECLINED
        new = (payment.key, payment.token, payment.amount, payment.currency, state)
        ((known,),) = _at_once(Statement(_ADD, new))
        if payment.token == NO_ANSWER_CHARGED:
            raise GatewaySilent("The sandbox was told to lose its answer.")
        return _verdict(payment.key, known)

    def look_up(self, payment: Payment) -> Approved | Declined | None:
        with _own_transaction():
            known = SandboxPayment.objects.filter(key=payment.key).first()
        return None if known is None else _verdict(known.key, known.state)

    def capture(self, payment: Payment) -> Approved | Declined:
        with _own_transaction():
            mine = SandboxPayment.objects.filter(key=payment.key)
            mine.filter(state=State.AUTHORISED).exclude(token=CAPTURE_REFUSED).update(state=State.CAPTURED)
            taken = mine.filter(state=State.CAPTURED).first()
        return Declined("The bank refused the capture.") if taken is None else Approved(_reference(taken.key))

    def void(self, payment: Payment) -> Approved | AlreadyCaptured:
        # For a key never heard of this leaves a voided payment of nothing, which a later `authorise` finds.
        nothing = SandboxPayment(key=payment.key, amount=Decimal(0), currency="XXX", state=State.VOIDED)
        with _own_transaction():
            SandboxPayment.objects.bulk_create([nothing], ignore_conflicts=True)
            mine = SandboxPayment.objects.filter(key=payment.key)
            mine.filter(state=State.AUTHORISED).update(state=State.VOIDED)
            known = mine.get()
        reference = _reference(known.key)
        return AlreadyCaptured(reference) if known.state == State.CAPTURED else Approved(reference)

    def refund(self, payment: Payment, *, refund_key: uuid.UUID, amount: Decimal) -> Approved | Declined:
        with _own_transaction():
            captured = SandboxPayment.objects.filter(key=payment.key, state=State.CAPTURED)
            taken = captured.select_for_update().first()
            if taken is None or taken.currency != payment.currency:
                return Declined("There is no such captured payment.")
            if SandboxRefund.objects.filter(key=refund_key).exists():
                return Approved(f"sandbox-refund-{refund_key}")
            if taken.refunded + amount > taken.amount:
                return Declined("More than was taken.")
            SandboxRefund.objects.create(key=refund_key, payment=taken, amount=amount)
            captured.update(refunded=F("refunded") + amount)
        return Approved(f"sandbox-refund-{refund_key}")


def _at_once(statement: Statement) -> list[tuple[str, ...]]:
    """`_own_transaction` of this statement alone, by the connection's own timeouts."""
    try:
        # Django refuses the inner one, where there is an outer one of ours.
        with transaction.atomic(durable=True) if connection.in_atomic_block else nullcontext():
            return run([statement])
    except OperationalError as error:
        raise GatewaySilent("The sandbox's book did not open.") from error


@contextmanager
def _own_transaction() -> Iterator[None]:
    """Refuses to run inside a transaction of ours, and is silent where the database is."""
    try:
        with transaction.atomic(durable=True):
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = %s", [settings.PAYMENT_TIMEOUT_SECONDS * 1000])
            yield
    except OperationalError as error:
        raise GatewaySilent("The sandbox's book did not open.") from error


def _verdict(key: uuid.UUID, state: str) -> Approved | Declined:
    if state in (State.AUTHORISED, State.CAPTURED):
        return Approved(_reference(key))
    return Declined("The card was declined." if state == State.DECLINED else "The payment was voided.")


def _reference(key: uuid.UUID) -> str:
    return f"sandbox-{key}"
