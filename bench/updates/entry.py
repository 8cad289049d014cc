"""The product's processes as the proof runs them: with faults, and with guards switched off.

    python -m bench.updates.entry serve PORT     daphne with the product's application
    python -m bench.updates.entry relay          `manage.py relay`

PROOF_DROP: the part of the layer's messages that a hub loses; each one lost adds a byte to the file
PROOF_DROPS. PROOF_WITHOUT: `watcher` or `catch-up`.
"""

from __future__ import annotations

import os
import random
import sys
from typing import Any

import django

_FRAME = str(64 * 1024)


def lose_messages(part: float, counter: str) -> None:
    """The hub's side of the layer forgets `part` of what it was sent."""
    from channels_redis.pubsub import RedisPubSubLoopLayer  # noqa: PLC0415  # the settings must be there

    receive = RedisPubSubLoopLayer.receive
    dice = random.Random()  # noqa: S311
    file = os.open(counter, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    async def lossy(self: Any, channel: str) -> Any:
        while True:
            message = await receive(self, channel)
            if dice.random() >= part:
                return message
            os.write(file, b".")

    RedisPubSubLoopLayer.receive = lossy


def without_watcher() -> None:
    """Rounds go on (they join groups and end sessions), but nobody compares sequences with the log."""
    from subscriptions.hub import Hub  # noqa: PLC0415

    async def nothing(self: Any, found: Any) -> None:
        self._log = found.log

    Hub._compare = nothing  # type: ignore[method-assign]


def without_catch_up() -> None:
    """What the layer skipped stays skipped: the next update that was heard is sent in its place."""
    from subscriptions.topics import Topic  # noqa: PLC0415

    async def advance(self: Any, sequence: int) -> None:
        later = [known for known in sorted(self._waiting) if known > sequence]
        if not later:
            self._announced = sequence
            return
        await self._broadcast(self._waiting.pop(later[0]))

    Topic._advance = advance  # type: ignore[method-assign]


GUARDS = {"watcher": without_watcher, "catch-up": without_catch_up}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flightbook.settings")
    django.setup()
    if without := os.environ.get("PROOF_WITHOUT"):
        GUARDS[without]()
    match sys.argv[1:]:
        case ["serve", port]:
            lose_messages(float(os.environ["PROOF_DROP"]), os.environ["PROOF_DROPS"])
            _serve(port)
        case command:
            from django.core.management import call_command  # noqa: PLC0415

            call_command(*command)


def _serve(port: str) -> None:
    from daphne.cli import CommandLineInterface  # noqa: PLC0415

    limits = ["--websocket-max-frame-size", _FRAME, "--websocket-max-message-size", _FRAME]
    limits += ["--websocket_connect_timeout", "20"]
    CommandLineInterface().run(
        ["-v", "0", "-b", "127.0.0.1", "-p", port, *limits, "flightbook.asgi:application"]
    )


if __name__ == "__main__":
    main()
