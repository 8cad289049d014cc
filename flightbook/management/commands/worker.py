"""`manage.py worker`: runs until INT or TERM."""

from __future__ import annotations

import logging
from typing import Any

from django.core.management.base import BaseCommand

from flightbook import instruments, tracing
from flightbook.worker import Stop, all_tasks, work

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Does what waits in the database: captures, refunds, expired holds, mail, the next day's flights."

    def handle(self, *args: Any, **options: Any) -> None:
        instruments.serve()
        tracing.begin()
        with Stop().on_signals() as stop:
            logger.info("worker: started")
            work(all_tasks(), stop)
        logger.info("worker: stopped")
