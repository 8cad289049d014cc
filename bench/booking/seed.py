"""What is on sale in the bench, and who buys: `python -m bench.booking.seed world.json`, once.

A thousand like flights and one that all want, each with more seats than a cell can sell; travellers who are
logged in; and two thousand bookings, settled. Without those each connection would plan its look-ups on empty
tables, to be read from end to end, and keep the plans: 1,944 sales of one cell read 6 million rows of
bookings in 7,048 sequential scans. No airline's database begins every day empty.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
from datetime import timedelta
from pathlib import Path

import django
from django.core.management import call_command

FLIGHTS, SEATS, TRAVELLERS, BOOKED = 1000, 30_000, 1000, 2000
_MORE_FLIGHTS = """
INSERT INTO flights_flight (airline_id, number, origin_id, destination_id, departure_date,
    scheduled_departure, scheduled_arrival, status, reason, gate, terminal, aircraft_type_id, is_derived,
    sequence)
SELECT airline_id, number + n, origin_id, destination_id, departure_date, scheduled_departure,
       scheduled_arrival, status, reason, gate, terminal, aircraft_type_id, is_derived, sequence
  FROM flights_flight, generate_series(1, %s) AS n WHERE id = %s
RETURNING id
"""
_THEIR_SEATS = """
INSERT INTO flights_cabininventory (flight_id, cabin, capacity, available, overbooking, excess, base_price,
                                    currency, is_open, closes_at)
SELECT f, cabin, capacity, available, overbooking, excess, base_price, currency, is_open, closes_at
  FROM flights_cabininventory, unnest(%s::bigint[]) AS f WHERE flight_id = %s
"""


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flightbook.settings")
    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    call_command("create_token_keys", stdout=sys.stderr)
    from django.db import connection  # noqa: PLC0415  # the settings must be there

    from flights.tests.factories import make_flight  # noqa: PLC0415

    hot = make_flight(economy=SEATS, departs_in=timedelta(days=30))
    with connection.cursor() as cursor:
        cursor.execute(_MORE_FLIGHTS, [FLIGHTS, hot.pk])
        uniform = sorted(pk for (pk,) in cursor.fetchall())
        cursor.execute(_THEIR_SEATS, [uniform, hot.pk])
    travellers = _travellers()
    _book(uniform, [pk for pk, _, _ in travellers])
    world = {"hot": hot.pk, "first": uniform[0], "last": uniform[-1], "travellers": travellers}
    Path(sys.argv[1]).write_text(json.dumps(world))


def _travellers() -> list[tuple[int, str, str]]:
    """Key, public id and session id of each."""
    from accounts.models import Session  # noqa: PLC0415
    from accounts.tests.factories import full_login, make_user  # noqa: PLC0415

    for _ in range(TRAVELLERS):
        full_login(make_user())
    return list(Session.objects.order_by("user_id").values_list("user_id", "user__public_id", "sid"))


def _book(flights: list[int], travellers: list[int]) -> None:
    """As requests would, and all that the worker has to do for them."""
    from bookings.idempotency import Promise  # noqa: PLC0415
    from bookings.operations import book_flight  # noqa: PLC0415
    from bookings.types import Order  # noqa: PLC0415
    from flightbook.worker import all_tasks  # noqa: PLC0415
    from flights.models import Flight  # noqa: PLC0415

    ids = [flight.public_id for flight in Flight.objects.filter(pk__in=flights)]
    for number, user_pk in zip(range(BOOKED), itertools.cycle(travellers), strict=False):
        order = Order(
            user_pk=user_pk,
            flight_ids=(ids[number % len(ids)],),
            payment_method="credit_card",
            cabin="economy",
        )
        book_flight(order=order, promise=Promise(user_pk=user_pk, key=f"booked-{number}"))
    tasks = [task for task in all_tasks() if task.drains]
    while any(task.run() for task in tasks):
        pass


if __name__ == "__main__":
    main()
