"""Lists in pages: `limit` and an opaque cursor, which says after which key the page begins."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from rest_framework.request import Request

from flightbook.errors import Invalid

T = TypeVar("T")
DEFAULT_LIMIT, MAX_LIMIT = 50, 200
_KEY_DIGITS = 18  # within a bigint
_LIMIT_DIGITS = 4


def encode_cursor(key: int) -> str:
    return base64.urlsafe_b64encode(f"k{key}".encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> int:
    """The key in `cursor`.

    Raises:
        Invalid: it is none of ours.
    """
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        digits = text[1:]
        if text[:1] == "k" and digits.isascii() and digits.isdigit() and len(digits) <= _KEY_DIGITS:
            key = int(digits)
            if encode_cursor(key) == cursor:  # there is one way to write it
                return key
    except (binascii.Error, UnicodeError, ValueError):
        pass
    raise Invalid.of("cursor", "invalid", "This is no cursor of ours.")


def page_limit(request: Request) -> int:
    """`limit` out of the query: 1 to 200, 50 where absent."""
    text = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if text.isascii() and text.isdigit() and len(text) <= _LIMIT_DIGITS and 1 <= int(text) <= MAX_LIMIT:
        return int(text)
    raise Invalid.of("limit", "invalid", f"A whole number from 1 to {MAX_LIMIT}.")


def paginate(
    request: Request, fetch: Callable[[int | None, int], Sequence[T]], key: Callable[[T], int]
) -> tuple[Sequence[T], dict[str, Any]]:
    """One page of `fetch(after_key, count)`, and `{"next": address}` or nothing on the last."""
    cursor = request.query_params.get("cursor")
    after = decode_cursor(cursor) if cursor is not None else None
    limit = page_limit(request)
    rows = fetch(after, limit + 1)
    if len(rows) <= limit:
        return rows, {}
    rows = rows[:limit]
    query = request._request.GET.copy()
    query["cursor"] = encode_cursor(key(rows[-1]))
    return rows, {"next": f"{request.path}?{query.urlencode()}"}
