"""Which reports a telegram is: what `record_update` has to be told of the flight, in order.

- An arrival or a diversion of a flight whose departure was never reported tells of the departure too: both
  are reported, since nothing lands that has not left. The table of transitions stays as it is.
- What a flight has behind it already (an estimate of a departure, of one that has left) is `Superseded`.
- A flight that came back, to the ramp or out of the air, is Diverted: from there it may leave again.
- Nothing but staff or the API's own report brings a cancelled flight back.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from flightbook.errors import InvalidTransition
from flights.models import Flight
from flights.telegrams.delay_codes import reason
from flights.telegrams.grammar import Clock, Telegram
from flights.telegrams.matching import first_after
from flights.transitions import ON_SALE
from flights.types import FlightStatus as S

RETURNED = "Returned to"
# A flight may leave, or be said to leave, so long before its schedule; later than that it is a day's delay.
_EARLY = dt.timedelta(hours=6)
_EARLY_LANDING = dt.timedelta(hours=1)

Reports = list[dict[str, Any]]


class Superseded(Exception):
    """The flight is further on than the telegram."""


def reports(telegram: Telegram, flight: Flight) -> Reports:
    """The arguments of `record_update`, one dict a report.

    Raises:
        Superseded: the flight has that behind it.
        InvalidTransition: the flight is cancelled.
    """
    if flight.status == S.CANCELLED:
        raise InvalidTransition(detail="The flight is cancelled.")
    if telegram.kind == "DIV":
        return _diversion(telegram, flight)
    if telegram.forced_return or telegram.returned_to_ramp:
        return _return(telegram, flight)
    if telegram.off_block or telegram.touchdown:
        return _movement(telegram, flight)
    if telegram.expected_off_block or telegram.expected_take_off or telegram.next_information:
        return _delay(telegram, flight)
    return [_estimate(telegram, flight)]


def _movement(telegram: Telegram, flight: Flight) -> Reports:
    """AD and AA, each or both."""
    found = [_departure(telegram, flight)] if telegram.off_block else []
    if telegram.touchdown:
        found = found or _implied_departure(flight)
        found.append({"status": S.LANDED, "estimated_arrival": _arrival(telegram, flight)})
    return found


def _departure(telegram: Telegram, flight: Flight) -> dict[str, Any]:
    if flight.status == S.LANDED or (flight.status == S.DIVERTED and not _came_back(flight)):
        raise Superseded
    return {
        "status": S.DEPARTED,
        "reason": reason(telegram.delays),
        "estimated_departure": _departed(telegram, flight),
        "estimated_arrival": None if telegram.touchdown else _arrival(telegram, flight),
    }


def _diversion(telegram: Telegram, flight: Flight) -> Reports:
    if flight.status == S.LANDED:
        raise Superseded
    why = reason([(telegram.diversion_code, None)]) or reason(telegram.delays)
    text = f"Diverted to {telegram.landing}" + (f": {why[0].lower()}{why[1:]}" if why else "")
    if telegram.ends_there:
        text += "; the flight ends there"
    elif telegram.continues_to:
        text += f"; it goes on to {telegram.continues_to}"
    arrival = _arrival(telegram, flight)
    return [
        *_implied_departure(flight),
        {"status": S.DIVERTED, "reason": text[:200], "estimated_arrival": arrival},
    ]


def _return(telegram: Telegram, flight: Flight) -> Reports:
    """RR and FR. Before a departure was reported, a return to the ramp is a delay."""
    if flight.status == S.LANDED:
        raise Superseded
    place = flight.origin_id if telegram.forced_return else "the gate"
    found = {"reason": _sentence(f"{RETURNED} {place}", telegram), **_expected_departure(telegram, flight)}
    if flight.status in ON_SALE and not telegram.forced_return and not telegram.off_block:
        return [{"status": S.DELAYED, **found}]
    return [*_implied_departure(flight), {"status": S.DIVERTED, **found}]


def _delay(telegram: Telegram, flight: Flight) -> Reports:
    """ED, EO and NI: before the departure, or of a flight that has come back."""
    expected = _expected_departure(telegram, flight)
    text = _sentence(reason(telegram.delays), telegram)
    if flight.status in ON_SALE:
        return [{"status": _delayed_or_not(flight, expected), "reason": text, **expected}]
    if flight.status == S.DIVERTED and _came_back(flight):
        return [{"status": S.DIVERTED, "reason": _sentence(f"{RETURNED} the gate", telegram), **expected}]
    if flight.status == S.DEPARTED and telegram.expected_take_off:
        return [{"status": S.DEPARTED, "reason": text or "Waiting to take off"}]
    raise Superseded


def _delayed_or_not(flight: Flight, expected: dict[str, Any]) -> str:
    estimate = expected.get("estimated_departure")
    if estimate is None or estimate > flight.scheduled_departure:
        return S.DELAYED
    return S.SCHEDULED if flight.status == S.DELAYED else flight.status


def _estimate(telegram: Telegram, flight: Flight) -> dict[str, Any]:
    """EA and EB: when it comes in; the state stays."""
    if flight.status == S.LANDED:
        raise Superseded
    found = {
        "status": flight.status,
        "reason": reason(telegram.delays),
        "estimated_arrival": _arrival(telegram, flight),
    }
    if flight.status in ON_SALE and flight.estimated_departure:
        found["estimated_departure"] = flight.estimated_departure
    return found


def _implied_departure(flight: Flight) -> Reports:
    return [{"status": S.DEPARTED}] if flight.status in ON_SALE else []


def _departed(telegram: Telegram, flight: Flight) -> dt.datetime:
    """When it left the block."""
    assert telegram.off_block is not None
    return first_after(telegram.off_block, flight.scheduled_departure - _EARLY)


def _expected_departure(telegram: Telegram, flight: Flight) -> dict[str, Any]:
    clock = telegram.expected_off_block or telegram.expected_take_off
    if clock is None:
        return {}
    return {"estimated_departure": first_after(clock, flight.scheduled_departure - _EARLY)}


def _arrival(telegram: Telegram, flight: Flight) -> dt.datetime | None:
    """When it is, or will be, on the block, or else on the ground."""
    clock: Clock | None = (
        telegram.on_block or telegram.touchdown or telegram.expected_on_block or telegram.expected_touchdown
    )
    if clock is None:
        return None
    if telegram.off_block:
        return first_after(clock, _departed(telegram, flight) + dt.timedelta(minutes=1))
    left = flight.estimated_departure or flight.scheduled_departure
    return first_after(clock, left - (_EARLY_LANDING if flight.status in ON_SALE else dt.timedelta(0)))


def _came_back(flight: Flight) -> bool:
    return flight.reason.startswith(RETURNED)


def _sentence(text: str, telegram: Telegram) -> str:
    """`text`, the delay codes' reasons where they are not in it, and when there will be news."""
    parts = [text] if text else []
    why = reason(telegram.delays)
    if why and why not in parts:
        parts.append(why)
    if clock := telegram.next_information:
        parts.append(f"more is to be known at {clock.hour:02}:{clock.minute:02} UTC")
    joined = "; ".join(parts)
    return (joined[:1].upper() + joined[1:])[:200]
