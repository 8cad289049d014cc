"""Bookings against what was taken for them: seats, seat numbers, subscriptions; and a booking in itself."""

from __future__ import annotations

from flightbook.invariants import Check
from flights.public import SEATS_GONE, SEATS_HELD
from subscriptions.public import BROUGHT_BY_A_SOURCE

SEATS = (
    Check(
        name="bookings.seats_sold_once",
        rule="the seats gone from a cabin are those that its held and confirmed bookings claim",
        rows=f"""
        SELECT format('FL%%s %%s: %%s seats, %%s left, %%s claimed', flight_id, cabin, c.capacity,
                      c.available, coalesce(s.claimed, 0)),
               c.gone = coalesce(s.claimed, 0)
          FROM ({SEATS_GONE}) AS c
          FULL JOIN (SELECT s.flight_id, s.cabin, sum(s.seats_claimed)::int AS claimed
                       FROM bookings_segment AS s JOIN bookings_booking AS b ON b.id = s.booking_id
                      WHERE b.status IN ('Held', 'Confirmed') AND s.status = 'Booked'
                      GROUP BY s.flight_id, s.cabin) AS s USING (flight_id, cabin)
        """,
    ),
    Check(
        name="bookings.segment_claims_its_travellers",
        rule="a booked segment claims a seat for each passenger who was not cancelled, but infants",
        rows="""
        SELECT format('%%s: %%s claimed on FL%%s', b.public_id, s.seats_claimed, s.flight_id),
               s.seats_claimed = coalesce(p.seated, 0)
          FROM bookings_segment AS s
          JOIN bookings_booking AS b ON b.id = s.booking_id
          LEFT JOIN (SELECT booking_id, count(*) FILTER (WHERE type <> 'infant') AS seated
                       FROM bookings_passenger WHERE cancelled_at IS NULL
                      GROUP BY booking_id) AS p ON p.booking_id = b.id
         WHERE s.status = 'Booked'
        """,
    ),
    Check(
        name="bookings.seat_of_a_traveller",
        rule="a seat number is held for a seated passenger of a held or confirmed booking of that cabin",
        rows=f"""
        SELECT format('FL%%s %%s: %%s #%%s', h.flight_id, h.seat, h.holder, h.passenger),
               b.status IN ('Held', 'Confirmed') AND s.id IS NOT NULL
               AND p.type <> 'infant' AND p.cancelled_at IS NULL
          FROM ({SEATS_HELD}) AS h
          LEFT JOIN bookings_booking AS b ON b.public_id = h.holder
          LEFT JOIN bookings_segment AS s
            ON s.booking_id = b.id AND s.flight_id = h.flight_id AND s.cabin = h.cabin
           AND s.status = 'Booked'
          LEFT JOIN bookings_passenger AS p ON p.booking_id = b.id AND p.position = h.passenger
        """,
    ),
    # Not the reverse: a traveller may well unfollow a flight that is booked.
    Check(
        name="bookings.followed_while_live",
        rule="a booking brings its own user its own flights to follow, and none once it has ended",
        rows=f"""
        SELECT format('user %%s, FL%%s by %%s', f.user_id, f.flight_id, f.source),
               b.status IN ('Held', 'Confirmed') AND b.user_id = f.user_id AND s.id IS NOT NULL
          FROM ({BROUGHT_BY_A_SOURCE}) AS f
          LEFT JOIN bookings_booking AS b ON b.public_id = f.source
          LEFT JOIN bookings_segment AS s
            ON s.booking_id = b.id AND s.flight_id = f.flight_id AND s.status = 'Booked'
        """,
    ),
    Check(
        name="bookings.hold_ends_in_time",
        rule="a hold has a time, and is over soon after it",
        rows="""
        SELECT format('%%s: due by %%s', public_id, payment_due_by),
               payment_due_by IS NOT NULL AND payment_due_by > %(late)s
          FROM bookings_booking WHERE status = 'Held'
        """,
    ),
    Check(
        name="bookings.times_tell_the_status",
        rule="a booking that was confirmed, or has ended, says when; one that lives has not ended",
        rows="""
        SELECT format('%%s: %%s, confirmed %%s, ended %%s', public_id, status, confirmed_at, ended_at),
               (status NOT IN ('Held', 'Expired') OR confirmed_at IS NULL)
               AND (status <> 'Confirmed' OR confirmed_at IS NOT NULL)
               AND (status IN ('Cancelled', 'Expired')) = (ended_at IS NOT NULL)
          FROM bookings_booking
        """,
    ),
)
