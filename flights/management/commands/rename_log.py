"""`manage.py rename_log`: part of every restore from backup."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from flights.operations.log import rename_log


class Command(BaseCommand):
    help = "Gives the log of flight updates a new name, after a restore: who follows a flight begins anew."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"The log is {rename_log()} now.")
