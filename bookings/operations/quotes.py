"""Quotes: what was offered for a cancellation or a change, and taking it. A quote holds for one version of
its booking, until it expires by the database's clock, and once."""

from __future__ import annotations

import datetime as dt
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models.functions import Least, Now

from bookings.models import Booking, Quote
from flightbook.errors import NotFound, QuoteExpired


def offer(
    booking: Booking,
    *,
    kind: Quote.Kind,
    terms: dict[str, Any],
    amount: Decimal,
    until: dt.datetime | None = None,
) -> Quote:
    """Writes a quote of QUOTE_MINUTES from now, but not beyond `until`. `terms`: JSON's own types, in the
    operation's form; `amount`: to be paid, negative where it comes back."""
    expires_at: Any = Now() + timedelta(minutes=settings.QUOTE_MINUTES)
    quote = Quote(
        booking=booking,
        booking_version=booking.version,
        kind=kind,
        terms=terms,
        amount=amount,
        currency=booking.currency,
        expires_at=expires_at if until is None else Least(expires_at, until),
    )
    quote.save(force_insert=True)
    quote.refresh_from_db(fields=["expires_at"])
    return quote


def find(booking: Booking, *, kind: Quote.Kind, quote_id: str) -> Quote:
    """The quote of that booking, as long as it holds: a filter, `take` decides.

    Raises:
        NotFound: the booking has no such quote. QuoteExpired: it was used, or is over, or the booking was
        changed since.
    """
    quote = Quote.objects.filter(booking=booking, kind=kind, public_id=quote_id).first()
    if quote is None:
        raise NotFound(detail="There is no such quote for this booking.")
    if not _holding(quote, booking).exists():
        raise _expired(quote, booking)
    return quote


def take(quote: Quote, booking: Booking) -> None:
    """Uses the quote up, inside the transaction that holds the booking's row.

    Raises:
        QuoteExpired
    """
    if not _holding(quote, booking).update(used_at=Now()):
        raise _expired(quote, booking)


def purge_quotes(*, limit: int = 5000) -> int:
    """Deletes the quotes that nobody took and that were over a day ago, a bounded number a call; how many."""
    over = Quote.objects.filter(used_at__isnull=True, expires_at__lte=Now() - timedelta(days=1))
    some = list(over.order_by("expires_at").values_list("pk", flat=True)[:limit])
    return over.filter(pk__in=some).delete()[0]


def _holding(quote: Quote, booking: Booking) -> Any:
    return Quote.objects.filter(
        pk=quote.pk, booking_version=booking.version, used_at__isnull=True, expires_at__gt=Now()
    )


def _expired(quote: Quote, booking: Booking) -> QuoteExpired:
    if quote.booking_version != booking.version:
        return QuoteExpired(detail="The booking was changed after the quote.")
    return QuoteExpired(detail="The quote was used, or its time is over: ask for a new one.")
