"""The small tables beside the schedule, as they stand in `flights/data`. docs/data.md says where each is
from."""

from __future__ import annotations

import csv
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "data"


def read(name: str) -> list[dict[str, str]]:
    """The rows of ``flights/data/<name>.csv``, in the file's order."""
    with (DATA / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
