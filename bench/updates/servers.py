"""The processes of the proof: PostgreSQL, Valkey, daphnes, relays, followers and the airline that reports."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.race.servers import children, eventually
from flightbook.embedded import environment, places, processes
from flightbook.embedded.postgresql import PostgreSQL
from flightbook.embedded.signals import StopSignals
from flightbook.embedded.valkey import Valkey

ROOT = Path(__file__).resolve().parents[2]
SERVERS, RELAYS = 3, 2


class MortalValkey(Valkey):
    def kill(self) -> None:
        """Without a word, and with all that it held."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()


class Servers:
    """All of them; `directory` is for what they share and log."""

    def __init__(self, signals: StopSignals, *, first_port: int, drop: float, without: str | None) -> None:
        home = places.open_directory(places.home(ROOT / "var")) / "updates"
        for kind in (PostgreSQL, MortalValkey):
            kind(home / kind.name.lower(), signals, durable=True).discard()
        self.directory = home / "run"
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        self.postgresql = PostgreSQL(home / "postgresql", signals, durable=True)
        self.valkey = MortalValkey(home / "valkey", signals, durable=True)
        self.ports = [first_port + number for number in range(SERVERS)]
        self.environment = self._environment(drop, without)
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def _environment(self, drop: float, without: str | None) -> dict[str, str]:
        own = {
            "DATABASE_URL": self.postgresql.url,
            "REDIS_URL": self.valkey.url,
            "EMAIL_URL": "dummymail://",
            "LOG_LEVEL": "WARNING",
            "PYTHONPATH": str(ROOT),
            "DJANGO_SETTINGS_MODULE": "flightbook.settings",
            "PROOF_DROP": str(drop),
            "PROOF_DROPS": str(self.directory / "drops"),
            "PROOF_WITHOUT": without or "",
        }
        merged = os.environ | own
        for name in ("PAYMENT_GATEWAY", "TOKEN_KEYS_DIR", "SECRET_KEY", "ALLOWED_HOSTS"):
            merged.pop(name, None)  # a shell's own would end up in the proof
        environment.add_first_run_settings(merged, self.directory / "keys")
        return merged

    def start_databases(self) -> None:
        self.postgresql.join_or_start()
        self.valkey.join_or_start()

    def seed(self, flights: int, users: int) -> dict[str, Any]:
        done = subprocess.run(  # noqa: S603 - our own words
            [sys.executable, "-m", "bench.updates.seed", str(flights), str(users)],
            env=self.environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            check=True,
        )
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def start(self) -> None:
        for number in range(SERVERS):
            self.start_server(number)
        for number in range(RELAYS):
            self.start_relay(number)

    def start_server(self, number: int) -> None:
        port = self.ports[number]
        self._serve(f"server-{number}", port, "-m", "bench.updates.entry", "serve", str(port))

    def _serve(self, name: str, port: int, *arguments: str) -> None:
        """Starts what listens on `port`, and waits until it does. A port that is another's is refused: the
        followers would dial that."""
        if _listens(port):
            raise RuntimeError(f"Port {port} is taken: choose another by --port.")
        self._spawn(name, *arguments)
        eventually(lambda: self._is_up(name, port), seconds=60)

    def _is_up(self, name: str, port: int) -> bool:
        if self._running[name].poll() is not None:
            raise RuntimeError(f"{name} did not start: see {self.directory}/{name}.log")
        return _listens(port)

    def start_relay(self, number: int) -> None:
        self._spawn(f"relay-{number}", "-m", "bench.updates.entry", "relay")

    def tell(self, name: str, signum: signal.Signals) -> None:
        self._running[name].send_signal(signum)

    def end(self, name: str, signum: signal.Signals) -> None:
        """Signals and waits for the end, which kill -9 brings after a while whatever `signum` is."""
        processes.end(self._running.pop(name), signum, 30)

    def start_client(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """One that is talked with over its standard input and output."""
        with (self.directory / f"{name}.log").open("ab") as log:
            client = subprocess.Popen(  # noqa: S603 - our own words
                [sys.executable, "-m", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self.environment,
                cwd=ROOT,
                start_new_session=True,
                preexec_fn=processes.dies_with_parent(signal.SIGKILL),  # noqa: PLW1509 - one thread
            )
        self._running[name] = client
        return client

    def start_raw(self, port: int) -> None:
        """The broadcast server that the product's fan-out is measured against."""
        self._serve("raw", port, "-m", "bench.updates.raw", str(port))

    def start_sink(self, port: int) -> None:
        """What abusers are at for the control."""
        self._serve("sink", port, "-m", "bench.updates.sink", str(port))

    def start_gunicorn(self, port: int) -> None:
        """The same application on gunicorn's own ASGI worker."""
        options = ["-k", "asgi", "--workers", "1", "--worker-connections", "20000", "-b", f"127.0.0.1:{port}"]
        self._serve("gunicorn", port, "-m", "gunicorn", *options, "flightbook.asgi:application")

    def memory(self, name: str) -> int:
        """Resident bytes of a process and of its children."""
        pid = self._running[name].pid
        pages = [Path(f"/proc/{each}/statm").read_text().split()[1] for each in [pid, *children(pid)]]
        return sum(int(count) for count in pages) * os.sysconf("SC_PAGE_SIZE")

    def processor(self, name: str) -> float:
        """Seconds that a process has computed, the kernel's work for it included."""
        fields = Path(f"/proc/{self._running[name].pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def drops(self) -> int:
        counter = self.directory / "drops"
        return counter.stat().st_size if counter.exists() else 0

    def stop(self) -> None:
        for name in reversed(self._running.copy()):  # clients before their servers
            self._running[name].send_signal(signal.SIGCONT)
            self.end(name, signal.SIGTERM)
        self.valkey.stop()
        self.postgresql.stop()

    def _spawn(self, name: str, *arguments: str) -> None:
        with (self.directory / f"{name}.log").open("ab") as log:
            self._running[name] = processes.spawn(
                [sys.executable, *arguments],
                if_parent_dies=signal.SIGKILL,
                output=log,
                environment=self.environment,
                directory=ROOT,
                own_session=True,
            )


def end_on_signals() -> StopSignals:
    """For a controller that waits for what others say: INT and TERM end the wait, and then all is stopped."""
    signals = StopSignals()
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, lambda number, _: sys.exit(128 + number))
    return signals


def hear(client: subprocess.Popen[bytes], word: str) -> None:
    """Waits until the client says it."""
    assert client.stdout is not None
    said = client.stdout.readline().decode().strip()
    if said != word:
        raise RuntimeError(f"{client.args!r} said {said!r} in place of {word!r}: see its log")


def say(client: subprocess.Popen[bytes], line: str) -> None:
    assert client.stdin is not None
    client.stdin.write(f"{line}\n".encode())
    client.stdin.flush()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
