from django.db import migrations, models


# What was paid before there were tickets gets them now: one a passenger for up to four flights.
TICKETS = """
WITH places AS (
    SELECT c.id, c.passenger_id, b.id AS booking_id,
           row_number() OVER (PARTITION BY c.passenger_id ORDER BY s.position) - 1 AS place
      FROM bookings_coupon AS c
      JOIN bookings_segment AS s ON s.id = c.segment_id
      JOIN bookings_booking AS b ON b.id = s.booking_id
     WHERE b.status = 'Confirmed' AND c.status = 'Open' AND c.ticket_number = ''
), carriers AS (
    SELECT DISTINCT ON (s.booking_id) s.booking_id, a.ticketing_code
      FROM bookings_segment AS s
      JOIN flights_flight AS f ON f.id = s.flight_id
      JOIN flights_airline AS a ON a.code = f.airline_id
     ORDER BY s.booking_id, s.position
), tickets AS MATERIALIZED (
    SELECT passenger_id, book, nextval('bookings_ticket_serial') AS serial
      FROM (SELECT DISTINCT passenger_id, place / 4 AS book FROM places ORDER BY 1, 2) AS books
)
UPDATE bookings_coupon AS c
   SET ticket_number = carriers.ticketing_code || lpad(tickets.serial::text, 10, '0'),
       coupon_number = places.place % 4 + 1,
       check_digit = tickets.serial % 7
  FROM places
  JOIN carriers ON carriers.booking_id = places.booking_id
  JOIN tickets ON tickets.passenger_id = places.passenger_id AND tickets.book = places.place / 4
 WHERE c.id = places.id
"""


class Migration(migrations.Migration):

    dependencies = [
        ('bookings', '0003_ledger_tickets_quotes'),
    ]

    operations = [
        migrations.RunSQL(TICKETS, migrations.RunSQL.noop),
        migrations.AddField(
            model_name='passenger',
            name='booked_as',
            field=models.JSONField(blank=True, help_text='Given and family name of the sale, once they were corrected', null=True),
        ),
    ]
