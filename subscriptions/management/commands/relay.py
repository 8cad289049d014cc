"""`manage.py relay`: publishes the log's updates on the channel layer until INT or TERM."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

from django.core.management.base import BaseCommand

from flightbook import instruments, tracing
from subscriptions.relay import serve


class Command(BaseCommand):
    help = "Publishes flight updates out of the log to the channel layer. Several may run side by side."

    def handle(self, *args: Any, **options: Any) -> None:
        instruments.serve()
        tracing.begin()
        asyncio.run(_until_told())


async def _until_told() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(stop)
