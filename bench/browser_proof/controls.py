"""The checks, held against a board that was spoilt: each must find what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable

from bench.browser_proof import access, looks
from bench.browser_proof.board import Board, matches_the_log
from bench.browser_proof.system import Account

_PALE = "() => document.querySelectorAll('#board .word').forEach((word) => word.style.color = '#3a3a3a')"
_NAMELESS = "() => document.querySelector('#filter button').replaceChildren()"
_WIDE = "() => document.getElementById('board').style.width = '120vw'"
_TWICE = "() => window.shown.push(window.shown.at(-1))"
# An update between the first and the last of its row, of which no frame tells either.
_LOST = """() => { window.shown.pop(); window.shown = window.shown.filter(
  ([flight, sequence], _, all) => sequence !== 1 || !all.some(([id, later]) => id === flight && later > 1)
); }"""


def find_what_is_wrong(board: Board, traveller: Account) -> str:
    """Spoils the page for good: nothing can be shown on it afterwards."""
    page = board.page
    faults: tuple[tuple[str, Callable[[], object]], ...] = (
        (_PALE, lambda: access.is_legible(page)),
        (_NAMELESS, lambda: access.is_named(page)),
        (_WIDE, lambda: looks.measured(page)),
        (_TWICE, lambda: matches_the_log(board, traveller)),
    )
    for fault, check in faults:
        page.evaluate(fault)
        _must_fail(fault, check)
    board.frames.clear()
    page.evaluate(_LOST)
    _must_fail(_LOST, lambda: matches_the_log(board, traveller))
    return f"{len(faults) + 1} faults made in the page, each found"


def _must_fail(fault: str, check: Callable[[], object]) -> None:
    try:
        check()
    except AssertionError:
        return
    raise AssertionError(f"nobody noticed: {fault}")
