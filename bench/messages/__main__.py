"""`make messages-proof`: telegrams dropped as files and webhooks, while their workers are killed.

Files: two telegrams for each flight, departure and arrival, each sent twice, taken in by three workers of
which one at work is killed (-9), 20 times. Then each flight's log must be Departed, Landed, and every file
must lie in ``done/`` with its answer.

Webhooks: three endpoints that fail now and then, three workers likewise killed. Each endpoint must have had
every update, signed, and those of a flight in their order.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import django

_WORKERS, _KILLS = 3, 20
_HANGS_UP, _FAILS = 0.03, 0.10  # of a receiver's answers; the second counts the first in
_random = random.Random(20261123)  # noqa: S311


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.messages", description=__doc__)
    parser.add_argument("--flights", type=int, default=100)
    parser.add_argument("--updates", type=int, default=600)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flightbook.settings")
    os.environ["WEBHOOK_INSECURE_TARGETS"] = "true"
    django.setup()
    from django.core.management import call_command  # noqa: PLC0415

    call_command("migrate", verbosity=0, interactive=False)
    faults = [*files(options.flights), *webhooks(options.flights, options.updates)]
    for fault in faults[:20]:
        say(f"FAULT  {fault}")
    say("held" if not faults else f"{len(faults)} faults")
    return 1 if faults else 0


class Workers:
    """Some workers. `kill` ends one that is at work and starts another in its place."""

    def __init__(self, *arguments: str) -> None:
        self._command = [sys.executable, "-m", "bench.messages.worker", *arguments]
        self._running = [self._start() for _ in range(_WORKERS)]
        self.killed = 0

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(  # noqa: S603 - of our own
            self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def kill(self) -> None:
        victim = self._running.pop(0)
        assert victim.stdout is not None
        victim.stdout.readline()  # it says when it begins
        time.sleep(_random.uniform(0, 0.5))
        victim.kill()
        victim.wait()
        self.killed += 1
        self._running.append(self._start())

    def end(self) -> None:
        for process in self._running:
            process.terminate()
        for process in self._running:
            process.wait()


@contextmanager
def killed_workers(*arguments: str) -> Iterator[Workers]:
    """Workers of which one is killed at work again and again, up to `_KILLS` times."""
    over, workers = threading.Event(), Workers(*arguments)

    def kill() -> None:
        while workers.killed < _KILLS and not over.is_set():
            workers.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield workers
    finally:
        over.set()
        killer.join()
        workers.end()


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def until(condition: Callable[[], bool], seconds: float = 300) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def files(count: int) -> list[str]:
    import datetime as dt  # noqa: PLC0415

    from flights.models import FlightUpdate  # noqa: PLC0415
    from flights.tests.factories import make_flight  # noqa: PLC0415

    start = dt.datetime.now(dt.UTC).replace(second=0, microsecond=0) - dt.timedelta(hours=9)
    made = [make_flight(number=1 + index, departure=start, airline="AA") for index in range(count)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        began = time.monotonic()
        with killed_workers("files", name) as workers:
            for turn in (1, 2):
                for flight in made:
                    head = f"MVT\n{flight.designator}/{start:%d}.N1AA."
                    drop(folder, f"{flight.pk}-{turn}-a", f"{head}JFK\nAD{start:%H%M}\n")
                    arrival = start + dt.timedelta(hours=6)
                    drop(folder, f"{flight.pk}-{turn}-b", f"{head}LAX\nAA{arrival:%H%M}\n")
            done = until(
                lambda: (
                    len(list((folder / "done").glob("*-[ab]"))) == 4 * count
                    if (folder / "done").is_dir()
                    else False
                )
            )
        seconds = time.monotonic() - began
        faults = [] if done else ["files: not all came to their end"]
        ended = {path.name for path in (folder / "done").iterdir()}
        faults += [
            f"files: {n} has no answer" for n in ended if f"{n}.answer.json" not in ended and n[-1] in "ab"
        ]
        faults += [f"files: left over {path.name}" for path in (folder / "working").iterdir()]
        faults += [f"files: failed {path.name}" for path in (folder / "failed").iterdir()]
    for flight in made:
        log = list(
            FlightUpdate.objects.filter(flight=flight).order_by("sequence").values_list("status", flat=True)
        )
        if log not in (["Departed", "Landed"],):
            faults.append(f"files: {flight.public_id} {log}")
    say(f"files: {4 * count} files, {2 * count} updates, {workers.killed} workers killed, {seconds:.0f} s")
    return faults


def drop(folder: Path, name: str, text: str) -> None:
    (folder / f".{name}").write_text(text)
    (folder / f".{name}").rename(folder / name)


class Receiver(ThreadingHTTPServer):
    """Verifies what comes with the reference implementation; now and then it fails."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.secret = ""
        self.got: list[tuple[int, int]] = []  # flight, sequence, in the order of their coming
        self.unsigned = self.failed = 0
        self.lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        from standardwebhooks import Webhook  # noqa: PLC0415

        body = self.rfile.read(int(self.headers["Content-Length"]))
        luck = _random.random()
        if luck < _HANGS_UP:
            self.server.failed += 1
            return  # hangs up without a word
        if luck < _FAILS:
            self.server.failed += 1
            self.send_response(500)
        else:
            try:
                data = Webhook(self.server.secret).verify(body, dict(self.headers))["data"]
            except Exception:  # noqa: BLE001 - counted
                self.server.unsigned += 1
            else:
                with self.server.lock:
                    self.server.got.append((int(data["flightId"][2:]), data["sequence"]))
            self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def webhooks(flight_count: int, updates: int) -> list[str]:
    from accounts.tests.factories import make_user  # noqa: PLC0415
    from flights.public import record_update  # noqa: PLC0415
    from flights.tests.factories import make_flight  # noqa: PLC0415
    from subscriptions.operations import follow  # noqa: PLC0415
    from subscriptions.webhooks.endpoints import register  # noqa: PLC0415
    from subscriptions.webhooks.writing import write_webhook_deliveries  # noqa: PLC0415

    write_webhook_deliveries()  # makes it a reader of the log
    user, receivers = make_user(), [Receiver() for _ in range(3)]
    for receiver in receivers:
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{receiver.server_address[1]}/"
        receiver.secret = register(user_pk=user.pk, url=url).secret
    flights = [make_flight(number=5000 + index).pk for index in range(flight_count)]
    for pk in flights:
        follow(user_pk=user.pk, flight_pk=pk)
    expected: dict[int, int] = {}
    began = time.monotonic()
    with killed_workers("notices") as workers:
        for index in range(updates):
            pk = _random.choice(flights)
            expected[pk] = expected.get(pk, 0) + 1
            record_update(flight_pk=pk, status="Delayed", delay_minutes=index % 500 + 1, source="proof")
        done = until(lambda: all(len(set(receiver.got)) == updates for receiver in receivers))
    say(
        f"webhooks: {updates} updates to {len(receivers)} endpoints, {workers.killed} workers killed, "
        f"{sum(receiver.failed for receiver in receivers)} answers failed, "
        f"{sum(len(r.got) - len(set(r.got)) for r in receivers)} repeated under the same id, "
        f"{time.monotonic() - began:.0f} s"
    )
    late = [] if done else ["webhooks: not all arrived"]
    return [*late, *_compared(receivers, expected)]


def _compared(receivers: list[Receiver], expected: dict[int, int]) -> list[str]:
    """What is wrong with what came: signatures, and the order of each flight's first comings."""
    faults = []
    for number, receiver in enumerate(receivers):
        receiver.shutdown()
        if receiver.unsigned:
            faults.append(f"webhooks: {receiver.unsigned} without a valid signature at {number}")
        for pk, last in expected.items():
            came = list(dict.fromkeys(s for flight, s in receiver.got if flight == pk))
            if came != list(range(1, last + 1)):
                faults.append(f"webhooks: FL{pk} at {number} came as {came}")
    return faults


if __name__ == "__main__":
    sys.exit(main())
