"""Races the product against itself, kills it, and counts what is left.

    python -m bench.race [--short] [--without GUARD]    from the project's root, with the packages installed

Starts PostgreSQL (with fsync), Valkey, gunicorn and workers of its own; sends a mixed load from several
processes; kills processes at named points and PostgreSQL as a whole; lets the gateway fail; then drains, and
compares what every client was told with the database and the gateway's book. Status 0 where nothing was
found, 1 where something was. With --without it is the other way round: the run is a control, without a guard,
and must find something.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from bench.race import check, gateway, journal, money, one_key, report, rush
from bench.race.client import STOP
from bench.race.drain import drain
from bench.race.faults import Faults
from bench.race.guards import GUARDS, Guard
from bench.race.report import say
from bench.race.servers import Servers, eventually
from flightbook.embedded.failures import Stopped
from flightbook.embedded.signals import StopSignals


@dataclass(frozen=True)
class Form:
    """The size of a run; times in seconds. The load ends after `seconds`, or after `operations` if sooner."""

    seconds: float
    operations: int
    clients: int
    tasks: int
    users: int
    flights: tuple[int, int, int]
    arm_every: float
    postgresql_every: float
    lease: float
    patience: float


SHORT = Form(
    seconds=16, operations=10**9, clients=2, tasks=10, users=5, flights=(8, 20, 6),
    arm_every=0.6, postgresql_every=7, lease=2, patience=40,
)  # fmt: skip
LONG = Form(
    seconds=3300, operations=102_000, clients=3, tasks=10, users=25, flights=(12, 90, 200),
    arm_every=8, postgresql_every=75, lease=5, patience=180,
)  # fmt: skip


def main() -> int:
    options = _parse()
    form = SHORT if options.short else LONG
    signals = StopSignals()
    began = time.monotonic()
    servers = Servers(
        signals, port=options.port, gateway_port=options.port + 1, settings=_settings(form, options)
    )
    race = Race(form, options, servers, signals)
    try:
        failures = race.run()
    except Stopped as stopped:
        return 128 + stopped.signum
    finally:
        race.servers.stop()
    say(f"\nIn all {time.monotonic() - began:.0f} s. Logs and journals: {race.servers.directory}")
    say(report.CAVEAT)
    return _verdict(failures, options.without)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.race", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="a minute instead of up to an hour")
    parser.add_argument("--without", choices=sorted(GUARDS), default="", help="a control without this guard")
    parser.add_argument("--calm", action="store_true", help="the load alone, without any fault")
    parser.add_argument("--seconds", type=float, help="of load, instead of the form's")
    parser.add_argument("--operations", type=int, help="in all, instead of the form's")
    parser.add_argument("--gateway", choices=sorted(gateway.GATEWAYS), default="process")
    parser.add_argument("--port", type=int, default=8260, help="ours; the gateway's is the next one")
    return parser.parse_args()


def _settings(form: Form, options: argparse.Namespace) -> dict[str, str]:
    return {
        **gateway.settings(options.gateway, options.port + 1),
        "RACE_WITHOUT": options.without,
        "RACE_LEASE_SECONDS": str(form.lease),
    }


def _verdict(failures: int, without: str) -> int:
    if without:
        say(f"Control without {GUARDS[without].what}: " + ("found out." if failures else "NOTHING FOUND."))
        return 0 if failures else 1
    say("Nothing found." if not failures else f"{failures} FINDINGS.")
    return 1 if failures else 0


class Race:
    """One run, step by step."""

    def __init__(
        self, form: Form, options: argparse.Namespace, servers: Servers, signals: StopSignals
    ) -> None:
        self.form, self.options, self.servers, self.signals = form, options, servers, signals
        self.faults = Faults(servers, arm_every=form.arm_every, postgresql_every=form.postgresql_every)
        self.gateway = gateway.GATEWAYS[options.gateway](servers, lease=form.lease)
        self.findings = check.Findings()
        self.guard = GUARDS[options.without] if options.without else Guard("nothing")
        self.load_seconds = 0.0

    def run(self) -> int:
        """How many findings there were."""
        world = self._start()
        self._one_key(world["one_key"])
        report.rushes(rush.run(self.servers, *world["rush"], token=self.gateway.good))
        self._load()
        self._drain()
        self._look()
        report.findings(self.findings)
        return self.findings.counts.total()

    def _start(self) -> dict[str, list[str]]:
        began = time.monotonic()
        servers, form = self.servers, self.form
        self.faults.armoury.prepare()
        servers.start_databases()
        self.gateway.start()
        seeded = servers.run("-m", "bench.race.seed", *map(str, form.flights))
        if seeded.returncode:
            raise RuntimeError(seeded.stderr)
        world: dict[str, list[str]] = json.loads(seeded.stdout)
        for statement in self.guard.statements:
            with servers.connect() as connection, connection.cursor() as cursor:
                cursor.execute(statement)
        servers.start_web()
        servers.start_workers()
        load = {name: world[name] for name in ("hot", "cold", "doomed")}
        (servers.directory / "world.json").write_text(json.dumps(load))
        servers.start_clients(
            form.clients,
            *("--users", str(form.users), "--tasks", str(form.tasks)),
            *("--gateway", self.options.gateway),
        )
        eventually(lambda: len(list(servers.directory.glob("ready-*"))) == form.clients, seconds=180)
        say(
            f"Started in {time.monotonic() - began:.0f} s; {form.clients} clients of {form.tasks} tasks, "
            f"{form.clients * form.users} users, {sum(form.flights)} flights."
        )
        return world

    def _one_key(self, flights: list[str]) -> None:
        outcomes = one_key.run(self.servers, flights, token=self.gateway.good)
        report.one_key(outcomes)
        if not any(outcome.bookings for outcome in outcomes):
            raise RuntimeError(f"nothing can be booked at all: see the logs in {self.servers.directory}")
        wrong = [outcome for outcome in outcomes if not outcome.is_right]
        self.findings.expect_none("keys with more than one effect or answer", len(wrong), str(wrong[:1]))

    def _load(self) -> None:
        servers = self.servers
        self.gateway.rage(on=not self.options.calm, more=self.guard.faults)
        (servers.directory / "go").touch()
        began = told = time.monotonic()
        until = began + (self.options.seconds or self.form.seconds)
        enough = self.options.operations or self.form.operations
        while time.monotonic() < until and servers.clients_running() == self.form.clients:
            if self._tallies()[0].total() >= enough:
                break
            self.signals.check()
            if not self.options.calm:
                self.faults.step()
            if not servers.web_is_up():
                raise RuntimeError(f"gunicorn has ended: see {servers.directory}/web.log")
            if time.monotonic() - told > 60:  # noqa: PLR2004
                told = time.monotonic()
                self._tell(told - began)
            time.sleep(0.05)
        self.load_seconds = time.monotonic() - began

    def _tell(self, seconds: float) -> None:
        answers, _, _ = self._tallies()
        fired, toll = self.faults.armoury.fired(), self.faults.toll
        say(
            f"  {seconds:5.0f} s: {answers.total():,} operations, {sum(fired.values())} kills at "
            f"{sum(map(bool, fired.values()))} points, PostgreSQL {toll.postgresql} times"
        )

    def _drain(self) -> None:
        servers = self.servers
        (servers.directory / STOP).touch()
        self.faults.armoury.disarm_all()
        self.gateway.rage(on=False)
        try:
            waited = eventually(self._clients_done, seconds=self.form.patience + 60)
        except TimeoutError:
            waited = self.form.patience + 60
        refused = servers.run("-m", "bench.race.refused")
        if refused.returncode:
            raise RuntimeError(refused.stderr)
        seconds, left = drain(servers, seconds=self.form.patience)
        servers.stop_workers()
        say(f"\nDrained: the clients' last requests in {waited:.1f} s, then all work in {seconds:.1f} s.")
        say(f"Staff tried {refused.stdout} refunds again that the gateway had refused.")
        for name, count in left.items():
            self.findings.expect_none(f"still open after the drain: {name}", count)
        self.findings.expect_none("client processes that failed", servers.clients_failed())

    def _clients_done(self) -> bool:
        self.signals.check()
        self.servers.replace_dead_workers()
        return self.servers.clients_running() == 0

    def _look(self) -> None:
        answers, sent, slowest = self._tallies()
        report.operations(answers, sent, self.load_seconds)
        say(f"  {'the slowest one was resolved after':<58}{slowest:>8.1f} s")
        report.kills(self.faults.armoury.fired(), self.faults.toll)
        report.table("Faults of the gateway", self.gateway.struck())
        entries, contradictions = journal.read(self.servers.directory)
        connection = self.servers.connect()
        try:
            check.check_journals(connection, entries, contradictions, self.findings)
            money.check_seats(connection, self.findings)
            money.check_money(connection, self.gateway.book(), entries, self.findings)
        finally:
            connection.close()
        self._audit()

    def _audit(self) -> None:
        audit = self.servers.run("manage.py", "audit", "--settled")
        say("\nThe auditor, --settled")
        say("\n".join(f"  {line}" for line in (audit.stdout + audit.stderr).splitlines()))
        self.findings.expect_none("the auditor's status", audit.returncode, "see above")

    def _tallies(self) -> tuple[Counter[str], Counter[str], float]:
        answers: Counter[str] = Counter()
        sent: Counter[str] = Counter()
        slowest = 0.0
        for file in self.servers.directory.glob("client-*.json"):
            tally: dict[str, Any] = json.loads(file.read_text())
            answers.update(tally["answers"])
            sent.update(tally["sent"])
            slowest = max(slowest, tally["slowest"])
        return answers, sent, slowest


if __name__ == "__main__":
    sys.exit(main())
