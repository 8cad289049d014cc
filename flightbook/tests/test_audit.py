"""`manage.py audit`: one snapshot, read only; what it prints and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import InternalError, connection
from django.db.models import F

from bookings.public import settle_payments
from bookings.tests.factories import Traveller
from flightbook.audit import all_checks, audit
from flights.models import CabinInventory
from flights.tests.factories import make_flight
from flights.tests.races import together

pytestmark = pytest.mark.django_db(transaction=True)


def run(*words: str) -> tuple[str, int]:
    """What the command printed, and what it ends with."""
    out = StringIO()
    try:
        call_command("audit", *words, stdout=out)
    except CommandError as error:
        return f"{out.getvalue()}{error}", error.returncode
    return out.getvalue(), 0


def oversell() -> None:
    CabinInventory.objects.update(available=F("available") - 1)


def in_another_session(call: Callable[[], Any]) -> None:
    together([call])


def test_all_is_well() -> None:
    Traveller().booked(make_flight(economy=10, business=10))
    settle_payments()

    printed, status = run("--settled")

    assert status == 0
    lines = printed.splitlines()
    assert [line.split()[:2] for line in lines[:-1]] == [["ok", check.name] for check in all_checks()]
    assert next(line.split()[2] for line in lines if "flights.counter_in_bounds" in line) == "2"
    assert lines[-1].startswith(f"{len(all_checks())} checks, ")


def test_a_violation_is_shown_with_examples_and_ends_with_1() -> None:
    flights = [make_flight(economy=10) for _ in range(7)]
    oversell()

    printed, status = run()

    assert status == 1
    assert "BROKEN  bookings.seats_sold_once" in printed
    assert "7 of them" in printed
    shown = [line for line in printed.splitlines() if "economy: 10 seats, 9 left, 0 claimed" in line]
    assert len(shown) == 5
    assert {line.split()[0] for line in shown} <= {flight.public_id for flight in flights}
    assert printed.endswith(f"1 of {len(all_checks())} checks are broken.")


def test_work_in_flight_is_a_violation_where_it_should_be_settled_or_is_late() -> None:
    Traveller().booked(make_flight())  # to be captured

    assert [run()[1], run("--settled")[1], run("--grace", "0")[1]] == [0, 1, 1]
    assert run("--grace", "-1") == ("--grace must be 0 or more.", 1)


def test_all_checks_see_one_instant() -> None:
    make_flight(economy=10)

    findings = audit()
    first = next(findings)
    in_another_session(oversell)
    rest = list(findings)

    assert not any(finding.violations for finding in [first, *rest])
    assert [f.check.name for f in audit() if f.violations] == ["bookings.seats_sold_once"]


def test_a_sale_meanwhile_waits_for_nothing() -> None:
    flight, traveller = make_flight(economy=10), Traveller()

    findings = audit()
    next(findings)
    in_another_session(lambda: traveller.booked(flight))

    assert not any(finding.violations for finding in findings)


def test_it_cannot_write() -> None:
    make_flight(economy=10)

    findings = audit()
    next(findings)
    with pytest.raises(InternalError, match="read-only transaction"):
        oversell()
    findings.close()
    assert not connection.in_atomic_block
