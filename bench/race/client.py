"""One client process: `python -m bench.race.client`, told by its arguments what to do and by files when to
stop."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import time
from pathlib import Path

from bench.race.journal import Journal
from bench.race.mix import Mix
from bench.race.orders import Orders, World
from bench.race.seed import STAFF
from bench.race.traveller import Client, User

STOP = "stop"
# How long after the load's end a request is still tried again.
LAST_TRIES_SECONDS = 60.0
# Each update is carried over to all bookings of its flight: without a pause the workers would do little else.
STAFF_PAUSE = 1.5


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.race.client")
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--number", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--users", type=int, required=True)
    parser.add_argument("--tasks", type=int, required=True)
    parser.add_argument("--gateway", required=True)
    asyncio.run(_run(parser.parse_args()))


async def _run(options: argparse.Namespace) -> None:
    directory, number = options.directory, options.number
    stop = Stop(directory / STOP)
    journal = Journal(directory / f"journal-{number}.jsonl")
    client = Client(options.port, journal, stop.is_final)
    users = [User(f"race{number}x{index}") for index in range(options.users)]
    await asyncio.gather(*(client.log_in(user) for user in users))
    (directory / f"ready-{number}").touch()
    while not (directory / "go").exists():
        await asyncio.sleep(0.02)
    world = World(**json.loads((directory / "world.json").read_text()))
    mix = Mix(client, users, Orders(world, options.gateway, seed=number))
    teller = asyncio.create_task(_tell(client, directory / f"client-{number}.json"))
    work = [_travel(mix, stop) for _ in range(options.tasks)]
    if number == 0:
        work.append(_report_updates(client, world, stop))
    await asyncio.gather(*work)
    teller.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await teller
    journal.close()
    _write(client, directory / f"client-{number}.json", done=True)


async def _travel(mix: Mix, stop: Stop) -> None:
    while not stop.is_asked():
        await mix.step()


async def _report_updates(client: Client, world: World, stop: Stop) -> None:
    """Staff delay flights all the time, and cancel the doomed ones one by one."""
    staff = User(STAFF)
    await client.log_in(staff, register=False)
    doomed = list(world.doomed)
    for turn in range(10**9):
        if stop.is_asked():
            return
        if turn % 3 == 2 and doomed:  # noqa: PLR2004
            flight, body = doomed.pop(), {"status": "Cancelled", "reason": "Race"}
        else:
            flight = (*world.hot, *world.cold)[turn * 7 % (len(world.hot) + len(world.cold))]
            body = {"status": "Delayed", "delayMinutes": 15 + turn % 60}
        body["reportId"] = f"race-{turn}"
        await client.settle(
            f"staff {body['status'].lower()}", staff, f"/flights/{flight}/updates", body, flight
        )
        await asyncio.sleep(STAFF_PAUSE)


async def _tell(client: Client, file: Path) -> None:
    while True:
        _write(client, file, done=False)
        await asyncio.sleep(1)


def _write(client: Client, file: Path, *, done: bool) -> None:
    unfinished = file.with_suffix(".new")
    unfinished.write_text(json.dumps({"done": done, **client.tally.as_json()}))
    unfinished.replace(file)


class Stop:
    """Whether the controller has asked to stop, and whether the time for last tries is over."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._looked_at, self._asked_at = 0.0, 0.0

    def is_asked(self) -> bool:
        now = time.monotonic()
        if not self._asked_at and now - self._looked_at > 0.2:  # noqa: PLR2004
            self._looked_at = now
            if self._file.exists():
                self._asked_at = now
        return bool(self._asked_at)

    def is_final(self) -> bool:
        return self.is_asked() and time.monotonic() - self._asked_at > LAST_TRIES_SECONDS


if __name__ == "__main__":
    main()
