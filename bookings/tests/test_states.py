"""The tables of states are whole, and their picture is up to date."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from bookings.models import BookingStatus, Coupon, Segment
from bookings.states import (
    BOOKING_TRANSITIONS,
    COUPON_TRANSITIONS,
    MACHINES,
    PAYMENT_TRANSITIONS,
    SEGMENT_TRANSITIONS,
    Machine,
    State,
)

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "states.md"


def test_every_state_has_its_transitions() -> None:
    assert set(BOOKING_TRANSITIONS) == set(BookingStatus)
    assert set(SEGMENT_TRANSITIONS) == set(Segment.Status)
    assert set(COUPON_TRANSITIONS) == set(Coupon.Status)
    assert set(PAYMENT_TRANSITIONS) == set(State)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_every_state_can_be_reached_and_left_for_an_end(machine: Machine) -> None:
    reached = set(machine.starts)
    for _ in machine.transitions:
        reached |= {following for state in reached for following in machine.transitions[state]}
    assert reached == set(machine.transitions)
    assert any(not following for following in machine.transitions.values())


def test_the_document_is_what_make_states_draws() -> None:
    drawn = StringIO()
    call_command("statemachine", stdout=drawn)

    assert DOCUMENT.read_text() == drawn.getvalue(), "run `make states`"
