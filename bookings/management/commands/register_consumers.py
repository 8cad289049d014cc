"""`manage.py register_consumers`: so that bookings hear of every flight update from now on."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from bookings.public import register_consumers


class Command(BaseCommand):
    help = "Registers what reads the log of flight updates. Before the first update; again changes nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        register_consumers()
