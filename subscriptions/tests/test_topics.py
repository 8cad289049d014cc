"""How a follower is let in, and what a broken socket costs."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from subscriptions.log_reads import Beginning
from subscriptions.messages import EncodedUpdate
from subscriptions.sockets import BACKLOG_BYTES, CloseCode
from subscriptions.tests.daphne_like import DaphneLike
from subscriptions.topics import Topic

FLIGHT = 1


def update(sequence: int, log: str = "log") -> EncodedUpdate:
    return EncodedUpdate(FLIGHT, sequence, log, f"<{log} {sequence}>")


def heard(server: DaphneLike) -> list[str]:
    return re.findall("<(.*?)>", server.transport.sent.decode(errors="replace"))


async def test_a_full_buffer_is_waited_for_before_the_first_page() -> None:
    server = DaphneLike()
    socket = server.socket()
    server.transport._tempDataLen = BACKLOG_BYTES + 1
    admission = asyncio.create_task(Topic(FLIGHT).admit(socket, Beginning("log", [update(1)], 1, 1)))
    await asyncio.sleep(0.1)
    assert not admission.done()
    server.transport._tempDataLen = 0
    await admission
    assert (heard(server), server.code) == (["log 1"], 0)


async def test_what_comes_while_it_begins_anew_in_another_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """The state of the new log is being read when the others are sent two more updates."""
    server, topic = DaphneLike(), Topic(FLIGHT, fetch=pages({5: [6, 7]}))
    topic.log, topic.sequence = "restored", 5

    def state(flight_pk: int) -> EncodedUpdate:
        topic.sequence = 7
        return update(5, "restored")

    monkeypatch.setattr("subscriptions.topics.state_after_reset", state)
    socket = server.socket()
    await topic.admit(socket, Beginning("log", [update(3)], 3, 3))
    assert heard(server) == ["log 3", "restored 5", "restored 6", "restored 7"]
    await topic._broadcast(update(8, "restored"))
    assert heard(server)[-1] == "restored 8"


async def test_another_log_that_the_watcher_has_not_seen_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    server, topic = DaphneLike(), Topic(FLIGHT)
    topic.log, topic.sequence = "log", 2
    monkeypatch.setattr("subscriptions.topics.state_after_reset", lambda flight_pk: update(3, "restored"))
    async with asyncio.timeout(5):
        await topic.admit(server.socket(), Beginning("restored", [update(3, "restored")], 3, 3))
        await topic.reset(update(3, "restored"))
    assert set(heard(server)) == {"restored 3"}


def pages(following: dict[int, list[int]]) -> Any:
    async def fetch(flight_pk: int, sequence: int) -> list[EncodedUpdate]:
        return [update(number, "restored") for number in following[sequence]]

    return fetch


@pytest.mark.parametrize("is_closing_broken", [False, True])
async def test_a_broken_socket_is_told_to_come_back(
    monkeypatch: pytest.MonkeyPatch, is_closing_broken: bool
) -> None:
    broken, other, topic = DaphneLike(), DaphneLike(), Topic(FLIGHT)
    for server in (broken, other):
        await topic.admit(server.socket(), Beginning("log", [], 0, 0))

    def fail(*_: object, **__: object) -> None:
        raise AttributeError

    monkeypatch.setattr(broken.transport, "writeSomeData", fail)
    if is_closing_broken:
        monkeypatch.setattr(broken, "sendCloseFrame", fail)
    await topic._broadcast(update(1))
    await topic._broadcast(update(2))
    assert heard(other) == ["log 1", "log 2"]
    assert (broken.code == CloseCode.RESTARTING) is not is_closing_broken
    assert broken.transport.is_aborted is is_closing_broken
