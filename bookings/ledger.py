"""The ledger: one row is one double entry, posted in the transaction of what it tells of.

| event | debit | credit | when |
|---|---|---|---|
| authorised | authorised | sales | a sale, a payment of a hold, or a change takes a payment |
| captured | captured | authorised | the gateway took the money |
| capture_refused | sales | authorised | it would not: the booking is cancelled |
| refund_due | sales | refunds_due | money is to go back; without a refund where the payment is voided |
| voided | refunds_due | authorised | the gateway let go of it |
| refunded | refunds_due | captured | the gateway gave it back |
| refunded_otherwise | refunds_due | captured | staff paid it in another way |
| reversed | refunds_due | sales | a refund for which nothing had been taken after all |
| reversed | captured | sales | a refund that the bank returned |

Both sides stand in one row, so that the books cannot but sum to zero. A payment has each event once, and so
has a refund, by the partial UNIQUEs `ledger_payment_event_once` and `ledger_refund_event_once`: whoever posts
twice is undone. A payment that no sale ever took has no entries, unless money moved all the same.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

from bookings.models import LedgerEntry, PaymentAttempt, Refund
from flightbook.statements import Statement, run

Account = LedgerEntry.Account
Event = LedgerEntry.Event
Sides = tuple[Account, Account]
SIDES: dict[Event, Sides] = {
    Event.AUTHORISED: (Account.AUTHORISED, Account.SALES),
    Event.CAPTURED: (Account.CAPTURED, Account.AUTHORISED),
    Event.CAPTURE_REFUSED: (Account.SALES, Account.AUTHORISED),
    Event.REFUND_DUE: (Account.SALES, Account.REFUNDS_DUE),
    Event.VOIDED: (Account.REFUNDS_DUE, Account.AUTHORISED),
    Event.REFUNDED: (Account.REFUNDS_DUE, Account.CAPTURED),
    Event.REFUNDED_OTHERWISE: (Account.REFUNDS_DUE, Account.CAPTURED),
}


_CAPTURED = """
INSERT INTO bookings_ledgerentry (booking_id, payment_id, event, debit, credit, amount, currency)
VALUES (%s, %s, 'captured', %s, %s, %s, %s)
"""


def authorised(*, payment_pk: int, booking_pk: int | None, amount: Decimal, currency: str) -> None:
    """A sale took an authorised payment."""
    if amount:
        debit, credit = SIDES[Event.AUTHORISED]
        LedgerEntry.objects.create(
            payment_id=payment_pk,
            booking_id=booking_pk,
            event=Event.AUTHORISED,
            debit=debit,
            credit=credit,
            amount=amount,
            currency=currency,
        )


def captured(payment: PaymentAttempt) -> None:
    run(capturing(payment))


def capturing(payment: PaymentAttempt) -> list[Statement]:
    """The entry of `captured`, for the caller to send among other statements; none for nothing."""
    values = (payment.booking_id, payment.pk, *SIDES[Event.CAPTURED], payment.amount, payment.currency)
    return [Statement(_CAPTURED, values)] if payment.amount else []


def capture_refused(payment: PaymentAttempt) -> None:
    _post(payment, Event.CAPTURE_REFUSED, payment.amount)


def void_due(payment: PaymentAttempt) -> None:
    """The whole of an uncaptured payment is to go back, by its void."""
    _post(payment, Event.REFUND_DUE, payment.amount)


def voided(payment: PaymentAttempt) -> None:
    _post(payment, Event.VOIDED, payment.amount)


def refund_due(refund: Refund) -> None:
    _post(refund.payment, Event.REFUND_DUE, refund.amount, refund)


def refunded(refund: Refund) -> None:
    _post(refund.payment, Event.REFUNDED, refund.amount, refund)


def refunded_otherwise(refund: Refund) -> None:
    _post(refund.payment, Event.REFUNDED_OTHERWISE, refund.amount, refund)


def nothing_to_refund(refund: Refund) -> None:
    """Nothing had been taken after all."""
    _post(refund.payment, Event.REVERSED, refund.amount, refund, (Account.REFUNDS_DUE, Account.SALES))


def refund_came_back(refund: Refund) -> None:
    """The gateway had given it back, and the bank returned it to us."""
    _post(refund.payment, Event.REVERSED, refund.amount, refund, (Account.CAPTURED, Account.SALES))


def is_on_the_books(payment: PaymentAttempt) -> bool:
    """Whether a sale took this payment."""
    return LedgerEntry.objects.filter(payment=payment, event=Event.AUTHORISED).exists()


def balance(booking_pk: int) -> dict[Account, Decimal]:
    """What stands on each account of a booking, debits less credits. Sales are negative: owed in flights."""
    found: dict[Account, Decimal] = defaultdict(Decimal)
    for entry in LedgerEntry.objects.filter(booking_id=booking_pk):
        found[Account(entry.debit)] += entry.amount
        found[Account(entry.credit)] -= entry.amount
    return dict(found)


def _post(
    payment: PaymentAttempt,
    event: Event,
    amount: Decimal,
    refund: Refund | None = None,
    sides: Sides | None = None,
) -> None:
    if not amount:
        return
    debit, credit = sides or SIDES[event]
    LedgerEntry.objects.create(
        booking_id=payment.booking_id,
        payment=payment,
        refund=refund,
        event=event,
        debit=debit,
        credit=credit,
        amount=amount,
        currency=payment.currency,
    )
