"""IATA's delay codes (AHM 730, two digits) in a traveller's words: `flights/data/delay_codes.csv`.

00 to 05 and whatever else is not in the table are an airline's own codes, and mean nothing to others.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from flights.importers.tables import read

_LONGEST = 200


def reason(delays: Sequence[tuple[str, int | None]]) -> str:
    """What `delays` (code, minutes) tell a traveller, what took longest first; empty where nothing."""
    known = _reasons()
    ordered = sorted(delays, key=lambda delay: -(delay[1] or 0))
    texts = list(dict.fromkeys(known[code] for code, _ in ordered if code in known))
    return "; ".join(texts)[:_LONGEST]


@cache
def _reasons() -> dict[str, str]:
    return {row["code"]: row["reason"] for row in read("delay_codes")}
