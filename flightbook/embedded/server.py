"""One embedded server: found, started, awaited, kept running, stopped. The two kinds say how."""

import fcntl
import os
import re
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
from flightbook.embedded.terminal import tell

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_STARTS_A_MINUTE = 5
# "FATAL:  the database system is starting up" is what our own asking draws.
_TELLING = re.compile(r"(?:PANIC|FATAL|[Ee]rror)(?!.*the database system is)")


class Server(ABC):
    """A server with a directory of its own, which one run owns at a time by a lock that dies with it."""

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]

    def __init__(self, home: Path, signals: StopSignals, *, durable: bool) -> None:
        """``home`` is the directory; without ``durable`` a crash of the machine may lose the data."""
        self.home = places.open_directory(home)
        self.signals = signals
        self.durable = durable
        self.data = home / "data"
        self.account = places.service_account(self.data)
        self.sockets = places.socket_directory(home, self.account)
        self.log = home / "log"
        self._lock = os.open(home / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        self._ready = home / "ready"
        self._process: subprocess.Popen[bytes] | None = None
        self._starts: list[float] = []

    @property
    @abstractmethod
    def url(self) -> str:
        """What a client is told; it is the same for every run of one ``home``."""

    @property
    @abstractmethod
    def pid_file(self) -> Path:
        """Where the running server keeps its process number."""

    @property
    @abstractmethod
    def marker(self) -> str:
        """What the server's command line holds and no other process's does."""

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """The server's command line."""

    @abstractmethod
    def prepare(self) -> None:
        """Makes the data directory where there is none; raises ``EmbeddedError`` for an unusable one."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether a client is served; makes what the client expects on the first time."""

    def join_or_start(self) -> None:
        """Takes the server that another run of this checkout has started, or else starts it and owns it."""
        deadline = time.monotonic() + _START_SECONDS
        while not self._own():
            if self._ready.exists() and self.answers():
                return
            if time.monotonic() > deadline:
                raise EmbeddedError(f"{self.name} of another run does not answer; it holds {self.home}/lock.")
            self.signals.check()
            time.sleep(0.1)
        self._start_as_owner()

    def _start_as_owner(self) -> None:
        self._ready.unlink(missing_ok=True)
        self.start()
        self._ready.touch()

    def start(self) -> None:
        """Starts the server in the place of any that a killed run left; returns when it answers."""
        self._end_stale()
        self.prepare()
        self.signals.check()
        self._starts.append(time.monotonic())
        self._process = self.spawn(self.command())
        deadline = time.monotonic() + _START_SECONDS
        while not self.answers():
            if self._process.poll() is not None:
                raise EmbeddedError(f"{self.name} did not start: {self.last_words()}")
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"{self.name} did not answer in {_START_SECONDS:.0f} s; its log: {self.log}"
                )
            self.signals.check()
            time.sleep(0.02)

    def spawn(self, command: Sequence[str | Path]) -> subprocess.Popen[bytes]:
        """Runs ``command`` as the server's account into a new log; the last one stays as ``log.old``."""
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".old"))
        with self.log.open("wb") as output:
            return processes.spawn(
                command,
                if_parent_dies=self.stop_signal,
                account=self.account,
                output=output,
                # None of the caller's settings: a PGPORT or PGDATA of theirs is not meant for our server.
                environment={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
                directory=self.sockets,
                own_session=True,
            )

    def last_words(self) -> str:
        """The line of the log that tells most, and where to read the rest."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        telling = [line for line in lines if _TELLING.search(line)] or lines[-1:] or ["it said nothing"]
        return f"{telling[0].strip()} (its log: {self.log})"

    def keep_running(self) -> None:
        """Starts the server anew if it has died, or if the run that had it has ended.

        Raises ``EmbeddedError`` if it keeps dying.
        """
        if self._process is None:
            if self._own():
                tell(f"the run that had {self.name} has ended; it is started for this one.")
                self._start_as_owner()
            return
        if self._process.poll() is None:
            return
        recent = [moment for moment in self._starts if moment > time.monotonic() - 60]
        if len(recent) >= _STARTS_A_MINUTE:
            raise EmbeddedError(f"{self.name} keeps dying: {self.last_words()}")
        tell(f"{self.name} has died and is started again.")
        self.start()

    def stop(self) -> None:
        """Ends the server if this run started it, and lets go of the lock."""
        if self._process is not None:
            self._ready.unlink(missing_ok=True)
            processes.end(self._process, self.stop_signal, _STOP_SECONDS)
        os.close(self._lock)

    def discard(self) -> None:
        """Removes everything that is the server's, ending one that was left behind.

        Raises ``EmbeddedError`` while another run uses it.
        """
        if not self._own():
            raise EmbeddedError(f"{self.name} is in use by another run of this checkout: end that one first.")
        self._end_stale()
        shutil.rmtree(self.sockets)
        shutil.rmtree(self.home)
        os.close(self._lock)

    def _end_stale(self) -> None:
        processes.end_stale(self.pid_file, self.marker, self.stop_signal, _STOP_SECONDS)

    def _own(self) -> bool:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
