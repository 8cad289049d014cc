"""All that the race runs, and kills: PostgreSQL, Valkey, gunicorn, the workers, the client processes.

They end with the controller, be it by kill -9, because the kernel tells them (see `flightbook.embedded`).
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import httpx
import psycopg2

from flightbook.embedded import environment, places, processes
from flightbook.embedded.postgresql import PostgreSQL
from flightbook.embedded.signals import StopSignals
from flightbook.embedded.valkey import Valkey

ROOT = Path(__file__).absolute().parents[2]
WEB_PROCESSES, WEB_THREADS = 4, 4
WORKERS = 2
_KILLED_SECONDS = 20.0


class KillablePostgreSQL(PostgreSQL):
    """With fsync, and with an end that no server wishes for."""

    def command(self) -> Sequence[str | Path]:
        # After a crash the whole file system is synced at once, not file by file: back in half the time.
        return [*super().command(), "-c", "recovery_init_sync_method=syncfs"]

    def kill_and_restart(self) -> float:
        """kill -9 of the postmaster and all its children; seconds until it answers again, recovered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)  # so that it has no more children than these
        family = [self._process.pid, *children(self._process.pid)]
        began = time.monotonic()
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        eventually(lambda: not any(_is_alive(pid) for pid in family), seconds=_KILLED_SECONDS)
        self.start()
        return time.monotonic() - began

    def has_recovered(self) -> bool:
        """Whether this start found a database that had not been shut down."""
        return "automatic recovery in progress" in self.log.read_text(encoding="utf-8", errors="replace")


class KillableValkey(Valkey):
    def kill_and_restart(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self.start()


class Servers:
    """The processes of one race. `directory` is for what they share and log."""

    def __init__(
        self, signals: StopSignals, *, port: int, gateway_port: int, settings: dict[str, str]
    ) -> None:
        home = places.open_directory(places.home(ROOT / "var")) / "race"
        for kind in (PostgreSQL, Valkey):
            kind(home / kind.name.lower(), signals, durable=True).discard()
        self.directory = home / "run"
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        self.postgresql = KillablePostgreSQL(home / "postgresql", signals, durable=True)
        self.valkey = KillableValkey(home / "valkey", signals, durable=True)
        self.port, self.gateway_port = port, gateway_port
        self.environment = self._environment(settings)
        self.recoveries: list[float] = []
        self._web: subprocess.Popen[bytes] | None = None
        self._workers: list[subprocess.Popen[bytes]] = []
        self._clients: list[subprocess.Popen[bytes]] = []
        self._others: list[subprocess.Popen[bytes]] = []

    def _environment(self, settings: dict[str, str]) -> dict[str, str]:
        own = {
            "DATABASE_URL": self.postgresql.url,
            "REDIS_URL": self.valkey.url,
            "DATABASE_CONN_MAX_AGE": "600",
            "EMAIL_URL": "dummymail://",
            "LOG_LEVEL": "WARNING",
            "PYTHONPATH": str(ROOT),
            "DJANGO_SETTINGS_MODULE": "flightbook.settings",
            "RACE_DIR": str(self.directory),
            # All load comes from here; what is counted a minute would be in the way.
            **{f"RATE_LIMIT_{name}": "1000000" for name in ("REGISTER", "LOGIN", "SALE", "DEFAULT")},
            "HOLDS_PER_USER": "40",
        }
        merged = os.environ | own | settings
        for name in ("TOKEN_KEYS_DIR", "SECRET_KEY", "ALLOWED_HOSTS"):
            if name not in settings:
                merged.pop(name, None)  # a shell's own would end up in the race
        environment.add_first_run_settings(merged, self.directory / "keys")
        return merged

    def start_databases(self) -> None:
        self.postgresql.join_or_start()
        self.valkey.join_or_start()

    def start_web(self) -> None:
        options = [
            "-b",
            f"127.0.0.1:{self.port}",
            "--workers",
            str(WEB_PROCESSES),
            "--threads",
            str(WEB_THREADS),
        ]
        self._web = self._spawn(
            "web",
            "-m",
            "gunicorn",
            "-c",
            "docker/gunicorn_settings.py",
            *options,
            "bench.race.entry:application",
        )
        self.eventually_answers(f"http://127.0.0.1:{self.port}/health/live")

    def start_other(self, name: str, *arguments: str) -> None:
        """A process that is only stopped at the end."""
        self._others.append(self._spawn(name, *arguments))

    def eventually_answers(self, url: str) -> None:
        def answers() -> bool:
            for process in (self._web, *self._others):
                if process is not None and process.poll() is not None:
                    raise RuntimeError(f"a server did not start: see the logs in {self.directory}")
            try:
                return httpx.get(url, timeout=5).is_success
            except httpx.HTTPError:
                return False

        eventually(answers, seconds=60)

    def start_workers(self) -> None:
        self._workers = [
            self._spawn(f"worker-{n}", "-m", "bench.race.entry", "worker") for n in range(WORKERS)
        ]

    def replace_dead_workers(self) -> int:
        """Starts a worker in the place of each that has died; how many."""
        dead = [number for number, worker in enumerate(self._workers) if worker.poll() is not None]
        for number in dead:
            self._workers[number] = self._spawn(f"worker-{number}", "-m", "bench.race.entry", "worker")
        return len(dead)

    def web_processes(self) -> list[int]:
        """gunicorn's workers, without their master."""
        assert self._web is not None
        return children(self._web.pid)

    def web_is_up(self) -> bool:
        return self._web is not None and self._web.poll() is None

    def start_clients(self, count: int, *arguments: str) -> None:
        shared = ["--directory", str(self.directory), "--port", str(self.port), *arguments]
        self._clients = [
            self._spawn(f"client-{n}", "-m", "bench.race.client", "--number", str(n), *shared)
            for n in range(count)
        ]

    def clients_running(self) -> int:
        return sum(client.poll() is None for client in self._clients)

    def clients_failed(self) -> int:
        return sum(bool(client.poll()) for client in self._clients)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One Python process to its end."""
        return subprocess.run(  # noqa: S603 - our own words
            [sys.executable, *arguments],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

    def connect(self) -> psycopg2.extensions.connection:
        """As the application's role, autocommit."""
        connection = psycopg2.connect(
            host=str(self.postgresql.sockets), user="flightbook", dbname="flightbook", connect_timeout=5
        )
        connection.autocommit = True
        return connection

    def _spawn(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.directory / f"{name}.log").open("ab") as log:
            return processes.spawn(
                [sys.executable, *arguments],
                if_parent_dies=signal.SIGKILL,
                output=log,
                environment=self.environment,
                directory=ROOT,
                own_session=True,
            )

    def stop_workers(self) -> None:
        for worker in self._workers:
            processes.end(worker, signal.SIGTERM, 20)
        self._workers = []

    def stop(self) -> None:
        for client in self._clients:
            processes.end(client, signal.SIGTERM, 5)
        self.stop_workers()
        if self._web is not None:
            processes.end(self._web, signal.SIGTERM, 10)
        for other in self._others:
            processes.end(other, signal.SIGTERM, 5)
        self.valkey.stop()
        self.postgresql.stop()


def eventually(condition: Callable[[], bool], *, seconds: float) -> float:
    """Waits for it; how long that took. Raises `TimeoutError`."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"not within {seconds:.0f} s")
        time.sleep(0.05)
    return time.monotonic() - began


def children(pid: int) -> list[int]:
    """By /proc, since a killed parent can't be asked."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def _is_alive(pid: int) -> bool:
    """Until it is a zombie: before that it may still have the shared memory that a successor finds in use."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
