"""Reads telegrams: a body of several into single ones, and each into its elements, or says where it is wrong.

A telegram begins with its identifier (MVT, MVA or DIV, with COR or REV for a corrected one), before which a
Type B heading may stand, and the heading of an aircraft's downlink (ARINC 620); it ends with ETX, a line
NNNN, an empty line, or where the next one begins. SI, free text, is the last element: whatever follows
belongs to it.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

# One character for one, so that columns stay what they are: `str.upper` would make two of some.
_PLAIN = str.maketrans(
    {"\x01": " ", "\x02": " ", "\t": " ", "\xa0": " "}
    | dict(zip(string.ascii_lowercase, string.ascii_uppercase, strict=True))
)
_ETX = "\x03"
_IDENTIFIER = re.compile(r"(?:(COR|REV) +)?(MVT|MVA|DIV)(?: +(COR|REV))?(?= *$)")
_ADDRESSES = re.compile(r"Q[A-Z](?: +[A-Z0-9]{7})+ *$")
_ORIGIN = re.compile(r"\.[A-Z0-9]{7}(?: +(?:([0-9]{2})([0-9]{2})([0-9]{2}))?.*)?$")
# Corrected, revised, perhaps sent twice: what came already is known by its content, whatever it is called.
_MARK = re.compile(r"(?:COR|REV|PDM) *$")
# Behind a Type B heading: ``A80``, ``FI JQ0399/AN VH-LFM``, ``DT QXS MEL1 102133 M27A``, ``-``.
_DOWNLINK = re.compile(r"(?:A[0-9]{2}|FI [A-Z0-9]+/AN [A-Z0-9-]+|DT(?: [A-Z0-9]+)+|-) *$")
_TIME = re.compile(r"(0[1-9]|[12][0-9]|3[01])?([01][0-9]|2[0-3])([0-5][0-9])(?![0-9])")
_DAY = re.compile(r"0[1-9]|[12][0-9]|3[01]|[1-9](?![0-9])")
_AIRPORT = re.compile(r"[A-Z]{3}(?![A-Z0-9])")
_DELAY_MINUTES = re.compile(r"([0-9]{2})([0-5][0-9])(?![0-9])")
_DELAY_CODE = re.compile(r"[0-9]{2}(?![0-9A-Z])")
_WORD = re.compile(r"[^ ]+")
_ELEMENTS = "AD, AA, ED, EO, EA, EB, NI, RR, FR, DL, EDL, DLA, DR, PX, FLD, TERM, CONT or SI"


@dataclass(eq=False)
class TelegramError(Exception):
    """What was expected at `column` of `line`, both counted from 1 in the text that came in."""

    line: int
    column: int
    expected: str

    def __str__(self) -> str:
        return f"Line {self.line}, position {self.column}: {self.expected} is expected."


@dataclass(frozen=True)
class Clock:
    """A time of day in UTC, with its day of the month where the telegram gives one."""

    day: int | None
    hour: int
    minute: int


@dataclass(frozen=True)
class Telegram:
    """One telegram. `text` is its normal form without the heading, `line` where it begins.

    `landing` is the airport that stands behind EA, AA or AD; `delays` are (code, minutes or None) in order.
    """

    line: int
    text: str
    kind: str
    filed: Clock | None = None
    airline: str = ""
    number: int = 0
    day: int = 0
    airport: str = ""
    leg_day: int | None = None
    off_block: Clock | None = None
    airborne: Clock | None = None
    touchdown: Clock | None = None
    on_block: Clock | None = None
    expected_off_block: Clock | None = None
    expected_take_off: Clock | None = None
    expected_touchdown: Clock | None = None
    expected_on_block: Clock | None = None
    next_information: Clock | None = None
    returned_to_ramp: Clock | None = None
    forced_return: Clock | None = None
    landing: str = ""
    delays: tuple[tuple[str, int | None], ...] = ()
    diversion_code: str = ""
    ends_there: bool = False
    continues_to: str = ""

    @property
    def designator(self) -> str:
        return f"{self.airline}{self.number}/{self.day:02}"

    @property
    def moves(self) -> bool:
        """Whether it says anything of the flight's movement."""
        return any(getattr(self, name) is not None for name in _MOVEMENTS)


_MOVEMENTS = (
    "off_block",
    "airborne",
    "touchdown",
    "expected_off_block",
    "expected_take_off",
    "expected_touchdown",
    "expected_on_block",
    "next_information",
    "returned_to_ramp",
    "forced_return",
)


@dataclass(frozen=True)
class Chunk:
    """The lines of one telegram, heading included, with their numbers in the body."""

    lines: tuple[tuple[int, str], ...]


def split(body: str) -> list[Chunk]:
    """The telegrams of a body, in order, each for itself to be read."""
    chunks: list[list[tuple[int, str]]] = [[]]
    for number, line in enumerate(body.translate(_PLAIN).splitlines(), start=1):
        for index, part in enumerate(line.split(_ETX)):
            if index or _begins(part, chunks[-1]):
                chunks.append([])
            if part.strip() in ("", "NNNN"):
                chunks.append([])
            else:
                chunks[-1].append((number, part))
    return [Chunk(tuple(chunk)) for chunk in chunks if chunk]


def parse(chunk: Chunk) -> Telegram:
    """One telegram.

    Raises:
        TelegramError: where it is not of the standard's form.
    """
    found, rest = _head(chunk)
    if not rest:
        line, text = chunk.lines[-1]
        raise TelegramError(line, len(text) + 1, "the flight's line below the identifier")
    telegram = _flight_line(_Scanner(*rest[0]), found)
    for position, (number, text) in enumerate(rest[1:], start=1):
        scanner = _Scanner(number, text)
        while not scanner.at_end:
            telegram, is_free_text = _element(scanner, telegram)
            if is_free_text:
                return _checked(telegram, rest[position])
    return _checked(telegram, rest[-1])


class _Scanner:
    """A place in a line; `take` goes on behind what matches or says what should stand there."""

    def __init__(self, number: int, text: str) -> None:
        self.number = number
        self.text = text
        self.at = len(text) - len(text.lstrip())

    @property
    def at_end(self) -> bool:
        return not self.text[self.at :].strip()

    def see(self, pattern: re.Pattern[str] | str) -> re.Match[str] | None:
        """The match here, behind which it goes on; None where there is none."""
        match = re.compile(pattern).match(self.text, self.at)
        if match is not None:
            self.at = match.end()
        return match

    def take(self, pattern: re.Pattern[str] | str, expected: str) -> re.Match[str]:
        match = self.see(pattern)
        if match is None:
            raise self.error(expected)
        return match

    def skip_spaces(self) -> None:
        self.see(r" *")

    def error(self, expected: str) -> TelegramError:
        return TelegramError(self.number, self.at + 1, expected)


def _begins(line: str, current: list[tuple[int, str]]) -> bool:
    """Whether `line` is the beginning of another telegram than `current`."""
    has_text = any(_IDENTIFIER.match(text.strip()) for _, text in current)
    here = line.strip()
    return has_text and any(p.match(here) for p in (_IDENTIFIER, _ADDRESSES, _ORIGIN, _MARK))


def _head(chunk: Chunk) -> tuple[Telegram, tuple[tuple[int, str], ...]]:
    """The telegram as far as heading and identifier tell of it, and the lines below them."""
    filed = None
    for index, (number, text) in enumerate(chunk.lines):
        here = text.strip()
        if identifier := _IDENTIFIER.match(here):
            rest = chunk.lines[index:]
            normal = "\n".join(" ".join(line.split()) for _, line in rest)
            return Telegram(line=number, text=normal, kind=identifier[2], filed=filed), rest[1:]
        if origin := _ORIGIN.match(here):
            filed = _filing_time(origin)
        elif not any(p.match(here) for p in (_ADDRESSES, _MARK, _DOWNLINK)):
            raise _Scanner(number, text).error("MVT, MVA or DIV, or a Type B heading,")
    number, text = chunk.lines[-1]
    raise TelegramError(number, len(text) + 1, "MVT, MVA or DIV below the heading")


def _filing_time(origin: re.Match[str]) -> Clock | None:
    match = _TIME.fullmatch("".join(origin.groups(default="")))
    return _clock(match) if match is not None and match[1] else None


def _flight_line(line: _Scanner, telegram: Telegram) -> Telegram:
    """``BA100/27.PPVMU.LHR``: flight, day of the scheduled departure in UTC, registration, airport."""
    airline = line.take(
        r"[A-Z]{3}(?=[0-9])|(?=[A-Z0-9]*[A-Z])[A-Z0-9]{2}(?=[0-9])", "an airline's designator"
    )[0]
    number = int(line.take(r"0*[1-9][0-9]{0,3}(?![0-9])", "a flight number of up to four digits")[0])
    line.see(r"[A-Z]")  # an operational suffix; schedules know none
    line.take(r"/", "the / before the day")
    day = int(line.take(_DAY, "a day of the month")[0])
    line.see(r"[A-Z]{3}(?:[0-9]{2})?(?= *\.)")  # some write month and year behind it
    line.take(r" *\.", "the point before the registration")
    line.see(r"(?:[A-Z0-9-]{2,10} *)?\.(?=[A-Z]{3} *$)")
    airport = line.take(r"[A-Z]{3}(?= *$)", "registration and airport of movement, as in PPVMU.LHR,")[0]
    return replace(telegram, airline=airline, number=number, day=day, airport=airport)


def _element(line: _Scanner, telegram: Telegram) -> tuple[Telegram, bool]:
    """The telegram with the element that stands here, and whether that was free text."""
    line.skip_spaces()
    for keyword, read in _READERS.items():
        if line.see(keyword):
            found = read(line)
            if any(getattr(telegram, name) is not None for name in _MOVEMENTS if name in found):
                raise line.error(f"the end, or an element other than a second {keyword},")
            if keyword == "SI":
                return telegram, True
            if "delays" in found:
                found["delays"] = (*telegram.delays, *found["delays"])
            if not line.at_end:
                line.take(r" +", "a space or the line's end")
            return replace(telegram, **found), False
    raise line.error(_ELEMENTS)


def _checked(telegram: Telegram, last: tuple[int, str]) -> Telegram:
    """Raises `TelegramError` behind the last element where what the identifier promises has not come."""
    number, text = last
    if telegram.kind == "DIV" and not telegram.landing:
        raise TelegramError(number, len(text) + 1, "EA with time and airport of the diversion")
    if not telegram.moves:
        raise TelegramError(number, len(text) + 1, "one of AD, AA, ED, EO, EA, EB, NI, RR, FR")
    return telegram


def _time(line: _Scanner) -> Clock:
    return _clock(line.take(_TIME, "a time in UTC, HHMM or DDHHMM,"))


def _clock(match: re.Match[str]) -> Clock:
    return Clock(day=int(match[1]) if match[1] else None, hour=int(match[2]), minute=int(match[3]))


def _one(name: str) -> Callable[[_Scanner], dict[str, Any]]:
    return lambda line: {name: _time(line)}


def _two(first: str, second: str | None) -> Callable[[_Scanner], dict[str, Any]]:
    """A time, and perhaps a second one behind a stroke; `second` None: it is not kept."""

    def read(line: _Scanner) -> dict[str, Any]:
        found = {first: _time(line)}
        if line.see(r"/"):
            later = _time(line)
            found |= {second: later} if second else {}
        return found

    return read


def _with_airport(read: Callable[[_Scanner], dict[str, Any]]) -> Callable[[_Scanner], dict[str, Any]]:
    def and_airport(line: _Scanner) -> dict[str, Any]:
        found = read(line)
        at = line.at
        line.skip_spaces()
        airport = line.see(_AIRPORT)
        if airport is None:
            line.at = at
            return found
        return found | {"landing": airport[0]}

    return and_airport


def _delays(line: _Scanner) -> dict[str, Any]:
    """``DL31/62/0005/0015``: codes, then the minutes of each, as hours and minutes; both may be alone."""
    codes: list[str] = []
    minutes: list[int] = []
    while True:
        if duration := line.see(_DELAY_MINUTES):
            minutes.append(int(duration[1]) * 60 + int(duration[2]))
        elif not minutes:
            codes.append(line.take(_DELAY_CODE, "a delay code of two digits")[0])
        else:
            raise line.error("a delay of four digits, HHMM,")
        if not line.see(r"/"):
            break
        if line.at_end or line.see(r"(?= )"):
            break  # a stroke for what is left out
    if not codes or (minutes and len(minutes) != len(codes)):
        raise line.error("as many delays as there are delay codes")
    known: list[int | None] = [*minutes] or [None] * len(codes)
    return {"delays": tuple(zip(codes, known, strict=True))}


def _passengers(line: _Scanner) -> dict[str, Any]:
    line.skip_spaces()
    line.take(r"[0-9]{1,4}(?:[/+][0-9]{1,4})*(?![^ ])", "numbers of passengers, as in 112 or 112/3,")
    return {}


def _unread(line: _Scanner) -> dict[str, Any]:
    """What the standard has and we have no use for: weights, crew times, sub-codes."""
    line.skip_spaces()
    line.take(_WORD, "a value")
    return {}


def _reclearance(line: _Scanner) -> dict[str, Any]:
    _with_airport(_one("unused"))(line)
    return {}


def _flag(*names: str) -> Callable[[_Scanner], dict[str, Any]]:
    return lambda _: dict.fromkeys(names, True)


def _continues(line: _Scanner) -> dict[str, Any]:
    line.skip_spaces()
    return {"continues_to": line.take(_AIRPORT, "the airport that the flight goes on to")[0]}


# A longer keyword stands before those that it begins with.
_READERS: dict[str, Callable[[_Scanner], dict[str, Any]]] = {
    "SI": _flag(),
    "TERM": _flag("ends_there"),
    "CONT": _continues,
    "EDL": _delays,
    "DLA": _unread,
    "DL": _delays,
    "FLD": lambda line: {"leg_day": int(line.take(_DAY, "a day of the month")[0])},
    "CRT": _unread,
    "MAP": _unread,
    "TOF": _unread,
    "TOW": _unread,
    "ZFW": _unread,
    "RC": _reclearance,
    "AD": _with_airport(_two("off_block", "airborne")),
    "AA": _with_airport(_two("touchdown", "on_block")),
    "ED": _one("expected_off_block"),
    "EO": _one("expected_take_off"),
    "EA": _with_airport(_one("expected_touchdown")),
    "EB": _one("expected_on_block"),
    "NI": _one("next_information"),
    "RR": _two("returned_to_ramp", None),
    "FR": _two("forced_return", None),
    "DR": lambda line: {
        "diversion_code": line.take(r"[0-9]{2}(?:[0-9A-Z]{0,2})(?![^ ])", "a code of two digits")[0][:2]
    },
    "PX": _passengers,
}


def telegrams(body: str) -> Iterator[Telegram | TelegramError]:
    """What stands in a body, in order: each telegram, or where it is wrong."""
    for chunk in split(body):
        try:
            yield parse(chunk)
        except TelegramError as error:
            yield error
