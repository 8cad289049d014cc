"""`make bench-updates`: one update to 5,000 sockets of one server process, against the limit in pure Python.

Three servers hold a crowd each: the product on daphne, the product on gunicorn's own ASGI worker, and a
broadcast on the raw `websockets` library. In turns, in one run, each is given the same messages; measured is
the time from the publication (what the relay does) to the arrival at each socket. Says medians over the
repeats of the 99th percentile and its ratio, with their spread, and the memory of a socket. Writes
docs/benchmarks/updates.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from bench.updates.servers import ROOT, Servers, end_on_signals, hear, say
from flightbook.embedded.failures import EmbeddedError

REPORT = ROOT / "docs" / "benchmarks" / "updates.md"
_SOCKETS_A_USER = 100  # of all servers together, which count them in one place
_REST_SECONDS = 2.0
_FORM = """\
# Fan-out of updates

Written by `make bench-updates` on {date}: {cores} cores, Python {python}, {sockets:,} sockets of one process,
{repeats} repeats of {messages} messages, in turns; servers, Redis and clients share the machine. From the
publication to the arrival at each socket; medians over the repeats, and the spread of the ratio. The raw
server sends no pings, keeps no sequence and knows nobody.

| server | median | 99 % | 99 % against raw | spread | memory a socket | against raw | lost |
|---|---|---|---|---|---|---|---|
{rows}
"""


@dataclass
class Cell:
    """One server with its crowd. `p99` and `p50` in milliseconds, one a repeat."""

    name: str
    process: str
    port: int
    bytes_a_socket: float = 0.0
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    lost: int = 0

    @property
    def channel(self) -> str:
        return "raw" if self.process == "raw" else "layer"


class Bench:
    def __init__(self, servers: Servers, cells: Sequence[Cell], sockets: int) -> None:
        self.servers, self.cells, self.sockets = servers, cells, sockets
        self._crowds: dict[str, Any] = {}

    def prepare(self) -> None:
        world = self.servers.seed(len(self.cells), self.sockets * len(self.cells) // _SOCKETS_A_USER)
        self.flights = dict(zip((cell.name for cell in self.cells), world["flights"], strict=True))
        self._publishers = {}
        for cell in self.cells:
            self._start(cell)
            time.sleep(_REST_SECONDS)
            before = self.servers.memory(cell.process)
            self._crowds[cell.name] = self._gather(cell, world["users"])
            time.sleep(_REST_SECONDS)
            cell.bytes_a_socket = (self.servers.memory(cell.process) - before) / self.sockets
            flight = str(self.flights[cell.name])
            publisher = self.servers.start_client(
                f"publisher-{cell.process}", "bench.updates.publisher", flight
            )
            self._publishers[cell.name] = publisher

    def _start(self, cell: Cell) -> None:
        if cell.process == "raw":
            self.servers.start_raw(cell.port)
        elif cell.process == "gunicorn":
            self.servers.start_gunicorn(cell.port)
        else:
            self.servers.start_server(0)

    def _gather(self, cell: Cell, users: Sequence[Mapping[str, str]]) -> Any:
        flight = f"FL{self.flights[cell.name]}"
        is_raw = cell.process == "raw"
        settings = {
            "port": cell.port,
            "count": self.sockets,
            "path": "/" if is_raw else "/ws/flight-updates",
            "headers": [{} if is_raw else {"Authorization": f"Bearer {user['token']}"} for user in users],
            "first": []
            if is_raw
            else [json.dumps({"userId": user["id"], "flightId": flight}) for user in users],
        }
        path = self.servers.directory / f"crowd-{cell.process}.json"
        path.write_text(json.dumps(settings), encoding="utf-8")
        crowd = self.servers.start_client(f"crowd-{cell.process}", "bench.updates.crowd", str(path))
        hear(crowd, "following")
        return crowd

    def measure(self, cell: Cell, messages: int, *, keep: bool) -> None:
        crowd, publisher = self._crowds[cell.name], self._publishers[cell.name]
        say(crowd, f"expect {messages}")
        hear(crowd, "ready")
        say(publisher, f"{cell.channel} {messages}")
        found = json.loads(crowd.stdout.readline())
        hear(publisher, "published")
        if not keep:
            return
        cell.lost += found["lost"]
        ordered = [sorted(latencies) for latencies in found["latencies"]]
        cell.p50.append(statistics.median(each[len(each) // 2] for each in ordered))
        cell.p99.append(statistics.median(each[int(len(each) * 0.99)] for each in ordered))


def report(cells: Sequence[Cell], options: argparse.Namespace) -> str:
    raw = cells[-1]
    rows = [_row(cell, raw) for cell in cells]
    return _FORM.format(
        date=time.strftime("%Y-%m-%d", time.gmtime()),
        cores=os.cpu_count(),
        python=platform.python_version(),
        rows="\n".join(rows),
        **vars(options),
    )


def _row(cell: Cell, raw: Cell) -> str:
    ratios = sorted(mine / limit for mine, limit in zip(cell.p99, raw.p99, strict=True))
    values = [
        cell.name,
        f"{statistics.median(cell.p50):.0f} ms",
        f"{statistics.median(cell.p99):.0f} ms",
        f"{statistics.median(ratios):.2f}",
        f"{ratios[0]:.2f} to {ratios[-1]:.2f}",
        f"{cell.bytes_a_socket / 1024:.1f} KiB",
        f"{cell.bytes_a_socket / raw.bytes_a_socket:.2f}",
        str(cell.lost),
    ]
    return f"| {' | '.join(values)} |"


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-updates", description=__doc__)
    parser.add_argument("--sockets", type=int, default=5000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--messages", type=int, default=10, help="in a repeat, for each server")
    parser.add_argument("--port", type=int, default=8371)
    options = parser.parse_args()
    servers = Servers(end_on_signals(), first_port=options.port, drop=0.0, without=None)
    cells = [
        Cell("the product on daphne", "server-0", options.port),
        Cell("the product on gunicorn's ASGI worker", "gunicorn", options.port + 3),
        Cell("`websockets`, raw broadcast", "raw", options.port + 4),
    ]
    bench = Bench(servers, cells, options.sockets)
    try:
        servers.start_databases()
        bench.prepare()
        for repeat in range(options.repeats + 1):
            for cell in cells:
                bench.measure(cell, options.messages, keep=repeat > 0)  # the first warms up
                time.sleep(_REST_SECONDS)
        text = report(cells, options)
    finally:
        with suppress(EmbeddedError):
            servers.stop()
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return 1 if any(cell.lost for cell in cells) else 0


if __name__ == "__main__":
    sys.exit(main())
