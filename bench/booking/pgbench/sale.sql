-- The rows and commits of one paid booking, a statement a round trip: what the database alone would take.
-- No read is among them: the session, the flight and its fares are given.
\set flight random(:first, :last)
\set traveller random(:travellers_first, :travellers_last)
BEGIN;
INSERT INTO bookings_paymentattempt (key, user_id, gateway, token, amount, currency, state, lease_until, lease_token, reference, detail, tries) VALUES (gen_random_uuid(), :traveller, 'sandbox', '', 100.00, 'USD', 'started', now() + interval '30 s', gen_random_uuid(), '', '', 0) RETURNING id AS attempt, key AS payment_key, lease_token, nextval('bookings_ticket_serial') AS serial \gset
INSERT INTO bookings_idempotencykey (user_id, key, fingerprint, attempt_id, lease_until, lease_token, content_type) VALUES (:traveller, ':serial', repeat('f', 64), :attempt, now() + interval '30 s', ':lease_token', '') ON CONFLICT (user_id, key) DO NOTHING;
COMMIT;
INSERT INTO bookings_sandboxpayment (key, token, amount, currency, state, refunded) VALUES (':payment_key', '', 100.00, 'USD', 'authorised', 0) ON CONFLICT (key) DO NOTHING;
BEGIN;
UPDATE bookings_idempotencykey SET status = 201, content_type = 'application/json', body = convert_to(repeat('x', 800), 'UTF8'), lease_until = now() WHERE user_id = :traveller AND key = ':serial' AND lease_token = ':lease_token' AND status IS NULL;
INSERT INTO bookings_booking (public_id, record_locator, user_id, status, total, currency, payment_method, confirmed_at, end_reason) VALUES ('bkg' || lpad(:serial::text, 12, '0'), lpad((:serial % 1000000)::text, 6, '0'), :traveller, 'Confirmed', 100.00, 'USD', 'credit_card', now(), '') RETURNING id AS booking \gset
UPDATE bookings_paymentattempt SET state = 'to_capture', changed_at = now(), booking_id = :booking, reference = 'sandbox-:payment_key', lease_until = now(), tries = 0 WHERE id = :attempt AND lease_token = ':lease_token' AND state IN ('started', 'unknown', 'authorised');
INSERT INTO bookings_ledgerentry (booking_id, payment_id, event, debit, credit, amount, currency) VALUES (:booking, :attempt, 'authorised', 'authorised', 'sales', 100.00, 'USD');
INSERT INTO bookings_passenger (booking_id, position, given_name, family_name, type) VALUES (:booking, 0, 'Ada', 'Lovelace', 'adult') RETURNING id AS passenger \gset
INSERT INTO bookings_segment (booking_id, position, flight_id, cabin, fare, refundable, change_fee, seats_claimed) VALUES (:booking, 0, :flight, 'economy', 'ELIGHT', false, NULL, 1) RETURNING id AS segment \gset
INSERT INTO bookings_coupon (segment_id, passenger_id, price, ticket_number, coupon_number, check_digit) VALUES (:segment, :passenger, 100.00, '001:serial', 1, :serial % 7);
INSERT INTO subscriptions_subscription (user_id, flight_id, source) VALUES (:traveller, :flight, 'bkg' || lpad(:serial::text, 12, '0')) ON CONFLICT ON CONSTRAINT subscription_unique DO NOTHING;
INSERT INTO accounts_mail (key, "to", subject, text, state, attempts, last_error) VALUES ('booking:' || :serial || ':confirmed', 'traveller@example.com', 'Your booking is confirmed', repeat('x', 450), 'pending', 0, '') ON CONFLICT (key) DO NOTHING;
UPDATE flights_cabininventory AS i SET available = i.available - 1 FROM flights_farefamily AS f WHERE i.flight_id = :flight AND i.cabin = 'economy' AND f.code = 'ELIGHT' AND f.cabin = i.cabin AND f.is_open AND round(i.base_price * f.multiplier, 2) = 100.00 AND i.available - 1 >= ceil(i.capacity * f.protected_share) AND i.is_open AND i.closes_at > clock_timestamp();
COMMIT;
