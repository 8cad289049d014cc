"""The mixed load: what travellers do next, on hot flights and cold ones.

One `step` is one thing done to one booking, or one new booking. Bookings that live are kept in two queues,
and the oldest is ended once a queue is full, so that hot flights run full, are refilled by cancellations, and
run full again.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from bench.race.http import Answer
from bench.race.journal import Entry
from bench.race.orders import HOT_SHARE, Live, Orders
from bench.race.traveller import Client, User

OK, CREATED = 200, 201
# Bookings that live, a client process: about what the hot flights carry, and less than the cold ones do.
ROOM = {True: 45, False: 1500}
_HOLDS_IN_HAND = 6
_ASKED_AGAIN, _ASKED_AT_ONCE, _TWO_AT_ONCE = 0.03, 0.03, 0.1


class Mix:
    """One client process's travellers and what they have booked."""

    def __init__(self, client: Client, users: Sequence[User], orders: Orders) -> None:
        self.client, self.users, self.orders = client, users, orders
        self._paid: dict[bool, deque[Live]] = {True: deque(), False: deque()}
        self._held: deque[Live] = deque()
        self._new: dict[Callable[[], Awaitable[None]], float] = {
            self._book: 0.52,
            self._hold: 0.2,
            self._read: 0.06,
            self._cancel_any: 0.06,
            self._take_out_any: 0.05,
            self._change_any: 0.07,
            self._seat_any: 0.03,
            self._rename_any: 0.01,
        }

    async def step(self) -> None:
        """The next thing. Ends what has lived long enough first."""
        for hot in (True, False):
            if len(self._paid[hot]) > ROOM[hot]:
                await self._end(self._paid[hot].popleft())
                return
        if len(self._held) > _HOLDS_IN_HAND:
            await self._decide_hold(self._held.popleft())
            return
        [act] = self.orders.random.choices(list(self._new), list(self._new.values()))
        await act()

    async def _book(self) -> None:
        await self._new_booking("book", hold=False)

    async def _hold(self) -> None:
        await self._new_booking("hold", hold=True)

    async def _new_booking(self, kind: str, *, hold: bool) -> None:
        user, hot = self.orders.random.choice(self.users), self.orders.chance(HOT_SHARE)
        body = self.orders.booking(hot=hot, hold=hold)
        ask = self._at_once if self.orders.chance(_ASKED_AT_ONCE) else self._ask
        answer = await ask(kind, user, "/book-flight", body)
        if answer is not None and answer.status == CREATED:
            said = answer.json
            flights = tuple(flight["flightId"] for flight in said["flights"])
            live = Live(user, said["bookingId"], hot, flights, tuple(range(len(said["passengers"]))))
            (self._held if hold else self._paid[hot]).append(live)

    async def _end(self, live: Live) -> None:
        """Cancels it; now and then twice at once, under two keys, of which one may succeed, or by a quote."""
        body = {"bookingId": live.booking}
        if self.orders.chance(_TWO_AT_ONCE):
            await self._one_of_two("cancel", live, "/cancel-booking", body)
        elif self.orders.chance(0.15):
            quote = await self._about("cancellation quote", live, "/cancellation-quotes", body)
            if quote is not None:
                body |= {"quoteId": quote["quoteId"]}
            await self._about("cancel", live, "/cancel-booking", body)
        else:
            await self._about("cancel", live, "/cancel-booking", body)

    async def _decide_hold(self, live: Live) -> None:
        """Pays for it, once or twice at once; cancels it, or both at once; or leaves it to expire."""
        chosen = self.orders.random.random()
        body = {"bookingId": live.booking, **self.orders.card("debit_card")}
        paid = False
        if chosen < 0.5:  # noqa: PLR2004
            paid = await self._about("pay", live, "/pay-booking", body) is not None
        elif chosen < 0.6:  # noqa: PLR2004
            paid = await self._one_of_two("pay", live, "/pay-booking", body)
        elif chosen < 0.75:  # noqa: PLR2004
            await self._end(live)
        elif chosen < 0.8:  # noqa: PLR2004
            await asyncio.gather(self._about("pay", live, "/pay-booking", body), self._end(live))
        if paid:
            self._paid[live.is_hot].append(live)

    async def _cancel_any(self) -> None:
        if (live := self._any()) is not None:
            await self._end(live)

    async def _take_out_any(self) -> None:
        """One traveller of several leaves."""
        live = self._any()
        if live is None or len(live.passengers) == 1:
            return self._put_back(live)
        *staying, leaving = live.passengers
        body: dict[str, Any] = {"bookingId": live.booking, "passengers": [leaving]}
        if self.orders.chance(0.5):
            quote = await self._about("cancellation quote", live, "/cancellation-quotes", body)
            if quote is not None:
                body = {"bookingId": live.booking, "quoteId": quote["quoteId"]}
        done = await self._about("take out", live, "/cancel-booking", body)
        self._put_back(live if done is None else replace(live, passengers=tuple(staying)))
        return None

    async def _change_any(self) -> None:
        """Another flight in place of one, by a quote or at its price; now and then two at once."""
        live = self._any()
        if live is None:
            return None
        old, new = self.orders.random.choice(live.flights), self.orders.other_flight(live.flights)
        change: dict[str, Any] = {"bookingId": live.booking, "flightId": old, "newFlightId": new}
        quote = await self._about("change quote", live, "/change-quotes", change)
        if quote is None:
            return self._put_back(live)
        if self.orders.chance(0.6):
            change = {"bookingId": live.booking, "quoteId": quote["quoteId"]}
        else:
            change["expectedPrice"] = quote["amountDue"]
        body = change | self.orders.card()
        if self.orders.chance(_TWO_AT_ONCE):
            done = await self._one_of_two("change", live, "/change-booking", body)
        else:
            done = await self._about("change", live, "/change-booking", body) is not None
        flights = tuple(new if done and flight == old else flight for flight in live.flights)
        return self._put_back(replace(live, flights=flights))

    async def _seat_any(self) -> None:
        if (live := self._any()) is not None:
            seats = self.orders.seats(live.flights[0], live.passengers[:1], hot=live.is_hot)
            body = {"bookingId": live.booking, "seats": seats, **self.orders.card()}
            await self._about("seats", live, "/choose-seats", body)
            self._put_back(live)

    async def _rename_any(self) -> None:
        if (live := self._any()) is not None:
            body = {"bookingId": live.booking, "passenger": live.passengers[0], **self.orders.name()}
            await self._about("name", live, "/correct-name", body)
            self._put_back(live)

    def _any(self) -> Live | None:
        """A booking in nobody's hands, which it leaves so that no other task takes it meanwhile."""
        queue = self._paid[self.orders.chance(HOT_SHARE)] or self._paid[False] or self._paid[True]
        if not queue:
            return None
        queue.rotate(self.orders.random.randrange(len(queue)))
        return queue.popleft()

    def _put_back(self, live: Live | None) -> None:
        if live is not None:
            self._paid[live.is_hot].append(live)

    async def _read(self) -> None:
        """A booking that was acknowledged is found again, at once."""
        live = self._any()
        if live is None:
            return
        answer = await self.client.get(live.user, f"/bookings/{live.user.user_id}/{live.booking}")
        self._put_back(live)
        if answer is not None and answer.status < 500:  # noqa: PLR2004
            self.client.tally.answers[f"read: {answer.status} {answer.code}".rstrip()] += 1
            if answer.status != OK:
                self.client.journal.contradiction(f"{live.booking} was acknowledged, and is not found")

    async def _about(self, kind: str, live: Live, path: str, body: dict[str, Any]) -> Any:
        """What a success says; None for anything else."""
        answer = await self._ask(kind, live.user, path, body, live.booking)
        return answer.json if answer is not None and answer.status in (OK, CREATED) else None

    async def _one_of_two(self, kind: str, live: Live, path: str, body: dict[str, Any]) -> bool:
        """The same twice at once, under two keys: at most one may succeed; whether one did."""
        answers = await asyncio.gather(
            self._about(kind, live, path, body), self._about(kind, live, path, body)
        )
        won = [answer for answer in answers if answer is not None]
        if len(won) > 1:
            self.client.journal.contradiction(f"{kind} {live.booking}: done twice, under two keys")
        return bool(won)

    async def _ask(
        self, kind: str, user: User, path: str, body: dict[str, Any], about: str = ""
    ) -> Answer | None:
        """One request; now and then it is repeated afterwards, and must be told the same."""
        entry, sent = self._entry(kind, user, body, about)
        answer = await self.client.insist(entry, user, path, sent)
        if answer is not None and _is_kept(answer) and self.orders.chance(_ASKED_AGAIN):
            again = await self.client.replay(entry, user, path, sent)
            self._compare(entry, [answer] if again is None else [answer, again])
        return answer

    async def _at_once(self, kind: str, user: User, path: str, body: dict[str, Any]) -> Answer | None:
        """One request, sent three times at once under one key."""
        entry, sent = self._entry(kind, user, body, "")
        first, *others = await asyncio.gather(
            self.client.insist(entry, user, path, sent),
            *(self.client.replay(entry, user, path, sent) for _ in range(2)),
        )
        self._compare(entry, [answer for answer in (first, *others) if answer is not None])
        return first

    def _entry(self, kind: str, user: User, body: dict[str, Any], about: str) -> tuple[Entry, bytes]:
        entry = Entry(kind=kind, user=user.user_id, key=str(uuid.uuid4()), about=about)
        self.client.journal.asked(entry)
        return entry, json.dumps({"userId": user.user_id, **body}).encode()

    def _compare(self, entry: Entry, answers: Sequence[Answer]) -> None:
        kept = {(answer.status, answer.body) for answer in answers if _is_kept(answer)}
        if len(kept) > 1:
            self.client.journal.contradiction(f"{entry.kind} {entry.key}: {len(kept)} answers under one key")


def _is_kept(answer: Answer) -> bool:
    """Whether the contract wants it replayed."""
    return answer.status in (OK, CREATED, 402, 404, 409)
