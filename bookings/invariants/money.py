"""Payments against bookings, refunds against payments, and all of it against the
gateway's book where that is the sandbox's."""

from __future__ import annotations

from bookings.states import OPEN_PAYMENTS
from flightbook.invariants import Check

_OPEN = ", ".join(f"'{state}'" for state in OPEN_PAYMENTS)
# Payments that were taken, or are about to be, with what goes back of each. One that goes back whole pays for
# nothing: it was captured before its void arrived, say.
_TAKEN = """
SELECT p.*, coalesce(r.back, 0) AS back, coalesce(r.back, 0) >= p.amount AND p.amount > 0 AS undone
  FROM bookings_paymentattempt AS p
  LEFT JOIN (SELECT payment_id, sum(amount) AS back FROM bookings_refund
              WHERE state <> 'void' GROUP BY payment_id) AS r ON r.payment_id = p.id
 WHERE p.state IN ('to_capture', 'captured')
"""

_PAYMENTS = (
    Check(
        name="bookings.paid_is_what_stands",
        rule="what was taken for a booking and does not go back is the worth of its coupons and charges",
        rows=f"""
        SELECT format('%%s: %%s kept, worth %%s', b.public_id, coalesce(t.kept, 0),
                      coalesce(c.worth, 0) + coalesce(f.worth, 0)),
               coalesce(t.kept, 0) = coalesce(c.worth, 0) + coalesce(f.worth, 0)
               AND coalesce(t.currencies <@ ARRAY[b.currency], true)
          FROM bookings_booking AS b
          LEFT JOIN (SELECT booking_id, sum(amount - back) AS kept, array_agg(currency) AS currencies
                       FROM ({_TAKEN}) AS t GROUP BY booking_id) AS t ON t.booking_id = b.id
          LEFT JOIN (SELECT s.booking_id, sum(c.price - c.refunded) AS worth
                       FROM bookings_coupon AS c JOIN bookings_segment AS s ON s.id = c.segment_id
                      WHERE c.status <> 'Exchanged'
                      GROUP BY s.booking_id) AS c ON c.booking_id = b.id
          LEFT JOIN (SELECT booking_id, sum(amount - refunded) AS worth
                       FROM bookings_charge GROUP BY booking_id) AS f ON f.booking_id = b.id
         WHERE b.confirmed_at IS NOT NULL
        """,
    ),
    Check(
        name="bookings.payment_has_its_booking",
        rule="money is taken for a booking that is, or was, confirmed; or all of it goes back",
        rows=f"""
        SELECT format('payment %%s, %%s: %%s', t.key, t.state, coalesce(b.public_id || ' ' || b.status,
                      'no booking')),
               t.undone OR (b.id IS NOT NULL AND b.confirmed_at IS NOT NULL
                            AND b.status IN ('Confirmed', 'Cancelled'))
          FROM ({_TAKEN}) AS t LEFT JOIN bookings_booking AS b ON b.id = t.booking_id
        """,
    ),
    Check(
        name="bookings.payment_in_time",
        rule="a payment that is not settled is somebody's work, or soon will be",
        rows=f"""
        SELECT format('payment %%s: %%s until %%s', key, state, lease_until),
               NOT %(settled)s AND lease_until > %(late)s
          FROM bookings_paymentattempt WHERE state IN ({_OPEN})
        """,
    ),
    Check(
        name="bookings.refunds_within_the_payment",
        rule="of a payment goes back what was taken at most, and nothing of one that was not",
        rows="""
        SELECT format('payment %%s, %%s: %%s back of %%s', p.key, p.state, sum(r.amount), p.amount),
               p.state IN ('to_capture', 'captured') AND sum(r.amount) <= p.amount
          FROM bookings_refund AS r JOIN bookings_paymentattempt AS p ON p.id = r.payment_id
         WHERE r.state <> 'void'
         GROUP BY p.id
        """,
    ),
    Check(
        name="bookings.refund_in_time",
        rule="what was taken and is to go back is on its way, or soon will be; none was refused",
        rows="""
        SELECT format('refund %%s: %%s, due at %%s', r.key, r.state, r.due_at),
               r.state IN ('done', 'paid_otherwise', 'void')
               OR (r.state = 'requested' AND NOT %(settled)s AND r.due_at > %(late)s)
          FROM bookings_refund AS r JOIN bookings_paymentattempt AS p ON p.id = r.payment_id
         WHERE p.state = 'captured'
        """,
    ),
)
# A payment may be a step further there than here until its lease is over, which `payment_in_time` watches.
_SANDBOX = (
    Check(
        name="bookings.sandbox_payments_agree",
        rule="the sandbox has taken the payments that we have, and no others",
        rows="""
        SELECT format('payment %%s: here %%s %%s, there %%s %%s', coalesce(p.key, g.key),
                      coalesce(p.state, 'none'), p.amount, coalesce(g.state, 'none'), g.amount),
               CASE WHEN p.key IS NULL THEN false
                    WHEN p.state IN ('to_capture', 'captured')
                    THEN g.amount = p.amount AND g.currency = p.currency
                         AND (g.state = 'captured' OR (g.state = 'authorised' AND p.state = 'to_capture'))
                    WHEN p.state = 'to_void' THEN true
                    WHEN p.state = 'voided' THEN g.state IN ('voided', 'declined')
                    ELSE g.state IS DISTINCT FROM 'captured' END
          FROM (SELECT * FROM bookings_paymentattempt WHERE gateway = 'sandbox') AS p
          FULL JOIN bookings_sandboxpayment AS g ON g.key = p.key
        """,
    ),
    Check(
        name="bookings.sandbox_refunds_agree",
        rule="the sandbox has given back what we have, and nothing else",
        rows="""
        SELECT format('refund %%s: here %%s %%s, there %%s', coalesce(r.key, g.key),
                      coalesce(r.state, 'none'), r.amount, g.amount),
               CASE r.state WHEN 'done' THEN g.amount = r.amount
                            WHEN 'requested' THEN g.amount IS NULL OR g.amount = r.amount
                            ELSE r.state IS NOT NULL AND g.amount IS NULL END
          FROM (SELECT r.* FROM bookings_refund AS r JOIN bookings_paymentattempt AS p ON p.id = r.payment_id
                 WHERE p.gateway = 'sandbox') AS r
          FULL JOIN bookings_sandboxrefund AS g ON g.key = r.key
        """,
    ),
    Check(
        name="bookings.sandbox_refunds_add_up",
        rule="what the sandbox says it has given back of a payment is the sum of its refunds",
        rows="""
        SELECT format('payment %%s: %%s, refunds of %%s', p.key, p.refunded, coalesce(r.sum, 0)),
               p.refunded = coalesce(r.sum, 0) AND p.refunded <= p.amount
          FROM bookings_sandboxpayment AS p
          LEFT JOIN (SELECT payment_id, sum(amount) AS sum FROM bookings_sandboxrefund GROUP BY 1) AS r
            ON r.payment_id = p.id
        """,
    ),
)
_ANSWERS = (
    Check(
        name="bookings.answers_are_whole",
        rule="an idempotency key has an answer that may be stored, whole, or none yet",
        rows="""
        SELECT format('key %%s of user %%s: %%s', key, user_id, coalesce(status::text, 'no answer')),
               CASE WHEN status IS NULL THEN body IS NULL AND NOT (%(settled)s AND lease_until > %(now)s)
                    ELSE (status BETWEEN 200 AND 299 OR status IN (402, 404, 409))
                         AND body IS NOT NULL AND content_type <> '' END
          FROM bookings_idempotencykey
        """,
    ),
)

MONEY = (*_PAYMENTS, *_SANDBOX, *_ANSWERS)
