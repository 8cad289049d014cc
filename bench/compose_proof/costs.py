"""What an image and a replica cost: size, time to start, memory."""

from __future__ import annotations

import time
from contextlib import suppress

from bench.compose_proof.stack import compose, containers, own_memory, run, up

SERVE_HTTP = ("users", "booking", "realtime")
ALL = ("gateway", *SERVE_HTTP, "relay", "worker", "notices")
IMAGE, BASE = "flightbook:local", "python:3.14-slim"
HEALTHCHECK = ("python", "-I", "-S", "/usr/local/lib/flightbook/healthcheck.py")
PATIENCE = 60.0
MIB = 1024 * 1024


def what_a_replica_costs() -> str:
    """After the use of all checks before it. The image without its base, of which a host has one."""
    own = _size(IMAGE) - _size(BASE)
    memory = {name: max(map(own_memory, containers(name))) / MIB for name in ALL}
    started = {name: _start(containers(name)[0]) for name in SERVE_HTTP}
    up()
    return (
        f"image {own / 1e6:.0f} MB over its base; MiB: {_told(memory, '.0f')}; "
        f"seconds from start to the first answer: {_told(started, '.1f')}"
    )


def _size(image: str) -> int:
    return int(run("docker", "image", "inspect", "--format", "{{.Size}}", image))


def _start(container: str) -> float:
    """Seconds from the start of a stopped replica until it answers."""
    run("docker", "stop", container)
    began = time.monotonic()
    run("docker", "start", container)
    while time.monotonic() - began < PATIENCE:
        with suppress(RuntimeError):
            run("docker", "exec", container, *HEALTHCHECK)
            return time.monotonic() - began
    raise AssertionError(compose("logs", "--tail", "20"))


def _told(figures: dict[str, float], form: str) -> str:
    return ", ".join(f"{name} {figure:{form}}" for name, figure in figures.items())


CHECKS = (what_a_replica_costs,)
