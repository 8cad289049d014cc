"""What in our migrations cannot run beside the previous version: a release has both at work for a while.

The previous version must go on reading and writing (nothing that it uses disappears or begins to be
demanded), and nobody may wait long (no rewrite of a table, no index built under its lock, no scan under it).
https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-NOTES says what each form locks.

A migration may excuse what it does, rule by rule, by a line of its file:

    # beside the previous version: removes-field: nothing has read it since 1.4

Our own rather than django-migration-linter (Apache-2.0, kept up): that one reads the SQL of each migration,
and wants to be imported by a migration that it should excuse, so by production too.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.contrib.postgres import operations as postgres
from django.db import connection, models
from django.db.migrations import Migration, operations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

# The schema of the first release: up to these nothing older runs beside. Later ones are looked at.
BASE_LINE = {
    "accounts": "0003_mail_html",
    "flights": "0008_schedule_before_and_carrier_country",
    "subscriptions": "0003_webhooks",
    "bookings": "0004_corrected_names",
    "flightbook": "0002_audit_runs",
}
_EXCUSE = re.compile(r"^\s*# beside the previous version: ([a-z-]+): (\S.{9,})$", re.MULTILINE)
_UNKNOWN_TO_THE_DATABASE = frozenset(
    {
        "blank",
        "choices",
        "default",
        "editable",
        "error_messages",
        "help_text",
        "limit_choices_to",
        "on_delete",
    }
    | {"related_name", "related_query_name", "validators", "verbose_name"}
)
_SQL = {
    "removes-table": r"\bDROP\s+TABLE\b",
    "removes-field": r"\bDROP\s+COLUMN\b",
    "renames": r"\bRENAME\s+(?:TO|COLUMN|CONSTRAINT)\b",
    "demands-value": r"\bSET\s+NOT\s+NULL\b|\bDROP\s+DEFAULT\b",
    "rewrites-column": r"\bALTER\s+COLUMN\s+\S+\s+(?:SET\s+DATA\s+)?TYPE\b",
    "builds-index": r"\bCREATE\s+(?:UNIQUE\s+)?INDEX\s+(?!CONCURRENTLY)",
    "adds-constraint": r"\bADD\s+CONSTRAINT\b(?![^;]*\bNOT\s+VALID\b)",
    "changes-function": r"\bDROP\s+(?:FUNCTION|PROCEDURE|TRIGGER|VIEW|SEQUENCE)\b",
    "adds-trigger": r"\bCREATE\s+(?:OR\s+REPLACE\s+)?(?:CONSTRAINT\s+)?TRIGGER\b",
    "moves-data": r"\bUPDATE\s+\w+\s+SET\b|\bDELETE\s+FROM\b",
}
_CONCURRENT = (postgres.AddIndexConcurrently, postgres.AddConstraintNotValid)
_ALWAYS: tuple[tuple[type[Operation], str, str], ...] = (
    (operations.DeleteModel, "removes-table", ""),
    (operations.RenameModel, "renames", ""),
    (operations.RenameField, "renames", ""),
    (operations.AlterModelTable, "renames", ""),
    (operations.RemoveField, "removes-field", ""),
    (operations.AddIndex, "builds-index", ": AddIndexConcurrently, with atomic = False"),
    (operations.AddConstraint, "adds-constraint", ": AddConstraintNotValid, then ValidateConstraint apart"),
    (operations.RunPython, "moves-data", ": in batches with transactions of their own, or not here"),
)


@dataclass(frozen=True)
class Fault:
    """`rule` is what an excuse names."""

    migration: str
    rule: str
    what: str

    def __str__(self) -> str:
        return f"{self.migration}: {self.rule}: {self.what}"


def lint() -> list[Fault]:
    """Of all migrations of ours that are newer than the base line; excuses that excuse nothing too."""
    loader = MigrationLoader(None)
    state, seen = ProjectState(), set[tuple[str, str]]()
    faults: list[Fault] = []
    for leaf in loader.graph.leaf_nodes():
        for node in loader.graph.forwards_plan(leaf):
            if node not in seen:
                seen.add(node)
                migration = loader.graph.nodes[node]
                found = list(lint_migration(migration, state))
                if _is_newer(loader, *node):
                    faults += found
    return faults


def lint_migration(migration: Migration, state: ProjectState, text: str | None = None) -> Iterator[Fault]:
    """Faults of one migration in `state`, which it moves on. `text` is its file's, read where None."""
    name = f"{migration.app_label}.{migration.name}"
    excuses = dict(_EXCUSE.findall(_source(migration) if text is None else text))
    made: set[str] = set()
    used: set[str] = set()
    for operation in migration.operations:
        for rule, what in _look(operation, migration, state, made):
            if rule in excuses:
                used.add(rule)
            else:
                yield Fault(name, rule, what)
        if isinstance(operation, operations.CreateModel):
            made.add(operation.name_lower)
        operation.state_forwards(migration.app_label, state)
    for rule in excuses.keys() - used:
        yield Fault(name, "idle-excuse", f"nothing in it is excused by {rule}")


def _is_newer(loader: MigrationLoader, app: str, name: str) -> bool:
    """Than the base line's migration of its app; one of another's app is not ours to judge."""
    if app not in BASE_LINE:
        return False
    return (app, name) not in loader.graph.forwards_plan((app, BASE_LINE[app]))


def _source(migration: Migration) -> str:
    return Path(inspect.getfile(type(migration))).read_text()


_Found = Iterator[tuple[str, str]]


def _look(operation: Operation, migration: Migration, state: ProjectState, made: set[str]) -> _Found:
    """Rules that the operation breaks. A table that the migration itself makes is nobody's yet."""
    what = operation.describe()
    if getattr(operation, "model_name_lower", None) in made:
        return
    if isinstance(operation, _CONCURRENT):
        return
    for kind, rule, advice in _ALWAYS:
        if isinstance(operation, kind):
            yield rule, f"{what}{advice}"
    if isinstance(operation, operations.SeparateDatabaseAndState):
        for inner in operation.database_operations:
            yield from _look(inner, migration, state, made)
    elif isinstance(operation, operations.AddField):
        yield from _added(operation.field, what)
    elif isinstance(operation, operations.AlterField):
        model = state.models[migration.app_label, operation.model_name_lower]
        yield from _altered(model.get_field(operation.name), operation.field, what)
    elif isinstance(operation, operations.RunSQL):
        yield from _in_sql(_words(operation.sql))


def _added(field: models.Field[Any, Any], what: str) -> _Found:
    if not field.null and not field.has_db_default() and not field.many_to_many:
        yield "demands-value", f"{what}: the previous version writes rows without it; give it a db_default"
    if field.unique or (_has_index(field) and not field.remote_field):
        yield "builds-index", f"{what}: add the index apart, concurrently"


def _altered(old: models.Field[Any, Any], new: models.Field[Any, Any], what: str) -> _Found:
    before, after = _facts(old), _facts(new)
    if before == after:
        return
    if old.null and not new.null:
        yield "demands-value", f"{what}: the previous version writes nulls, and the table is scanned"
    if old.has_db_default() and not new.has_db_default():
        yield "demands-value", f"{what}: the previous version leaves it to the database"
    if (new.unique and not old.unique) or (_has_index(new) and not _has_index(old)):
        yield "builds-index", f"{what}: add it apart, concurrently"
    if old.db_column != new.db_column:
        yield "renames", what
    if _type(old) != _type(new) and not _is_wider(old, new):
        yield "rewrites-column", f"{what}: {_type(old)} to {_type(new)}"


def _facts(field: models.Field[Any, Any]) -> tuple[Any, ...]:
    """What of a field the database knows."""
    _, path, args, keywords = field.deconstruct()
    known = {name: value for name, value in keywords.items() if name not in _UNKNOWN_TO_THE_DATABASE}
    return path, args, known


def _type(field: models.Field[Any, Any]) -> str:
    """Its type in the database; what it refers to, where it is a foreign key."""
    return str(field.remote_field.model) if field.remote_field else str(field.db_type(connection))


def _has_index(field: models.Field[Any, Any]) -> bool:
    return bool(getattr(field, "db_index", False))


def _is_wider(old: models.Field[Any, Any], new: models.Field[Any, Any]) -> bool:
    """A longer varchar, or a text: no rewrite."""
    texts = isinstance(old, models.CharField) and isinstance(new, models.CharField | models.TextField)
    return texts and (new.max_length is None or (old.max_length or 0) <= new.max_length)


def _words(sql: Any) -> str:
    if isinstance(sql, str):
        return sql
    return ";".join(part if isinstance(part, str) else part[0] for part in sql)


def _in_sql(sql: str) -> _Found:
    """By its words alone. What a function's body does, it does when called: dollar quotes are left out."""
    outside = re.sub(r"(\$\w*\$).*?\1", "", re.sub(r"--[^\n]*", "", sql), flags=re.DOTALL)
    for rule, pattern in _SQL.items():
        if found := re.search(pattern, outside, re.IGNORECASE):
            yield rule, f"SQL: {' '.join(found.group().split())}"
