"""The primary of PostgreSQL is lost, and what was acknowledged is there: on one that follows it, at least.

Each check leaves three members that follow each other; any of them may be the primary by then.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from bench.compose_proof.load import Load, Request
from bench.compose_proof.sales import Sales
from bench.compose_proof.stack import compose, containers, eventually, lay_over, refused, run
from bench.compose_proof.traveller import Traveller

FILE = "docker-compose.standbys.yml"
MEMBERS = ("postgres", "postgres2", "postgres3")
SEATS, BEFORE, AFTER = 60, 60, 60
_BOOKED = """
    SELECT b.public_id FROM bookings_booking b JOIN accounts_user u ON u.id = b.user_id
    WHERE u.public_id = '{}'
"""
WITHIN = 20.0  # seconds from the primary's death to the next sale, `docker/promote` called at once


def the_primary_killed() -> str:
    """With one standby held back all the time: what is acknowledged is on the primary and the other alone."""
    lay_over(FILE)
    traveller, flights = _traveller(27)
    lost, slow, quick = roles()
    with Load(_searches) as searches, Sales(traveller, flights) as sales:
        sales.wait_for(BEFORE)
        _hold_back(slow)
        sales.wait_for(BEFORE)
        began = time.monotonic()
        run("docker", "kill", "--signal", "KILL", *containers(lost))
        run("docker/promote")
        sales.wait_for(1)
        again = time.monotonic() - began
        sales.wait_for(AFTER)
    assert roles()[0] == quick, "the one that was held back was promoted"
    compose("up", "--detach", "--no-deps", "--wait", lost)
    missing = _missing(sales, traveller)
    assert not missing, f"{len(missing)} acknowledged sales are lost"
    assert not sales.untold, sales.untold
    assert again < WITHIN, again
    return (
        f"writing again {again:.1f} s later, acknowledged and lost: 0. {_told(sales)}; audit {_audit()};"
        f" searches meanwhile: {dict(searches.outcomes)}, the slowest {searches.slowest:.1f} s"
    )


def the_old_primary_comes_back() -> str:
    """After a switch-over: what it wrote alone is undone, it takes no write. With the guard off it does."""
    lay_over(FILE)
    gone = roles()[0]
    run("docker/promote")
    alone = compose(
        *("run", "--detach", "--no-deps", "--entrypoint", "docker-entrypoint.sh", gone),
        *("postgres", "-c", "synchronous_standby_names="),
    ).strip()
    psql = ("psql", "-U", "flightbook", "-d", "flightbook", "-Atc")
    write = "CREATE TABLE only_here (); SELECT pg_is_in_recovery()"
    eventually(lambda: run("docker", "exec", alone, "sh", "-c", "pg_isready || true").find("accepting") > 0)
    assert run("docker", "exec", alone, *psql, write).split()[-1] == "f", "the guard is not off"
    run("docker", "rm", "--force", alone)
    compose("up", "--detach", "--no-deps", "--wait", gone)
    assert ask(gone, "SELECT pg_is_in_recovery()") == "t"
    complaint = refused("docker", "compose", "exec", "-T", gone, *psql, "CREATE TABLE again ()")
    assert "read-only transaction" in complaint, complaint
    eventually(lambda: ask(roles()[0], "SELECT count(*) FROM pg_stat_replication") == "2")
    assert ask(gone, "SELECT to_regclass('only_here') IS NULL") == "t"
    return f"{gone} follows; its own write, made with the guard off, is undone; a write is refused"


def sales_wait_for_a_standby() -> str:
    """The cost: with both away nothing is acknowledged. They come back, and it goes on."""
    traveller, flights = _traveller(28)
    primary, *standbys = roles()
    with Sales(traveller, flights) as sales:
        sales.wait_for(BEFORE)
        _hold_back(*standbys)
        time.sleep(1)
        before = len(sales.acknowledged)
        time.sleep(4)
        meanwhile = len(sales.acknowledged) - before
        _follow(primary, *standbys)
        again = sales.wait_for(AFTER)
    assert not meanwhile, f"{meanwhile} sales were acknowledged by the primary alone"
    assert not _missing(sales, traveller)
    return f"both standbys away: 0 sales in 4 s; one {again:.1f} s after they are back. {_told(sales)}"


def one_standby_alone_is_not_promoted() -> str:
    """It may lack what the other has."""
    primary, one, _ = roles()
    compose("stop", primary, one)
    complaint = refused("docker/promote")
    assert "--accept-loss" in complaint, complaint
    compose("up", "--detach", "--wait", primary, one)
    eventually(lambda: ask(roles()[0], "SELECT count(*) FROM pg_stat_replication") == "2")
    assert roles()[0] == primary, "the primary that was stopped goes on as such: nobody had taken over"
    return "refused, nothing changed"


def without_synchronous_standbys() -> str:
    """The guard off: the primary acknowledges by itself, and its death takes what nobody else had."""
    lay_over(FILE, POSTGRES_SYNCHRONOUS="")
    traveller, flights = _traveller(29)
    lost, *standbys = roles()
    with Sales(traveller, flights) as sales:
        sales.wait_for(BEFORE)
        _hold_back(*standbys)
        sales.wait_for(BEFORE)
        run("docker", "kill", "--signal", "KILL", *containers(lost))
        run("docker/promote")
        sales.wait_for(AFTER)
    missing = _missing(sales, traveller)
    assert missing, "the guard was off, and nothing was lost"
    compose("up", "--detach", "--wait", lost)
    lay_over(FILE, POSTGRES_SYNCHRONOUS="ANY 1 (postgres, postgres2, postgres3)")
    return f"of {len(sales.acknowledged)} acknowledged sales {len(missing)} are LOST: the guard is needed"


def _searches(number: int) -> Request:
    """Few of the same: what the gateway keeps is not what is asked about."""
    day = (datetime.now(UTC) + timedelta(days=1 + number % 50)).date().isoformat()
    return ("GET", f"/search-flights?from=New York&to=LAX&date={day}", None)


def _traveller(days: int) -> tuple[Traveller, list[str]]:
    traveller = Traveller()
    flights = [one["flightId"] for one in traveller.search(days=days) if one["seatsLeft"] > SEATS]
    assert flights, "there is nothing to sell"
    return traveller, flights


def ask(member: str, question: str) -> str:
    words = ("exec", "-T", member, "psql", "-U", "flightbook", "-d", "flightbook", "-Atqc", question)
    return compose(*words).strip()


def roles() -> list[str]:
    """The members that run, the primary first."""
    running = [member for member in MEMBERS if containers(member)]
    found = sorted(running, key=lambda member: ask(member, "SELECT pg_is_in_recovery()"))
    assert ask(found[0], "SELECT pg_is_in_recovery()") == "f", "nobody is the primary"
    return found


def _follow(primary: str, *standbys: str) -> None:
    place = f"host={primary} user=flightbook" if primary else ""
    for member in standbys:
        ask(member, f"ALTER SYSTEM SET primary_conninfo = '{place}'")
        ask(member, "SELECT pg_reload_conf()")


def _hold_back(*standbys: str) -> None:
    """They receive nothing any more."""
    _follow("", *standbys)
    for member in standbys:
        eventually(lambda: ask(member, "SELECT count(*) FROM pg_stat_wal_receiver") == "0")  # noqa: B023


def _missing(sales: Sales, traveller: Traveller) -> set[str]:
    """Acknowledged bookings that are not there; and there is none that nobody was told of."""
    there = set(ask(roles()[0], _BOOKED.format(traveller.user_id)).split())
    told = set(sales.acknowledged.values())
    assert len(told) == len(sales.acknowledged), "two keys were given one booking"
    assert there <= told, f"{len(there - told)} bookings that nobody was told of"
    return told - there


def _audit() -> str:
    said = compose("run", "--rm", "--no-deps", "-T", "migrate", "python", "manage.py", "audit")
    return said.strip().splitlines()[-1]


def _told(sales: Sales) -> str:
    unanswered = ", ".join(f"{count} x {what}" for what, count in sales.unanswered.most_common())
    return (
        f"{len(sales.acknowledged)} sales, {sales.repeated} of them told when asked again under their key"
        f" ({unanswered or 'none unanswered'}), the slowest after {sales.slowest:.1f} s"
    )


CHECKS = (
    the_primary_killed,
    the_old_primary_comes_back,
    sales_wait_for_a_standby,
    one_standby_alone_is_not_promoted,
    without_synchronous_standbys,
)
