"""Child processes that end with their parent, and those that an earlier parent left behind."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


class Account(NamedTuple):
    """The operating system's user that a server runs as."""

    name: str
    uid: int
    gid: int


def spawn(
    argv: Sequence[str | Path],
    *,
    if_parent_dies: signal.Signals,
    account: Account | None = None,
    output: IO[bytes] | int | None = None,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    own_session: bool = False,
) -> subprocess.Popen[bytes]:
    """Starts ``argv``, as ``account`` where one is given, its standard output and error going to ``output``.

    On Linux the kernel sends the child ``if_parent_dies`` when this process goes, be it by ``kill -9``.
    ``own_session`` keeps the terminal and its Ctrl-C from the child. To be called by a program of one thread:
    the kernel takes the end of the calling *thread* for the parent's death (prctl(2)).
    """
    identity: dict[str, Any] = {}
    if account:
        identity = {"user": account.uid, "group": account.gid, "extra_groups": []}
    return subprocess.Popen(  # noqa: S603 - our own words, or the command that the caller asked for
        [str(part) for part in argv],
        stdin=subprocess.DEVNULL if own_session else None,
        stdout=output,
        stderr=None if output is None else subprocess.STDOUT,
        env=environment,
        cwd=directory,
        start_new_session=own_session,
        preexec_fn=dies_with_parent(if_parent_dies),  # noqa: PLW1509 - one thread, as said
        **identity,
    )


def dies_with_parent(signum: signal.Signals) -> Callable[[], None] | None:
    """What a forked child does to be signalled at its parent's death; a change of user would undo it. See
    `spawn`."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def bind() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signum), 0, 0, 0)
        if os.getppid() != parent:  # it died before the kernel knew
            os._exit(1)

    return bind


def end(process: subprocess.Popen[bytes], signum: signal.Signals, seconds: float) -> int:
    """Asks ``process`` to end by ``signum``, kills it after ``seconds``; returns its exit status."""
    if process.poll() is None:
        process.send_signal(signum)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def end_stale(pid_file: Path, marker: str, signum: signal.Signals, seconds: float) -> None:
    """Ends the server that a killed run left behind, if ``pid_file`` names one that is alive.

    ``marker`` has to occur in the process's command line: process numbers are used again, so that an old file
    may name a stranger. Such a file is removed, because PostgreSQL takes any process of that number for a
    rival. One that names nobody stays: PostgreSQL looks from it for sessions that outlived their server.
    """
    pid = _pid_in(pid_file)
    if pid is None or not _exists(pid):
        return
    if marker not in command_line(pid):
        pid_file.unlink(missing_ok=True)
        return
    for step in (signum, signal.SIGKILL):
        os.kill(pid, step)
        if _ended_within(pid, marker, seconds):
            return


def command_line(pid: int) -> str:
    """The words that process ``pid`` was started with, between spaces; empty for one that has ended."""
    if Path("/proc/self/cmdline").exists():
        try:
            return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes()).replace("\0", " ")
        except (FileNotFoundError, ProcessLookupError):
            return ""
    return subprocess.run(  # noqa: S603
        ["/bin/ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False
    ).stdout


def _pid_in(pid_file: Path) -> int | None:
    try:
        first_line = pid_file.read_text(encoding="utf-8", errors="replace").partition("\n")[0].strip()
    except FileNotFoundError:
        return None
    return int(first_line) if first_line.isdigit() else None


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _ended_within(pid: int, marker: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while marker in command_line(pid):  # a zombie has no command line
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
