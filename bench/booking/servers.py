"""What one cell needs: PostgreSQL with fsync, Valkey, a database of its own, and a contender before it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg2

from flightbook.embedded import environment, places, processes
from flightbook.embedded.postgresql import PostgreSQL
from flightbook.embedded.signals import StopSignals
from flightbook.embedded.valkey import Valkey

ROOT = Path(__file__).absolute().parents[2]
TWIN_PYTHON = ROOT / "var" / "bench-booking" / "venv" / "bin" / "python"
PROCESSES, THREADS = 2, 8  # of both servers: 16 requests at once, 16 connections to the database
SEED, CELL = "flightbook", "cell"


class Servers:
    """The servers of one run. `environment` is for what runs before the cell's database."""

    def __init__(self, signals: StopSignals, *, port: int) -> None:
        home = places.open_directory(places.open_directory(places.home(ROOT / "var")) / "bench-booking")
        for kind in (PostgreSQL, Valkey):
            kind(home / kind.name.lower(), signals, durable=True).discard()
        self.directory = home / "run"
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        self.postgresql = PostgreSQL(home / "postgresql", signals, durable=True)
        self.valkey = Valkey(home / "valkey", signals, durable=True)
        self.port = port
        own = {
            "DATABASE_URL": self.postgresql.url,
            "REDIS_URL": self.valkey.url,
            "DATABASE_CONN_MAX_AGE": "600",
            "DATABASE_PREPARE": "true",
            "EMAIL_URL": "dummymail://",
            "LOG_LEVEL": "WARNING",
            "PYTHONPATH": str(ROOT),
            "DJANGO_SETTINGS_MODULE": "flightbook.settings",
            "WEB_WORKERS": str(PROCESSES),
            "WEB_THREADS": str(THREADS),
            # All load comes from one address: what is counted a minute would be in the way. It is counted.
            **{f"RATE_LIMIT_{name}": "1000000000" for name in ("SALE", "DEFAULT")},
        }
        merged = os.environ | own
        for name in ("PAYMENT_GATEWAY", "TOKEN_KEYS_DIR", "SECRET_KEY", "ALLOWED_HOSTS"):
            merged.pop(name, None)  # a shell's own would end up in the bench
        environment.add_first_run_settings(merged, self.directory / "keys")
        self.environment = merged

    def start(self) -> None:
        self.postgresql.join_or_start()
        self.valkey.join_or_start()
        seeded = self.run("-m", "bench.booking.seed", str(self.directory / "world.json"))
        if seeded.returncode:
            raise RuntimeError(seeded.stderr)
        self._administer("VACUUM ANALYZE", database=SEED)

    def stop(self) -> None:
        self.valkey.stop()
        self.postgresql.stop()

    def fresh_database(self) -> None:
        """The seed once more, all seats free, in place of what the last cell left."""
        self._administer(f"DROP DATABASE IF EXISTS {CELL} WITH (FORCE)")
        self._administer(f"CREATE DATABASE {CELL} TEMPLATE {SEED} OWNER flightbook")
        self._administer("CHECKPOINT")
        self.environment["DATABASE_URL"] = self.postgresql.url.replace(f"/{SEED}?", f"/{CELL}?")

    def _administer(self, statement: str, *, database: str = "postgres") -> None:
        connection = psycopg2.connect(
            host=str(self.postgresql.sockets), user="postgres", dbname=database, connect_timeout=5
        )
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
        finally:
            connection.close()

    def postmaster(self) -> int:
        return int(self.postgresql.pid_file.read_text().split()[0])

    @contextmanager
    def product(self) -> Iterator[tuple[str, int]]:
        command = [
            *(sys.executable, "-m", "gunicorn", "-c", "docker/gunicorn_settings.py"),
            *("-b", f"127.0.0.1:{self.port}", "flightbook.wsgi:application"),
        ]
        metrics = {"PROMETHEUS_MULTIPROC_DIR": str(self.directory / "metrics")}
        with self._running("product", command, metrics, answers="/health/live") as running:
            yield running

    @contextmanager
    def twin(self) -> Iterator[tuple[str, int]]:
        command = [
            *(str(TWIN_PYTHON), "-m", "uvicorn", "bench.booking.twin.app:app", "--no-access-log"),
            *("--host", "127.0.0.1", "--port", str(self.port), "--workers", str(PROCESSES)),
            *("--log-level", "warning", "--loop", "uvloop", "--http", "httptools"),
        ]
        with self._running("twin", command, {"POOL": str(THREADS)}, answers="/health/live") as running:
            yield running

    @contextmanager
    def worker(self) -> Iterator[int]:
        child = self._spawn("worker", [sys.executable, "manage.py", "worker"])
        try:
            yield child.pid
        finally:
            processes.end(child, signal.SIGTERM, 20)

    @contextmanager
    def _running(
        self, name: str, command: list[str], more: Mapping[str, str] | None = None, *, answers: str
    ) -> Iterator[tuple[str, int]]:
        """Its address and process."""
        child = self._spawn(name, command, more)
        url = f"http://127.0.0.1:{self.port}"
        try:
            _wait_for(url + answers, child, self.directory / f"{name}.log")
            yield url, child.pid
        finally:
            processes.end(child, signal.SIGTERM, 20)

    def _spawn(
        self, name: str, command: list[str], more: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        with (self.directory / f"{name}.log").open("ab") as log:
            return processes.spawn(
                command,
                if_parent_dies=signal.SIGKILL,
                output=log,
                environment=self.environment | (more or {}),
                directory=ROOT,
                own_session=True,
            )

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


def _wait_for(url: str, child: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        if child.poll() is not None:
            raise RuntimeError(f"it did not start: {log.read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own address
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"it does not answer: {log.read_text()[-2000:]}")
