"""Keeps a few child processes running, and their words on one terminal."""

import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from signal import SIGKILL, SIGTERM
from typing import Self

from flightbook.embedded import processes
from flightbook.firstrun.failures import FirstRunError

_STEADY_SECONDS = 30.0  # a child that lived as long has its earlier deaths forgiven
_DEATHS_IN_A_ROW = 5


@dataclass
class Child:
    """A command that is to run for as long as the supervisor does."""

    name: str
    argv: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_again_at: float = 0.0
    deaths: int = 0
    unfinished_line: bytes = field(default=b"", repr=False)


class Supervisor:
    """Starts its children on entering a ``with`` and ends them on leaving it.

    Everything happens in ``attend``, in the caller's one thread. ``first_delay`` is how many seconds a child
    waits for its second start; it doubles with each death in a row. A child that TERM has not ended after
    ``stop_seconds`` is killed.
    """

    def __init__(
        self,
        commands: Mapping[str, Sequence[str]],
        write: Callable[[str], None],
        *,
        first_delay: float = 1.0,
        stop_seconds: float = 15.0,
    ) -> None:
        self.children = [Child(name, argv) for name, argv in commands.items()]
        self._write = write
        self._first_delay = first_delay
        self._stop_seconds = stop_seconds
        self._width = max(len(name) for name in commands)
        self._outputs = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        for child in self.children:
            self._start(child)
        return self

    def __exit__(self, *exception: object) -> None:
        running = [child.process for child in self.children if child.process]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + self._stop_seconds
        while any(process.poll() is None for process in running) and time.monotonic() < deadline:
            self._pass_on_output(0.05)
        for process in running:
            processes.end(process, SIGKILL, 0)
        self._pass_on_output(0)
        self._outputs.close()

    def attend(self, seconds: float) -> None:
        """Passes on what the children say, for up to ``seconds``, and starts again those that have died.

        Raises ``FirstRunError`` for a child that keeps dying.
        """
        self._pass_on_output(seconds)
        for child in self.children:
            if child.process is None:
                if time.monotonic() >= child.start_again_at:
                    self._start(child)
            elif child.process.poll() is not None:
                self._bury(child, child.process)

    def _start(self, child: Child) -> None:
        child.process = processes.spawn(
            child.argv,
            if_parent_dies=SIGTERM,
            output=subprocess.PIPE,
            environment=os.environ | {"PYTHONUNBUFFERED": "1"},
            own_session=True,
        )
        child.started_at = time.monotonic()
        if child.process.stdout:
            os.set_blocking(child.process.stdout.fileno(), False)
            self._outputs.register(child.process.stdout, selectors.EVENT_READ, child)

    def _bury(self, child: Child, process: subprocess.Popen[bytes]) -> None:
        lived = time.monotonic() - child.started_at
        child.deaths = 1 if lived >= _STEADY_SECONDS else child.deaths + 1
        ending = _ending(process.returncode)
        if child.deaths >= _DEATHS_IN_A_ROW:
            raise FirstRunError(f"the {child.name} keeps ending: it {ending}, {child.deaths} times in a row.")
        delay = self._first_delay * 2 ** (child.deaths - 1)
        self._write(f"flightbook: the {child.name} {ending}; it starts again in {delay:g} s.\n")
        child.process = None
        child.start_again_at = time.monotonic() + delay

    def _pass_on_output(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while True:
            for key, _ in self._outputs.select(max(0.0, deadline - time.monotonic())):
                chunk = os.read(key.fd, 65536)
                self._write_lines(key.data, chunk)
                if not chunk:
                    self._outputs.unregister(key.fileobj)
            if time.monotonic() >= deadline:
                return

    def _write_lines(self, child: Child, chunk: bytes) -> None:
        """Writes whole lines, each with the child's name; an empty ``chunk`` is the end of them."""
        *lines, rest = (child.unfinished_line + chunk).split(b"\n")
        if not chunk and rest:
            lines, rest = [*lines, rest], b""
        child.unfinished_line = rest
        for line in lines:
            self._write(f"{child.name:<{self._width}} | {line.decode(errors='replace')}\n")


def to_terminal(text: str) -> None:
    """Writes at once, so that the children's lines are in order also in a pipe.

    A terminal that has been closed, or a reader that has gone, does not end the system: nobody is told.
    """
    with suppress(OSError):
        sys.stdout.write(text)
        sys.stdout.flush()


def _ending(code: int) -> str:
    return f"ended with status {code}" if code >= 0 else f"was ended by signal {-code}"
