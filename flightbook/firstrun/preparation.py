"""What has to be there before the system runs. Done in one process: each call of manage.py costs a second."""

import os
import secrets
from dataclasses import dataclass

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connections

from flightbook.firstrun.failures import FirstRunError
from flightbook.firstrun.supervisor import to_terminal

_COMMANDS = {
    "migrate": "the database's tables",
    "register_consumers": "who must hear of every flight update",
    "create_token_keys": "the key that signs the tokens",
    "load_schedule": "airports, fares and the schedule of the days to come",
}


@dataclass(frozen=True)
class StaffAccount:
    """The account for the admin; ``password`` is there if it was made and generated just now."""

    username: str
    created: bool
    password: str | None


def prepare() -> StaffAccount:
    """Brings everything up to date; what is there already is left alone.

    Raises ``FirstRunError`` with a sentence for a setting, a database or a command that will not do.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flightbook.settings")
    try:
        django.setup()
        for command, purpose in _COMMANDS.items():
            to_terminal(f"flightbook: {purpose} …\n")
            call_command(command, **({"verbosity": 0, "interactive": False} if command == "migrate" else {}))
        staff = _staff_account()
    except (ImproperlyConfigured, CommandError, DatabaseError) as error:
        raise FirstRunError(" ".join(str(error).split())) from error
    connections.close_all()
    return staff


def _staff_account() -> StaffAccount:
    from accounts.public import create_staff_account  # noqa: PLC0415 - needs the settings loaded

    username = os.environ.get("DJANGO_SUPERUSER_USERNAME") or "admin"
    email = os.environ.get("DJANGO_SUPERUSER_EMAIL") or f"{username}@example.com"
    given = os.environ.get("DJANGO_SUPERUSER_PASSWORD")
    password = given or secrets.token_urlsafe(12)
    created = create_staff_account(username=username, password=password, email=email)
    if created and not given:  # at once: it would be lost if the start went wrong from here
        to_terminal(f"flightbook: made the staff account {username}, password {password}\n")
    return StaffAccount(username, created, password if created and not given else None)
