"""When another spelling of a name is a correction, and when another traveller.

Tickets are not transferable; a slip of the pen may be corrected. Customary, not law: carriers let up to three
letters be corrected, given and family name be put in their order, titles and accents be put right (the
agencies' pages on name corrections say so carrier by carrier, e.g. https://airlinespolicy.com/name-change/).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

# Written before or behind a name by many booking forms; of one word each.
_TITLES = frozenset({"mr", "mrs", "ms", "miss", "mstr", "dr", "prof", "sir", "jr", "sr"})


@dataclass(frozen=True)
class Rule:
    """At most `letters` may be wrong, and of the given and the family name, as they were booked, no more than
    one in `one_in` each (rounded up), so that a short name does not become another one."""

    code: str
    source: str
    letters: int
    one_in: int


RULE = Rule(
    code="three_letters",
    source="customary: carriers correct up to three letters, and the order of the names",
    letters=3,
    one_in=3,
)


@dataclass(frozen=True)
class Name:
    given: str
    family: str


def is_correction(booked: Name, wanted: Name, rule: Rule = RULE) -> bool:
    """Whether `wanted` is `booked` spelt otherwise. `booked` is the name of the sale, so that no row of small
    steps leads to somebody else."""
    before = _letters(booked.given), _letters(booked.family)
    after = _letters(wanted.given), _letters(wanted.family)
    return all(after) and (_is_near(before, after, rule) or _is_near(before, after[::-1], rule))


def distance(one: str, other: str) -> int:
    """Letters left out, put in, mistaken or exchanged with their neighbour on the way from one to the other:
    F. Damerau, "A technique for computer detection and correction of spelling errors", CACM 7(3), 1964, in
    the form that edits no part twice (optimal string alignment)."""
    two_ago: list[int] = []
    last = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        row = [i]
        for j, wanted in enumerate(other, start=1):
            least = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                least = min(least, two_ago[j - 2] + 1)
            row.append(least)
        two_ago, last = last, row
    return last[-1]


def _is_near(before: tuple[str, ...], after: tuple[str, ...], rule: Rule) -> bool:
    wrong = [distance(one, other) for one, other in zip(before, after, strict=True)]
    allowed = [-(-len(name) // rule.one_in) for name in before]
    return sum(wrong) <= rule.letters and all(w <= a for w, a in zip(wrong, allowed, strict=True))


def _letters(name: str) -> str:
    """Small letters without accents, titles, blanks and marks."""
    plain = "".join(
        letter
        for letter in unicodedata.normalize("NFKD", name).casefold()
        if not unicodedata.combining(letter)
    )
    words = re.findall(r"[^\W_]+", plain)
    return "".join([word for word in words if word not in _TITLES] or words)
