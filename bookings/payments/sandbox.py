"""A gateway that takes no money. It keeps its own book, in transactions of its own, as if it stood elsewhere.

The card's token says what happens: `tok_success` or none at all is authorised; `tok_declined` is not;
`tok_no_answer` stays silent and charges nothing; `tok_no_answer_charged` charges and loses the answer;
`tok_capture_refused` is authorised, and its capture refused. Any other token is declined.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import F

from bookings.models import SandboxPayment, SandboxRefund
from bookings.payments.gateway import AlreadyCaptured, Approved, Declined, Gateway, GatewaySilent

SUCCESS, DECLINED = "tok_success", "tok_declined"
NO_ANSWER, NO_ANSWER_CHARGED = "tok_no_answer", "tok_no_answer_charged"
CAPTURE_REFUSED = "tok_capture_refused"
_GOOD = ("", SUCCESS, NO_ANSWER_CHARGED, CAPTURE_REFUSED)
State = SandboxPayment.State


class SandboxGateway(Gateway):
    name = "sandbox"

    def authorise(self, *, key: uuid.UUID, amount: Decimal, currency: str, token: str) -> Approved | Declined:
        if token == NO_ANSWER:
            raise GatewaySilent("The sandbox was told not to answer.")
        state = State.AUTHORISED if token in _GOOD else State.DECLINED
        new = SandboxPayment(key=key, token=token, amount=amount, currency=currency, state=state)
        with _own_transaction():
            SandboxPayment.objects.bulk_create([new], ignore_conflicts=True)
            payment = SandboxPayment.objects.get(key=key)
        if token == NO_ANSWER_CHARGED:
            raise GatewaySilent("The sandbox was told to lose its answer.")
        return _verdict(payment)

    def look_up(self, *, key: uuid.UUID) -> Approved | Declined | None:
        with _own_transaction():
            payment = SandboxPayment.objects.filter(key=key).first()
        return None if payment is None else _verdict(payment)

    def capture(self, *, key: uuid.UUID) -> Approved | Declined:
        with _own_transaction():
            mine = SandboxPayment.objects.filter(key=key)
            mine.filter(state=State.AUTHORISED).exclude(token=CAPTURE_REFUSED).update(state=State.CAPTURED)
            payment = mine.filter(state=State.CAPTURED).first()
        return Declined("The bank refused the capture.") if payment is None else Approved(_reference(payment))

    def void(self, *, key: uuid.UUID) -> Approved | AlreadyCaptured:
        # For a key never heard of this leaves a voided payment of nothing, which a later `authorise` finds.
        nothing = SandboxPayment(key=key, amount=Decimal(0), currency="XXX", state=State.VOIDED)
        with _own_transaction():
            SandboxPayment.objects.bulk_create([nothing], ignore_conflicts=True)
            SandboxPayment.objects.filter(key=key, state=State.AUTHORISED).update(state=State.VOIDED)
            payment = SandboxPayment.objects.get(key=key)
        reference = _reference(payment)
        return AlreadyCaptured(reference) if payment.state == State.CAPTURED else Approved(reference)

    def refund(
        self, *, key: uuid.UUID, refund_key: uuid.UUID, amount: Decimal, currency: str
    ) -> Approved | Declined:
        with _own_transaction():
            payment = SandboxPayment.objects.select_for_update().filter(key=key, state=State.CAPTURED).first()
            if payment is None or payment.currency != currency:
                return Declined("There is no such captured payment.")
            if SandboxRefund.objects.filter(key=refund_key).exists():
                return Approved(f"sandbox-refund-{refund_key}")
            if payment.refunded + amount > payment.amount:
                return Declined("More than was taken.")
            SandboxRefund.objects.create(key=refund_key, payment=payment, amount=amount)
            SandboxPayment.objects.filter(pk=payment.pk).update(refunded=F("refunded") + amount)
        return Approved(f"sandbox-refund-{refund_key}")


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


def _verdict(payment: SandboxPayment) -> Approved | Declined:
    if payment.state in (State.AUTHORISED, State.CAPTURED):
        return Approved(_reference(payment))
    return Declined(
        "The card was declined." if payment.state == State.DECLINED else "The payment was voided."
    )


def _reference(payment: SandboxPayment) -> str:
    return f"sandbox-{payment.key}"
