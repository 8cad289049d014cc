"""A command with the servers that it needs around it."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from signal import SIGINT, SIGTERM, Signals

from flightbook.embedded import environment as settings
from flightbook.embedded import places, processes
from flightbook.embedded.failures import CommandNotFound
from flightbook.embedded.postgresql import PostgreSQL
from flightbook.embedded.server import Server
from flightbook.embedded.signals import StopSignals
from flightbook.embedded.valkey import Valkey

_SERVERS: dict[str, type[Server]] = {"DATABASE_URL": PostgreSQL, "REDIS_URL": Valkey}
_INTERRUPT_SECONDS = 5.0
_COMMAND_STOP_SECONDS = 25.0


def run_with_kept_servers(command: Sequence[str], signals: StopSignals, var: Path) -> int:
    """Runs ``command`` beside servers whose data outlives it; returns its exit status.

    Where another run has them up already, that run's servers are used, and are left to it.
    """
    environment = dict(os.environ)
    with ExitStack() as stack:
        settings.add_first_run_settings(environment, var / "keys")
        servers = _start_missing(environment, places.home(var), signals, stack, durable=True)
        return _supervise(command, environment, servers, signals)


def run_with_ephemeral_servers(command: Sequence[str], signals: StopSignals, var: Path) -> int:
    """Runs ``command`` beside fresh servers and keys of its own, without fsync; all of it goes at the end."""
    environment = dict(os.environ)
    with ExitStack() as stack:
        parent = places.open_directory(places.home(var) / "ephemeral")
        home = stack.enter_context(_ephemeral_home(parent, signals))
        settings.add_first_run_settings(environment, home / "keys")
        servers = _start_missing(environment, home, signals, stack, durable=False)
        return _supervise(command, environment, servers, signals)


def run_without_servers(command: Sequence[str], signals: StopSignals, var: Path) -> int:
    """Runs ``command``, a tool that reads the settings and needs no server."""
    environment = settings.NO_SERVERS | os.environ
    settings.add_first_run_settings(environment, var / "keys")
    return _supervise(command, environment, [], signals)


def remove_kept_data(signals: StopSignals, var: Path) -> None:
    """Removes what ``run_with_kept_servers`` keeps; raises ``EmbeddedError`` while a run uses it."""
    for kind in _SERVERS.values():
        kind(places.home(var) / kind.name.lower(), signals, durable=True).discard()


def _start_missing(
    environment: dict[str, str], home: Path, signals: StopSignals, stack: ExitStack, *, durable: bool
) -> list[Server]:
    """Starts a server for each URL that ``environment`` lacks, and adds the URL; ``stack`` stops them."""
    started = []
    for variable, kind in _SERVERS.items():
        if not environment.get(variable):
            server = kind(home / kind.name.lower(), signals, durable=durable)
            stack.callback(server.stop)
            server.join_or_start()
            environment[variable] = server.url
            started.append(server)
    return started


@contextmanager
def _ephemeral_home(parent: Path, signals: StopSignals) -> Iterator[Path]:
    """A fresh directory that is removed at the end, or by the next run if this one is killed.

    A lock beside it, taken before the directory exists, tells the next run whether this one is alive.
    """
    _remove_abandoned(parent, signals)
    handle, lock = tempfile.mkstemp(dir=parent, suffix=".lock")
    fcntl.flock(handle, fcntl.LOCK_EX)
    home = places.open_directory(Path(lock).with_suffix(""))
    try:
        yield home
    finally:
        _remove(home, signals)
        os.close(handle)


def _remove_abandoned(parent: Path, signals: StopSignals) -> None:
    for lock in parent.glob("*.lock"):
        try:
            with lock.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(lock.with_suffix(""), signals)
        except (BlockingIOError, FileNotFoundError):  # alive, or removed by another run meanwhile
            continue


def _remove(home: Path, signals: StopSignals) -> None:
    for kind in _SERVERS.values():
        if (home / kind.name.lower()).exists():
            kind(home / kind.name.lower(), signals, durable=False).discard()
    if home.exists():
        shutil.rmtree(home)
    home.with_suffix(".lock").unlink(missing_ok=True)


def _supervise(
    command: Sequence[str], environment: dict[str, str], servers: Sequence[Server], signals: StopSignals
) -> int:
    """Runs ``command`` to its end or ours; returns its exit status, 128 + n where signal n ended it."""
    signals.check()
    try:
        child = processes.spawn(command, if_parent_dies=SIGTERM, environment=environment)
    except OSError as error:
        raise CommandNotFound(f"{command[0]} cannot be run: {error.strerror}.") from error
    try:
        while signals.received is None and child.poll() is None:
            for server in servers:
                server.keep_running()
            with suppress(subprocess.TimeoutExpired):
                child.wait(0.2)
    finally:
        code = _end_command(child, signals.received)
    return code if code >= 0 else 128 - code


def _end_command(child: subprocess.Popen[bytes], received: Signals | None) -> int:
    """Ends the command by TERM, then KILL; first lets it end by the INT that a terminal sends to us both."""
    if received is SIGINT and _in_foreground():
        with suppress(subprocess.TimeoutExpired):
            child.wait(_INTERRUPT_SECONDS)
    return processes.end(child, SIGTERM, _COMMAND_STOP_SECONDS)


def _in_foreground() -> bool:
    """Whether the terminal's Ctrl-C goes to our process group, the command in it."""
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False
