"""The one-shot job before a release: schema, keys, schedule, staff account. Safe to run again.

One process, since each start of Django costs a second. Public keys are laid out for pools that sign nothing.
"""

import os
from pathlib import Path

import django
from django.core.management import call_command

PUBLIC_KEYS = Path(os.environ.get("PUBLIC_KEYS_DIR", "/keys/public"))


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flightbook.settings")
    django.setup()
    call_command("migrate", interactive=False)
    call_command("register_consumers")  # before anything reports an update
    call_command("create_token_keys", publish=PUBLIC_KEYS)
    call_command("load_schedule")
    if os.environ.get("DJANGO_SUPERUSER_USERNAME"):
        call_command("create_staff")


if __name__ == "__main__":
    main()
