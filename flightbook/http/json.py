"""Strict JSON in, exact JSON out.

In: UTF-8, no duplicate members, no NaN, no unpaired surrogates, bounded depth; fractions are `Decimal`.
Out: `Decimal` as a JSON number, `datetime` as RFC 3339 in UTC with `Z`.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import IO, Any

import msgspec
from rest_framework.exceptions import ParseError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

_DEPTH = 32
_DIGITS = 40
_SURROGATE = re.compile("[\ud800-\udfff]")
_EXPONENT = 400  # a double's own are within 324
_encoder = msgspec.json.Encoder(decimal_format="number", enc_hook=str)


def encode(body: Any) -> bytes:
    """JSON of dicts, lists, dataclasses and structs."""
    return _encoder.encode(body)


def rfc3339(moment: dt.datetime) -> str:
    """``2024-09-10T12:30:00Z``; fractions of a second only where there are any."""
    return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def decode(data: bytes | str) -> Any:
    """Strictly parsed JSON.

    Raises:
        ParseError: saying what is wrong.
    """
    try:
        text = data if isinstance(data, str) else data.decode("utf-8")
        value = json.loads(
            text,
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=_no_constant,
            object_pairs_hook=_no_duplicates,
        )
    except UnicodeDecodeError as error:
        raise ParseError("The body is not UTF-8.") from error
    except json.JSONDecodeError as error:
        raise ParseError(
            f"The body is not JSON: {error.msg} at line {error.lineno} column {error.colno}."
        ) from error
    except RecursionError as error:
        raise ParseError("The body is nested too deeply.") from error
    _check(value, 0)
    return value


def _decimal(digits: str) -> Decimal:
    if len(digits) > _DIGITS:
        raise ParseError("A number is too long.")
    try:
        value = Decimal(digits)
    except InvalidOperation as error:
        raise ParseError("A number is out of range.") from error
    if abs(value.adjusted()) > _EXPONENT:  # `1e999999999` is short, but written out it fills the memory
        raise ParseError("A number is out of range.")
    return value


def _integer(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise ParseError("A number is too long.")
    return int(digits)


def _no_constant(name: str) -> None:
    raise ParseError(f"{name} is not JSON.")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ParseError("A member stands twice in one object.")
    return members


def _check(value: Any, depth: int) -> None:
    if depth > _DEPTH:
        raise ParseError("The body is nested too deeply.")
    if isinstance(value, str):
        if _SURROGATE.search(value):
            raise ParseError("A string has an unpaired surrogate.")
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            _check(key, depth + 1)
            _check(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _check(inner, depth + 1)


class StrictJSONParser(BaseParser):
    media_type = "application/json"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None) -> Any:
        request = (parser_context or {}).get("request")
        # Django's own reading holds the size limit: it raises RequestDataTooBig.
        body = request._request.body if request is not None else stream.read()
        value = decode(body)
        if not isinstance(value, dict):
            raise ParseError("The body is not a JSON object.")
        return value


class JSONRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None
    ) -> bytes:
        return b"" if data is None else encode(data)


class Negotiation(DefaultContentNegotiation):
    """DRF's own; what nearly all clients send is not taken apart for it."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        first = next(iter(renderers))
        if request.META.get("HTTP_ACCEPT", "*/*") in ("*/*", first.media_type):
            return first, first.media_type
        found: tuple[BaseRenderer, str] = super().select_renderer(request, renderers, format_suffix)
        return found
