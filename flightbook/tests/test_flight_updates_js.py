"""The JavaScript client, under node: against a server played by its own tests, and against a real one."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

import pytest

from accounts.models import User
from accounts.sessions import end_sessions
from accounts.tests.factories import login, make_user
from flightbook.tests.processes import PATIENCE
from subscriptions.tests.factories import make_flights, register_relay, report
from subscriptions.tests.servers import Daphne, Relay, Valkey

NODE = shutil.which("node")
SCRIPTS = Path(__file__).parent / "js"

pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed")


class Follower:
    """`follow.mjs` and what it has heard."""

    def __init__(self, daphne: Daphne, user: User, flight_ids: list[str]) -> None:
        address = f"http://127.0.0.1:{daphne.port}"
        script = [str(SCRIPTS / "follow.mjs"), address, login(user), user.public_id, *flight_ids]
        self.process = subprocess.Popen(
            [str(NODE), "--experimental-websocket", "--no-warnings", *script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.sequences: dict[str, list[int]] = {flight_id: [] for flight_id in flight_ids}
        self.states: list[dict[str, Any]] = []
        self._lines: Queue[bytes] = Queue()
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def hear_until(self, flight_id: str, sequence: int) -> None:
        while sequence not in self.sequences[flight_id]:
            self._hear()

    def hear_state(self, state: str) -> dict[str, Any]:
        """The next state of that name."""
        known = len(self.states)
        while not (found := [one for one in self.states[known:] if one["state"] == state]):
            self._hear()
        return found[0]

    def _hear(self) -> None:
        line = json.loads(self._lines.get(timeout=PATIENCE))
        if "state" in line:
            self.states.append(line)
        else:
            self.sequences[line["flightId"]].append(line["sequence"])

    def end(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(PATIENCE)


@contextmanager
def follower(*arguments: Any) -> Iterator[Follower]:
    one = Follower(*arguments)
    try:
        yield one
    finally:
        one.process.kill()
        one.process.wait()


@pytest.fixture
def system(transactional_db: None, tmp_path: Path) -> Iterator[tuple[Daphne, Relay]]:
    login(make_user())  # makes the keys, which daphne then reads
    register_relay()
    valkey = Valkey(tmp_path)
    relay, daphne = Relay(redis_port=valkey.port), Daphne(redis_port=valkey.port)
    yield daphne, relay
    for process in (daphne, relay, valkey):
        process.kill()


def test_its_own_tests() -> None:
    ran = subprocess.run(
        [str(NODE), "--test", str(SCRIPTS / "flight-updates.test.mjs")],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_each_update_once_over_a_restart(system: tuple[Daphne, Relay], ending: signal.Signals) -> None:
    """Also the updates recorded while no server was there, of flights with and without one before."""
    daphne, _ = system
    flights = make_flights(3)
    ids = [flight.public_id for flight in flights]
    with follower(daphne, make_user(), ids) as client:
        for flight_id in ids:
            client.hear_until(flight_id, 0)
        report(flights[0].pk, 2)
        client.hear_until(ids[0], 2)
        daphne.tell(ending)
        lost = client.hear_state("reconnecting")
        assert lost["code"] == (1012 if ending is signal.SIGTERM else 1006)
        daphne.ends()
        report(flights[0].pk, 2)
        report(flights[1].pk, 2)
        daphne.start()
        client.hear_until(ids[1], 2)
        for flight in flights:
            report(flight.pk)
        for flight_id, last in zip(ids, (5, 3, 1), strict=True):
            client.hear_until(flight_id, last)
        assert client.end() == 0
        assert client.sequences == {ids[0]: [0, 1, 2, 3, 4, 5], ids[1]: [0, 1, 2, 3], ids[2]: [0, 1]}


def test_a_session_that_ends(system: tuple[Daphne, Relay]) -> None:
    daphne, _ = system
    user = make_user()
    [flight] = make_flights(1)
    with follower(daphne, user, [flight.public_id]) as client:
        client.hear_until(flight.public_id, 0)
        sids = list(user.sessions.values_list("sid", flat=True))
        end_sessions(sids=sids, reason="logout")
        assert client.hear_state("reconnecting")["code"] == 4401
