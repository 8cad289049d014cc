"""After the load: no more faults, and all that was begun comes to its end."""

from __future__ import annotations

import time

from bench.race.servers import Servers, eventually

# What is still on its way, by name; the auditor wants none of it.
_OPEN = {
    "payments not settled": """
        SELECT count(*) FROM bookings_paymentattempt
         WHERE state IN ('started', 'unknown', 'authorised', 'to_capture', 'to_void')""",
    "refunds not made": """
        SELECT count(*) FROM bookings_refund AS r JOIN bookings_paymentattempt AS p ON p.id = r.payment_id
         WHERE r.state = 'requested' AND p.state = 'captured'""",
    "holds": "SELECT count(*) FROM bookings_booking WHERE status = 'Held'",
    "updates not carried over to bookings": """
        SELECT count(*) FROM flights_feed WHERE pending AND consumer_id = 'disruption'""",
    "keys leased": """
        SELECT count(*) FROM bookings_idempotencykey
         WHERE status IS NULL AND lease_until > clock_timestamp()""",
}
# Waiting times after silence grow to an hour; holds last half an hour. Nobody is at work on these rows now.
_HURRY = (
    "UPDATE bookings_booking SET payment_due_by = clock_timestamp() WHERE status = 'Held'",
    "UPDATE bookings_refund SET due_at = clock_timestamp() WHERE state = 'requested' AND tries > 2",
    """UPDATE bookings_paymentattempt SET lease_until = clock_timestamp()
        WHERE state IN ('unknown', 'to_capture', 'to_void') AND tries > 2""",
)


def drain(servers: Servers, *, seconds: float) -> tuple[float, dict[str, int]]:
    """Waits until nothing is on its way; how long that took, and what was still open when time was up."""
    began, left = time.monotonic(), dict[str, int]()
    connection = servers.connect()

    def is_settled() -> bool:
        servers.replace_dead_workers()
        with connection.cursor() as cursor:
            left.clear()
            for name, statement in _OPEN.items():
                cursor.execute(statement)
                [count] = cursor.fetchone() or (0,)
                if count:
                    left[name] = count
        return not left

    try:
        with connection.cursor() as cursor:
            for statement in _HURRY:
                cursor.execute(statement)
        eventually(is_settled, seconds=seconds)
    except TimeoutError:
        pass
    finally:
        connection.close()
    return time.monotonic() - began, left
