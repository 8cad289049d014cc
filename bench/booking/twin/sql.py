"""The twin's statements, by asyncpg's placeholders; each is prepared once a connection."""

SESSION = """
SELECT u.id, u.public_id, u.username, u.email, u.given_name, u.family_name
  FROM accounts_session AS s JOIN accounts_user AS u ON u.id = s.user_id
 WHERE s.sid = $1 AND s.ended_at IS NULL AND s.expires_at > now() AND u.is_active
"""
ON_OFFER = """
SELECT fl.id, fl.status, fl.airline_id || fl.number AS designator, al.name AS airline, al.ticketing_code,
       fl.origin_id AS origin, fl.destination_id AS destination, a.city AS origin_city,
       b.city AS destination_city, a.time_zone AS origin_zone, b.time_zone AS destination_zone,
       fl.scheduled_departure AS departure, fl.scheduled_arrival AS arrival, f.code, f.cabin, i.currency,
       f.refundable, f.change_fee, round(i.base_price * f.multiplier, 2) AS price,
       greatest(i.available - ceil(i.capacity * f.protected_share), 0)::int AS seats_left
  FROM flights_flight AS fl
  JOIN flights_airline AS al ON al.code = fl.airline_id
  JOIN flights_airport AS a ON a.iata = fl.origin_id
  JOIN flights_airport AS b ON b.iata = fl.destination_id
  LEFT JOIN (flights_cabininventory AS i JOIN flights_farefamily AS f ON f.cabin = i.cabin AND f.is_open)
    ON i.flight_id = fl.id AND i.cabin = $2
 WHERE fl.id = $1
 ORDER BY price, f.code
"""
KEY = "SELECT fingerprint, status, body FROM bookings_idempotencykey WHERE user_id = $1 AND key = $2"
BEGIN = """
WITH key AS (
    INSERT INTO bookings_idempotencykey
           (user_id, key, fingerprint, attempt_id, lease_until, lease_token, content_type)
    VALUES ($1, $2, $3, nextval('bookings_paymentattempt_id_seq'), now() + $4::interval, $5, '')
    ON CONFLICT (user_id, key) DO NOTHING
    RETURNING attempt_id
)
INSERT INTO bookings_paymentattempt (id, key, user_id, gateway, token, amount, currency, state, lease_until,
                                     lease_token, reference, detail, tries)
SELECT key.attempt_id, $6, $1, 'sandbox', $7, $8, $9, 'started', now() + $4::interval, $5, '', '', 0
  FROM key
RETURNING id, key, nextval('bookings_ticket_serial') AS serial
"""
AUTHORISE = """
INSERT INTO bookings_sandboxpayment (key, token, amount, currency, state, refunded)
VALUES ($1, $2, $3, $4, $5, 0) ON CONFLICT (key) DO NOTHING
"""
SELL = """
WITH kept AS (
    UPDATE bookings_idempotencykey
       SET status = 201, content_type = 'application/json', body = $1, lease_until = now()
     WHERE user_id = $2 AND key = $3 AND lease_token = $4 AND status IS NULL
    RETURNING 1
), booking AS (
    INSERT INTO bookings_booking (public_id, record_locator, user_id, status, total, currency,
                                  payment_method, confirmed_at, end_reason)
    SELECT $5, $6, $2, 'Confirmed', $7, $8, $9, now(), '' FROM kept
    RETURNING id
), payment AS (
    UPDATE bookings_paymentattempt AS p
       SET state = 'to_capture', changed_at = now(), booking_id = booking.id, reference = $10,
           lease_until = now(), tries = 0
      FROM booking
     WHERE p.id = $11 AND p.lease_token = $4 AND p.state IN ('started', 'unknown', 'authorised')
    RETURNING p.id
), posted AS (
    INSERT INTO bookings_ledgerentry (booking_id, payment_id, event, debit, credit, amount, currency)
    SELECT booking.id, payment.id, 'authorised', 'authorised', 'sales', $7, $8 FROM booking, payment
), passenger AS (
    INSERT INTO bookings_passenger (booking_id, position, given_name, family_name, type)
    SELECT id, 0, $12, $13, 'adult' FROM booking RETURNING id
), segment AS (
    INSERT INTO bookings_segment (booking_id, position, flight_id, cabin, fare, refundable, change_fee,
                                  seats_claimed)
    SELECT id, 0, $14, $15, $16, $17, $18, 1 FROM booking RETURNING id
), coupon AS (
    INSERT INTO bookings_coupon (segment_id, passenger_id, price, ticket_number, coupon_number, check_digit)
    SELECT segment.id, passenger.id, $7, $19, 1, $20 FROM segment, passenger
), followed AS (
    INSERT INTO subscriptions_subscription (user_id, flight_id, source) SELECT $2, $14, $5 FROM booking
    ON CONFLICT ON CONSTRAINT subscription_unique DO NOTHING
), letter AS (
    INSERT INTO accounts_mail (key, "to", subject, text, state, attempts, last_error)
    SELECT $21, $22, $23, $24, 'pending', 0, '' FROM booking ON CONFLICT (key) DO NOTHING
)
SELECT booking.id FROM booking, payment
"""
CLAIM = """
UPDATE flights_cabininventory AS i
   SET available = i.available - 1
  FROM flights_farefamily AS f
 WHERE i.flight_id = $1 AND i.cabin = $2
   AND f.code = $3 AND f.cabin = i.cabin AND f.is_open
   AND round(i.base_price * f.multiplier, 2) = $4
   AND i.available - 1 >= ceil(i.capacity * f.protected_share)
   AND i.is_open AND i.closes_at > clock_timestamp()
"""
