"""`manage.py notices`: runs until INT or TERM."""

from __future__ import annotations

import logging
from typing import Any

from django.core.management.base import BaseCommand

from flightbook import instruments, tracing
from flightbook.worker import Stop, delivery_tasks, notice_tasks, work_in_lanes

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Tells outsiders of flights' changes: calls webhooks, writes mail to followers. Several may run."

    def handle(self, *args: Any, **options: Any) -> None:
        instruments.serve()
        tracing.begin()
        with Stop().on_signals() as stop:
            logger.info("notices: started")
            work_in_lanes([notice_tasks(), delivery_tasks()], stop)
        logger.info("notices: stopped")
