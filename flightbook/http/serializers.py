"""Serializers that take JSON's types literally: a string is a string, a number a number."""

from __future__ import annotations

import re
import threading
import unicodedata
from decimal import Decimal
from typing import Any, TypeVar

from rest_framework import serializers
from rest_framework.request import Request

from flightbook.errors import FieldError, Invalid
from flightbook.http.problems import field_errors

S = TypeVar("S", bound="ApiSerializer")
_NOT_WRITTEN = frozenset({"Cc", "Zl", "Zp"})  # control characters, line and paragraph separators
_TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def camel_case(name: str) -> str:
    """``given_name`` -> ``givenName``."""
    return re.sub(r"_([a-z0-9])", lambda match: match.group(1).upper(), name.rstrip("_"))


class ApiSerializer(serializers.Serializer[Any]):
    """Fields are declared in snake_case and go by camelCase outside; `from_` dodges a keyword."""

    def get_fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for name, field in super().get_fields().items():
            outside = camel_case(name)
            if outside != name and field.source is None:
                field.source = name
            fields[outside] = field
        return fields


class StringField(serializers.CharField):
    """A JSON string, without NUL (PostgreSQL keeps none)."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class LineField(StringField):
    """A JSON string on one line, as a person writes it: no control characters, no line breaks, nothing that
    turns the direction of what follows (https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing).
    """

    default_error_messages = {"control_characters": "No line breaks and no control characters."}

    def to_internal_value(self, data: Any) -> str:
        line = super().to_internal_value(data)
        if any(unicodedata.category(char) in _NOT_WRITTEN or char in _TURNS for char in line):
            self.fail("control_characters")
        return line


class IntegerField(serializers.IntegerField):
    """A JSON number without a fraction."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return super().to_internal_value(data)


class MoneyField(serializers.DecimalField):
    """A JSON number with at most two decimals."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_digits=10, decimal_places=2, coerce_to_string=False, **kwargs)

    def to_internal_value(self, data: Any) -> Decimal:
        if isinstance(data, bool) or not isinstance(data, int | Decimal):
            self.fail("invalid")
        return super().to_internal_value(data)


class ChoiceField(serializers.ChoiceField):
    """One of some strings."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid_choice", input=data)
        return super().to_internal_value(data)


class MomentField(serializers.DateTimeField):
    """An RFC 3339 time with its offset."""

    def to_internal_value(self, value: Any) -> Any:
        if not isinstance(value, str) or not re.search(r"(Z|[+-]\d\d:\d\d)\Z", value):
            self.fail("invalid", format="RFC 3339 with an offset")
        return super().to_internal_value(value)


def parse_body(serializer: type[S], request: Request) -> dict[str, Any]:
    """The body's validated members, by snake_case names.

    Raises:
        Invalid: with a JSON pointer for each field.
    """
    parsed = _parsers.of(serializer)
    parsed.initial_data = request.data
    for found in ("_validated_data", "_errors"):
        parsed.__dict__.pop(found, None)
    parsed.is_valid(raise_exception=True)
    return dict(parsed.validated_data)


class _Parsers(threading.local):
    """A serializer of each class for each thread: to make one costs more than to use it."""

    def __init__(self) -> None:
        self._made: dict[type[ApiSerializer], ApiSerializer] = {}

    def of(self, serializer: type[ApiSerializer]) -> ApiSerializer:
        if serializer not in self._made:
            self._made[serializer] = serializer(data={})
        return self._made[serializer]


_parsers = _Parsers()


def parse_query(serializer: type[S], request: Request) -> dict[str, Any]:
    """The query's validated parameters, by snake_case names.

    Raises:
        Invalid: with the parameter's name for each.
    """
    given = {name: request.query_params[name] for name in request.query_params}
    parsed = serializer(data=given)
    if not parsed.is_valid():
        found = [FieldError(e.pointer.lstrip("/"), e.code, e.detail) for e in field_errors(parsed.errors)]
        raise Invalid(detail="Some parameters are not valid.", errors=found)
    return dict(parsed.validated_data)
