"""Strict JSON in, exact JSON out."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from rest_framework.exceptions import ParseError

from flightbook.http.json import decode, encode, rfc3339


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{}", {}),
        ('{"a": 1}', {"a": 1}),
        ('{"price": 350.10}', {"price": Decimal("350.10")}),
        ('{"a": "\\ud83d\\ude00"}', {"a": "😀"}),
        ('{"a": "\\u0000"}', {"a": "\0"}),  # what to make of it is the field's affair
        ("[" * 31 + "]" * 31, None),
        ('{"a": -0.0}', {"a": Decimal("-0.0")}),
        ('{"a": 1e2}', {"a": Decimal(100)}),
    ],
)
def test_what_is_json(text: str, value: Any) -> None:
    found = decode(text)
    assert value is None or found == value
    assert decode(text.encode()) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "{",
        "{'a': 1}",
        '{"a": 01}',
        '{"a": Infinity}',
        '{"a": -Infinity}',
        '{"a": NaN}',
        '{"a": 1e9999}',
        '{"a": 1e-9999}',
        '{"a": 1' + "0" * 60 + "}",
        '{"a": 0.' + "1" * 60 + "}",
        '{"a": {"b": 1, "b": 2}}',
        '{"\\udc00": 1}',
        '["\\ud800"]',
        "[" * 40 + "]" * 40,
        "[" * 100_000,
        "{} {}",
        "\ufeff{}",
        "// a comment\n{}",
    ],
)
def test_what_is_not(text: str) -> None:
    with pytest.raises(ParseError):
        decode(text)


def test_what_is_not_utf_8() -> None:
    with pytest.raises(ParseError, match="UTF-8"):
        decode(b'"\xff"')


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("350.00"), "350.00"),
        (Decimal("0.1"), "0.1"),
        (dt.datetime(2024, 9, 10, 12, 30, tzinfo=dt.UTC), '"2024-09-10T12:30:00Z"'),
        ({"a": None, "b": [True]}, '{"a":null,"b":[true]}'),
    ],
)
def test_out(value: Any, text: str) -> None:
    assert encode(value).decode() == text


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (dt.datetime(2024, 9, 10, 12, 30, tzinfo=dt.UTC), "2024-09-10T12:30:00Z"),
        (dt.datetime(2024, 9, 10, 8, 30, tzinfo=dt.timezone(dt.timedelta(hours=-4))), "2024-09-10T12:30:00Z"),
        (dt.datetime(2024, 9, 10, 12, 30, 0, 250_000, tzinfo=dt.UTC), "2024-09-10T12:30:00.250000Z"),
    ],
)
def test_moments(moment: dt.datetime, text: str) -> None:
    assert rfc3339(moment) == text
