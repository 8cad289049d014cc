"""The composed system from outside: its replicas by `docker compose`, and where its gateway is."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable

PORT = int(os.environ.get("GATEWAY_PORT") or "8080")
ADDRESS = f"localhost:{PORT}"
_COMPOSE = ("docker", "compose", "--env-file", ".env.example")
# One address sends all the load here: what is counted a minute, a user or an address, would be in the way.
_LIMITS = {f"RATE_LIMIT_{name}": "1000000" for name in ("REGISTER", "LOGIN", "SALE", "DEFAULT")}
_ENVIRONMENT = (
    os.environ
    | _LIMITS
    | {"COMPOSE_ENV_FILES": ".env.example"}
    | {"GATEWAY_REQUESTS_PER_SECOND": "500", "GATEWAY_BURST": "500"}
)


def run(*command: str, **changes: str) -> str:
    """What the command says, with `changes` to its environment. Raises `RuntimeError` with its complaint
    where it fails."""
    done = subprocess.run(  # noqa: S603 - our own words
        command, capture_output=True, text=True, check=False, env=_ENVIRONMENT | changes
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def refused(*command: str, **changes: str) -> str:
    """The complaint of a command that has to fail."""
    environment = _ENVIRONMENT | changes
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)  # noqa: S603
    assert done.returncode, done.stdout
    return done.stderr


def compose(*words: str, **changes: str) -> str:
    return run(*_COMPOSE, *words, **changes)


def up(**replicas: int) -> None:
    """Everything healthy, with so many replicas of the named pools; what runs already is left alone."""
    scales = [word for name, count in replicas.items() for word in ("--scale", f"{name}={count}")]
    compose("up", "--detach", "--wait", "--no-recreate", *scales)


def scale(**replicas: int) -> None:
    """So many of each of these, all healthy; nothing else is looked at, nor `migrate` run again."""
    scales = [word for name, count in replicas.items() for word in ("--scale", f"{name}={count}")]
    compose("up", "--detach", "--wait", "--no-deps", "--no-recreate", *scales, *replicas)


def lay_over(*files: str, **settings: str) -> None:
    """From now on the composed system has these files too; what that changes is made anew."""
    known = _ENVIRONMENT.get("COMPOSE_FILE", "docker-compose.yml").split(":")
    _ENVIRONMENT["COMPOSE_FILE"] = ":".join((*known, *(file for file in files if file not in known)))
    _ENVIRONMENT.update(settings)
    compose("up", "--detach", "--wait")


def take_down() -> None:
    """With its data, and whatever was laid over it."""
    compose("down", "--volumes")
    _ENVIRONMENT.pop("COMPOSE_FILE", None)


def containers(service: str) -> list[str]:
    """The ids of a service's running replicas."""
    return compose("ps", "--quiet", service).split()


def address_inside(container: str) -> str:
    """As it stands in `X-Served-By`."""
    [found] = json.loads(run("docker", "inspect", container))
    [address] = [
        network["IPAddress"]
        for name, network in found["NetworkSettings"]["Networks"].items()
        if "inside" in name
    ]
    return f"{address}:8000"


def is_healthy(container: str) -> bool:
    return run("docker", "inspect", "--format", "{{.State.Health.Status}}", container).strip() == "healthy"


def processor_seconds(container: str) -> float:
    """What its processes have taken so far, by its control group."""
    group = "cat /sys/fs/cgroup/cpu.stat 2>/dev/null || cat /sys/fs/cgroup/cpuacct/cpuacct.usage"
    said = run("docker", "exec", container, "sh", "-c", group).split()
    return int(said[0]) / 1e9 if len(said) == 1 else int(said[said.index("usage_usec") + 1]) / 1e6


def own_memory(container: str) -> int:
    """Bytes of its processes' own, without the files that are cached for them."""
    group = "cat /sys/fs/cgroup/memory.stat 2>/dev/null || cat /sys/fs/cgroup/memory/memory.stat"
    said = run("docker", "exec", container, "sh", "-c", group).split()
    return int(said[said.index("anon" if "anon" in said else "rss") + 1])


def logs(*services: str) -> str:
    return compose("logs", "--no-log-prefix", *services)


def eventually(condition: Callable[[], bool], *, seconds: float = 30.0) -> float:
    """Waits for it; how long that took. Raises `AssertionError` after `seconds`."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"not within {seconds:.0f} s"
        time.sleep(0.1)
    return time.monotonic() - began
