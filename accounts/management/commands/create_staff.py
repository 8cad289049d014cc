from __future__ import annotations

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.operations import create_staff_account

_NAMES = ("DJANGO_SUPERUSER_USERNAME", "DJANGO_SUPERUSER_PASSWORD", "DJANGO_SUPERUSER_EMAIL")


class Command(BaseCommand):
    help = f"Make the staff account of {', '.join(_NAMES)}, where it is not there yet."

    def handle(self, *args: Any, **options: Any) -> None:
        values = [os.environ.get(name, "") for name in _NAMES]
        if not all(values):
            raise CommandError(f"{', '.join(name for name in _NAMES if not os.environ.get(name))} not set.")
        username, password, email = values
        created = create_staff_account(username=username, password=password, email=email)
        self.stdout.write(f"Made {username}." if created else f"{username} is there already.")
