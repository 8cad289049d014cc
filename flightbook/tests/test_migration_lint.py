"""Migrations that cannot run beside the previous version are named, unless they excuse themselves."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently
from django.core.management import CommandError, call_command
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from flightbook import migration_lint
from flightbook.migration_lint import BASE_LINE, lint, lint_migration

INDEX = models.Index(fields=["name"], name="ship_name_idx")
CHECK = models.CheckConstraint(condition=models.Q(tons__gt=0), name="ship_tons")


def ships() -> Operation:
    fields: list[tuple[str, models.Field[Any, Any]]] = [
        ("id", models.BigAutoField(primary_key=True)),
        ("name", models.CharField(max_length=20)),
        ("tons", models.IntegerField(null=True)),
        ("flag", models.CharField(max_length=2, db_default="PA")),
    ]
    return migrations.CreateModel("Ship", fields)


def rules(*operations: Operation, text: str = "", fresh: bool = False) -> list[str]:
    """What a migration of these operations on a table of ships breaks; `fresh`: on one that it makes."""
    state = ProjectState()
    if not fresh:
        ships().state_forwards("docks", state)
    migration = migrations.Migration("0002_more", "docks")
    vars(migration)["operations"] = [ships(), *operations] if fresh else list(operations)
    return [fault.rule for fault in lint_migration(migration, state, text)]


def add(field: models.Field[Any, Any]) -> Operation:
    return migrations.AddField("ship", "added", field)


def alter(name: str, field: models.Field[Any, Any]) -> Operation:
    return migrations.AlterField("ship", name, field)


BREAKING = [
    (migrations.DeleteModel("Ship"), "removes-table"),
    (migrations.RenameModel("Ship", "Boat"), "renames"),
    (migrations.RenameField("ship", "name", "title"), "renames"),
    (migrations.AlterModelTable("ship", "boats"), "renames"),
    (migrations.RemoveField("ship", "name"), "removes-field"),
    (add(models.IntegerField()), "demands-value"),
    (add(models.IntegerField(default=0)), "demands-value"),
    (add(models.IntegerField(null=True, unique=True)), "builds-index"),
    (add(models.IntegerField(null=True, db_index=True)), "builds-index"),
    (alter("tons", models.IntegerField()), "demands-value"),
    (alter("flag", models.CharField(max_length=2)), "demands-value"),
    (alter("tons", models.BigIntegerField(null=True)), "rewrites-column"),
    (alter("name", models.CharField(max_length=10)), "rewrites-column"),
    (alter("name", models.CharField(max_length=20, unique=True)), "builds-index"),
    (alter("name", models.CharField(max_length=20, db_column="title")), "renames"),
    (migrations.AddIndex("ship", INDEX), "builds-index"),
    (migrations.AddConstraint("ship", CHECK), "adds-constraint"),
    (migrations.RunPython(migrations.RunPython.noop), "moves-data"),
    (migrations.RunSQL("DROP TABLE docks_ship"), "removes-table"),
    (migrations.RunSQL("ALTER TABLE s DROP COLUMN a"), "removes-field"),
    (migrations.RunSQL("ALTER TABLE s RENAME\n TO t"), "renames"),
    (migrations.RunSQL(["SELECT 1", "ALTER TABLE s ALTER a SET NOT NULL"]), "demands-value"),
    (migrations.RunSQL([("ALTER TABLE s ALTER COLUMN a TYPE text", None)]), "rewrites-column"),
    (migrations.RunSQL("create index i on s (a)"), "builds-index"),
    (migrations.RunSQL("ALTER TABLE s ADD CONSTRAINT c CHECK (a > 0)"), "adds-constraint"),
    (migrations.RunSQL("DROP FUNCTION f(int)"), "changes-function"),
    (migrations.RunSQL("CREATE TRIGGER t BEFORE INSERT ON s EXECUTE FUNCTION f()"), "adds-trigger"),
    (migrations.RunSQL("UPDATE docks_ship SET a = 1"), "moves-data"),
    (
        migrations.SeparateDatabaseAndState(database_operations=[migrations.RemoveField("ship", "name")]),
        "removes-field",
    ),
]
HARMLESS = [
    migrations.CreateModel("Quay", [("id", models.BigAutoField(primary_key=True))]),
    add(models.IntegerField(null=True)),
    add(models.IntegerField(db_default=0)),
    alter("name", models.CharField(max_length=40)),
    alter("name", models.TextField()),
    alter("name", models.CharField(max_length=20, help_text="As painted", choices=[("a", "b")])),
    alter("tons", models.IntegerField(null=True, db_default=1)),
    migrations.RemoveConstraint("ship", "ship_tons"),
    AddIndexConcurrently("ship", INDEX),
    AddConstraintNotValid("ship", CHECK),
    migrations.RunSQL("CREATE INDEX CONCURRENTLY i ON s (a)"),
    migrations.RunSQL("ALTER TABLE s ADD CONSTRAINT c CHECK (a > 0) NOT VALID"),
    migrations.RunSQL("CREATE FUNCTION f() RETURNS void AS $$ DELETE FROM s; DROP TABLE s $$ LANGUAGE sql"),
    migrations.RunSQL("-- DROP TABLE s\nSELECT 1"),
    migrations.SeparateDatabaseAndState(state_operations=[migrations.RemoveField("ship", "name")]),
]


def type_or_text(value: object) -> str:
    """The same in every process: an object's own text may hold its address."""
    return value if isinstance(value, str) else type(value).__name__


@pytest.mark.parametrize(("operation", "rule"), BREAKING, ids=type_or_text)
def test_what_breaks_the_previous_version(operation: Operation, rule: str) -> None:
    assert rules(operation) == [rule]
    excuse = f"# beside the previous version: {rule}: nothing has used it since 1.4"
    assert rules(operation, text=excuse) == []


@pytest.mark.parametrize("operation", HARMLESS, ids=type_or_text)
def test_what_does_not(operation: Operation) -> None:
    if isinstance(operation, migrations.RemoveConstraint):
        assert rules(AddConstraintNotValid("ship", CHECK), operation) == []
    else:
        assert rules(operation) == []


def test_a_table_of_the_migration_itself_is_nobodys_yet() -> None:
    assert rules(migrations.AddIndex("ship", INDEX), add(models.IntegerField()), fresh=True) == []


@pytest.mark.parametrize(
    ("excuse", "left"),
    [
        ("# beside the previous version: removes-field: short", ["removes-field"]),
        ("# beside the previous version: renames: nothing has used it", ["removes-field", "idle-excuse"]),
    ],
)
def test_excuses_that_are_none(excuse: str, left: list[str]) -> None:
    assert rules(migrations.RemoveField("ship", "name"), text=excuse) == left


def test_ours_are_fit_to_run_beside_the_previous_version() -> None:
    out = StringIO()
    call_command("lint_migrations", stdout=out)
    assert "nothing newer than the base line" in out.getvalue()


def test_the_base_line_is_of_migrations_that_there_are() -> None:
    graph = MigrationLoader(None).graph
    assert {(app, name) for app, name in BASE_LINE.items()} <= graph.nodes.keys()


def test_older_base_lines_show_that_it_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migration_lint, "BASE_LINE", {"bookings": "0001_initial", "flights": "0001_initial"})
    assert {fault.migration.partition(".")[0] for fault in lint()} == {"bookings", "flights"}
    with pytest.raises(CommandError, match=r"\d+ faults"):
        call_command("lint_migrations", stdout=StringIO())
