"""Several statements in one message to PostgreSQL: a transaction that costs one round trip.

PostgreSQL runs the statements of one message in their order, in one transaction where none is open, and
commits it after the last one: no lock is held while the client is waited for. An error in any of them undoes
all. (https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-MULTI-STATEMENT)

In between nobody can look how many rows a statement took, so that a condition must end the transaction by
itself: `one_row`.

With DATABASE_PREPARE each connection prepares a statement when it first needs it and has PostgreSQL keep its
plan: to parse and plan a sale takes as long as to do it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db import connection

_PLACE = re.compile(r"%(?:\((\w+)\))?s")
# Statements of several rows come in as many forms as there are numbers of rows: no more than this are kept.
_MOST_PREPARED = 200


@dataclass(frozen=True)
class Statement:
    """One SQL statement without any other ``%`` than its parameters', ``%s`` or, in a mapping, ``%(name)s``.
    PostgreSQL must be able to tell their types from the text alone."""

    sql: str
    parameters: Sequence[object] | Mapping[str, object] = ()


# Foreign keys are checked at COMMIT, by default: here before a lock is taken that others wait for.
CHECK_KEYS_NOW = Statement("SET CONSTRAINTS ALL IMMEDIATE")


def one_row(statement: Statement, *, name: str) -> Statement:
    """`statement` (an INSERT, UPDATE or DELETE without RETURNING) where it takes exactly one row; otherwise
    it raises IntegrityError, with `name` for its constraint's."""
    return Statement(
        f"WITH done AS ({statement.sql} RETURNING 1) "  # noqa: S608 - made of constants
        f"SELECT flightbook_undo_unless((SELECT count(*) FROM done) = 1, '{name}')",
        statement.parameters,
    )


def run(statements: Sequence[Statement]) -> list[tuple[Any, ...]]:
    """Sends all in one message, in the caller's transaction, or else in one of their own; answers with the
    rows of the last one."""
    values: list[Any] = [value for statement in statements for value in _values(statement)]
    with connection.cursor() as cursor:
        message = ";\n".join(_text(cursor, statement) for statement in statements)
        cursor.execute(message, values or None)
        return [] if cursor.description is None else list(cursor.fetchall())


def _values(statement: Statement) -> Sequence[object]:
    given = statement.parameters
    return [given[name] for name in _places(statement.sql)[1]] if isinstance(given, Mapping) else given


def _text(cursor: Any, statement: Statement) -> str:
    """The statement as it is sent: an EXECUTE of one that this connection has prepared, where it may."""
    sql = statement.sql
    known: dict[str, str] | None = getattr(cursor.db, "prepared", None)
    if known is None or not statement.parameters:
        return _places(sql)[0]
    if sql not in known:
        if len(known) >= _MOST_PREPARED:
            return _places(sql)[0]
        numbers = (f"${number}" for number in itertools.count(1))
        name = f"flightbook_{len(known)}"
        cursor.execute(f"PREPARE {name} AS {_PLACE.sub(lambda _: next(numbers), sql)}")
        known[sql] = f"EXECUTE {name} ({', '.join(['%s'] * len(_places(sql)[1]))})"
    return known[sql]


@lru_cache(maxsize=2 * _MOST_PREPARED)
def _places(sql: str) -> tuple[str, list[str]]:
    """The text with ``%s`` for each of its parameters, and their names."""
    return _PLACE.sub("%s", sql), [place[1] for place in _PLACE.finditer(sql)]
