"""One cell: a contender under one load on a fresh database, and the auditor after it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.booking.servers import CELL, Servers
from flightbook.embedded import places

WARM_SECONDS = 2
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Cell:
    contender: str
    flights: str
    connections: int


@dataclass(frozen=True)
class Result:
    """`rate`: bookings a second. `refused`, `broken`: answers that were none of 2xx, and none at all. `cpu`:
    milliseconds of a core that a booking took of the contender, of PostgreSQL (the worker's part of it too)
    and of the worker."""

    cell: Cell
    rate: float
    p50: float
    p99: float
    refused: int
    broken: int
    cpu: tuple[float, float, float]
    audit: str


class Bench:
    def __init__(self, servers: Servers, *, seconds: int) -> None:
        self.servers, self.seconds = servers, seconds
        self.world: dict[str, Any] = json.loads((servers.directory / "world.json").read_text())
        self.count = 0

    def run(self, cell: Cell) -> Result:
        self.count += 1
        self.servers.fresh_database()
        with ExitStack() as stack:
            worker = stack.enter_context(self.servers.worker())
            if cell.contender == "pgbench":
                before = self._cpu(None, worker)
                measured = self._pgbench(cell)
                after = self._cpu(None, worker)
            else:
                url, server = stack.enter_context(getattr(self.servers, cell.contender)())
                who = self._tokens()
                self._wrk(cell, url, who, WARM_SECONDS, "warm")
                before = self._cpu(server, worker)
                measured = self._wrk(cell, url, who, self.seconds, "cell")
                after = self._cpu(server, worker)
        bookings = max(1.0, measured[0] * self.seconds)
        spent = [(late - early) * 1000 / bookings for early, late in zip(before, after, strict=True)]
        return Result(cell, *measured, cpu=(spent[0], spent[1], spent[2]), audit=self._audit())

    def _cpu(self, server: int | None, worker: int) -> tuple[float, float, float]:
        own = 0.0 if server is None else _cpu_seconds(server)
        return own, _cpu_seconds(self.servers.postmaster()), _cpu_seconds(worker)

    def _flights(self, cell: Cell) -> tuple[int, int]:
        if cell.flights == "hot":
            return self.world["hot"], self.world["hot"]
        return self.world["first"], self.world["last"]

    def _tokens(self) -> Path:
        """Access tokens live 15 minutes, a run longer: each cell has its own."""
        from accounts.tokens import AccessClaims, sign_access_token  # noqa: PLC0415  # wants the settings

        path = self.servers.directory / "tokens"
        lines = [
            f"{sign_access_token(AccessClaims(sid=sid, user_public_id=user))} {user}"
            for _, user, sid in self.world["travellers"]
        ]
        path.write_text("\n".join(lines))
        return path

    def _wrk(
        self, cell: Cell, url: str, who: Path, seconds: int, name: str
    ) -> tuple[float, float, float, int, int]:
        first, last = self._flights(cell)
        asked = {"WHO": who, "FIRST": first, "LAST": last, "CELL": f"{name}-{self.count}"}
        words = ["wrk", "-t1", f"-c{cell.connections}", f"-d{seconds}s", "--timeout", "20s"]
        said = _output([*words, "-s", str(HERE / "load.lua"), url], asked)
        found = json.loads(said.strip().splitlines()[-1])
        done = found["requests"] - found["refused"]
        return done / found["seconds"], found["p50"], found["p99"], found["refused"], found["broken"]

    def _pgbench(self, cell: Cell) -> tuple[float, float, float, int, int]:
        first, last = self._flights(cell)
        people = [pk for pk, _, _ in self.world["travellers"]]
        logs = self.servers.directory / "pgbench"
        logs.mkdir(exist_ok=True)
        for old in logs.iterdir():
            old.unlink()
        words: list[object] = [
            *(places.postgresql_binaries() / "pgbench", "-n", "-M", "simple", "-h"),
            *(self.servers.postgresql.sockets, "-U", "flightbook", "-c", cell.connections, "-j", 1),
            *("-f", HERE / "pgbench" / "sale.sql", "-D", f"first={first}", "-D", f"last={last}"),
            *("-D", f"travellers_first={people[0]}", "-D", f"travellers_last={people[-1]}"),
        ]
        _output([*words, "-T", WARM_SECONDS, CELL])
        said = _output([*words, "-T", self.seconds, "-l", f"--log-prefix={logs}/cell", CELL])
        rate = re.search(r"tps = ([\d.]+)", said)
        failed = re.search(r"number of failed transactions: (\d+)", said)
        assert rate is not None
        times = sorted(int(line.split()[2]) / 1000 for log in logs.iterdir() for line in log.open())
        p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
        return float(rate[1]), p50, p99, int(failed[1]) if failed else 0, 0

    def _audit(self) -> str:
        """What the auditor says of what the cell left, in one line."""
        found = self.servers.run("manage.py", "audit")
        lines = found.stdout.strip().splitlines()
        if found.returncode:
            broken = [line for line in lines if line.startswith("BROKEN")]
            raise RuntimeError("\n".join([*broken, found.stderr[-2000:]]))
        return lines[-1]


def _cpu_seconds(pid: int) -> float:
    """What a process and those under it have used, those that have ended included."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):  # it ended, before the file was opened or after
        return 0.0
    own = sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")
    return own + sum(_cpu_seconds(int(child)) for child in children)


def _output(words: Sequence[object], more: Mapping[str, object] | None = None) -> str:
    done = subprocess.run(  # noqa: S603 - our own words
        [str(word) for word in words],
        env=os.environ | {name: str(value) for name, value in (more or {}).items()},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{words[0]}: {done.stdout[-500:]} {done.stderr[-1500:]}")
    return done.stdout
