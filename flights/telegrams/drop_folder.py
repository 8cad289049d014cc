"""A folder that telegrams are dropped into, as files: a gateway to the telex network writes them there.

Whoever writes a file gives it its name last (writes ``.name`` or ``name.tmp``, then renames it). A worker
takes it by renaming it into ``working/``, under a name that says since when: of several workers one succeeds.
When its telegrams are taken in, the file goes to ``done/``, or to ``failed/`` where one of them was malformed
or refused or the file itself cannot be read, beside ``<name>.answer.json``, which tells of each.

A worker that dies leaves the file in ``working/``; after `CLAIM_SECONDS` another one takes it anew. What had
been applied is known again and not applied twice, so at worst the answer calls it repeated.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings

from flightbook.errors import Problem
from flights.identifiers import flight_id
from flights.telegrams.intake import receive_telegrams
from flights.types import TelegramAnswer

logger = logging.getLogger(__name__)

CLAIM_SECONDS = 300
LARGEST_FILE = 256 * 1024
FILES_AT_ONCE = 20
_CLAIM = re.compile(r"([0-9]{10,12})-[0-9a-f]{8}-(.+)", re.DOTALL)
_TOLD_AS = {"kind": "type", "column": "position", "flight_pk": "flightId"}
_UNFINISHED = (".tmp", ".part", ".filepart")


def take_in_dropped_messages() -> int:
    """`take_in_files` of the folder FLIGHT_MESSAGES_DIR; nothing where none is set."""
    return take_in_files(Path(settings.FLIGHT_MESSAGES_DIR)) if settings.FLIGHT_MESSAGES_DIR else 0


def take_in_files(folder: Path, *, limit: int = FILES_AT_ONCE) -> int:
    """Takes in up to `limit` files of `folder`, the oldest first; how many. Makes its sub-folders.

    Raises:
        OSError: the folder is not there, or may not be written to.
    """
    for name in ("working", "done", "failed"):
        (folder / name).mkdir(exist_ok=True)
    taken = 0
    for path in _waiting(folder):
        if taken == limit:
            break
        claimed = _claim(folder, path)
        if claimed is not None:
            _take_in(folder, claimed)
            taken += 1
    return taken


def _waiting(folder: Path) -> list[Path]:
    """The files that nobody works on, in the order in which they were written."""
    left = [path for path in (folder / "working").iterdir() if _is_left(path)]
    new = [
        path
        for path in folder.iterdir()
        if path.is_file() and not path.is_symlink() and _is_finished(path.name)
    ]
    return sorted([*left, *new], key=_age)


def _is_finished(name: str) -> bool:
    return not name.startswith(".") and not name.endswith(_UNFINISHED)


def _is_left(path: Path) -> bool:
    claim = _CLAIM.fullmatch(path.name)
    return claim is not None and int(claim[1]) + CLAIM_SECONDS < time.time()


def _age(path: Path) -> tuple[float, str]:
    try:
        return path.stat().st_mtime, path.name
    except FileNotFoundError:  # somebody took it meanwhile
        return 0.0, path.name


def _claim(folder: Path, path: Path) -> Path | None:
    """The file under the name of our claim; None where another worker was quicker."""
    claimed = folder / "working" / f"{int(time.time())}-{secrets.token_hex(4)}-{_own_name(path)}"
    try:
        path.rename(claimed)
    except FileNotFoundError:
        return None
    return claimed


def _own_name(path: Path) -> str:
    claim = _CLAIM.fullmatch(path.name)
    return claim[2] if claim and path.parent.name == "working" else path.name


def _take_in(folder: Path, claimed: Path) -> None:
    """Moves the file to where it ends; back to where it waits, where we fail."""
    try:
        answer, is_done = _answer(claimed)
    except BaseException:
        claimed.rename(folder / _own_name(claimed))
        raise
    _finish(folder / ("done" if is_done else "failed"), claimed, answer)


def _answer(claimed: Path) -> tuple[dict[str, Any], bool]:
    """What is to be said of the file, and whether all of it was taken in."""
    with claimed.open("rb") as file:
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        return {"problem": f"A file has at most {LARGEST_FILE} bytes."}, False
    try:
        answers = receive_telegrams(text=content.decode("ascii"), source=f"file:{_own_name(claimed)}"[:40])
    except UnicodeDecodeError as error:
        return {"problem": f"Byte {error.start + 1} is no character of a telegram."}, False
    except Problem as problem:
        return {"problem": str(problem)}, False
    is_done = not any(answer.outcome in ("malformed", "refused") for answer in answers)
    return {"messages": [_told(answer) for answer in answers]}, is_done


def _told(answer: TelegramAnswer) -> dict[str, Any]:
    """As `POST /flight-messages` says it, with the updates' sequences alone."""
    found = asdict(answer)
    del found["updates"]
    said = {_TOLD_AS.get(name, name): value for name, value in found.items() if value not in (None, "")}
    said["sequences"] = [update.sequence for update in answer.updates]
    if answer.flight_pk is not None:
        said["flightId"] = flight_id(answer.flight_pk)
    return said


def _finish(place: Path, claimed: Path, answer: dict[str, Any]) -> None:
    """The answer first, so that a file in its last place always has one."""
    target = place / _own_name(claimed)
    if target.exists():  # the name was used before
        target = place / claimed.name
    written = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    written.write_text(json.dumps(answer, indent=2) + "\n", encoding="utf-8")
    written.rename(target.with_name(f"{target.name}.answer.json"))
    try:
        claimed.rename(target)
    except FileNotFoundError:
        logger.warning("telegrams: the claim of %s was lost", target.name)
