"""The rows of a sale, as the statements that write them: see `sale` for their order and what guards them.

They go in one message (`flightbook.statements`), in which no later statement can be told the new booking's
key: the sequence of the session tells it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from bookings import ledger
from bookings.models import Charge, LedgerEntry, PaymentAttempt
from bookings.pricing import Quote
from bookings.tickets import TicketCoupon
from bookings.types import BookingView
from flightbook.statements import Statement

Row = tuple[object, ...]
# A scalar sub-query, so that it is evaluated once and indexes serve.
THIS_BOOKING = "(SELECT currval('bookings_booking_id_seq'))"
# One statement for all that nobody else can know of yet: of a WITH PostgreSQL promises no order, and none is
# needed among new rows.
_ROWS = """
WITH booking AS (
    INSERT INTO bookings_booking (public_id, record_locator, user_id, status, total, currency,
                                  payment_method, payment_due_by, confirmed_at, end_reason)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, CASE WHEN %s THEN statement_timestamp() END, '')
    RETURNING id
), passenger AS (
    INSERT INTO bookings_passenger (booking_id, position, given_name, family_name, type)
    SELECT booking.id, v.* FROM booking, (VALUES {passengers}) AS v
    RETURNING id, position
), segment AS (
    INSERT INTO bookings_segment (booking_id, position, flight_id, cabin, fare, refundable, change_fee,
                                  seats_claimed)
    SELECT booking.id, v.* FROM booking, (VALUES {segments}) AS v
    RETURNING id, position
){charge}
INSERT INTO bookings_coupon (segment_id, passenger_id, price, ticket_number, coupon_number, check_digit)
SELECT segment.id, passenger.id, v.price, v.ticket, v.coupon, v.digit
  FROM (VALUES {coupons}) AS v (segment, passenger, price, ticket, coupon, digit)
  JOIN segment ON segment.position = v.segment
  JOIN passenger ON passenger.position = v.passenger
"""
_CHARGE = """, charge AS (
    INSERT INTO bookings_charge (booking_id, segment_id, passenger_id, kind, amount, detail)
    SELECT booking.id, segment.id, passenger.id, v.kind, v.amount, v.detail
      FROM booking, (VALUES {charges}) AS v (segment, passenger, kind, amount, detail)
      JOIN segment ON segment.position = v.segment
      JOIN passenger ON passenger.position = v.passenger
)"""
# PostgreSQL does not look from a VALUES to where its columns go.
_PASSENGER = "(%s::int, %s, %s, %s)"
_SEGMENT = "(%s::int, %s::bigint, %s, %s, %s::boolean, %s::numeric, %s::int)"
_COUPON = "(%s::int, %s::int, %s::numeric, %s, %s::smallint, %s::smallint)"
_CHARGED = "(%s::int, %s::int, %s, %s::numeric, %s)"
_LEDGER = f"""
INSERT INTO bookings_ledgerentry (booking_id, payment_id, event, debit, credit, amount, currency)
VALUES ({THIS_BOOKING}, %s, %s, %s, %s, %s, %s)
"""  # noqa: S608 - made of constants


def new_rows(
    booking: BookingView, quote: Quote, tickets: Sequence[Sequence[TicketCoupon]], *, is_paid: bool
) -> Statement:
    """The booking, its passengers and segments, their coupons, and what the seats cost beside them."""
    passengers, segments = _passengers(quote), _segments(quote)
    charges, coupons = _charges(quote), _coupons(quote, tickets)
    sql = _ROWS.format(
        passengers=_places(_PASSENGER, passengers),
        segments=_places(_SEGMENT, segments),
        charge=_CHARGE.format(charges=_places(_CHARGED, charges)) if charges else "",
        coupons=_places(_COUPON, coupons),
    )
    rows = (_booking(booking, is_paid=is_paid), *passengers, *segments, *charges, *coupons)
    return Statement(sql, list(itertools.chain.from_iterable(rows)))


def ledger_rows(attempt: PaymentAttempt) -> list[Statement]:
    """The entry of `ledger.authorised`; none for nothing."""
    if not attempt.amount:
        return []
    event = LedgerEntry.Event.AUTHORISED
    return [Statement(_LEDGER, (attempt.pk, event, *ledger.SIDES[event], attempt.amount, attempt.currency))]


def _places(row: str, rows: Sequence[object]) -> str:
    return ", ".join([row] * len(rows))


def _booking(booking: BookingView, *, is_paid: bool) -> Row:
    return (
        booking.booking_id,
        booking.record_locator,
        booking.user_pk,
        booking.status,
        booking.total,
        booking.currency,
        booking.payment_method,
        booking.payment_due_by,
        is_paid,
    )


def _passengers(quote: Quote) -> list[Row]:
    return [
        (position, passenger.given_name, passenger.family_name, passenger.type)
        for position, passenger in enumerate(quote.passengers)
    ]


def _segments(quote: Quote) -> list[Row]:
    return [
        (
            position,
            segment.flight.pk,
            segment.offer.cabin,
            segment.offer.code,
            segment.offer.refundable,
            segment.offer.change_fee,
            segment.seats_claimed,
        )
        for position, segment in enumerate(quote.segments)
    ]


def _coupons(quote: Quote, tickets: Sequence[Sequence[TicketCoupon]]) -> list[Row]:
    return [
        (position, index, price, ticket.number, ticket.coupon, ticket.check_digit)
        for position, segment in enumerate(quote.segments)
        for index, price in enumerate(segment.coupons)
        for ticket in [tickets[index][position]]
    ]


def _charges(quote: Quote) -> list[Row]:
    return [
        (position, index, Charge.Kind.SEAT, amount, segment.seats[index])
        for position, segment in enumerate(quote.segments)
        for index, amount in sorted(segment.seat_charges.items())
    ]
