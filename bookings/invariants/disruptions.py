"""Bookings against what the airline did to their flights."""

from __future__ import annotations

from flightbook.invariants import Check
from flights.public import CANCELLED_SINCE

DISRUPTIONS = (
    Check(
        name="bookings.nobody_left_on_a_cancelled_flight",
        rule="who is booked on a cancelled flight has the choice of another one, or is about to be refunded",
        rows=f"""
        SELECT format('%%s, %%s: FL%%s, cancelled %%s', b.public_id, b.status, s.flight_id, c.since),
               EXISTS (SELECT FROM bookings_disruption AS d
                        WHERE d.booking_id = b.id AND d.flight_id = s.flight_id
                          AND d.kind = 'cancelled' AND d.state = 'open')
               OR (NOT %(settled)s AND c.since > %(late)s)
          FROM ({CANCELLED_SINCE}) AS c
          JOIN bookings_segment AS s ON s.flight_id = c.flight_id AND s.status = 'Booked'
          JOIN bookings_booking AS b ON b.id = s.booking_id AND b.status IN ('Held', 'Confirmed')
        """,
    ),
    Check(
        name="bookings.disruption_settled_in_time",
        rule="what the airline did to a booking is open, or ended somehow; no choice is open beyond its time",
        rows="""
        SELECT format('booking %%s, FL%%s: %%s, choice until %%s, settled %%s', booking_id, flight_id, state,
                      choice_until, settled_at),
               (state = 'open') = (settled_at IS NULL)
               AND (choice_until IS NULL OR (state = 'open' AND choice_until > %(late)s))
          FROM bookings_disruption
        """,
    ),
)
