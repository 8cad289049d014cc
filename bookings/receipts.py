"""Letters about money that moved: plain text, queued in the transaction of what they tell of."""

from __future__ import annotations

from accounts.public import account, mail_to_queue
from bookings.models import PaymentAttempt, Refund
from flightbook.statements import Statement, run


def receipt(payment: PaymentAttempt) -> Statement:
    """The receipt of a payment that was taken, to whoever booked; for the caller to send."""
    text = f"We have taken {payment.amount:.2f} {payment.currency} from your card."
    return _of_payment(payment, f"payment:{payment.key}:receipt", "Receipt", text)


def refund_receipt(refund: Refund) -> None:
    """Money that went back to the card, or was paid in another way."""
    amount = f"{refund.amount:.2f} {refund.payment.currency}"
    is_other = refund.state == Refund.State.PAID_OTHERWISE
    text = f"We have given back {amount}" + (f": {refund.note}." if is_other else " to the card that paid.")
    if refund.payment.booking_id is not None:  # else nobody was told that anything was taken
        run([_of_payment(refund.payment, f"refund:{refund.pk}:done", "Your refund", text)])


def _of_payment(payment: PaymentAttempt, key: str, subject: str, text: str) -> Statement:
    booking = payment.booking
    assert booking is not None
    head = f"Record locator {booking.record_locator}, booking {booking.public_id}\nPayment {payment.key}"
    return mail_to_queue(
        key=key,
        to=account(payment.user_id).email,
        subject=f"{subject}: {booking.record_locator}",
        text=f"{text}\n\n{head}\n",
    )
