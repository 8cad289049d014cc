"""A booking in itself: what it is made of, what that costs, and the tickets for it."""

from __future__ import annotations

from flightbook.invariants import Check

_LIVE = "b.status IN ('Held', 'Confirmed')"

_PARTS = (
    Check(
        name="bookings.total_is_its_coupons",
        rule="a booking's total is the sum of its coupons that were not exchanged, and of its charges",
        rows="""
        SELECT format('%%s: %%s, coupons of %%s, charges of %%s', b.public_id, b.total, coalesce(c.sum, 0),
                      coalesce(f.sum, 0)),
               b.total = c.sum + coalesce(f.sum, 0)
          FROM bookings_booking AS b
          LEFT JOIN (SELECT s.booking_id, sum(c.price) FILTER (WHERE c.status <> 'Exchanged') AS sum
                       FROM bookings_coupon AS c JOIN bookings_segment AS s ON s.id = c.segment_id
                      GROUP BY s.booking_id) AS c ON c.booking_id = b.id
          LEFT JOIN (SELECT booking_id, sum(amount) AS sum FROM bookings_charge GROUP BY booking_id) AS f
            ON f.booking_id = b.id
        """,
    ),
    Check(
        name="bookings.a_coupon_each",
        rule="a booked segment has an open coupon for each traveller who was not cancelled",
        rows="""
        SELECT format('%%s: %%s travellers, %%s open coupons for FL%%s', b.public_id, p.n, c.n, s.flight_id),
               p.n = c.n
          FROM bookings_segment AS s
          JOIN bookings_booking AS b ON b.id = s.booking_id
          LEFT JOIN (SELECT booking_id, count(*) AS n FROM bookings_passenger
                      WHERE cancelled_at IS NULL GROUP BY booking_id) AS p ON p.booking_id = b.id
          LEFT JOIN (SELECT segment_id, count(*) AS n FROM bookings_coupon
                      WHERE status = 'Open' GROUP BY segment_id) AS c ON c.segment_id = s.id
         WHERE s.status = 'Booked'
        """,
    ),
    Check(
        name="bookings.segment_as_its_booking",
        rule="the segments of a held or confirmed booking are booked, but for what the airline cancelled of "
        "one that was flown in part; those of an ended one are not",
        rows=f"""
        SELECT format('%%s, %%s: FL%%s %%s', b.public_id, b.status, s.flight_id, s.status),
               s.status = 'Exchanged' OR (s.status = 'Booked') = ({_LIVE})
               OR (s.status = 'Cancelled' AND EXISTS (
                     SELECT FROM bookings_disruption AS d
                      WHERE d.booking_id = b.id AND d.state = 'refunded'))
          FROM bookings_segment AS s JOIN bookings_booking AS b ON b.id = s.booking_id
        """,
    ),
    Check(
        name="bookings.coupon_as_its_traveller",
        rule="a coupon is open while its segment is booked and its traveller is not cancelled, both of one "
        "booking",
        rows="""
        SELECT format('%%s: coupon %%s, %%s', b.public_id, c.id, c.status),
               p.booking_id = b.id
               AND (c.status = 'Open') = (s.status = 'Booked' AND p.cancelled_at IS NULL)
               AND (c.status <> 'Exchanged' OR s.status = 'Exchanged')
          FROM bookings_coupon AS c
          JOIN bookings_segment AS s ON s.id = c.segment_id
          JOIN bookings_booking AS b ON b.id = s.booking_id
          JOIN bookings_passenger AS p ON p.id = c.passenger_id
        """,
    ),
    Check(
        name="bookings.nothing_back_of_an_open_coupon",
        rule="what goes back is of a coupon that is good for no flight any more",
        rows="""
        SELECT format('coupon %%s, %%s: %%s back', id, status, refunded), refunded = 0 OR status <> 'Open'
          FROM bookings_coupon
        """,
    ),
)
_TICKETS = (
    Check(
        name="bookings.ticket_when_paid",
        rule="an open coupon of a confirmed booking has its ticket, one of a hold has none",
        rows="""
        SELECT format('%%s, %%s: coupon %%s of ticket %%s', b.public_id, b.status, c.id, c.ticket_number),
               (c.ticket_number <> '') = (b.status = 'Confirmed')
          FROM bookings_coupon AS c
          JOIN bookings_segment AS s ON s.id = c.segment_id
          JOIN bookings_booking AS b ON b.id = s.booking_id
         WHERE c.status = 'Open'
        """,
    ),
    Check(
        name="bookings.ticket_in_form",
        rule="a ticket has thirteen digits, the last ten modulo 7 are its check digit, coupons are 1 to 4",
        rows="""
        SELECT format('%%s/%%s, check digit %%s', ticket_number, coupon_number, check_digit),
               ticket_number ~ '^[0-9]{13}$' AND coupon_number BETWEEN 1 AND 4
               AND check_digit = substr(ticket_number, 4)::bigint %% 7
          FROM bookings_coupon WHERE ticket_number <> ''
        """,
    ),
    Check(
        name="bookings.ticket_of_one_traveller",
        rule="a ticket is one traveller's, each of its coupons once",
        rows="""
        SELECT format('%%s: %%s travellers, %%s coupons', ticket_number, count(DISTINCT passenger_id),
                      count(*)),
               count(DISTINCT passenger_id) = 1 AND count(*) = count(DISTINCT coupon_number)
          FROM bookings_coupon WHERE ticket_number <> ''
         GROUP BY ticket_number
        """,
    ),
)

PRICES = (*_PARTS, *_TICKETS)
