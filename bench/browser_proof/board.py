"""The board with live updates: the rows as they change, and the frames that they change by."""

from __future__ import annotations

import json
import signal
import time
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

from playwright.sync_api import Browser, WebSocket, expect

from bench.browser_proof.system import AIRPORT, STAFF, Account, System, eventually

_CHANGED_ROWS = 8  # of the real delays, before the replay is stopped
_REPLAY_SECONDS, _BACK_SECONDS = 240.0, 60.0
_GATES = 24  # of the rows, from the top
_TO_LEAVE = {"Scheduled", "Delayed", "Boarding"}
_LATE = "Late inbound aircraft"
_OUTAGE_MINUTES, _OUTAGE_REASON = 135, "Recorded while the server was down"
# Each change of a row's sequence, in the order in which it was shown; a reload would lose the list.
_OBSERVE = """
() => {
  const body = document.querySelector("#board tbody");
  const last = new Map();
  window.shown = [];
  const look = () => {
    for (const row of body.rows) {
      const { flight, sequence } = row.dataset;
      if (last.get(flight) === sequence) continue;
      last.set(flight, sequence);
      window.shown.push([flight, Number(sequence)]);
    }
  };
  look();
  new MutationObserver(look).observe(body, { childList: true, subtree: true, attributes: true });
}
"""
_RECORD = (
    "from flights.public import record_update; record_update("
    "flight_pk={pk}, status='Delayed', delay_minutes={minutes}, reason={reason!r}, source='proof')"
)


@dataclass(frozen=True)
class Shown:
    """What a row says."""

    sequence: int
    status: str
    time: str
    expected: str
    more: str
    gate: str


class Board:
    """A board on a screen of 1920 x 1080, observed from its opening on."""

    def __init__(self, browser: Browser, system: System) -> None:
        self.system = system
        self._context = browser.new_context(viewport={"width": 1920, "height": 1080})
        self.page = self._context.new_page()
        self.frames: dict[str, list[int]] = defaultdict(list)
        self.errors: list[str] = []
        self.sockets = 0
        self.page.on("websocket", self._listen)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(f"{system.base}/board?airport={AIRPORT}")
        self.page.evaluate(_OBSERVE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._context.close()

    def _listen(self, socket: WebSocket) -> None:
        self.sockets += 1
        socket.on("framereceived", self._heard)

    def _heard(self, frame: str | bytes) -> None:
        message = json.loads(frame)
        if "sequence" in message:
            self.frames[message["flightId"]].append(message["sequence"])

    @property
    def history(self) -> dict[str, list[int]]:
        """The sequences that each flight's row showed, in their order."""
        found = defaultdict(list)
        for flight, sequence in self.page.evaluate("window.shown"):
            found[flight].append(sequence)
        return found

    def flights(self) -> list[str]:
        rows = self.page.locator("#board tr[data-flight]")
        found: list[str] = rows.evaluate_all("rows => rows.map(row => row.dataset.flight)")
        return found

    def row(self, flight: str) -> Shown:
        row = self.page.locator(f'tr[data-flight="{flight}"]')
        texts = {name: row.locator(f".{name}").inner_text() for name in ("time", "expected", "more", "gate")}
        sequence = row.get_attribute("data-sequence") or ""
        return Shown(int(sequence), row.locator(".word").inner_text(), **texts)

    def await_state(self, state: str, seconds: float = _BACK_SECONDS) -> str:
        """Waits for what the connection's line shows; its text."""
        line = self.page.locator("#line")
        expect(line).to_have_attribute("data-state", state, timeout=seconds * 1000)
        assert line.is_visible()
        return line.inner_text()


def updates_appear(board: Board, traveller: Account) -> str:
    """The real delays of a day, played; nobody reloads the page."""
    board.await_state("live")
    replay = board.system.replay()
    try:
        eventually(lambda: _changed(board) >= _CHANGED_ROWS, _REPLAY_SECONDS)
    finally:
        replay.send_signal(signal.SIGTERM)
        replay.wait(60)
    _settle(board, traveller)
    changes = sum(len(sequences) - 1 for sequences in board.history.values())
    return f"{changes} changes in {_changed(board)} rows, by {len(board.frames)} flights' frames, no reload"


def _changed(board: Board) -> int:
    board.page.wait_for_timeout(50)  # lets the frames' events in
    return sum(len(sequences) > 1 for sequences in board.history.values())


def _settle(board: Board, traveller: Account) -> None:
    """Until each row shows the last of its log."""
    ends = {flight: traveller.call("GET", f"/flights/{flight}")["sequence"] for flight in board.flights()}

    def settled() -> bool:
        board.page.wait_for_timeout(50)
        history = board.history
        return all(history[flight][-1] >= end for flight, end in ends.items())

    eventually(settled, 30)


def reports_are_shown(board: Board) -> str:
    """The airline's staff name gates, delays and a cancellation; each appears in its row."""
    staff = Account(board.system, *STAFF)
    states = {flight: staff.call("GET", f"/flights/{flight}") for flight in board.flights()[:_GATES]}
    scheduled = [flight for flight, state in states.items() if state["status"] == "Scheduled"]
    news = {flight: _same_as(state) for flight, state in states.items() if state["status"] in _TO_LEAVE}
    for number, flight in enumerate(scheduled[1::3]):
        news[flight] = {"status": "Delayed", "delayMinutes": 25 + 10 * number, "reason": _LATE}
    news[scheduled[2]] = {"status": "Cancelled", "reason": "Crew shortage"}
    named = {flight: f"B{20 + number}" for number, flight in enumerate(news)}
    for flight, update in news.items():
        staff.report(flight, gate=named[flight], terminal="4", **update)
    for flight, gate in named.items():
        expect(board.page.locator(f'tr[data-flight="{flight}"] .gate')).to_contain_text(gate)
    statuses = {board.row(flight).status for flight in named}
    assert statuses >= {"Scheduled", "Delayed", "Cancelled"}, statuses
    return f"{len(named)} gates, delays and a cancellation reported by the API, each shown in its row"


def _same_as(state: Any) -> dict[str, Any]:
    same = {"status": state["status"], "delayMinutes": state.get("delayMinutes")}
    return {name: value for name, value in same.items() if value is not None}


def survives_a_restart(board: Board) -> str:
    """The server goes away under the open page; what is recorded meanwhile appears when it is back."""
    flight = next(one for one in reversed(board.flights()) if board.row(one).status == "Scheduled")
    board.system.stop()
    said = board.await_state("reconnecting")
    assert "reconnecting" in said, said
    code = _RECORD.format(pk=int(flight[2:]), minutes=_OUTAGE_MINUTES, reason=_OUTAGE_REASON)
    assert board.system.manage("shell", "-c", code).wait(120) == 0
    assert board.row(flight).status == "Scheduled"
    up = board.system.start()
    began = time.monotonic()
    board.await_state("live")
    seconds = time.monotonic() - began
    more = board.page.locator(f'tr[data-flight="{flight}"] .more')
    expect(more).to_have_text(f"2 hours 15 minutes late, {_OUTAGE_REASON}", timeout=10_000)
    assert board.row(flight).status == "Delayed"
    return f'it said "{said}"; up after {up:.0f} s, live {seconds:.1f} s later, with the delay of the outage'


def matches_the_log(board: Board, traveller: Account) -> str:
    """Against `GET /flights/{id}/updates`: no row went back or showed an update twice, none missed one."""
    _settle(board, traveller)
    history, count = board.history, 0
    for flight in board.flights():
        log = traveller.log(flight)
        numbers = [update["sequence"] for update in log]
        assert numbers == list(range(1, len(log) + 1)), (flight, numbers)
        shown = history[flight]
        assert all(one < next_ for one, next_ in pairwise(shown)), (flight, shown)
        missing = set(range(shown[0] + 1, len(log) + 1)) - set(board.frames[flight]) - set(shown)
        assert not missing, (flight, missing)
        if log:
            _same(board.row(flight), log[-1])
        count += len(log)
    assert not board.errors, board.errors
    return f"{count} updates of {len(board.flights())} flights over {board.sockets} sockets: as in the log"


def _same(row: Shown, update: dict[str, Any]) -> None:
    assert (row.sequence, row.status) == (update["sequence"], update["status"]), (row, update)
    assert row.more.startswith(f"{update['delayDuration']} late" if update["delayDuration"] else ""), row
    assert (update.get("gate") or "") in row.gate, row
    if update["status"] == "Delayed":
        assert row.time, row
        assert row.expected not in {"", row.time}, row
