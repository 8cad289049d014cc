"""Processes of our own beside the tests, on the tests' database."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urlsplit

import httpx
from django.db import connection

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0  # for what takes a moment, on a machine that is busy with other things
T = TypeVar("T")


def database_url() -> str:
    """The test database's URL, in the form of `DATABASE_URL`."""
    name = quote(str(connection.settings_dict["NAME"]))
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()


def eventually(look: Callable[[], T]) -> T:
    """What `look` finds as soon as that is true; it is asked again and again until then."""
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, "it has not come"
        time.sleep(0.05)
    return found


@contextmanager
def process(*arguments: str, **changes: str) -> Iterator[subprocess.Popen[bytes]]:
    """`python arguments…` on the tests' database, ended by TERM; it must go of itself, and in peace."""
    with _process(arguments, changes, None) as running:
        yield running


@contextmanager
def _process(
    arguments: Sequence[str], changes: Mapping[str, str], log: Path | None
) -> Iterator[subprocess.Popen[bytes]]:
    environment = dict(os.environ, DATABASE_URL=database_url(), **changes)
    with log.open("wb") if log else nullcontext() as stderr:
        running = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=environment, stderr=stderr)
        try:
            yield running
            assert running.poll() is None, f"{arguments} has ended before its time"
            running.terminate()
            running.wait(PATIENCE)
        finally:
            running.kill()
            running.wait()


def free_address() -> str:
    """``127.0.0.1:port`` where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"127.0.0.1:{probe.getsockname()[1]}"


@contextmanager
def served(**changes: str) -> Iterator[str]:
    """daphne alone; its address once it is ready."""
    address = free_address()
    port = address.rpartition(":")[2]
    with process("-m", "daphne", "-b", "127.0.0.1", "-p", port, "flightbook.asgi:application", **changes):
        eventually(lambda: _ready(address))
        yield address


@contextmanager
def gunicorn(log: Path, **changes: str) -> Iterator[str]:
    """gunicorn as a deployment runs it; its address once it is ready. `log` gets its lines."""
    address = free_address()
    command = ("-m", "gunicorn", "--config", "docker/gunicorn_settings.py", "--bind", address)
    metrics = {"PROMETHEUS_MULTIPROC_DIR": str(log.with_suffix(".metrics"))}
    with _process([*command, "flightbook.wsgi"], metrics | changes, log):
        eventually(lambda: _ready(address))
        yield address


@contextmanager
def whole_system(**changes: str) -> Iterator[str]:
    """daphne, relay and worker; the address (``127.0.0.1:port``) once it says that it is ready."""
    with ExitStack() as stack:
        address = stack.enter_context(served(**changes))
        stack.enter_context(process("manage.py", "relay", **changes))
        stack.enter_context(process("manage.py", "worker", **changes))
        eventually(lambda: _ready(address))
        yield address


def _ready(address: str) -> bool:
    try:
        return httpx.get(f"http://{address}/health/ready", timeout=10).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
