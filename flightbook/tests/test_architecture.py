"""What import-linter can't see: the shape of tables, of front doors, of files, and the versions installed."""

from __future__ import annotations

import ast
import dataclasses
import enum
import importlib
import inspect
import typing
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.apps import apps
from django.db import models
from django.db.migrations.loader import MigrationLoader
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
APPS = ["bookings", "subscriptions", "flights", "accounts"]  # each may refer to those right of it
LONGEST_FILE, LONGEST_FUNCTION = 400, 60
# Below these there are known holes; an offline audit passes without having looked.
FLOORS = {
    "Django": "5.2.19",  # CVE-2026-3902, header spoofing under ASGI
    "djangorestframework": "3.18.2",  # CVE-2026-114136, -114137, -114138
    "djangorestframework-simplejwt": "5.5.1",  # PYSEC-2026-1305
    "PyJWT": "2.13",  # CVE-2026-32597, -48523
    "daphne": "4.2.2",  # CVE-2026-44545, -44546
    "gunicorn": "26.1",  # request smuggling
}
# Constraints that no request can violate, whatever it holds, and what keeps it from that. Violated all the
# same, one is a failure of ours: it is re-raised, and answered with 500.
OUT_OF_REACH = {
    # Written by an importer out of tables of our own, or entered in the admin, whose forms validate it.
    "airport_iata_form": "reference data; the admin validates it",
    "cabin_layout_rows": "reference data; the admin validates it",
    "cabin_layout_unique": "reference data; the admin validates it",
    "fare_family_change_fee": "reference data; the admin validates it",
    "fare_family_multiplier_positive": "reference data; the admin validates it",
    "fare_family_protected_share": "reference data; the admin validates it",
    "seat_zone_price_not_negative": "reference data; the admin validates it",
    "seat_zone_rows": "reference data; the admin validates it",
    "seat_zone_unique": "reference data; the admin validates it",
    "inventory_price_positive": "prices are made by a rule that yields more than zero",
    "inventory_unique": "made once, with the flight",
    # The written row is a value of an enumeration, or has been checked.
    "booking_status_known": "an enumeration's values",
    "flight_status_known": "an enumeration's values",
    "booking_hold_has_due_time": "a hold is made with its time",
    "booking_total_not_negative": "a sum of prices above zero",
    "coupon_price_not_negative": "a price above zero or nothing for an infant",
    "payment_amount_not_negative": "a booking's total",
    "refund_amount_positive": "written only for more than nothing",
    "flight_arrives_after_departure": "a report is checked for it",
    # Positions are counted, and a flight that stands twice is refused.
    "passenger_position_unique": "positions are counted",
    "segment_position_unique": "positions are counted",
    "segment_flight_once": "a flight that stands twice is invalid",
    "coupon_unique": "one for each passenger and segment",
    "coupon_ticket_unique": "serials come from a sequence",
    "coupon_refund_within_price": "terms give back a share of the price",
    "charge_positive": "written only for more than nothing",
    "charge_refund_within_amount": "terms give back a share of the amount",
    # Under a row's lock, or with ON CONFLICT.
    "feed_unique": "ON CONFLICT",
    "telegram_waits_once": "ON CONFLICT",
    "webhook_delivery_once": "ON CONFLICT",
    "mail_notice_unique": "ON CONFLICT",
    "follow_preference_unique": "update_or_create takes a lost race for the row's being there",
    "idempotency_key_unique": "ON CONFLICT",
    "idempotency_answer_whole": "status and body are written together",
    "update_report_once": "looked up under the flight's lock",
    "update_sequence_positive": "counted under the flight's lock",
    "update_sequence_unique": "counted under the flight's lock",
    # Posted once, by whoever moved the payment or the refund on; a second time must be loud.
    "ledger_payment_event_once": "posted by the one conditional move",
    "ledger_refund_event_once": "posted by the one conditional move",
    "ledger_amount_positive": "nothing is posted for nothing",
    "ledger_two_accounts": "an event names both",
    "disruption_once": "ON CONFLICT",
    # The net under the counters and the sandbox's book: what reaches these is a fault that must be loud.
    "inventory_never_oversold": "the claim repeats the condition",
    "inventory_within_capacity": "only what was taken is returned",
    "inventory_excess_sells_nothing": "one statement sets both by the same rule",
    "displaced_once": "who lost a seat has none to lose again before it is settled",
    "displaced_settled_somehow": "time and manner are written together",
    "sandbox_refund_within_amount": "the refund repeats the condition",
}


def sources(*, tests: bool = True) -> Iterator[Path]:
    for place in [*APPS, "flightbook"]:
        for path in sorted((ROOT / place).rglob("*.py")):
            if "migrations" not in path.parts and (tests or "tests" not in path.parts):
                yield path


def our_models() -> list[type[models.Model]]:
    return [model for model in apps.get_models() if model._meta.app_label in APPS]


def foreign_keys() -> list[models.ForeignKey[Any, Any]]:
    """Those that lead from one of our apps to another."""
    fields = [field for model in our_models() for field in model._meta.get_fields()]
    keys = [field for field in fields if isinstance(field, models.ForeignKey)]
    return [k for k in keys if k.related_model._meta.app_label != k.model._meta.app_label]


def test_there_is_something_to_look_at() -> None:
    assert {model._meta.app_label for model in our_models()} == set(APPS)
    assert len(foreign_keys()) >= 4


@pytest.mark.parametrize("key", foreign_keys(), ids=str)
def test_a_foreign_key_to_another_app(key: models.ForeignKey[Any, Any]) -> None:
    here, there = key.model._meta.app_label, key.related_model._meta.app_label
    assert there in APPS
    assert APPS.index(there) > APPS.index(here), "an app below knows none above"
    assert key.remote_field.on_delete is models.PROTECT
    assert key.remote_field.related_name == "+", "an app below gets no attribute of one above"


@pytest.mark.parametrize("app", APPS)
def test_migrations_are_one_line(app: str) -> None:
    graph = MigrationLoader(None).graph
    assert len(graph.leaf_nodes(app)) == 1
    for node in [node for node in graph.nodes if node[0] == app]:
        assert len([child for child in graph.node_map[node].children if child.key[0] == app]) <= 1, node


def constraints() -> list[str]:
    return sorted({c.name for model in our_models() for c in model._meta.constraints})


@pytest.mark.parametrize("name", constraints())
def test_a_constraint_is_turned_into_an_error_by_its_name_or_out_of_reach(name: str) -> None:
    code = [
        path.read_text() for path in sources(tests=False) if "models" not in (path.stem, path.parent.name)
    ]
    mapped = any(f'"{name}"' in text or f"ON CONSTRAINT {name} " in text for text in code)
    assert mapped != (name in OUT_OF_REACH), "either map it, or say above why nothing can violate it"


def test_what_is_out_of_reach_exists() -> None:
    assert set(OUT_OF_REACH) <= set(constraints())


@pytest.mark.parametrize("path", [str(path.relative_to(ROOT)) for path in sources()])
def test_files_and_functions_stay_small(path: str) -> None:
    text = (ROOT / path).read_text()
    assert len(text.splitlines()) <= LONGEST_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            assert node.end_lineno - node.lineno + 1 <= LONGEST_FUNCTION, node.name


@pytest.mark.parametrize(("package", "floor"), FLOORS.items())
def test_versions_are_above_the_known_holes(package: str, floor: str) -> None:
    assert Version(version(package)) >= Version(floor)


def front_door(app: str) -> ModuleType:
    return importlib.import_module(f"{app}.public")


def mentioned(hint: Any) -> Iterator[Any]:
    """The types in an annotation, with those in its brackets and those of a dataclass's fields."""
    yield hint
    for inner in typing.get_args(hint):
        yield from mentioned(inner)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        for inner in typing.get_type_hints(hint).values():
            yield from mentioned(inner)


@pytest.mark.parametrize("app", APPS)
def test_a_front_door_hands_out_frozen_values_and_functions(app: str) -> None:
    door = front_door(app)
    assert door.__doc__, "the docstring is the contract"
    for name in door.__all__:
        thing = getattr(door, name)
        if inspect.isclass(thing):
            frozen = dataclasses.is_dataclass(thing) and thing.__dataclass_params__.frozen  # type: ignore[attr-defined]
            assert frozen or issubclass(thing, enum.Enum | Exception), name
        else:
            assert inspect.isfunction(thing) or isinstance(thing, str), name


def functions() -> list[tuple[str, Any]]:
    doors = [(app, front_door(app)) for app in APPS]
    named = [(f"{app}.{name}", getattr(door, name)) for app, door in doors for name in door.__all__]
    return [(name, thing) for name, thing in named if inspect.isfunction(thing)]


@pytest.mark.parametrize(
    ("name", "function"), functions(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_no_model_leaves_through_a_front_door(name: str, function: Any) -> None:
    hints = typing.get_type_hints(function)
    assert "return" in hints
    for hint in hints.values():
        for part in mentioned(hint):
            if isinstance(part, type):
                assert not issubclass(part, models.Model | models.QuerySet | models.Manager), name
                if dataclasses.is_dataclass(part):
                    assert part.__dataclass_params__.frozen, name  # type: ignore[attr-defined]
