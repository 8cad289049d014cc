"""What a traveller asks for: drawn at random, by a seed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.race.traveller import User

HOT_SHARE = 0.45
# What a card's token makes each gateway do, and how often it is used. See `bench.gateway`, and the sandbox.
GOOD = 0.86
TOKENS: Mapping[str, Mapping[str, float]] = {
    "sandbox": {
        "": GOOD,
        "tok_declined": 0.05,
        "tok_capture_refused": 0.04,
        "tok_no_answer_charged": 0.05,
    },
    "process": {
        "pm_card": GOOD,
        "pm_declined": 0.05,
        "pm_capture_refused": 0.03,
        "pm_captured_before_void": 0.02,
        "pm_answer_lost": 0.02,
        "pm_fault_stored": 0.01,
        "pm_fault_after": 0.01,
    },
}
FARES = ("ESTD", "EFLEX")  # where none is named the cheapest is taken, ELIGHT first, which can't be changed
_NAMES = ("Ada", "Bo", "Cleo", "Dev", "Eve", "Finn")
_LETTERS = "ABCDEF"
_HOT_ROWS, _COLD_ROWS = (15, 17), (15, 60)


@dataclass(frozen=True)
class World:
    """The flights that `seed` made, by public id. `doomed` ones are cancelled by staff during the run."""

    hot: Sequence[str]
    cold: Sequence[str]
    doomed: Sequence[str]


@dataclass(frozen=True)
class Live:
    """A booking that was acknowledged, as its client knows it; `passengers` are the indices still in it."""

    user: User
    booking: str
    is_hot: bool
    flights: tuple[str, ...]
    passengers: tuple[int, ...]


class Orders:
    """Draws bodies of requests."""

    def __init__(self, world: World, gateway: str, *, seed: int) -> None:
        self.world = world
        self.random = random.Random(seed)  # noqa: S311 - a load that can be had again
        self._tokens, self._shares = list(TOKENS[gateway]), list(TOKENS[gateway].values())

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def card(self, method: str = "credit_card") -> dict[str, str]:
        [token] = self.random.choices(self._tokens, self._shares)
        return {"paymentMethod": method} | ({"paymentToken": token} if token else {})

    def booking(self, *, hot: bool, hold: bool) -> dict[str, Any]:
        flights = self._flights(hot=hot)
        body: dict[str, Any] = {"flightId": flights[0]} if len(flights) == 1 else {"flightIds": flights}
        body |= {"paymentMethod": "hold"} if hold else self.card()
        count = self.random.choice((1, 1, 1, 2, 2, 3))
        types = ("adult", "adult", self.random.choice(("child", "infant")))[:count]
        if count > 1 or self.chance(0.5):
            body["passengers"] = [self.name() | {"type": kind} for kind in types]
        if self.chance(0.25):
            body["seats"] = self.seats(flights[0], range(min(count, 2)), hot=hot)
        if self.chance(0.4):
            body["fare"] = self.random.choice(FARES)
        return body

    def name(self) -> dict[str, str]:
        return {"givenName": self.random.choice(_NAMES), "familyName": "Race"}

    def seats(self, flight: str, passengers: Sequence[int], *, hot: bool) -> list[dict[str, Any]]:
        row = self.random.randint(*(_HOT_ROWS if hot else _COLD_ROWS))
        letters = self.random.sample(_LETTERS, len(passengers))
        return [
            {"flightId": flight, "passenger": passenger, "seat": f"{row}{letter}"}
            for passenger, letter in zip(passengers, letters, strict=True)
        ]

    def other_flight(self, flights: Sequence[str]) -> str:
        """One that is not among `flights`, rather a hot one."""
        choice = self.world.hot if self.chance(HOT_SHARE) else self.world.cold
        return self.random.choice([flight for flight in choice if flight not in flights])

    def _flights(self, *, hot: bool) -> list[str]:
        if self.chance(0.04) and self.world.doomed:
            return [self.random.choice(self.world.doomed)]
        first = self.random.choice(self.world.hot if hot else self.world.cold)
        return [first, self.other_flight([first])] if self.chance(0.2) else [first]
