"""The master of Redis is lost: the Sentinels agree on another, and nobody is asked to do anything."""

from __future__ import annotations

import time

import httpx

from bench.compose_proof.stack import address_inside, compose, containers, eventually, lay_over, run
from bench.compose_proof.traveller import Traveller, hear
from bench.compose_proof.use import BASE, STAFF

FILE = "docker-compose.sentinels.yml"
UPDATES, WITHIN = 8, 15.0  # seconds from the master's death to all as before
NODES = ("redis", "redis2")


def the_redis_master_killed() -> str:
    """Login, search and sale go on, every update is heard: by the log's watcher until the layer is back."""
    lay_over(FILE)
    traveller, staff = Traveller(), Traveller(*STAFF)
    flights = [one["flightId"] for one in traveller.search(days=30)]
    lost = _master()
    with traveller.socket() as opened:
        sequence = traveller.follow(opened, flights[0])["sequence"]
        began = time.monotonic()
        run("docker", "kill", "--signal", "KILL", *containers(lost))
        slowest = 0.0
        for number in range(1, UPDATES + 1):
            Traveller().book(flights[number % len(flights)])
            reported = time.monotonic()
            assert staff.report_delay(flights[0], number) == sequence + number
            assert hear(opened)["sequence"] == sequence + number
            slowest = max(slowest, time.monotonic() - reported)
        eventually(lambda: _master() not in (lost, ""), seconds=WITHIN)
        eventually(_is_ready, seconds=WITHIN)
        again = time.monotonic() - began
        assert staff.report_delay(flights[0], 99) == sequence + UPDATES + 1
        reported = time.monotonic()
        assert hear(opened)["sequence"] == sequence + UPDATES + 1
        heard = time.monotonic() - reported
    new = _master()
    compose("up", "--detach", "--no-deps", "--wait", lost)
    eventually(lambda: _follows(lost))
    return (
        f"{new} is the master in place of {lost}; ready {again:.1f} s later; meanwhile {UPDATES} registered"
        f" and booked; {UPDATES} updates heard, the slowest after {slowest:.1f} s, afterwards {heard:.2f} s;"
        f" {lost} came back as a replica"
    )


def _master() -> str:
    """The node that the Sentinels call so; empty where it is one that is gone."""
    words = ("redis-cli", "-p", "26379", "sentinel", "get-master-addr-by-name", "flightbook")
    address = compose("exec", "-T", "sentinel1", *words).split()[0]
    return next((node for node in NODES if _address(node) == address), "")


def _address(node: str) -> str:
    found = containers(node)
    return address_inside(found[0]).partition(":")[0] if found else ""


def _follows(node: str) -> bool:
    said = compose("exec", "-T", node, "redis-cli", "info", "replication")
    return "role:slave" in said and "master_link_status:up" in said


def _is_ready() -> bool:
    return bool(httpx.get(f"{BASE}/health/ready", timeout=20).json()["status"] == "ready")


CHECKS = (the_redis_master_killed,)
