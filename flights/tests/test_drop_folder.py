"""Telegrams dropped as files: each once, whatever workers die."""

from __future__ import annotations

import datetime as dt
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from flights.models import Flight, FlightUpdate
from flights.telegrams import drop_folder
from flights.telegrams.drop_folder import CLAIM_SECONDS, take_in_dropped_messages, take_in_files
from flights.tests.factories import make_flight

pytestmark = pytest.mark.django_db


def departure(flight: Flight) -> str:
    start = flight.scheduled_departure
    return f"MVT\n{flight.designator}/{start:%d}.N1AA.JFK\nAD{start:%H%M}\n"


def departed() -> Flight:
    return make_flight(departure=dt.datetime.now(dt.UTC).replace(second=0, microsecond=0))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_taken_in_and_answered(tmp_path: Path, settings: Any) -> None:
    settings.FLIGHT_MESSAGES_DIR = str(tmp_path)
    flight = departed()
    (tmp_path / "one.txt").write_text(departure(flight))
    (tmp_path / ".two.txt").write_text(departure(flight))
    (tmp_path / "three.tmp").write_text(departure(flight))
    assert take_in_dropped_messages() == 1
    assert names(tmp_path / "done") == ["one.txt", "one.txt.answer.json"]
    [message] = json.loads((tmp_path / "done" / "one.txt.answer.json").read_text())["messages"]
    assert (message["outcome"], message["sequences"]) == ("applied", [1])
    assert names(tmp_path / "working") == names(tmp_path / "failed") == []
    (tmp_path / "one.txt").write_text(departure(flight))
    assert take_in_dropped_messages() == 1
    assert len(names(tmp_path / "done")) == 4  # the same name again overwrites nothing
    assert FlightUpdate.objects.count() == 1


@pytest.mark.parametrize("content", [b"MVT\nAA/", b"", b"\xff", b"A" * (256 * 1024 + 1)])
def test_what_cannot_be_read_ends_in_failed(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad").write_bytes(content)
    assert take_in_files(tmp_path) == 1
    assert names(tmp_path / "failed") == ["bad", "bad.answer.json"]


def test_it_says_where_it_is_wrong_as_http_does(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("MVT\nAA181/01.N1AA.JFK\nAD2500\n")
    take_in_files(tmp_path)
    [message] = json.loads((tmp_path / "failed" / "one.answer.json").read_text())["messages"]
    assert (message["outcome"], message["line"], message["position"]) == ("malformed", 3, 3)
    assert "HHMM" in message["expected"]


def test_the_oldest_first(tmp_path: Path) -> None:
    for name, age in (("a", 1), ("b", 3), ("c", 2)):
        (tmp_path / name).write_text("MVT\n")
        os.utime(tmp_path / name, (time.time() - age, time.time() - age))
    take_in_files(tmp_path, limit=1)
    assert names(tmp_path / "failed") == ["b", "b.answer.json"]


def test_what_a_killed_worker_left_is_taken_anew(tmp_path: Path) -> None:
    flight = departed()
    (tmp_path / "working").mkdir()
    held = tmp_path / "working" / f"{int(time.time())}-00000000-one"
    held.write_text(departure(flight))
    assert take_in_files(tmp_path) == 0
    held.rename(tmp_path / "working" / f"{int(time.time()) - CLAIM_SECONDS - 1}-00000000-one")
    assert take_in_files(tmp_path) == 1
    assert names(tmp_path / "done") == ["one", "one.answer.json"]
    assert FlightUpdate.objects.count() == 1


def test_of_two_workers_one_takes_it(tmp_path: Path) -> None:
    (tmp_path / "working").mkdir()
    (tmp_path / "one").write_text("MVT\n")
    claims = [drop_folder._claim(tmp_path, tmp_path / "one") for _ in range(2)]
    assert claims[0] is not None
    assert claims[1] is None


def test_a_failure_of_ours_puts_it_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(**_: Any) -> None:
        raise RuntimeError("the database is away")

    (tmp_path / "one").write_text("MVT\n")
    monkeypatch.setattr(drop_folder, "receive_telegrams", away)
    with pytest.raises(RuntimeError):
        take_in_files(tmp_path)
    assert "one" in names(tmp_path)
    assert names(tmp_path / "working") == []
