"""`make updates-proof`: no follower of a flight misses an update, hears one twice, or out of order.

Thousands of followers over several daphnes, three flights each, one flight followed by hundreds. While
updates flow, Redis is killed and restarted again and again (each time around the last update that a flight
ever has), relays and servers are killed, one is stalled for ten seconds, and every hub loses a part of what
the layer sent it. Then each follower's record is compared with the log in the database.

`--without watcher` and `--without catch-up` are controls: they must find losses, or the proof proves nothing.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2

from bench.updates.servers import RELAYS, SERVERS, Servers, end_on_signals, hear, say
from bench.updates.verdict import Death, Verdict, judge, read_log
from flightbook.embedded.failures import EmbeddedError

CLIENTS = 4
STALL_SECONDS = 10.0
# From the last update on: two rounds of the watcher, a client's way back, and the machine's noise.
SETTLE_SECONDS = 15.0
_DEATH_SLOT, _FAULT_SLOT = 13.0, 16.0
_DOWN_SECONDS = (1.0, 3.0)
_DEATHS_BETWEEN_FAULTS = 4
_FLIGHTS_EACH = 3
_USER_SOCKETS = 50


@dataclass(frozen=True)
class Size:
    followers: int
    flights: int
    updates: int
    deaths: int

    @property
    def seconds(self) -> float:
        return self.deaths * _DEATH_SLOT + len(self.faults) * _FAULT_SLOT

    @property
    def faults(self) -> range:
        return range(0, self.deaths, _DEATHS_BETWEEN_FAULTS)


LONG = Size(followers=2000, flights=200, updates=10_000, deaths=20)
SHORT = Size(followers=200, flights=40, updates=400, deaths=2)


class Proof:
    """One run: what is started, what is done to it, and what has been done."""

    def __init__(self, size: Size, servers: Servers, seed: int) -> None:
        self.size, self.servers = size, servers
        self.dice = random.Random(seed)  # noqa: S311
        self.seed = seed
        self.deaths: list[Death] = []
        self.faults: list[str] = []
        self.results: list[Path] = []
        self._emptied = -1  # the server killed last: few have come back to it
        self._clients: list[subprocess.Popen[bytes]] = []

    def run(self) -> Verdict:
        world = self.servers.seed(self.size.flights, self.size.followers // _USER_SOCKETS + 1)
        flights = world["flights"]
        self.hot, self.ending, self.others = (
            flights[0],
            flights[1 : self.size.deaths + 1],
            flights[1 + self.size.deaths :],
        )
        follows = self._follows()
        self.servers.start()
        self._start_followers(follows, world["users"])
        writer = self._start_writer()
        self._torment(writer)
        hear(writer, "finished")
        self.said_all_at = time.monotonic()
        time.sleep(SETTLE_SECONDS)
        self._stop_followers()
        log = read_log(self._connect())
        self.recorded = sum(len(updates) for updates in log.values())
        return judge(self.results, follows, log, self.deaths)

    def _follows(self) -> dict[str, list[int]]:
        """A tenth follow the one hot flight, and all some flight that will end in a death of Redis."""
        chosen = {}
        for number in range(self.size.followers):
            few = self.dice.sample(self.others, _FLIGHTS_EACH - 1)
            third = self.hot if number % 10 == 0 else self.ending[number % len(self.ending)]
            chosen[str(number)] = [third, *few]
        return chosen

    def _start_followers(self, follows: dict[str, list[int]], users: Any) -> None:
        for client in range(CLIENTS):
            mine = {number: flights for number, flights in follows.items() if int(number) % CLIENTS == client}
            settings = {"users": users, "ports": self.servers.ports, "follows": mine}
            result = self.servers.directory / f"followers-{client}.msgpack"
            path = self._write(f"followers-{client}", settings)
            self._clients.append(
                self.servers.start_client(f"followers-{client}", "bench.updates.followers", path, str(result))
            )
            self.results.append(result)
        for process in self._clients:
            hear(process, "following")

    def _start_writer(self) -> subprocess.Popen[bytes]:
        settings = {
            "flights": self.others,
            "hot": self.hot,
            "hot_part": 0.02,
            "updates": self.size.updates - self.size.deaths,
            "rate": (self.size.updates - self.size.deaths) / self.size.seconds,
            "seed": self.seed,
        }
        return self.servers.start_client("writer", "bench.updates.writer", self._write("writer", settings))

    def _torment(self, writer: subprocess.Popen[bytes]) -> None:
        began, due = time.monotonic(), 0.0
        kinds: Sequence[Callable[[], str]] = (
            self._kill_server,
            self._stall_server,
            self._kill_relays,
            self._restart_server,
            self._kill_server,
        )
        for number in range(self.size.deaths):
            if number in self.size.faults:
                self.faults.append(kinds[number // _DEATHS_BETWEEN_FAULTS % len(kinds)]())
                due += _FAULT_SLOT
                time.sleep(max(0.0, began + due - time.monotonic()))
            self.deaths.append(self._kill_redis(writer, self.ending[number], said_before=number % 2 == 0))
            due += _DEATH_SLOT
            time.sleep(max(0.0, began + due - time.monotonic()))

    def _kill_redis(self, writer: subprocess.Popen[bytes], flight: int, *, said_before: bool) -> Death:
        """A flight's last update falls in the moment before, or in the time without Redis."""
        if said_before:
            say(writer, f"last {flight}")
            hear(writer, "recorded")
        killed = time.time()
        self.servers.valkey.kill()
        if not said_before:
            say(writer, f"last {flight}")
            hear(writer, "recorded")
        time.sleep(self.dice.uniform(*_DOWN_SECONDS))
        self.servers.valkey.start()
        return Death(killed, time.time(), flight)

    def _kill_server(self) -> str:
        number = self._emptied = self._crowded_server()
        self.servers.end(f"server-{number}", signal.SIGKILL)
        self.servers.start_server(number)
        return "a server killed (-9)"

    def _restart_server(self) -> str:
        number = self._emptied = self._crowded_server()
        self.servers.end(f"server-{number}", signal.SIGTERM)
        self.servers.start_server(number)
        return "a server restarted (TERM)"

    def _stall_server(self) -> str:
        name = f"server-{self._crowded_server()}"
        self.servers.tell(name, signal.SIGSTOP)
        time.sleep(STALL_SECONDS)
        self.servers.tell(name, signal.SIGCONT)
        return f"a server stalled for {STALL_SECONDS:.0f} s"

    def _crowded_server(self) -> int:
        return self.dice.choice([number for number in range(SERVERS) if number != self._emptied])

    def _kill_relays(self) -> str:
        for number in range(RELAYS):
            self.servers.end(f"relay-{number}", signal.SIGKILL)
            self.servers.start_relay(number)
        return "both relays killed (-9)"

    def _stop_followers(self) -> None:
        for client in range(CLIENTS):
            self.servers.end(f"followers-{client}", signal.SIGTERM)

    def _connect(self) -> psycopg2.extensions.connection:
        return psycopg2.connect(
            host=str(self.servers.postgresql.sockets), user="flightbook", dbname="flightbook"
        )

    def _write(self, name: str, settings: dict[str, Any]) -> str:
        path = self.servers.directory / f"{name}.json"
        path.write_text(json.dumps(settings), encoding="utf-8")
        return str(path)


def tell(proof: Proof, verdict: Verdict, drops: int) -> None:
    """The run in numbers."""
    delays = verdict.delays
    rows = [
        ("followers, and what they follow", f"{proof.size.followers:,}, {verdict.followed:,} flights in all"),
        ("updates recorded", f"{proof.recorded:,}"),
        ("deaths of Redis", f"{len(proof.deaths)}, each around a flight's last update"),
        ("other faults", ", ".join(proof.faults)),
        ("messages of the layer lost on purpose", f"{drops:,}"),
        (
            "sockets closed, by code",
            ", ".join(f"{code}: {count:,}" for code, count in sorted(verdict.closes.items())),
        ),
        ("updates delivered", f"{verdict.delivered:,}"),
        ("lost", f"{verdict.lost:,}"),
        ("doubled", f"{verdict.doubled:,}"),
        ("out of order", f"{verdict.disordered:,}"),
        ("resets", f"{verdict.resets:,}"),
        ("problems answered", f"{len(verdict.problems)} {sorted(set(verdict.problems))}"),
        (
            "delay: median, 99 %, longest",
            ", ".join(f"{delays[int(len(delays) * part)]:.3f} s" for part in (0.5, 0.99, 0.99999)),
        ),
        ("after Redis was back, all heard of what it missed", f"{max(verdict.caught_up):.1f} s at most"),
        ("sockets opened after it was back, from then on", f"{max(verdict.returned):.1f} s at most"),
        ("after Redis was back, the median under a second", f"within {max(verdict.quick_again):.0f} s"),
    ]
    for name, value in rows:
        sys.stdout.write(f"{name:52} {value}\n")
    for example in verdict.examples:
        sys.stdout.write(f"  {example}\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make updates-proof", description=__doc__)
    parser.add_argument("--short", action="store_true", help="about a minute")
    parser.add_argument("--without", choices=["watcher", "catch-up"], help="a control: losses must appear")
    parser.add_argument("--drop", type=float, default=0.05, help="the part of the layer's messages to lose")
    parser.add_argument("--port", type=int, default=8361, help="of the first server")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))  # noqa: S311
    options = parser.parse_args()
    servers = Servers(end_on_signals(), first_port=options.port, drop=options.drop, without=options.without)
    proof = Proof(SHORT if options.short else LONG, servers, options.seed)
    sys.stdout.write(
        f"about {proof.size.seconds + 60:.0f} s; seed {options.seed}; logs in {servers.directory}\n"
    )
    sys.stdout.flush()
    try:
        servers.start_databases()
        verdict = proof.run()
    finally:
        with suppress(EmbeddedError):
            servers.stop()
    tell(proof, verdict, servers.drops())
    if options.without:
        sys.stdout.write("The control found losses.\n" if verdict.lost else "THE CONTROL FOUND NOTHING.\n")
        return 0 if verdict.lost else 1
    sys.stdout.write("Nothing was lost.\n" if verdict.is_clean else "NOT CLEAN.\n")
    if not verdict.is_in_time:
        sys.stdout.write("NOT IN TIME" + (", which the short form only says.\n" if options.short else ".\n"))
    return 0 if verdict.is_clean and (options.short or verdict.is_in_time) else 1


if __name__ == "__main__":
    sys.exit(main())
