"""How a follower is let in, and what a broken socket costs."""

from __future__ import annotations

import asyncio
import re

from subscriptions.log_reads import Beginning
from subscriptions.messages import EncodedUpdate
from subscriptions.sockets import BACKLOG_BYTES
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
