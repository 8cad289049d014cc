"""The dashboard and the alert rules ask for nothing that `/metrics` does not have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.db.models.functions import Now
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from flightbook.models import AuditRun

MONITORING = Path(__file__).resolve().parents[2] / "docker" / "monitoring"
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
SEVERITIES = {"critical", "warning"}


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((MONITORING / "dashboard.json").read_text())
    return found


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in rules())
    yield from (target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", ()))
    yield from (v["query"]["query"] for v in dashboard()["templating"]["list"] if v["type"] == "query")


@pytest.fixture
def offered(client: Client) -> set[str]:
    """Every series' name that a scrape may have."""
    finding = {"check": "a", "rule": "", "lookedAt": 1, "violations": 0, "examples": []}
    AuditRun.objects.create(started_at=Now(), finished_at=Now(), violations=0, findings=[finding])
    families = text_string_to_metric_families(client.get("/metrics").content.decode())
    return {f"{family.name}{suffix}" for family in families for suffix in SUFFIXES[family.type]}


@pytest.mark.django_db
def test_every_series_that_is_asked_for_is_there(offered: set[str]) -> None:
    asked = {name for text in expressions() for name in re.findall(r"flightbook_\w+", text)}
    assert len(asked) > 20
    assert asked <= offered, sorted(asked - offered)


@pytest.mark.django_db
def test_every_measured_thing_is_shown(offered: set[str]) -> None:
    shown = " ".join(expressions())
    hidden = {name for name in offered if name.endswith(("_total", "_bucket")) or "_" not in name}
    assert not {name for name in hidden if name not in shown} - {
        "flightbook_worker_task_duration_seconds_bucket"
    }


@pytest.mark.django_db
def test_every_queue_that_an_alert_names_exists(client: Client) -> None:
    text = client.get("/metrics").content.decode()
    for queue in {name for expression in expressions() for name in re.findall(r'queue="(\w+)"', expression)}:
        assert f'flightbook_backlog{{queue="{queue}"}}' in text


def test_alerts_say_how_bad_it_is_and_what_to_do() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
    for rule in rules():
        assert rule["labels"]["severity"] in SEVERITIES, rule["alert"]
        assert rule["annotations"].keys() == {"summary", "action"}, rule["alert"]


def test_panels_stand_beside_each_other() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
