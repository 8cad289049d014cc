"""A traveller is told once of a cancellation: by the booking's letter, though they follow the flight too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.core.management import call_command

from accounts.models import Mail, User
from bookings.operations import disrupt_one
from bookings.public import handle_disruptions
from bookings.tests.factories import Traveller
from flights.models import Flight
from flights.public import record_update
from flights.tests.factories import make_flight
from subscriptions.public import follow, tell_of_changes

pytestmark = pytest.mark.django_db
Work = Callable[[], object]


@pytest.fixture
def flight() -> Flight:
    call_command("register_consumers")
    tell_of_changes()
    return make_flight()


@pytest.fixture
def traveller(flight: Flight) -> Traveller:
    """With a booking on the flight, who follows it by a wish of their own, too."""
    found = Traveller()
    found.booked(flight)
    follow(user_pk=found.user.pk, flight_pk=flight.pk)
    return found


def report(flight: Flight, status: str, gate: str = "") -> None:
    record_update(flight_pk=flight.pk, status=status, gate=gate, source="test")


def kinds(user: User) -> list[str]:
    """What the mails about changes of the flight are, in their order."""
    keys = Mail.objects.filter(to=user.email).order_by("pk").values_list("key", flat=True)
    return [key.split(":")[0] for key in keys if "disrupted" in key or key.startswith("flight-changed")]


def run(work: Sequence[Work]) -> None:
    for step in work:
        step()


IN_EITHER_ORDER = pytest.mark.parametrize(
    "work", [(handle_disruptions, tell_of_changes), (tell_of_changes, handle_disruptions, tell_of_changes)]
)


@IN_EITHER_ORDER
@pytest.mark.parametrize("hours", [0, 24])
def test_the_letter_alone(
    flight: Flight, traveller: Traveller, work: Sequence[Work], hours: int, settings: Any
) -> None:
    settings.DISRUPTION_CHOICE_HOURS = hours
    follower = Traveller().user
    follow(user_pk=follower.pk, flight_pk=flight.pk)
    report(flight, "Cancelled", gate="B7")

    run(work)

    assert kinds(traveller.user) == ["booking"]
    assert kinds(follower) == ["flight-changed"]


@pytest.mark.parametrize("guard", ["told_by_mail", "brought_by_a_source"])
def test_control_without_either_guard_there_are_two(
    flight: Flight, traveller: Traveller, guard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    work: list[Work] = [handle_disruptions, tell_of_changes]
    if guard == "told_by_mail":
        monkeypatch.setattr(disrupt_one, guard, lambda **_: None)
    else:
        monkeypatch.setattr("subscriptions.notices.brought_by_a_source", lambda _: frozenset())
        work.reverse()
    report(flight, "Cancelled")

    run(work)

    assert sorted(kinds(traveller.user)) == ["booking", "flight-changed"]


@IN_EITHER_ORDER
def test_flown_after_all_their_own_wish_tells_them(
    flight: Flight, traveller: Traveller, work: Sequence[Work]
) -> None:
    report(flight, "Cancelled")
    run(work)

    report(flight, "Scheduled")
    run(work)

    assert kinds(traveller.user) == ["booking", "flight-changed"]


def test_all_else_is_told_as_before(flight: Flight, traveller: Traveller) -> None:
    report(flight, "Scheduled", gate="B7")

    run([handle_disruptions, tell_of_changes])

    assert kinds(traveller.user) == ["flight-changed"]
