"""The board on a wall and on a phone: what can be measured of its looks, and a picture for what can't."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect

from bench.browser_proof.system import AIRPORT, System

_WALL = {"width": 1920, "height": 1080}
_PHONE = {"width": 390, "height": 844}
_MOST_BYTES = 150_000
_LEAST_ROWS, _LEAST_PIXELS = 12, 26  # on a wall
_MEASURE = """
() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const box = (element) => element.getBoundingClientRect();
  const seen = (element) => {
    const { width, top, bottom, left, right } = box(element);
    return width > 0 && top >= 0 && bottom <= innerHeight && left >= 0 && right <= innerWidth;
  };
  const rows = all("#board tr[data-flight]");
  const word = (row) => row.querySelector(".word");
  const edges = (name) => new Set(rows.map((row) => Math.round(box(row.querySelector(name)).left))).size;
  const isCut = (cell) => cell.scrollWidth > cell.clientWidth + 1;
  const controls = all("button, select, input, summary").filter((one) => one.checkVisibility());
  return {
    overflow: document.documentElement.scrollWidth - innerWidth,
    rows: rows.filter(seen).length,
    line: seen(document.getElementById("line")),
    size: parseFloat(getComputedStyle(rows[0].querySelector(".time")).fontSize),
    edges: [".time", ".expected", ".to", ".number", ".gate", ".state"].map(edges),
    cut: all("#board :is(td, th)").filter(isCut).map((cell) => cell.textContent.trim()),
    small: controls.map(box).filter(({ width, height }) => Math.min(width, height) < 24).length,
    colours: Object.fromEntries(rows.map((row) => [row.dataset.status, getComputedStyle(word(row)).color])),
    words: rows.every((row) => word(row).textContent === row.dataset.status),
  };
}
"""


def on_a_wall(page: Page, image: Path) -> str:
    """1920 x 1080: large, in columns, the connection shown, a colour and a word for each status."""
    page.set_viewport_size(_WALL)
    page.evaluate("() => { document.activeElement.blur(); scrollTo(0, 0); }")
    found = measured(page)
    assert found["size"] >= _LEAST_PIXELS, found["size"]
    assert found["rows"] >= _LEAST_ROWS, found["rows"]
    assert set(found["edges"]) == {1}, f"columns are not straight: {found['edges']}"
    assert found["words"], "a status without its word"
    assert found["colours"]["Delayed"] != found["colours"]["Scheduled"], found["colours"]
    return f"{found['rows']} rows at {found['size']:.0f} px, {_pictured(page, image, 0.6)}"


def on_a_phone(browser: Browser, system: System, image: Path) -> str:
    """390 x 844, without a sign-in, as a passer-by has it: nothing to scroll to the side, nothing cut."""
    context = browser.new_context(viewport=_PHONE, has_touch=True, is_mobile=True)  # type: ignore[arg-type]  # a plain dict
    page = context.new_page()
    page.goto(f"{system.base}/board?airport={AIRPORT}")
    expect(page.locator("#line-text")).to_contain_text("As of")
    found = measured(page)
    assert found["small"] == 0, "something is too small to touch"
    seen = f"{found['rows']} rows on the first screen, {_pictured(page, image)}"
    context.close()
    return seen


def measured(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(_MEASURE)
    assert found["overflow"] <= 0, f"{found['overflow']} px to scroll to the side"
    assert not found["cut"], found["cut"]
    assert found["line"], "the state of the connection is out of sight"
    return found


def _pictured(page: Page, image: Path, scale: float = 1) -> str:
    """Takes what is seen, drawn `scale` times as large: a picture for a document stays small."""
    session = page.context.new_cdp_session(page)
    clip = {"x": 0, "y": 0, "scale": scale, **(page.viewport_size or {})}
    image.write_bytes(b64decode(session.send("Page.captureScreenshot", {"clip": clip})["data"]))
    session.detach()
    size = image.stat().st_size
    assert size < _MOST_BYTES, f"{image}: {size} bytes"
    return f"{image} ({size // 1000} kB)"
