from django.db import migrations

# Payments and refunds from before the ledger get the entries of their state (`bookings.ledger` has the table of
# events); so do those that were begun before it and went on with it, for what happened earlier. Payments that
# ended with nothing taken are left alone: which of them a sale took is not on record, and they come to nothing.
#
# It may run beside the application, and again: only what is missing is written. Entries are read in the order of
# their keys, so that these, which come before all others, have keys below them. The foreign keys' locks keep
# nobody from settling a payment, and what is settled meanwhile has its own entry.
BACK_FILL = """
WITH sold AS (
    SELECT p.*
      FROM bookings_paymentattempt AS p
     WHERE p.amount > 0
       AND (p.state IN ('to_capture', 'captured')
            OR EXISTS (SELECT FROM bookings_ledgerentry AS l WHERE l.payment_id = p.id))
), due_by_void AS (
    SELECT payment_id FROM bookings_ledgerentry WHERE refund_id IS NULL AND event = 'refund_due'
), wanted (place, booking_id, payment_id, refund_id, event, debit, credit, amount, currency, created_at) AS (
    SELECT 1, booking_id, id, NULL::bigint, 'authorised', 'authorised', 'sales', amount, currency, created_at
      FROM sold
    UNION ALL
    SELECT 2, booking_id, id, NULL, 'captured', 'captured', 'authorised', amount, currency, changed_at
      FROM sold WHERE state = 'captured'
    UNION ALL
    SELECT 3, p.booking_id, p.id, r.id, 'refund_due', 'sales', 'refunds_due', r.amount, p.currency, r.created_at
      FROM bookings_refund AS r JOIN bookings_paymentattempt AS p ON p.id = r.payment_id
     WHERE p.id NOT IN (SELECT payment_id FROM due_by_void)
    UNION ALL
    SELECT 4, p.booking_id, p.id, r.id, e.event, 'refunds_due', e.credit, r.amount, p.currency,
           coalesce(r.done_at, r.created_at)
      FROM bookings_refund AS r JOIN bookings_paymentattempt AS p ON p.id = r.payment_id
      JOIN (VALUES ('done', 'refunded', 'captured'), ('paid_otherwise', 'refunded_otherwise', 'captured'),
                   ('void', 'reversed', 'sales')) AS e (state, event, credit) ON e.state = r.state
), missing AS (
    SELECT w.*, row_number() OVER (ORDER BY payment_id DESC, place DESC, refund_id DESC) AS before
      FROM wanted AS w
     WHERE NOT EXISTS (SELECT FROM bookings_ledgerentry AS l
                        WHERE l.payment_id = w.payment_id AND l.event = w.event
                          AND l.refund_id IS NOT DISTINCT FROM w.refund_id)
)
INSERT INTO bookings_ledgerentry
       (id, booking_id, payment_id, refund_id, event, debit, credit, amount, currency, created_at)
SELECT (SELECT least(min(id), 1) FROM bookings_ledgerentry) - before, booking_id, payment_id, refund_id, event,
       debit, credit, amount, currency, created_at
  FROM missing
    ON CONFLICT DO NOTHING
"""


class Migration(migrations.Migration):

    dependencies = [
        ('bookings', '0004_corrected_names'),
    ]

    operations = [
        migrations.RunSQL(BACK_FILL, migrations.RunSQL.noop),
    ]
