"""A backup, and the system put back to a chosen second."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from bench.compose_proof.stack import compose, eventually, run
from bench.compose_proof.traveller import Traveller, hear
from bench.compose_proof.use import STAFF


def restored_to_a_second() -> str:
    """What was booked before it is there, what came after is not, and followers are told `reset`."""
    traveller, staff = Traveller(), Traveller(*STAFF)
    flights = [flight["flightId"] for flight in traveller.search(days=26)[:3]]
    traveller.book(flights[0])
    told = run("docker/backup").strip()
    traveller.book(flights[1])
    sequence = staff.report_delay(flights[2], 30)
    with traveller.socket() as opened:
        log = traveller.follow(opened, flights[2])["log"]
    time.sleep(1.5)
    moment = datetime.now(UTC)
    time.sleep(1.5)
    traveller.book(flights[2])
    staff.report_delay(flights[2], 60)
    keep_the_log()
    began = time.monotonic()
    said = run("docker/restore", "--to", f"{moment:%Y-%m-%d %H:%M:%S+00:00}")
    seconds = time.monotonic() - began
    kept = {flight for one in traveller.bookings() for flight in one["flights"]}
    assert kept == set(flights[:2]), (kept, flights)
    with traveller.socket() as opened:
        state = traveller.follow(opened, flights[2], afterSequence=sequence + 1, log=log)
        assert (state.get("reset"), state["sequence"]) == (True, sequence), state
        assert state["log"] != log
        assert staff.report_delay(flights[2], 90) == sequence + 1
        assert hear(opened)["sequence"] == sequence + 1
    backup = told.partition(";")[0]
    return f"backup {backup}; restored in {seconds:.0f} s; audit {audited(said)}; followers told to reset"


def audited(said: str) -> str:
    """The auditor's last line, of what `docker/restore` says."""
    return next(line for line in said.splitlines() if " audit: " in line).partition(" audit: ")[2]


def keep_the_log(primary: str = "postgres") -> None:
    """Has the present segment kept now rather than within a minute."""
    ask = ("exec", "-T", primary, "psql", "-U", "flightbook", "-Atc")
    segment = compose(*ask, "SELECT pg_walfile_name(pg_switch_wal())").strip()
    kept = f"SELECT last_archived_wal >= '{segment}' FROM pg_stat_archiver"  # noqa: S608 - PostgreSQL's own word
    eventually(lambda: compose(*ask, kept).strip() == "t", seconds=60)


CHECKS = (restored_to_a_second,)
