"""A flight's public id: ``FL`` and its key. Flights are public, so nothing is hidden in it."""

from __future__ import annotations

import re

from flightbook.errors import NotFound

_FORM = re.compile(r"FL([1-9][0-9]{0,18})", re.ASCII)
_LARGEST = 2**63 - 1


def flight_id(pk: int) -> str:
    """``FL12345``."""
    return f"FL{pk}"


def parse_flight_id(public_id: str) -> int:
    """The key in `public_id`; whether there is such a flight is not looked up.

    Raises:
        NotFound: it has not the form of a flight's id.
    """
    match = _FORM.fullmatch(public_id)
    if match is None or int(match.group(1)) > _LARGEST:
        raise NotFound(detail="There is no such flight.")
    return int(match.group(1))
