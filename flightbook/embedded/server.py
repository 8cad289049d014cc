"""One embedded server: found, started, awaited, kept running and stopped. The two kinds say how each is done."""

import fcntl
import os
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from flightbook.embedded import places, processes
from flightbook.embedded.failures import EmbeddedError
from flightbook.embedded.signals import StopSignals

START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_STARTS_A_MINUTE = 5


class Server(ABC):
    """A server with a directory of its own, which one run owns at a time by a lock that dies with it.

    Attributes:
        url: what a client is told, valid once ``start`` has returned.
    """

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]

    def __init__(self, home: Path, signals: StopSignals, *, durable: bool) -> None:
        """``home`` is the directory; without ``durable`` a crash of the machine may lose the data."""
        self.home = places.open_directory(home)
        self.signals = signals
        self.durable = durable
        self.account = places.service_account(home / "data")
        self.data = home / "data"
        self.sockets = places.socket_directory(home, self.account)
        self.log = home / "log"
        self._lock = os.open(home / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        self._address = home / "url"
        self._process: subprocess.Popen[bytes] | None = None
        self._starts: list[float] = []

    @property
    @abstractmethod
    def url(self) -> str: ...

    @property
    @abstractmethod
    def pid_file(self) -> Path:
        """Where the running server keeps its process number."""

    @property
    @abstractmethod
    def marker(self) -> str:
        """What the server's command line holds and no other process's does."""

    @abstractmethod
    def command(self) -> Sequence[str | Path]: ...

    @abstractmethod
    def prepare(self) -> None:
        """Makes the data directory where there is none; raises ``EmbeddedError`` for one that can't be used."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether a client is served; makes the database on the first time."""

    def join_or_start(self) -> None:
        """Takes the server that another run of this checkout has started, or else starts it and owns it."""
        deadline = time.monotonic() + START_SECONDS
        while not self._own():
            if self._address.exists() and self.answers():
                return
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"another run holds {self.home / 'lock'}, but its {self.name} does not answer."
                )
            self.signals.check()
            time.sleep(0.1)
        self._address.unlink(missing_ok=True)
        self.start()
        self._address.write_text(self.url + "\n", encoding="utf-8")

    def start(self) -> None:
        """Starts the server in the place of any that a killed run left; returns when it answers."""
        processes.end_stale(self.pid_file, self.marker, self.stop_signal, _STOP_SECONDS)
        self.prepare()
        self.signals.check()
        self._starts.append(time.monotonic())
        with self._new_log().open("wb") as output:
            self._process = processes.spawn(
                self.command(),
                if_parent_dies=self.stop_signal,
                account=self.account,
                output=output,
                environment=plain_environment(),
                directory=self.sockets,
                own_session=True,
            )
        self._await_answer(self._process)

    def keep_running(self) -> None:
        """Starts a server of ours anew if it has died; raises ``EmbeddedError`` if it keeps dying."""
        if self._process is None or self._process.poll() is None:
            return
        recent = [moment for moment in self._starts if moment > time.monotonic() - 60]
        if len(recent) >= _STARTS_A_MINUTE:
            raise EmbeddedError(f"{self.name} keeps dying: {self._last_words()}")
        print(f"flightbook: {self.name} has died and is started again.", flush=True)
        self.start()

    def stop(self) -> None:
        """Ends the server if this run owns it, and lets go of the lock."""
        if self._process is not None:
            self._address.unlink(missing_ok=True)
            processes.end(self._process, self.stop_signal, _STOP_SECONDS)
        os.close(self._lock)

    def discard(self) -> None:
        """Removes what lies outside ``home``, and ends a left-over server; the caller removes ``home``."""
        processes.end_stale(self.pid_file, self.marker, self.stop_signal, _STOP_SECONDS)
        shutil.rmtree(self.sockets)

    def _own(self) -> bool:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _new_log(self) -> Path:
        """The path for a new log; the last start's stays beside it as ``log.old``."""
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".old"))
        return self.log

    def _await_answer(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if process.poll() is not None:
                raise EmbeddedError(f"{self.name} did not start: {self._last_words()}")
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"{self.name} did not answer within {START_SECONDS:.0f} s; its log: {self.log}"
                )
            self.signals.check()
            time.sleep(0.02)

    def _last_words(self) -> str:
        """The log's line that tells most, and where to read the rest."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        telling = [
            line for line in lines if any(word in line for word in ("PANIC", "FATAL", "rror"))
        ] or lines[-1:]
        return f"{telling[0].strip() if telling else 'it said nothing'} (its log: {self.log})"


def plain_environment() -> dict[str, str]:
    """An environment free of the caller's settings: a PGPORT or PGDATA of theirs is not meant for our server."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
