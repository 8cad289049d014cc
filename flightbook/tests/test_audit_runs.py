"""The worker's audits: taken once, kept, shown to staff and to Prometheus."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db.models import F
from django.db.models.functions import Now
from django.test import Client

from accounts.tests.factories import make_user
from flightbook import audit_runs
from flightbook.audit import all_checks
from flightbook.audit_runs import Auditor, claim_run, last_run, perform, request_audit
from flightbook.models import AuditRun
from flightbook.tests.processes import eventually
from flightbook.tests.test_metrics import samples
from flights.models import CabinInventory
from flights.tests.factories import make_flight
from flights.tests.races import together

pytestmark = pytest.mark.django_db(transaction=True)


def staff(*permissions: str) -> Client:
    user = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_one_of_several_workers_takes_the_hour() -> None:
    assert sorted(together([claim_run] * 3), key=str)[1:] == [None, None]
    assert claim_run() is None
    AuditRun.objects.update(requested_at=Now() - dt.timedelta(minutes=61), finished_at=Now())
    assert claim_run() is not None


def test_one_that_was_asked_for_is_taken_at_once_and_one_that_died_again() -> None:
    first = claim_run()
    assert first is not None
    asked = request_audit(user_pk=make_user().pk)
    assert request_audit(user_pk=None).pk == asked.pk
    assert (claim_run(), claim_run()) == (asked.pk, None)
    AuditRun.objects.filter(pk=first).update(lease_until=Now() - dt.timedelta(seconds=1))
    assert claim_run() == first


def test_what_was_found_is_kept_and_measured(client: Client) -> None:
    make_flight(economy=10)
    CabinInventory.objects.update(available=F("available") - 1)
    auditor = Auditor()
    assert auditor.run() == 1
    run = eventually(lambda: AuditRun.objects.filter(finished_at__isnull=False).first())

    assert run is not None
    assert (run.violations or 0) >= 1
    assert {one["check"] for one in run.findings or ()} == {check.name for check in all_checks()}
    found = samples(client)
    assert found["flightbook_audit_violations", frozenset({("check", "bookings.seats_sold_once")})] >= 1
    assert found["flightbook_oversold", frozenset()] >= 1
    assert found["flightbook_audit_failed", frozenset()] == 0
    assert 0 <= found["flightbook_audit_age_seconds", frozenset()] < 60


def test_a_run_that_fails_says_so(monkeypatch: pytest.MonkeyPatch, client: Client) -> None:
    def fail() -> Any:
        raise RuntimeError("no")

    assert last_run() is None
    monkeypatch.setattr(audit_runs, "audit", fail)
    pk = claim_run()
    assert pk is not None
    perform(pk)
    run = last_run()
    assert run is not None
    assert run.violations is None
    assert samples(client)["flightbook_audit_failed", frozenset()] == 1
    assert ("flightbook_oversold", frozenset()) not in samples(client)


def test_staff_see_the_result_and_ask_for_another() -> None:
    make_flight(economy=10)
    CabinInventory.objects.update(available=F("available") - 1)
    pk = claim_run()
    assert pk is not None
    perform(pk)
    client = staff("view_auditrun", "add_auditrun")

    page = client.get(f"/admin/flightbook/auditrun/{pk}/change/").content.decode()
    assert "bookings.seats_sold_once" in page
    assert "must hold: " in page
    page = client.get("/admin/flightbook/auditrun/").content.decode()
    assert "Audit now" in page
    assert client.post("/admin/flightbook/auditrun/ask/").status_code == 302
    assert AuditRun.objects.filter(started_at__isnull=True, requested_by__isnull=False).count() == 1


def test_who_may_only_look_has_no_button() -> None:
    client = staff("view_auditrun")
    assert "Audit now" not in client.get("/admin/flightbook/auditrun/").content.decode()
    assert client.post("/admin/flightbook/auditrun/ask/").status_code == 403
    assert client.get("/admin/flightbook/auditrun/ask/").status_code == 403
    assert not AuditRun.objects.exists()
