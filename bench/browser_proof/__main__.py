"""Starts the system and looks at it with a real Chromium: the board alive, across a restart, on a wall and on
a phone, by keyboard and for a screen reader; webhooks and a booking's ledger in the admin.

    make browser-proof [ARGS="--images docs/images"]     pictures go to var/browser-proof otherwise

Every line says what was seen; the first thing that is not as promised ends it with status 1.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from bench.browser_proof import access, board, controls, looks, staff
from bench.browser_proof.system import HOME, System, registered

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.browser_proof", description=__doc__)
    parser.add_argument("--product", required=True, help="the Python of the product's environment")
    parser.add_argument("--images", type=Path, default=HOME, help="where the pictures go")
    options = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, _NAMES)), None)
    if chromium is None:
        sys.stderr.write(f"browser-proof: no Chromium is on the PATH ({', '.join(_NAMES)}): install one.\n")
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # the system is to end, too
    options.images.mkdir(parents=True, exist_ok=True)
    with _running(options.product) as system, _browser(chromium) as browser:
        _prove(system, browser, options.images)
    return 0


def _prove(system: System, browser: Browser, images: Path) -> None:
    traveller = registered(system)
    with board.Board(browser, system) as shown:
        _say("access by keyboard", access.signs_in_by_keyboard(shown.page))
        _say("live", board.updates_appear(shown, traveller))
        _say("reports", board.reports_are_shown(shown))
        _say("restart", board.survives_a_restart(shown))
        _say("nothing lost", board.matches_the_log(shown, traveller))
        _say("access tree", access.is_named(shown.page))
        _say("contrast", access.is_legible(shown.page))
        _say("desktop", looks.on_a_wall(shown.page, images / "board-desktop.png"))
        _say("controls", controls.find_what_is_wrong(shown, traveller))
    _say("phone", looks.on_a_phone(browser, system, images / "board-phone.png"))
    with staff.admin(browser, system) as page:
        _say("webhooks", staff.retries_are_shown(page, system, HOME / "admin-webhook.png"))
        _say("ledger", staff.ledger_is_shown(page, system, HOME / "admin-ledger.png"))


@contextmanager
def _running(product: str) -> Iterator[System]:
    system = System(product)
    system.reset()
    try:
        _say("up", f"{system.base}, ready after {system.start():.0f} s")
        yield system
    finally:
        system.stop()
        system.reset()


@contextmanager
def _browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Root, as in a container, has no sandbox; what is opened is our own.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


def _say(name: str, seen: str) -> None:
    sys.stdout.write(f"{name:<20}{seen}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
