"""Money on its way back: what is owed to a traveller becomes refunds of the payments that took it.

The gateway is not called here: the worker does what is written (`settle`). Called inside a transaction that
holds the booking's row.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from django.db.models import Q, Sum

from bookings import ledger
from bookings.models import Booking, PaymentAttempt, Refund
from bookings.payments import attempts
from bookings.states import State


def request_refund(*, booking: Booking, amount: Decimal, reason: str) -> None:
    """Sends `amount` back to the cards that paid, the newest payment first, each up to what is left of it.

    A payment that is to go back whole and is not captured yet is voided; all else is refunded once captured.
    Coupons and charges are the caller's to mark. `reason`: a code of 60 characters at most.

    Raises:
        ValueError: the booking's payments have less left than that.
    """
    owed = amount
    for payment, left in _remainders(booking):
        part = min(owed, left)
        if part:
            _give_back(payment, part, reason)
            owed -= part
    if owed:
        raise ValueError(f"{owed} more than was taken is to go back for {booking.public_id}.")


def refundable(booking: Booking) -> Decimal:
    """What was taken for a booking, or is about to be, and is not on its way back."""
    return sum((left for _, left in _remainders(booking)), Decimal(0))


def _remainders(booking: Booking) -> Iterator[tuple[PaymentAttempt, Decimal]]:
    back = Sum("refunds__amount", filter=~Q(refunds__state=Refund.State.VOID))
    taken = booking.payments.filter(state__in=(State.TO_CAPTURE, State.CAPTURED))
    for payment in taken.annotate(back=back).order_by("-pk"):
        yield payment, payment.amount - (payment.back or Decimal(0))


def _give_back(payment: PaymentAttempt, amount: Decimal, reason: str) -> None:
    if amount == payment.amount and attempts.call_back(payment):
        ledger.void_due(payment)
        return
    ledger.refund_due(Refund.objects.create(payment=payment, amount=amount, reason=reason))
