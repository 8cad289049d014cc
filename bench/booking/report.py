"""The figures as people read them: a line a cell, a table of medians, a plot."""

from __future__ import annotations

import datetime as dt
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

from bench.booking.cells import Cell, Result
from bench.booking.servers import PROCESSES, ROOT, THREADS, TWIN_PYTHON
from flightbook.embedded import places

DOCS = ROOT / "docs" / "benchmarks"
Rounds = Sequence[Sequence[Result]]
# What is asked for: the least and the goal, of pgbench and of the twin.
TARGETS = {
    ("uniform", "pgbench"): (0.30, 0.60),
    ("uniform", "twin"): (0.8, 1.2),
    ("hot", "pgbench"): (0.6, 1.1),
}
_TWINS_VERSIONS = """
from importlib.metadata import version
from pathlib import Path
print(", ".join(f"{name} {version(name)}" for name in ("fastapi", "uvicorn", "asyncpg", "uvloop")))
"""
_COLOURS = {"pgbench": "#0b7285", "twin": "#c2410c"}


def say(number: int, result: Result) -> None:
    cell = result.cell
    sys.stdout.write(
        f"round {number + 1}  {cell.flights:<8}{cell.connections:>3}  {cell.contender:<8}"
        f"{result.rate:>8.0f}/s  p50 {result.p50:>7.1f} ms  p99 {result.p99:>7.1f} ms"
        f"  CPU {result.cpu[0]:.2f} + {result.cpu[1]:.2f} + {result.cpu[2]:.2f} ms"
        f"  refused {result.refused}, broken {result.broken}; {result.audit}\n"
    )
    sys.stdout.flush()


def table(rounds: Rounds) -> str:
    """Medians over the rounds, ratios with their least and greatest."""
    heads = ["flights", "connections", "ours, /s", "p50, p99 ms", "pgbench, /s", "twin, /s", "of pgbench"]
    lines = [_row([*heads, "of the twin"]), "|---|---|---|---|---|---|---|---|"]
    for flights, connections in _kinds(rounds):
        ours, alone, twin = (
            [_find(results, Cell(name, flights, connections)) for results in rounds]
            for name in ("product", "pgbench", "twin")
        )
        times = f"{_median(ours, 'p50'):.0f}, {_median(ours, 'p99'):.0f}"
        rates = [f"{_median(results, 'rate'):.0f}" for results in (ours, alone, twin)]
        ratios = [_spread(_ratios(ours, alone)), _spread(_ratios(ours, twin))]
        lines.append(_row([flights, str(connections), rates[0], times, *rates[1:], *ratios]))
    return "\n".join([*lines, *_evenness(rounds)])


def spent(rounds: Rounds) -> str:
    """Milliseconds of a core for each booking: medians over all cells."""
    lines = [_row(["", "its server", "PostgreSQL", "the worker"]), "|---|---|---|---|"]
    for name, says in (("product", "ours"), ("pgbench", "pgbench"), ("twin", "twin")):
        found = [result.cpu for results in rounds for result in results if result.cell.contender == name]
        parts = [f"{statistics.median(part):.2f}" for part in zip(*found, strict=True)]
        lines.append(_row([says, *parts]))
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def write(rounds: Rounds, *, seconds: int) -> None:
    """docs/benchmarks/booking.md and booking.svg."""
    DOCS.mkdir(parents=True, exist_ok=True)
    (DOCS / "booking.svg").write_text(plot(rounds))
    page = (Path(__file__).parent / "page.md").read_text()
    (DOCS / "booking.md").write_text(
        page.format(
            now=dt.datetime.now(dt.UTC),
            rounds=len(rounds),
            seconds=seconds,
            table=table(rounds),
            spent=spent(rounds),
            asked_for=_asked_for(),
            processes=PROCESSES,
            threads=THREADS,
            versions=_versions(),
        )
    )


def plot(rounds: Rounds) -> str:
    """The ratios of each kind of cell as dots, their median as a bar; an SVG document."""
    kinds = _kinds(rounds)
    width, height, left, top = 760, 360, 50, 40
    ratios = {
        (kind, other): _ratios(
            [_find(results, Cell("product", *kind)) for results in rounds],
            [_find(results, Cell(other, *kind)) for results in rounds],
        )
        for kind in kinds
        for other in _COLOURS
    }
    most = max(1.3, *(max(values) for values in ratios.values() if values)) * 1.05

    def y(ratio: float) -> float:
        return top + (height - top - 50) * (1 - ratio / most)

    step = (width - left - 20) / len(kinds)
    drawn = [_axis(y, most, left, width)]
    for index, kind in enumerate(kinds):
        x = left + step * (index + 0.5)
        drawn.append(_text(x, height - 22, f"{kind[0]}, {kind[1]}"))
        for shift, other in ((-14, "pgbench"), (14, "twin")):
            drawn.append(_dots(x + shift, ratios[kind, other], y, _COLOURS[other]))
    legend = "".join(
        f'<circle cx="{left + 8 + 190 * n}" cy="16" r="5" fill="{colour}"/>'
        f'<text x="{left + 20 + 190 * n}" y="20">ours / {name}</text>'
        for n, (name, colour) in enumerate(_COLOURS.items())
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        f'font-size="12"><rect width="{width}" height="{height}" fill="white"/>{legend}{"".join(drawn)}'
        f"{_text(width / 2, height - 5, 'flights, connections')}</svg>\n"
    )


def _axis(y: Callable[[float], float], most: float, left: int, width: int) -> str:
    lines = [
        f'<line x1="{left}" x2="{width - 20}" y1="{y(tick / 5):.1f}" y2="{y(tick / 5):.1f}" '
        f'stroke="{"#868e96" if tick == 5 else "#dee2e6"}"/>'  # noqa: PLR2004
        f'<text x="{left - 8}" y="{y(tick / 5) + 4:.1f}" text-anchor="end">{tick / 5:.1f}</text>'
        for tick in range(int(most * 5) + 1)
    ]
    return "".join(lines)


def _dots(x: float, values: Sequence[float], y: Callable[[float], float], colour: str) -> str:
    if not values:
        return ""
    middle = y(statistics.median(values))
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y(value):.1f}" r="3.5" fill="{colour}" fill-opacity="0.45"/>'
        for value in values
    )
    bar = f'<line x1="{x - 9:.1f}" x2="{x + 9:.1f}" y1="{middle:.1f}" y2="{middle:.1f}"'
    return f'{dots}{bar} stroke="{colour}" stroke-width="3"/>'


def _text(x: float, y: float, words: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{words}</text>'


def _kinds(rounds: Rounds) -> list[tuple[str, int]]:
    return list(dict.fromkeys((result.cell.flights, result.cell.connections) for result in rounds[0]))


def _find(results: Iterable[Result], cell: Cell) -> Result | None:
    return next((result for result in results if result.cell == cell), None)


def _median(results: Sequence[Result | None], name: str) -> float:
    values = [getattr(result, name) for result in results if result is not None]
    return statistics.median(values) if values else float("nan")


def _ratios(ours: Sequence[Result | None], others: Sequence[Result | None]) -> list[float]:
    pairs = zip(ours, others, strict=True)
    return [one.rate / other.rate for one, other in pairs if one is not None and other is not None]


def _spread(ratios: Sequence[float]) -> str:
    if not ratios:
        return ""
    return f"**{statistics.median(ratios):.2f}** ({min(ratios):.2f} to {max(ratios):.2f})"


def _evenness(rounds: Rounds) -> list[str]:
    """How a hot flight bears more connections: ours at the most of ours at the least."""
    counts = [connections for flights, connections in _kinds(rounds) if flights == "hot"]
    few, many = (min(counts), max(counts)) if counts else (0, 0)
    if few == many:
        return []
    ours = [[_find(results, Cell("product", "hot", count)) for results in rounds] for count in (many, few)]
    return ["", f"One hot flight, {many} connections of {few}: {_spread(_ratios(*ours))} (asked for: 0.90)."]


def _asked_for() -> str:
    said = [
        f"{least:.2f} of {other} on {flights} (the goal is {goal:.2f})"
        for (flights, other), (least, goal) in TARGETS.items()
    ]
    return f"Asked for: {', '.join(said)}."


def _versions() -> str:
    names = ["Django", "djangorestframework", "gunicorn", "psycopg2-binary"]
    ours = ", ".join(f"{name} {version(name)}" for name in names)
    twin = _said([str(TWIN_PYTHON), "-c", _TWINS_VERSIONS])
    postgres = _said([str(places.postgresql_binaries() / "postgres"), "--version"])
    return (
        f"{os.cpu_count()} cores ({platform.machine()}, {platform.system()}), Python "
        f"{platform.python_version()}; {postgres}; {ours}; {twin}."
    )


def _said(words: Sequence[str]) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    return done.stdout.strip()
