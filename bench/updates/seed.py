"""Flights and followers' accounts for the proof: `python -m bench.updates.seed FLIGHTS USERS`, into an empty
database. Prints ``{"flights": [pk], "users": [{"id", "token"}]}``."""

from __future__ import annotations

import json
import os
import sys
from datetime import timedelta

import django
from django.core.management import call_command


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flightbook.settings")
    django.setup()
    flights, users = (int(word) for word in sys.argv[1:])
    call_command("migrate", verbosity=0, interactive=False)
    call_command("create_token_keys", stdout=sys.stderr)
    from accounts import tokens  # noqa: PLC0415  # the settings must be there
    from accounts.tests.factories import login, make_user  # noqa: PLC0415
    from flights.tests.factories import make_flight  # noqa: PLC0415
    from subscriptions.tests.factories import register_relay  # noqa: PLC0415

    register_relay()
    tokens.SessionAccessToken.lifetime = timedelta(hours=2)  # a follower here does not log in again
    made = [
        make_flight(number=1 + index, departs_in=timedelta(days=7, minutes=index)).pk
        for index in range(flights)
    ]
    people = [make_user() for _ in range(users)]
    accounts = [{"id": user.public_id, "token": login(user)} for user in people]
    sys.stdout.write(json.dumps({"flights": made, "users": accounts}))


if __name__ == "__main__":
    main()
