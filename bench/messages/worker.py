"""A worker of the proof: ``python -m bench.messages.worker files FOLDER | notices``. The product's own tasks,
with leases so short that what a killed one leaves is taken up again while the proof runs."""

from __future__ import annotations

import datetime as dt
import os
import sys

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flightbook.settings")
    os.environ["WEBHOOK_INSECURE_TARGETS"] = "true"
    kind = sys.argv[1]
    if kind == "files":
        os.environ["FLIGHT_MESSAGES_DIR"] = sys.argv[2]
    django.setup()
    from flightbook import worker  # noqa: PLC0415  # the settings must be there
    from flights.telegrams import drop_folder  # noqa: PLC0415
    from subscriptions.webhooks import delivery, leasing, writing  # noqa: PLC0415

    drop_folder.CLAIM_SECONDS = 2
    leasing.LEASE = dt.timedelta(seconds=3)
    delivery.FIRST_WAIT = dt.timedelta(seconds=0.2)
    lease = writing.flights.lease_feeds
    writing.flights.lease_feeds = lambda **wanted: lease(**wanted, seconds=3)
    if kind == "files":
        tasks = [worker.Task("files", drop_folder.take_in_dropped_messages, 0.05, drains=True)]
    else:
        tasks = [worker.notice_tasks()[0], *worker.delivery_tasks()]
        for task in tasks:
            task.period = 0.05
    with worker.Stop().on_signals() as stop:
        sys.stdout.write("up\n")
        sys.stdout.flush()
        worker.work(tasks, stop)


if __name__ == "__main__":
    main()
