"""What is left of the three members of PostgreSQL, and how there are three again."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from bench.compose_proof.recovery import audited, keep_the_log
from bench.compose_proof.stack import compose, containers, eventually, lay_over, run
from bench.compose_proof.standbys import FILE, MEMBERS, ask, roles
from bench.compose_proof.traveller import Traveller

_FOLLOWERS = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"


def promoted_with_loss_accepted() -> str:
    """Two of three are killed, and the standby that is left is told to go on. Sales wait for a follower."""
    lay_over(FILE)
    traveller, flights = _traveller(31)
    traveller.book(flights[0])
    primary, gone, left = roles()
    for member in (gone, primary):
        run("docker", "kill", *containers(member))
    began = time.monotonic()
    run("docker/promote", "--accept-loss")
    compose("up", "--detach", "--no-deps", "--wait", gone, primary)
    traveller.book(flights[1])
    again = time.monotonic() - began
    assert roles()[0] == left
    _all_follow()
    assert _flights_of(traveller) == set(flights[:2])
    return f"{left} is the primary, sales go on {again:.1f} s later, with both others as its standbys"


def alone_on_purpose() -> str:
    """Both standbys are lost with their data: the primary goes on by itself, and waits for nobody. Then there
    are two new ones, which copy it."""
    lay_over(FILE)
    traveller, flights = _traveller(32)
    alone, *gone = roles()
    _destroy(*gone)
    compose("up", "--detach", "--no-deps", "--wait", alone, POSTGRES_MEMBERS=alone)
    began = time.monotonic()
    traveller.book(flights[0])
    took = time.monotonic() - began
    compose("up", "--detach", "--no-deps", "--wait", *gone)
    compose("up", "--detach", "--no-deps", "--wait", alone)
    traveller.book(flights[1])
    assert roles()[0] == alone
    _all_follow()
    assert _flights_of(traveller) == set(flights[:2])
    return f"{alone} alone: a sale in {took:.1f} s; {' and '.join(gone)} copied it, and sales go on"


def restored_among_standbys() -> str:
    """As docs/backup.md has it: one member goes back to the second, the others are copied from it."""
    lay_over(FILE)
    traveller, flights = _traveller(33)
    traveller.book(flights[0])
    run("docker/backup")
    traveller.book(flights[1])
    time.sleep(1.5)
    moment = datetime.now(UTC)
    time.sleep(1.5)
    traveller.book(flights[2])
    keep_the_log(roles()[0])
    began = time.monotonic()
    _destroy(*MEMBERS[1:])
    said = run(
        "docker/restore", "--to", f"{moment:%Y-%m-%d %H:%M:%S+00:00}", COMPOSE_FILE="docker-compose.yml"
    )
    compose("up", "--detach", "--wait")
    seconds = time.monotonic() - began
    assert _flights_of(traveller) == set(flights[:2])
    assert roles()[0] == MEMBERS[0]
    _all_follow()
    traveller.book(flights[2])
    return f"three members again at that second after {seconds:.0f} s; audit {audited(said)}"


def _traveller(days: int) -> tuple[Traveller, list[str]]:
    traveller = Traveller()
    return traveller, [one["flightId"] for one in traveller.search(days=days)[:3]]


def _flights_of(traveller: Traveller) -> set[str]:
    return {flight for one in traveller.bookings() for flight in one["flights"]}


def _destroy(*members: str) -> None:
    """Their containers and their data."""
    for member in members:
        [container] = containers(member)
        mounts = '{{range .Mounts}}{{if eq .Destination "/var/lib/postgresql"}}{{.Name}}{{end}}{{end}}'
        volume = run("docker", "inspect", "--format", mounts, container).strip()
        compose("rm", "--stop", "--force", member)
        run("docker", "volume", "rm", volume)


def _all_follow() -> None:
    eventually(lambda: ask(roles()[0], _FOLLOWERS) == "2", seconds=60)


CHECKS = (promoted_with_loss_accepted, alone_on_purpose, restored_among_standbys)
