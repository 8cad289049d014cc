"""What is a correction of a name, and what another traveller."""

from __future__ import annotations

import pytest

from bookings.corrections import Name, distance, is_correction


@pytest.mark.parametrize(
    ("one", "other", "letters"),
    [("", "", 0), ("", "ab", 2), ("jonh", "john", 1), ("ca", "abc", 3), ("smith", "smyth", 1), ("ab", "", 2)],
)
def test_the_distance(one: str, other: str, letters: int) -> None:
    assert distance(one, other) == distance(other, one) == letters


@pytest.mark.parametrize(
    ("booked", "wanted"),
    [
        (("Jonh", "Smiht"), ("John", "Smith")),
        (("Muller", "Anna"), ("Anna", "Müller")),
        (("Mr John", "Smith"), ("John", "Smith")),
        (("Ann Marie", "O'Neil"), ("Ann-Marie", "ONeill")),
        (("Katherine", "Smith"), ("Catherine", "Smythe")),
        (("Dr", "No"), ("Dr", "No")),
    ],
)
def test_corrections(booked: tuple[str, str], wanted: tuple[str, str]) -> None:
    assert is_correction(Name(*booked), Name(*wanted))


@pytest.mark.parametrize(
    ("booked", "wanted"),
    [
        (("John", "Smith"), ("Jane", "Smith")),
        (("Li", "Wu"), ("Bo", "Wu")),
        (("John", "Smith"), ("John", "Miller")),
        (("Jo", "Smith"), ("", "Smith")),
        (("Jo", "Smith"), ("...", "Smith")),
    ],
)
def test_other_people(booked: tuple[str, str], wanted: tuple[str, str]) -> None:
    assert not is_correction(Name(*booked), Name(*wanted))
