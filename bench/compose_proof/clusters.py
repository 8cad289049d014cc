"""The same images beyond one machine: a swarm of one node, and the files for Kubernetes."""

from __future__ import annotations

import time
from contextlib import suppress

import httpx

from bench.compose_proof.stack import eventually, run, take_down
from bench.compose_proof.traveller import Traveller, served_by
from bench.compose_proof.use import BASE, the_nine_calls

STACK = "flightbook-proof"
OURS = ("--filter", f"label=com.docker.stack.namespace={STACK}")
PATIENCE = 300.0  # seconds
BOOKING = 2  # replicas, as docker/stack has it


def on_a_swarm() -> str:
    """`docker/stack` on one node: the journey, and all replicas answer. The composed system goes for it."""
    take_down()
    state = run("docker", "info", "--format", "{{.Swarm.LocalNodeState}}").strip()
    if state != "active":
        run("docker", "swarm", "init", "--advertise-addr", "127.0.0.1")
    try:
        return _deployed()
    finally:
        _removed()
        if state != "active":
            run("docker", "swarm", "leave", "--force")


def _deployed() -> str:
    began = time.monotonic()
    run("sh", "-c", f"docker/stack --one-node | docker stack deploy --detach=true -c - {STACK}")
    eventually(lambda: _is_prepared() and _serves(), seconds=PATIENCE)
    ready = time.monotonic() - began
    journey = the_nine_calls()
    seen: set[str] = set()

    def all_have_answered() -> bool:
        seen.add(served_by(httpx.get(f"{BASE}/flights/FL1", timeout=20).headers))
        return len(seen) >= BOOKING

    eventually(all_have_answered, seconds=60)
    return f"ready after {ready:.0f} s; {journey}; {len(seen)} booking replicas answer"


def _is_prepared() -> bool:
    """Whether `migrate` is through: the pools serve from the schema on, while it still loads the schedule."""
    states = run("docker", "service", "ps", "--format", "{{.CurrentState}}", f"{STACK}_migrate")
    return any(state.startswith("Complete") for state in states.splitlines())


def _serves() -> bool:
    """Whether someone can register and log in, and booking is ready."""
    try:
        Traveller()
        return httpx.get(f"{BASE}/health/ready", timeout=20).json()["status"] == "ready"
    except (httpx.TransportError, AssertionError):
        return False


def _removed() -> None:
    run("docker", "stack", "rm", STACK)
    eventually(_containers_are_gone, seconds=PATIENCE)
    volumes = run("docker", "volume", "ls", "--quiet", *OURS).split()
    for volume in volumes:
        run("docker", "volume", "rm", volume)
    eventually(lambda: not run("docker", "network", "ls", "--quiet", *OURS).strip(), seconds=PATIENCE)


def _containers_are_gone() -> bool:
    """A task that failed is forgotten by the swarm, and its container left."""
    if run("docker", "ps", "--quiet", *OURS).strip():
        return False
    left = run("docker", "ps", "--all", "--quiet", *OURS).split()
    if left:
        with suppress(RuntimeError):  # the swarm may be at it
            run("docker", "rm", *left)
    return not left


def fit_for_kubernetes() -> str:
    """By the API's own schemas, strictly; no cluster has run them."""
    said = run("make", "--no-print-directory", "kubernetes-check")
    passed = said.count(" passed for resource ")
    assert passed, said
    return f"{passed} objects pass"


CHECKS = (on_a_swarm, fit_for_kubernetes)
