"""Publishes as the relay does, in a process of its own: `python -m bench.updates.publisher FLIGHT`.

``layer N [SECONDS]`` or ``raw N`` on standard input publishes N messages, SECONDS apart, that carry the
instant of their sending, to the flight's group on the channel layer or on the raw server's channel; then it
says ``published``.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from itertools import count

import django

PAUSE_SECONDS = 0.6


async def main(flight: int) -> None:
    from channels.layers import get_channel_layer  # noqa: PLC0415  # the settings must be there
    from redis.asyncio import Redis  # noqa: PLC0415

    from bench.updates.raw import CHANNEL  # noqa: PLC0415
    from flights.public import log_name  # noqa: PLC0415
    from subscriptions.messages import EncodedUpdate, group_name, to_layer  # noqa: PLC0415

    layer = get_channel_layer()  # type: ignore[no-untyped-call]
    redis = Redis.from_url(os.environ["REDIS_URL"])
    log, sequences = await asyncio.to_thread(log_name), count(1)
    while words := (await asyncio.to_thread(sys.stdin.readline)).split():
        pause = float(words[2]) if len(words) > 2 else PAUSE_SECONDS  # noqa: PLR2004
        for _ in range(int(words[1])):
            await asyncio.sleep(pause)
            if words[0] == "raw":
                await redis.publish(CHANNEL, _text(flight))
            else:
                update = EncodedUpdate(flight, next(sequences), log, _text(flight))
                await layer.group_send(group_name(flight), to_layer(update))
        sys.stdout.write("published\n")
        sys.stdout.flush()


def _text(flight: int) -> str:
    """As long as an update is."""
    stamp = f"T{time.monotonic_ns()}"
    return (
        f'{{"flightId":"FL{flight}","status":"Delayed","delayDuration":"45 minutes","reason":"{stamp}",'
        '"sequence":1,"log":"aaaaaaaaaaaa","occurredAt":"2026-11-22T21:06:00.123456Z","delayMinutes":45,'
        '"departure":"2026-11-29T21:06:00Z","arrival":"2026-11-30T03:06:00Z","estimatedDeparture":'
        '"2026-11-29T21:51:00Z","estimatedArrival":"2026-11-30T03:51:00Z","gate":"B12","terminal":null}'
    )


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flightbook.settings")
    django.setup()
    asyncio.run(main(int(sys.argv[1])))
