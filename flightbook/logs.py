"""Log lines as JSON, one object a line, with what they are about: request, user, booking.

Only the fields that are named here leave the process. A traceback shows where, never with what values: the
database quotes rows in its complaints, and others the text that they could not read. So of an exception's
message nothing between quotes is written, no second line, and no address, token or card number anywhere.
"""

from __future__ import annotations

import datetime as dt
import logging
import re
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import msgspec

# What a line may carry beside its message, by its name in the record and in the line.
FIELDS = {
    "request_id": "requestId",
    "user_id": "userId",
    "booking_id": "bookingId",
    "method": "method",
    "path": "path",
    "route": "route",
    "status": "status",
    "seconds": "seconds",
    "bytes": "bytes",
    "trace_id": "traceId",
}
_LONGEST, _LONGEST_REASON, _MOST_FRAMES = 4000, 300, 40
REMIND_SECONDS = 60.0
_about: ContextVar[dict[str, str] | None] = ContextVar("about", default=None)

_QUOTED = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|`[^`\n]*`|(?<==)\([^()\n]*\)")
_TELLING = re.compile(
    r"[^\s<>\"'=,;]+@[^\s<>\"',;]+\.\w+"  # an address of mail, or a URL's user and password
    r"|\beyJ[\w-]{5,}(?:\.[\w-]*){0,2}"  # a token
    r"|(?i:\bbearer\s+\S+)"
    r"|(?<=\?)[\w%.~-]+=\S*"  # a query string
    r"|\b\d(?:[ -]?\d){11,18}\b"  # a card's number
)


@contextmanager
def about(**fields: str) -> Iterator[dict[str, str]]:
    """Every line written inside carries these fields (names of `FIELDS`), and what `note` adds meanwhile."""
    token = _about.set((_about.get() or {}) | fields)
    try:
        yield current()
    finally:
        _about.reset(token)


def note(**fields: str) -> None:
    """Adds to what the surrounding `about` says, until it ends; outside of one nothing is kept."""
    found = _about.get()
    if found is not None:
        found.update(fields)


def current() -> dict[str, str]:
    """What lines written now are about."""
    found = _about.get()
    return {} if found is None else found


def scrubbed(text: str) -> str:
    """The text without addresses, tokens, query strings and card numbers."""
    return _TELLING.sub("…", text)


def reason(error: BaseException) -> str:
    """An exception's message without the values in it; for a database's, its state and constraint too."""
    first = str(error).strip().partition("\n")[0]
    said = scrubbed(_QUOTED.sub("'…'", first))[:_LONGEST_REASON]
    facts = [said, *_database_facts(error)]
    return f"{type(error).__name__}: {', '.join(fact for fact in facts if fact)}".rstrip(": ")


def _database_facts(error: BaseException) -> Iterator[str]:
    source = error if hasattr(error, "diag") else error.__cause__
    if (state := getattr(source, "pgcode", None)) is not None:
        yield f"SQLSTATE {state}"
    if constraint := getattr(getattr(source, "diag", None), "constraint_name", None):
        yield f"constraint {constraint}"


def where(error: BaseException | None) -> str:
    """The traceback of an exception and of those that led to it, outermost call first."""
    parts: list[str] = []
    while error is not None:
        frames = traceback.extract_tb(error.__traceback__)[-_MOST_FRAMES:]
        lines = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        parts.append("\n".join([*lines, reason(error)]))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n\nwhile handling\n\n".join(parts)


class JsonFormatter(logging.Formatter):
    """A line of JSON: ``time`` (RFC 3339, UTC), ``level``, ``logger``, ``message``, then known `FIELDS`."""

    def format(self, record: logging.LogRecord) -> str:
        at = dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            "time": at.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": scrubbed(_message(record))[:_LONGEST],
        }
        line |= {FIELDS[name]: value for name, value in current().items() if name in FIELDS}
        extra = {shown: record.__dict__.get(name) for name, shown in FIELDS.items()}
        line |= {shown: value for shown, value in extra.items() if value not in (None, "-")}
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = where(record.exc_info[1])
        return msgspec.json.encode(line, enc_hook=str).decode()


def _message(record: logging.LogRecord) -> str:
    """As `getMessage`, but exceptions in it stand by their `reason`."""
    text = reason(record.msg) if isinstance(record.msg, BaseException) else str(record.msg)
    arguments = record.args
    if isinstance(arguments, tuple):
        arguments = tuple(reason(one) if isinstance(one, BaseException) else one for one in arguments)
    return text % arguments if arguments else text


class OncePerMinute(logging.Filter):
    """For a library's logger that prints a traceback a second while its server is away: one line a minute."""

    _told = -REMIND_SECONDS

    def filter(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        if now - self._told < REMIND_SECONDS:
            return False
        self._told = now
        if record.exc_info:
            record.msg, record.args = f"{record.getMessage()}: {record.exc_info[1]}", None
            record.exc_info = None
        return True
