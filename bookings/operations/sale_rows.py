"""The rows of a sale, as the statements that write them: see `sale` for their order and what guards them.

They go in one message (`flightbook.statements`), in which nobody can be told the new booking's key: the
sequence of the session tells it.
"""

from __future__ import annotations

from collections.abc import Sequence

from bookings import ledger
from bookings.models import Charge, LedgerEntry, PaymentAttempt
from bookings.pricing import Quote
from bookings.tickets import TicketCoupon
from bookings.types import BookingView
from flightbook.statements import Statement

# A scalar sub-query, so that it is evaluated once and indexes serve.
THIS_BOOKING = "(SELECT currval('bookings_booking_id_seq'))"
_BOOKING = """
INSERT INTO bookings_booking (public_id, record_locator, user_id, status, total, currency, payment_method,
                              payment_due_by, confirmed_at, end_reason)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, CASE WHEN %s THEN statement_timestamp() END, '')
"""
_PASSENGERS = "INSERT INTO bookings_passenger (booking_id, position, given_name, family_name, type) VALUES "
_SEGMENTS = """
INSERT INTO bookings_segment (booking_id, position, flight_id, cabin, fare, refundable, change_fee,
                              seats_claimed)
VALUES """
_PLACES = f"""
  JOIN bookings_segment AS s ON s.booking_id = {THIS_BOOKING} AND s.position = v.segment
  JOIN bookings_passenger AS p ON p.booking_id = {THIS_BOOKING} AND p.position = v.passenger
"""
_COUPONS = """
INSERT INTO bookings_coupon (segment_id, passenger_id, price, ticket_number, coupon_number, check_digit)
SELECT s.id, p.id, v.price, v.ticket, v.coupon, v.digit
  FROM (VALUES {rows}) AS v (segment, passenger, price, ticket, coupon, digit)
"""
_CHARGES = f"""
INSERT INTO bookings_charge (booking_id, segment_id, passenger_id, kind, amount, detail)
SELECT {THIS_BOOKING}, s.id, p.id, v.kind, v.amount, v.detail
  FROM (VALUES {{rows}}) AS v (segment, passenger, kind, amount, detail)
"""  # noqa: S608 - made of constants
_LEDGER = f"""
INSERT INTO bookings_ledgerentry (booking_id, payment_id, event, debit, credit, amount, currency)
VALUES ({THIS_BOOKING}, %s, %s, %s, %s, %s, %s)
"""  # noqa: S608 - made of constants


def booking_row(booking: BookingView, *, is_paid: bool) -> Statement:
    return Statement(
        _BOOKING,
        (
            booking.booking_id,
            booking.record_locator,
            booking.user_pk,
            booking.status,
            booking.total,
            booking.currency,
            booking.payment_method,
            booking.payment_due_by,
            is_paid,
        ),
    )


def detail_rows(quote: Quote, tickets: Sequence[Sequence[TicketCoupon]]) -> list[Statement]:
    """Passengers, segments, coupons, and what the seats cost beside them."""
    return [_passengers(quote), _segments(quote), _coupons(quote, tickets), *_charges(quote)]


def ledger_rows(attempt: PaymentAttempt) -> list[Statement]:
    """The entry of `ledger.authorised`; none for nothing."""
    if not attempt.amount:
        return []
    event = LedgerEntry.Event.AUTHORISED
    return [Statement(_LEDGER, (attempt.pk, event, *ledger.SIDES[event], attempt.amount, attempt.currency))]


def _passengers(quote: Quote) -> Statement:
    row = f"({THIS_BOOKING}, %s, %s, %s, %s)"
    values = [
        value
        for position, passenger in enumerate(quote.passengers)
        for value in (position, passenger.given_name, passenger.family_name, passenger.type)
    ]
    return Statement(_PASSENGERS + ", ".join([row] * len(quote.passengers)), values)


def _segments(quote: Quote) -> Statement:
    row = f"({THIS_BOOKING}, %s, %s, %s, %s, %s, %s::numeric, %s)"
    values = [
        value
        for position, segment in enumerate(quote.segments)
        for value in (
            position,
            segment.flight.pk,
            segment.offer.cabin,
            segment.offer.code,
            segment.offer.refundable,
            segment.offer.change_fee,
            segment.seats_claimed,
        )
    ]
    return Statement(_SEGMENTS + ", ".join([row] * len(quote.segments)), values)


def _coupons(quote: Quote, tickets: Sequence[Sequence[TicketCoupon]]) -> Statement:
    rows = [
        (position, index, price, ticket.number, ticket.coupon, ticket.check_digit)
        for position, segment in enumerate(quote.segments)
        for index, price in enumerate(segment.coupons)
        for ticket in [tickets[index][position]]
    ]
    places = ", ".join(["(%s::int, %s::int, %s::numeric, %s, %s::smallint, %s::smallint)"] * len(rows))
    return Statement(_COUPONS.format(rows=places) + _PLACES, [value for row in rows for value in row])


def _charges(quote: Quote) -> list[Statement]:
    rows = [
        (position, index, Charge.Kind.SEAT, amount, segment.seats[index])
        for position, segment in enumerate(quote.segments)
        for index, amount in sorted(segment.seat_charges.items())
    ]
    if not rows:
        return []
    places = ", ".join(["(%s::int, %s::int, %s, %s::numeric, %s)"] * len(rows))
    return [Statement(_CHARGES.format(rows=places) + _PLACES, [value for row in rows for value in row])]
