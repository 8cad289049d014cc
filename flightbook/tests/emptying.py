"""How tests with transactions of their own leave the database empty.

Django truncates all tables after each, some fifty, and then makes every content type and permission anew: a
third of a second. Here rows are deleted where there are any, and those two tables, which no test changes, are
left alone.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from django.db import connections, transaction
from django.test import TransactionTestCase

_KEPT = ("django_content_type", "auth_permission")
# From so many rows on TRUNCATE is quicker than a DELETE that looks after each row's foreign keys.
_MANY = 300


def empty(alias: str) -> None:
    """Empties the database's tables, in one transaction: foreign keys are checked at its end."""
    connection, tables = connections[alias], _tables(alias)
    counts = [
        f"SELECT '{name}', count(*) FROM (SELECT FROM {name} LIMIT {_MANY}) AS a_few" for name in tables
    ]
    with transaction.atomic(using=alias), connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(counts))
        filled = {name: count for name, count in cursor.fetchall() if count}
        if max(filled.values(), default=0) >= _MANY:
            cursor.execute(f"TRUNCATE {', '.join(tables)}")
        elif filled:
            cursor.execute(";".join(f"DELETE FROM {name}" for name in filled))


@cache
def _tables(alias: str) -> list[str]:
    """Looked up once: a test that migrates back migrates forth again."""
    names: list[str] = connections[alias].introspection.django_table_names(only_existing=True)
    return [name for name in names if name not in _KEPT]


def _fixture_teardown(self: Any) -> None:
    for alias in self._databases_names(include_mirrors=False):
        empty(alias)


def install() -> None:
    TransactionTestCase._fixture_teardown = _fixture_teardown  # type: ignore[attr-defined]  # the stubs leave it out
