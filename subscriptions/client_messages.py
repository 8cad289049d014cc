"""What a client may say on its socket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rest_framework.exceptions import ParseError

from flightbook.errors import FieldError, Invalid
from flightbook.http.json import decode

_UNKNOWN = "Send {userId, flightId}, with afterSequence and log to resume, or {unfollow: flightId}."


@dataclass(frozen=True)
class Follow:
    """``{"userId", "flightId"[, "afterSequence"[, "log"]]}``"""

    user_id: str
    flight_id: str
    after_sequence: int | None = None
    log: str | None = None


@dataclass(frozen=True)
class Unfollow:
    """``{"unfollow": flightId}``"""

    flight_id: str


def parse(text: str) -> Follow | Unfollow:
    """One message of a client. Members that are not known are passed over.

    Raises:
        Invalid: it is no JSON object, or none of the messages, or a member has a wrong type.
    """
    try:
        message = decode(text)
    except ParseError as error:
        raise Invalid.of("", "malformed", str(error.detail)) from error
    if not isinstance(message, dict):
        raise Invalid.of("", "malformed", "The message is not a JSON object.")
    if "unfollow" in message:
        return _unfollow(message)
    return _follow(message)


def _unfollow(message: dict[str, Any]) -> Unfollow:
    if "flightId" in message or not isinstance(message["unfollow"], str):
        raise Invalid.of("/unfollow", "invalid", _UNKNOWN)
    return Unfollow(message["unfollow"])


def _follow(message: dict[str, Any]) -> Follow:
    after, log = message.get("afterSequence"), message.get("log")
    faults = [_fault(message, name) for name in ("userId", "flightId") if not _is_text(message.get(name))]
    if after is not None and (not isinstance(after, int) or isinstance(after, bool) or after < 0):
        faults.append(FieldError("/afterSequence", "invalid", "A whole number from 0."))
    if log is not None and not _is_text(log):
        faults.append(FieldError("/log", "invalid", "A string."))
    if faults:
        raise Invalid(detail=_UNKNOWN, errors=faults)
    return Follow(message["userId"], message["flightId"], after, log)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _fault(message: dict[str, Any], name: str) -> FieldError:
    code = "invalid" if name in message else "required"
    return FieldError(f"/{name}", code, "A string.")
