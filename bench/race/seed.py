"""What is on sale in the race: `python -m bench.race.seed HOT COLD DOOMED`, into a database that is empty.

Prints the flights' ids as JSON. Flights are a test's, at real airports; the fares protect seats from cheaper
ones, so that a cabin closes fare by fare.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import timedelta

import django
from django.core.management import call_command

HOT_SEATS, COLD_SEATS = 20, 276
STAFF = "race-staff"
# Some too near for the rule of 24 hours: their cancellations give nothing back.
NEAR, FAR = timedelta(days=3), timedelta(days=20)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flightbook.settings")
    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    call_command("create_token_keys", stdout=sys.stderr)
    call_command("register_consumers", stdout=sys.stderr)
    from accounts.public import create_staff_account  # noqa: PLC0415  # the settings must be there
    from bench.race.traveller import PASSWORD  # noqa: PLC0415

    create_staff_account(username=STAFF, password=PASSWORD, email=f"{STAFF}@example.com")
    hot, cold, doomed = (int(word) for word in sys.argv[1:])
    world = {
        "hot": _flights(hot, HOT_SEATS, "JFK", "LAX"),
        "cold": _flights(cold, COLD_SEATS, "JFK", "SFO"),
        "doomed": _flights(doomed, 60, "LGA", "ORD"),
        "one_key": _flights(4, COLD_SEATS, "EWR", "SEA"),
        "rush": _flights(2, HOT_SEATS, "EWR", "BOS"),
    }
    sys.stdout.write(json.dumps(world))


def _flights(count: int, seats: int, origin: str, destination: str) -> list[str]:
    from flights.tests.factories import make_flight  # noqa: PLC0415

    return [
        make_flight(
            origin=origin,
            destination=destination,
            economy=seats,
            departs_in=(FAR if index % 2 else NEAR) + timedelta(minutes=index),
            number=100 + index,
        ).public_id
        for index in range(count)
    ]


if __name__ == "__main__":
    main()
