"""The SQL of the schedule's import: a staging table, and the one statement that makes a day's flights out of
it.

All times of the staging table are naive clocks at the origin; the airports' zones turn them into instants
here, so that daylight saving is the database's own zone table's business. Rules of the return legs are in
docs/data.md.
"""

from __future__ import annotations

# The row is the claim: a second loader of the same day waits for the first one's end, and then finds it
# taken.
CLAIM_DAY = """
INSERT INTO flights_scheduleday (day, source_date) VALUES (%s, %s) ON CONFLICT DO NOTHING RETURNING day
"""

# Temporary: neither logged nor seen by others. Emptied before use, because a transaction may load several
# days.
CREATE_STAGING = """
CREATE TEMPORARY TABLE IF NOT EXISTS schedule_staging (
    airline text, number int, origin text, destination text, departs timestamp, block interval,
    block_back interval, turnaround interval, may_leave_late boolean, aircraft text, price numeric,
    source_date date
) ON COMMIT DROP;
TRUNCATE schedule_staging
"""

COPY_STAGING = "COPY schedule_staging FROM STDIN (FORMAT csv)"

# The staging table has no statistics, and a nested loop over it would be quadratic.
SET_PLAN = "SET LOCAL enable_nestloop = off"
RESET_PLAN = "SET LOCAL enable_nestloop TO DEFAULT"

# Returns one row: flights added, inventory rows added.
INSERT_DAY = """
WITH outbound AS MATERIALIZED (
    SELECT s.*,
           s.departs AT TIME ZONE o.time_zone AS departure,
           s.departs AT TIME ZONE o.time_zone + s.block AS arrival,
           d.time_zone AS away_zone
      FROM schedule_staging s
      JOIN flights_airport o ON o.iata = s.origin
      JOIN flights_airport d ON d.iata = s.destination
), ready AS MATERIALIZED (
    -- Ready to go back: turned round, on the next full five minutes.
    SELECT outbound.*,
           date_bin('5 minutes', arrival + turnaround + interval '4 minutes 59 seconds',
                    timestamptz '2013-01-01 00:00Z') AT TIME ZONE away_zone AS ready
      FROM outbound
), back AS MATERIALIZED (
    -- Nobody leaves at night, but a long flight eastward may until one o'clock: the red-eye.
    SELECT ready.*,
           CASE WHEN ready::time >= CASE WHEN may_leave_late THEN time '01:00' ELSE time '00:00' END
                     AND ready::time < time '06:00'
                  OR ready::time >= time '23:00' AND NOT may_leave_late
                THEN date_trunc('day', ready + interval '1 hour') + interval '6 hours'
                     + number %% 12 * interval '5 minutes'
                ELSE ready
           END AS departs_back
      FROM ready
), back_once AS (
    -- A flight number leaves an airport for one destination once a day.
    SELECT DISTINCT ON (airline, number, origin, destination) *
      FROM back
     WHERE departs_back::date = %(day)s
     ORDER BY airline, number, origin, destination, departs_back, source_date
), legs AS MATERIALIZED (
    SELECT airline, number, origin, destination, departs, departure, arrival, aircraft, price, source_date,
           false AS is_derived
      FROM outbound
     WHERE departs::date = %(day)s
     UNION ALL
    SELECT airline, number, destination, origin, departs_back, departs_back AT TIME ZONE away_zone,
           departs_back AT TIME ZONE away_zone + block_back, aircraft, price, source_date, true
      FROM back_once
), added AS (
    INSERT INTO flights_flight (
        airline_id, number, origin_id, destination_id, departure_date, scheduled_departure, scheduled_arrival,
        aircraft_type_id, is_derived, source_date, status, reason, gate, terminal, sequence)
    SELECT airline, number, origin, destination, departs::date, departure, arrival,
           aircraft, is_derived, source_date, 'Scheduled', '', '', '', 0
      FROM legs
     ORDER BY departure, airline, number, origin, destination
    ON CONFLICT DO NOTHING
    RETURNING id, airline_id, number, origin_id, destination_id, scheduled_departure, aircraft_type_id
), seats AS (
    INSERT INTO flights_cabininventory (
        flight_id, cabin, capacity, available, base_price, currency, is_open, closes_at)
    SELECT added.id, layout.cabin, layout.capacity, layout.capacity,
           round(legs.price
                 * (%(weekdays)s::numeric[])[extract(isodow FROM legs.departs)::int]
                 * (%(months)s::numeric[])[extract(month FROM legs.departs)::int]
                 * (%(hours)s::numeric[])[extract(hour FROM legs.departs)::int + 1]
                 * factors.factor, 2),
           %(currency)s, true, added.scheduled_departure - %(closes_before)s
      FROM added
      JOIN legs ON legs.origin = added.origin_id AND legs.destination = added.destination_id
               AND legs.departure = added.scheduled_departure AND legs.airline = added.airline_id
               AND legs.number = added.number
      JOIN (SELECT aircraft_type_id, cabin, (last_row - first_row + 1) * length(letters) AS capacity
              FROM flights_cabinlayout) layout ON layout.aircraft_type_id = added.aircraft_type_id
      JOIN unnest(%(cabins)s::text[], %(factors)s::numeric[]) AS factors (cabin, factor)
        ON factors.cabin = layout.cabin
     ORDER BY added.id, layout.cabin
    RETURNING 1
)
SELECT (SELECT count(*) FROM added), (SELECT count(*) FROM seats)
"""

ANALYZE = "ANALYZE flights_flight, flights_cabininventory"
