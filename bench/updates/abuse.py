"""`make updates-abuse`: what four kinds of abuse of a server do to the others on it, and to its memory.

Five hundred sockets on one daphne hear an update every 0.6 s: first in peace, then in the control, while
the abuser is at a sink (`bench.updates.sink`) that refuses the same and does nothing else, then while it is
at the server itself. The flight of the silent ones has a thousand updates a second meanwhile, so that what
they do not read piles up; in the control nobody follows it.

The abuser shares the cores with the server and with those who measure, as it would not in the world: what it
costs the machine is in the control. Judged is the 99th percentile under abuse against the control's, or the
peace's where that is higher; whether anybody was refused or cut off; and how far the server's memory rose.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass

from bench.updates.servers import Servers, end_on_signals, hear, say
from flightbook.embedded.failures import EmbeddedError

KINDS = ("silent", "large", "flood", "many")
MOST_TIMES, MOST_MIB = 2.0, 48.0
_SOCKETS, _USERS, _MESSAGES = 500, 5, 25
_STORM = "layer 1000000 0.001"  # until it is ended
_WARM_UP = 2  # measurements


@dataclass(frozen=True)
class Phase:
    """`p99` in milliseconds; `processor`: the server's seconds a second; `abuser`: its seconds in all."""

    p99: float
    lost: int
    processor: float
    opened: int = 0
    refused: str = "-"
    abuser: float = 0.0


@dataclass(frozen=True)
class Suffered:
    """One kind of abuse. `rise`: of the server's resident memory, in MiB."""

    kind: str
    peace: Phase
    control: Phase
    war: Phase
    before: float
    rise: float

    @property
    def times(self) -> float:
        return self.war.p99 / max(self.peace.p99, self.control.p99)

    @property
    def faults(self) -> list[str]:
        found = []
        if self.times > MOST_TIMES:
            found.append(f"others wait {self.times:.2f} times as long")
        if lost := self.peace.lost + self.control.lost + self.war.lost:
            found.append(f"{lost} messages lost")
        if self.rise > MOST_MIB:
            found.append(f"memory rose by {self.rise:.0f} MiB")
        if self.war.refused == "-":
            found.append("nobody was refused or cut off")
        return found


class Abuse:
    def __init__(self, servers: Servers) -> None:
        self.servers = servers

    def prepare(self) -> None:
        world = self.servers.seed(2, _USERS + 1)
        (self.flight, self.other), (*users, self.user) = world["flights"], world["users"]
        self.servers.start_server(0)
        self.servers.start_sink(self.servers.ports[1])
        path = self.servers.directory / "crowd.json"
        first = [json.dumps({"userId": user["id"], "flightId": f"FL{self.flight}"}) for user in users]
        headers = [{"Authorization": f"Bearer {user['token']}"} for user in users]
        settings = {"port": self.servers.ports[0], "count": _SOCKETS, "path": "/ws/flight-updates"}
        path.write_text(json.dumps(settings | {"headers": headers, "first": first}), encoding="utf-8")
        self.crowd = self.servers.start_client("crowd", "bench.updates.crowd", str(path))
        hear(self.crowd, "following")
        self.publisher = self.servers.start_client("publisher", "bench.updates.publisher", str(self.flight))
        for _ in range(_WARM_UP):
            self.measure()

    def measure(self) -> Phase:
        """The 99th percentile over each message's sockets, the median of it over the messages."""
        began, computed = time.monotonic(), self.servers.processor("server-0")
        say(self.crowd, f"expect {_MESSAGES}")
        hear(self.crowd, "ready")
        say(self.publisher, f"layer {_MESSAGES}")
        assert self.crowd.stdout is not None
        found = json.loads(self.crowd.stdout.readline())
        hear(self.publisher, "published")
        computed = self.servers.processor("server-0") - computed
        each = [sorted(latencies) for latencies in found["latencies"]]
        p99 = statistics.median(latencies[int(len(latencies) * 0.99)] for latencies in each)
        return Phase(p99, found["lost"], computed / (time.monotonic() - began))

    def suffer(self, kind: str) -> Suffered:
        peace = self.measure()
        control = self._under(kind, self.servers.ports[1])
        before = self.servers.memory("server-0")
        war = self._under(kind, self.servers.ports[0])
        after = self.servers.memory("server-0")
        return Suffered(kind, peace, control, war, before / 2**20, (after - before) / 2**20)

    def _under(self, kind: str, port: int) -> Phase:
        """A measurement while an abuser is at `port`."""
        path = self.servers.directory / "abuser.json"
        settings = {"port": port, "user": self.user["id"], "token": self.user["token"]}
        path.write_text(json.dumps(settings | {"flight": f"FL{self.other}"}), encoding="utf-8")
        abuser = self.servers.start_client("abuser", "bench.updates.abuser", kind, str(path))
        hear(abuser, "at it")
        time.sleep(1.0)
        with self._storm() if kind == "silent" else nullcontext():
            found = self.measure()
        computed = self.servers.processor("abuser")
        self.servers.tell("abuser", signal.SIGTERM)
        assert abuser.stdout is not None
        said = json.loads(abuser.stdout.readline())
        self.servers.end("abuser", signal.SIGTERM)
        refused = ", ".join(f"{count:,} by {how}" for how, count in said["refused"].items())
        return Phase(found.p99, found.lost, found.processor, said["opened"], refused or "-", computed)

    @contextmanager
    def _storm(self) -> Iterator[None]:
        storm = self.servers.start_client("storm", "bench.updates.publisher", str(self.other))
        say(storm, _STORM)
        try:
            yield
        finally:
            self.servers.end("storm", signal.SIGKILL)


def tell(seen: Suffered) -> None:
    sys.stdout.write(
        f"{seen.kind}: {seen.times:.2f} times; memory {seen.before:.1f} MiB, {seen.rise:+.1f} after it\n"
    )
    for name, phase in (("peace", seen.peace), ("control", seen.control), ("abuse", seen.war)):
        server = f"server {phase.processor * 100:.0f} % of a core"
        abuser = f"abuser {phase.abuser:.1f} s, opened {phase.opened:,}, refused {phase.refused}"
        sys.stdout.write(f"  {name:8} p99 {phase.p99:.1f} ms, lost {phase.lost}; {server}; {abuser}\n")
    for fault in seen.faults:
        sys.stdout.write(f"  NOT HELD: {fault}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="make updates-abuse", description=__doc__)
    parser.add_argument("--port", type=int, default=8381, help="of the server; the sink has the next")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    options = parser.parse_args()
    servers = Servers(end_on_signals(), first_port=options.port, drop=0.0, without=None)
    abuse = Abuse(servers)
    faults: list[str] = []
    sys.stdout.write(f"load average at the beginning: {os.getloadavg()[0]:.1f}\n")
    try:
        servers.start_databases()
        abuse.prepare()
        for kind in options.kinds:
            seen = abuse.suffer(kind)
            tell(seen)
            faults += seen.faults
    finally:
        with suppress(EmbeddedError):
            servers.stop()
    sys.stdout.write("NOT HELD.\n" if faults else "Held.\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
