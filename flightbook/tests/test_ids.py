"""Drawn identifiers."""

from __future__ import annotations

import pytest

from flightbook import ids


def test_an_id_is_its_prefix_and_twelve_characters() -> None:
    drawn = {ids.draw_id("bkg") for _ in range(200)}
    assert len(drawn) == 200
    assert all(
        one.startswith("bkg") and len(one) == 15 and set(one[3:]) <= set(ids.ID_ALPHABET) for one in drawn
    )


def test_each_number_is_one_word_of_the_alphabet(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that all words are as likely as the numbers are."""
    numbers = iter(range(9))
    monkeypatch.setattr("secrets.randbelow", lambda bound: next(numbers) if bound == 9 else -1)
    words = [ids.draw_letters("abc", 2) for _ in range(9)]
    assert sorted(words) == ["aa", "ab", "ac", "ba", "bb", "bc", "ca", "cb", "cc"]
