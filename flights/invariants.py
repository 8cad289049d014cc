"""What must always hold among flights, their counters, seat numbers, log and feeds; and the relations that an
app above may compare its own rows with."""

from __future__ import annotations

from flightbook.invariants import Check
from flights.transitions import ON_SALE

# A SELECT for the audits of apps above: the seats that are gone from each counter. What may be sold at all is
# capacity and overbooking; what was sold beyond it, before the aircraft became smaller, is the excess.
SEATS_GONE = """
SELECT flight_id, cabin, capacity::int AS capacity, available::int AS available,
       capacity + overbooking + excess - available AS gone
  FROM flights_cabininventory
"""
# Likewise: the seat numbers that are held now, and by whom.
SEATS_HELD = """
SELECT flight_id, seat, cabin, holder, passenger::int AS passenger
  FROM flights_seatassignment
 WHERE released_at IS NULL
"""
# Likewise: the flights that are cancelled, and since when.
CANCELLED_SINCE = """
SELECT f.id AS flight_id, u.recorded_at AS since
  FROM flights_flight AS f
  JOIN flights_flightupdate AS u ON u.flight_id = f.id AND u.sequence = f.sequence
 WHERE f.status = 'Cancelled'
"""
_ON_SALE = ", ".join(f"'{status}'" for status in sorted(ON_SALE))

_COUNTERS = (
    Check(
        name="flights.counter_in_bounds",
        rule="a cabin has no fewer seats left than none, and no more than its capacity and its overbooking",
        rows="""
        SELECT format('FL%%s %%s: %%s of %%s + %%s', flight_id, cabin, available, capacity, overbooking),
               available BETWEEN 0 AND capacity + overbooking AND overbooking >= 0
          FROM flights_cabininventory
        """,
    ),
    Check(
        name="flights.excess_sells_nothing",
        rule="a cabin with more travellers than it may have sells nothing",
        rows="""
        SELECT format('FL%%s %%s: %%s left, %%s too many', flight_id, cabin, available, excess),
               excess = 0 OR (excess > 0 AND available = 0)
          FROM flights_cabininventory
        """,
    ),
    Check(
        name="flights.closed_when_gone",
        rule="a flight that was cancelled or has left sells nothing",
        rows=f"""
        SELECT format('FL%%s %%s: %%s, open', f.id, i.cabin, f.status), NOT i.is_open
          FROM flights_cabininventory AS i JOIN flights_flight AS f ON f.id = i.flight_id
         WHERE f.status NOT IN ({_ON_SALE})
        """,
    ),
)
_SEATS = (
    Check(
        name="flights.seat_held_once",
        rule="a seat of a flight has one holder at most",
        rows="""
        SELECT format('FL%%s %%s: %%s holders', flight_id, seat, count(*)), count(*) = 1
          FROM flights_seatassignment WHERE released_at IS NULL
         GROUP BY flight_id, seat
        """,
    ),
    Check(
        name="flights.one_seat_per_passenger",
        rule="a passenger has one seat at most on a flight",
        rows="""
        SELECT format('FL%%s %%s #%%s: %%s seats', flight_id, holder, passenger, count(*)), count(*) = 1
          FROM flights_seatassignment WHERE released_at IS NULL
         GROUP BY flight_id, holder, passenger
        """,
    ),
    Check(
        name="flights.seat_of_the_aircraft",
        rule="a seat that is held is one of that cabin of the flight's aircraft",
        rows="""
        SELECT format('FL%%s %%s: none of the %%s''s %%s', s.flight_id, s.seat, f.aircraft_type_id, s.cabin),
               s.seat ~ '^[1-9][0-9]?[A-Z]$'
               AND substring(s.seat FROM '^[0-9]{1,2}')::int BETWEEN l.first_row AND l.last_row
               AND strpos(l.letters, right(s.seat, 1)) > 0
          FROM flights_seatassignment AS s
          JOIN flights_flight AS f ON f.id = s.flight_id
          LEFT JOIN flights_cabinlayout AS l ON l.aircraft_type_id = f.aircraft_type_id AND l.cabin = s.cabin
         WHERE s.released_at IS NULL
        """,
    ),
    Check(
        name="flights.displaced_is_work_or_settled",
        rule="who lost a seat to a change of aircraft and was not settled has no seat on the flight",
        rows="""
        SELECT format('FL%%s %%s: %%s #%%s has %%s', d.flight_id, d.seat, d.holder, d.passenger, s.seat),
               d.settled_at IS NOT NULL OR s.id IS NULL
          FROM flights_displacedseat AS d
          LEFT JOIN flights_seatassignment AS s
            ON s.flight_id = d.flight_id AND s.holder = d.holder AND s.passenger = d.passenger
           AND s.released_at IS NULL
        """,
    ),
)
_LOG = (
    Check(
        name="flights.log_without_gaps",
        rule="a flight's updates are numbered 1, 2, 3 … up to the flight's own sequence",
        rows="""
        SELECT format('FL%%s: sequence %%s, %%s updates up to %%s', f.id, f.sequence, u.n, u.last),
               f.sequence = coalesce(u.n, 0)
               AND (u.n IS NULL OR (u.first = 1 AND u.last = u.n AND u.different = u.n))
          FROM flights_flight AS f
          LEFT JOIN (SELECT flight_id, count(*) AS n, count(DISTINCT sequence) AS different,
                            min(sequence) AS first, max(sequence) AS last
                       FROM flights_flightupdate GROUP BY flight_id) AS u ON u.flight_id = f.id
        """,
    ),
    Check(
        name="flights.state_is_the_last_update",
        rule="a flight is as its last update left it",
        rows="""
        SELECT format('FL%%s: %%s, update %%s says %%s', f.id, f.status, u.sequence, u.status),
               (f.status, f.delay_minutes, f.reason, f.gate, f.terminal, f.scheduled_departure,
                f.scheduled_arrival, f.estimated_departure, f.estimated_arrival)
               IS NOT DISTINCT FROM
               (u.status, u.delay_minutes, u.reason, u.gate, u.terminal, u.scheduled_departure,
                u.scheduled_arrival, u.estimated_departure, u.estimated_arrival)
          FROM flights_flight AS f
          JOIN flights_flightupdate AS u ON u.flight_id = f.id AND u.sequence = f.sequence
        """,
    ),
    Check(
        name="flights.feed_behind_the_flight",
        rule="no reader is ahead of a flight's log, and one that is behind knows that there is more",
        rows="""
        SELECT format('%%s of FL%%s: at %%s of %%s', d.consumer_id, f.id, d.done_sequence, f.sequence),
               d.done_sequence = f.sequence OR (d.done_sequence < f.sequence AND d.pending)
          FROM flights_feed AS d JOIN flights_flight AS f ON f.id = d.flight_id
        """,
    ),
)


def invariants() -> tuple[Check, ...]:
    """What the auditor looks at."""
    return (*_COUNTERS, *_SEATS, *_LOG)
