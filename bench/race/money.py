"""Seats and money as the tables and the gateway's own book have them, each counted without the product's
help."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg2

from bench.race.check import Findings
from bench.race.gateway import Charge
from bench.race.journal import Entry

OVERSOLD = "cabins oversold"
DOUBLE = "seats held twice"
CHARGED = "charged without booking"
UNCHARGED = "booked without charge"
TWICE = "payments made twice at the gateway"
FORGOTTEN = "authorisations left standing at the gateway"

_OVERSOLD = """
SELECT 'FL' || i.flight_id || ' ' || i.cabin || ': ' || sum(s.seats_claimed) || ' of ' || i.capacity
  FROM flights_cabininventory AS i
  JOIN bookings_segment AS s
    ON s.flight_id = i.flight_id AND s.cabin = i.cabin AND s.status = 'Booked'
  JOIN bookings_booking AS b ON b.id = s.booking_id AND b.status IN ('Held', 'Confirmed')
 GROUP BY i.id HAVING sum(s.seats_claimed) > i.capacity
"""
_DOUBLE = """
SELECT 'FL' || flight_id || ' ' || seat FROM flights_seatassignment WHERE released_at IS NULL
 GROUP BY flight_id, seat HAVING count(*) > 1
"""
_PAYMENTS = """
SELECT p.key::text, coalesce(b.public_id, ''), coalesce(b.status, ''), coalesce(b.end_reason, ''),
       p.state = 'declined' AND p.reference <> ''
  FROM bookings_paymentattempt AS p LEFT JOIN bookings_booking AS b ON b.id = p.booking_id
"""


@dataclass(frozen=True)
class Paid:
    """What our side has a payment for. `is_refused`: it was sold, and its capture refused."""

    booking: str
    status: str
    end_reason: str
    is_refused: bool


def check_seats(connection: psycopg2.extensions.connection, findings: Findings) -> None:
    for kind, statement in ((OVERSOLD, _OVERSOLD), (DOUBLE, _DOUBLE)):
        findings.counts[kind] += 0
        for [example] in _rows(connection, statement):
            findings.add(kind, example)


def check_money(
    connection: psycopg2.extensions.connection,
    book: Mapping[str, Sequence[Charge]],
    entries: Mapping[str, Entry],
    findings: Findings,
) -> None:
    """What the gateway has kept of each booking's money is what its traveller was told."""
    for kind in (CHARGED, UNCHARGED, FORGOTTEN, TWICE):
        findings.counts[kind] += 0
    paid = {row[0]: Paid(*row[1:]) for row in _rows(connection, _PAYMENTS)}
    findings.looked_at |= {"payments here": len(paid), "payments at the gateway": len(book)}
    net: dict[str, Decimal] = defaultdict(Decimal)
    for key, charges in book.items():
        ours = paid.get(key)
        if len(charges) > 1:
            findings.add(TWICE, f"payment {key}: {len(charges)} at the gateway")
        # After a refused capture nobody will ask for it again; it lapses at the bank.
        if any(charge.is_standing for charge in charges) and (ours is None or not ours.is_refused):
            findings.add(FORGOTTEN, key)
        kept = sum((charge.net for charge in charges), Decimal(0))
        if ours is not None and ours.booking:
            net[ours.booking] += kept
        elif kept:
            findings.add(CHARGED, f"payment {key}: {kept}, for nothing")
    _compare(paid.values(), net, entries, findings)


def _compare(
    paid: Iterable[Paid], net: Mapping[str, Decimal], entries: Mapping[str, Entry], findings: Findings
) -> None:
    refused = {payment.booking for payment in paid if payment.is_refused}
    told, forfeited = _told(entries), _forfeited(entries)
    for payment in {payment.booking: payment for payment in paid if payment.booking}.values():
        booking = payment.booking
        kept, due = net[booking], _due(payment, refused, told[booking], forfeited[booking])
        if kept != due:
            what = f"{booking} {payment.status} ({payment.end_reason}): {kept} kept, {due} due"
            findings.add(CHARGED if kept > due else UNCHARGED, what)


def _due(payment: Paid, refused: Collection[str], told: Decimal, forfeited: Decimal) -> Decimal:
    """What we may keep: what was told; nothing where a capture was refused; where the traveller had no say,
    what those had paid who had left the booking of their own will before."""
    if payment.booking in refused:
        return Decimal(0)
    return told if payment.status == "Confirmed" or payment.end_reason == "traveller" else forfeited


def _told(entries: Mapping[str, Entry]) -> dict[str, Decimal]:
    """What travellers were told that they paid for each booking, less what comes back."""
    told: dict[str, Decimal] = defaultdict(Decimal)
    for entry in entries.values():
        if entry.booking:
            told[entry.booking] += Decimal(entry.charged) - Decimal(entry.refund)
    return told


def _forfeited(entries: Mapping[str, Entry]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = defaultdict(Decimal)
    for entry in entries.values():
        found[entry.booking] += Decimal(entry.forfeited)
    return found


def _rows(connection: psycopg2.extensions.connection, statement: str) -> Iterable[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()
