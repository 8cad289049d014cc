"""The ledger against what it tells of: each payment and each refund has the entries of its state, and what
stands on each account of a booking is what its payments and refunds say."""

from __future__ import annotations

from bookings.ledger import SIDES
from flightbook.invariants import Check

_SIDES = ", ".join(f"('{event}', '{debit}', '{credit}')" for event, (debit, credit) in SIDES.items())
_REVERSED = "('reversed', 'refunds_due', 'sales'), ('reversed', 'captured', 'sales')"
# What was to go back by a void has this entry, and no refund.
_DUE_BY_VOID = """
EXISTS (SELECT FROM bookings_ledgerentry AS d
         WHERE d.payment_id = p.id AND d.refund_id IS NULL AND d.event = 'refund_due')
"""
_SOLD = """
EXISTS (SELECT FROM bookings_ledgerentry AS s WHERE s.payment_id = p.id AND s.event = 'authorised')
"""

_REFUNDS = """
SELECT payment_id, sum(amount) FILTER (WHERE state IN ('done', 'paid_otherwise')) AS gone,
       sum(amount) FILTER (WHERE state IN ('requested', 'failed')) AS owed
  FROM bookings_refund GROUP BY payment_id
"""

BOOKS = (
    Check(
        name="bookings.ledger_tells_each_payment",
        rule="a payment has the entries of its state, each of its amount, between the accounts of its event",
        rows=f"""
        SELECT format('payment %%s, %%s: %%s', p.key, p.state, coalesce(l.events, 'no entries')),
               coalesce(l.ok, true)
               AND CASE WHEN p.amount = 0 THEN l.events IS NULL
                        WHEN p.state = 'to_capture' THEN l.events = 'authorised'
                        WHEN p.state = 'captured'
                        THEN l.events IN ('authorised captured', 'authorised refund_due captured')
                        WHEN l.events IS NULL THEN true -- no sale took it
                        WHEN p.state = 'declined' THEN l.events = 'authorised capture_refused'
                        WHEN p.state = 'to_void' THEN l.events = 'authorised refund_due'
                        WHEN p.state = 'voided' THEN l.events = 'authorised refund_due voided'
                        ELSE false END
          FROM bookings_paymentattempt AS p
          LEFT JOIN (SELECT l.payment_id, string_agg(l.event, ' ' ORDER BY l.id) AS events,
                            bool_and(l.amount = p.amount AND l.currency = p.currency
                                     AND (l.event, l.debit, l.credit) IN (VALUES {_SIDES})) AS ok
                       FROM bookings_ledgerentry AS l JOIN bookings_paymentattempt AS p ON p.id = l.payment_id
                      WHERE l.refund_id IS NULL
                      GROUP BY l.payment_id) AS l ON l.payment_id = p.id
        """,
    ),
    Check(
        name="bookings.ledger_tells_each_refund",
        rule="a refund has the entries of its state, each of its amount, between the accounts of its event",
        rows=f"""
        SELECT format('refund %%s, %%s: %%s', r.key, r.state, coalesce(l.events, 'no entries')),
               coalesce(l.ok, true)
               AND concat_ws(' ', CASE WHEN {_DUE_BY_VOID} THEN 'refund_due' END, l.events)
                   = ANY (CASE r.state
                          WHEN 'done' THEN ARRAY['refund_due refunded']
                          WHEN 'paid_otherwise' THEN ARRAY['refund_due refunded_otherwise']
                          WHEN 'void' THEN ARRAY['refund_due reversed', 'refund_due refunded reversed']
                          ELSE ARRAY['refund_due'] END)
          FROM bookings_refund AS r
          JOIN bookings_paymentattempt AS p ON p.id = r.payment_id
          LEFT JOIN (SELECT l.refund_id, string_agg(l.event, ' ' ORDER BY l.id) AS events,
                            bool_and(l.amount = r.amount AND l.payment_id = r.payment_id
                                     AND (l.event, l.debit, l.credit) IN (VALUES {_SIDES}, {_REVERSED})) AS ok
                       FROM bookings_ledgerentry AS l JOIN bookings_refund AS r ON r.id = l.refund_id
                      GROUP BY l.refund_id) AS l ON l.refund_id = r.id
        """,
    ),
    Check(
        name="bookings.ledger_balances",
        rule="what stands on a booking's accounts is what its payments and refunds say",
        rows=f"""
        SELECT format('booking %%s: %%s %%s %%s, should be %%s %%s %%s', booking, l.held, l.taken, l.due,
                      e.held, e.taken, e.due),
               coalesce(l.held, 0) = coalesce(e.held, 0) AND coalesce(l.taken, 0) = coalesce(e.taken, 0)
               AND coalesce(l.due, 0) = coalesce(e.due, 0)
          FROM (SELECT coalesce(booking_id, 0) AS booking,
                       sum(amount * ((debit = 'authorised')::int - (credit = 'authorised')::int)) AS held,
                       sum(amount * ((debit = 'captured')::int - (credit = 'captured')::int)) AS taken,
                       sum(amount * ((credit = 'refunds_due')::int - (debit = 'refunds_due')::int)) AS due
                  FROM bookings_ledgerentry GROUP BY 1) AS l
          FULL JOIN (SELECT coalesce(p.booking_id, 0) AS booking,
                            sum(p.amount) FILTER (WHERE p.state = 'to_capture' OR p.to_void) AS held,
                            sum(p.amount) FILTER (WHERE p.state = 'captured') - sum(p.gone) AS taken,
                            coalesce(sum(p.amount) FILTER (WHERE p.to_void), 0) + sum(p.owed) AS due
                       FROM (SELECT p.*, p.state = 'to_void' AND {_SOLD} AS to_void,
                                    coalesce(r.gone, 0) AS gone, coalesce(r.owed, 0) AS owed
                               FROM bookings_paymentattempt AS p
                               LEFT JOIN ({_REFUNDS}) AS r ON r.payment_id = p.id
                            ) AS p
                      GROUP BY 1) AS e USING (booking)
        """,
    ),
)
