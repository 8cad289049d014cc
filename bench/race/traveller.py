"""A client's requests: asked under a key, and again under the same key until the answer is definite."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bench.race.http import Answer, Connection, Lost
from bench.race.journal import Entry, Journal, resolved

PASSWORD = "password123"  # noqa: S105 - the design's
_LONGEST_PAUSE = 1.0
# A token lives 15 minutes; the pair is renewed before.
_RENEW_AFTER = 600.0


@dataclass
class User:
    """A registered user. Only one process knows its tokens, so that a refresh is never used twice by two."""

    name: str
    user_id: str = ""
    token: str = ""
    refresh_token: str = ""
    renewed_at: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass
class Tally:
    """What became of the requests, tries included."""

    answers: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    unresolved: int = 0
    slowest: float = 0.0

    def as_json(self) -> dict[str, Any]:
        return {
            "answers": dict(self.answers),
            "sent": dict(self.sent),
            "unresolved": self.unresolved,
            "slowest": self.slowest,
        }


class Client:
    """Asks on behalf of users, over a pool of kept connections; `give_up` says when retrying is over."""

    def __init__(self, port: int, journal: Journal, give_up: Callable[[], bool]) -> None:
        self.tally = Tally()
        self.journal = journal
        self._port, self._give_up = port, give_up
        self._idle: list[Connection] = []

    async def log_in(self, user: User, *, register: bool = True) -> None:
        """Registers the user where it does not exist, and logs in."""
        credentials = {"username": user.name, "password": PASSWORD}
        if register:
            await self._insist("/register", credentials | {"email": f"{user.name}@example.com"})
        self._keep(user, (await self._insist("/login", credentials)).json)

    async def settle(
        self, kind: str, user: User, path: str, body: dict[str, Any], about: str = ""
    ) -> Answer | None:
        """The definite answer to one request under a new key; None where there was none in time."""
        entry = Entry(kind=kind, user=user.user_id, key=str(uuid.uuid4()), about=about)
        self.journal.asked(entry)
        return await self.insist(entry, user, path, json.dumps(body).encode())

    async def insist(self, entry: Entry, user: User, path: str, body: bytes) -> Answer | None:
        """Sends the same under the same key until the answer is definite, and writes it down."""
        began, tries = time.monotonic(), 0
        while not (tries and self._give_up()):
            tries += 1
            answer = await self._try(entry.kind, user, path, body, entry.key)
            if answer is not None and _is_definite(answer):
                self.tally.slowest = max(self.tally.slowest, time.monotonic() - began)
                self.tally.answers[f"{entry.kind}: {answer.status} {answer.code}".rstrip()] += 1
                self.journal.answered(resolved(entry, answer, tries))
                return answer
            await asyncio.sleep(min(_LONGEST_PAUSE, 0.05 * 2**tries))
        self.tally.unresolved += 1
        return None

    async def replay(self, entry: Entry, user: User, path: str, body: bytes) -> Answer | None:
        """What a later try under the same key is told; None where nothing definite came."""
        for _ in range(20):
            answer = await self._try("replay", user, path, body, entry.key)
            if answer is not None and _is_definite(answer):
                return answer
            await asyncio.sleep(0.3)
        return None

    async def get(self, user: User, path: str) -> Answer | None:
        return await self._try("read", user, path, b"", "", method="GET")

    async def _try(
        self, kind: str, user: User, path: str, body: bytes, key: str, *, method: str = "POST"
    ) -> Answer | None:
        """One try; None where the connection was lost. A token that is too old is renewed."""
        if time.monotonic() - user.renewed_at > _RENEW_AFTER:
            await self._renew(user)
        token = user.token
        try:
            answer = await self._ask(method, path, body, token, key)
        except Lost:
            self.tally.sent["connection lost"] += 1
            return None
        self.tally.sent[f"{answer.status} {answer.code}".rstrip()] += 1
        if answer.status == 401:  # noqa: PLR2004
            await self._renew(user, instead_of=token)
            return None
        return answer

    async def _renew(self, user: User, *, instead_of: str = "") -> None:
        """By the refresh token. Where its answer was lost it may be spent: then by a login."""
        async with user.lock:
            if (instead_of and user.token != instead_of) or (
                not instead_of and time.monotonic() - user.renewed_at <= _RENEW_AFTER
            ):
                return
            try:
                body = json.dumps({"refreshToken": user.refresh_token}).encode()
                answer = await self._ask("POST", "/token/refresh", body, "", "")
            except Lost:
                answer = None
            if answer is not None and answer.status == 200:  # noqa: PLR2004
                self._keep(user, answer.json)
            else:
                await self.log_in(user, register=False)

    async def _insist(self, path: str, body: dict[str, Any]) -> Answer:
        for _ in range(300):
            try:
                answer = await self._ask("POST", path, json.dumps(body).encode(), "", "")
            except Lost:
                answer = None
            if answer is not None and (answer.status < 300 or answer.code == "username_taken"):  # noqa: PLR2004
                return answer
            await asyncio.sleep(0.2)
        raise RuntimeError(f"{path} does not succeed: {answer}")

    async def _ask(self, method: str, path: str, body: bytes, token: str, key: str) -> Answer:
        connection = self._idle.pop() if self._idle else Connection(self._port)
        answer = await connection.ask(method, path, body, token=token, key=key)
        self._idle.append(connection)
        return answer

    @staticmethod
    def _keep(user: User, said: dict[str, Any]) -> None:
        user.token, user.refresh_token = said["token"], said["refreshToken"]
        user.user_id = said.get("userId", user.user_id)
        user.renewed_at = time.monotonic()


def _is_definite(answer: Answer) -> bool:
    return answer.status < 500 and answer.status not in (401, 429) and answer.code != "request_in_progress"  # noqa: PLR2004
