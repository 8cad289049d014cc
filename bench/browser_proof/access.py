"""What somebody needs who has no mouse, or does not see the screen. By Chromium's own accessibility tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page, expect

from bench.browser_proof.system import TRAVELLER

_CONTROLS = {"button", "link", "textbox", "combobox", "DisclosureTriangle", "checkbox", "searchbox"}
_HEADERS = ["Time", "Expected", "Destination", "Flight", "Gate", "Status"]
_LANDMARKS = {"main", "navigation", "search", "banner", "contentinfo"}
_MOST_STOPS = 40
_NORMAL, _LARGE = 4.5, 3.0  # WCAG 2.2, 1.4.3; large: from 24 px, or bold from 18.66 px
# What has the focus: its place in the document, its name, and the ring around it.
_FOCUSED = """
() => {
  const all = [...document.querySelectorAll("*")];
  const at = document.activeElement;
  if (!at || at === document.body) return null;
  const style = getComputedStyle(at);
  const box = at.getBoundingClientRect();
  return {
    place: all.indexOf(at),
    what: at.id || at.textContent.trim().slice(0, 30),
    ring: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth),
    isSeen: box.width > 1 && box.height > 1 && box.bottom > 0 && box.top < innerHeight,
  };
}
"""
# Each piece of text that is seen, with the ratio of its colour to the colour under it (WCAG 2.2's formula).
_CONTRASTS = """
() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const under = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = parse(getComputedStyle(one).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.data.trim();
    if (!text || !element.checkVisibility() || element.closest(".away, .skip, option, script")) continue;
    const style = getComputedStyle(element);
    const [one, two] = [light(parse(style.color)), light(under(element))].sort((a, b) => b - a);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    found.push({ text: text.slice(0, 40), ratio: (one + 0.05) / (two + 0.05), isLarge });
  }
  return found;
}
"""


@dataclass(frozen=True)
class Node:
    """One of the tree that a screen reader is given."""

    role: str
    name: str
    properties: dict[str, Any]


def signs_in_by_keyboard(page: Page) -> str:
    """From the page's top to live updates with Tab and Enter; the focus is seen at each stop, in order."""
    stops = _tab_through(page)
    names = [stop["what"] for stop in stops]
    assert names[0] == "Skip to the content", names
    assert {"id_airport", "id_airline", "Show", "Sign in for live updates"} <= set(names), names
    page.locator("#sign-in summary").focus()
    page.keyboard.press("Enter")
    for text in TRAVELLER:
        page.keyboard.press("Tab")
        page.keyboard.type(text)
    page.keyboard.press("Enter")
    expect(page.locator("#sign-out")).to_be_focused()
    return f"{len(stops)} stops in the order of the page, each with a ring; signed in without a mouse"


def _tab_through(page: Page) -> list[dict[str, Any]]:
    stops: list[dict[str, Any]] = []
    while len(stops) < _MOST_STOPS:
        page.keyboard.press("Tab")
        stop = page.evaluate(_FOCUSED)
        if stop is None or (stops and stop["place"] == stops[0]["place"]):
            break
        assert stop["ring"] >= 2, f"no ring: {stop}"  # noqa: PLR2004 - WCAG 2.2, 2.4.13: 2 px
        assert stop["isSeen"], f"out of sight: {stop}"
        stops.append(stop)
    places = [stop["place"] for stop in stops]
    assert places == sorted(places), stops
    return stops


def is_named(page: Page) -> str:
    """Names and roles of controls, the table's headers, landmarks, and the live region."""
    nodes = _tree(page)
    controls = [node for node in nodes if node.role in _CONTROLS]
    assert controls
    assert not [node for node in controls if not node.name], "a control without a name"
    headers = [node.name.capitalize() for node in nodes if node.role == "columnheader"]  # as they are shown
    assert headers == _HEADERS, headers
    [table] = [node for node in nodes if node.role == "table"]
    assert table.name.startswith("Departures from "), table
    rows = page.locator("#board tr[data-flight]").count()
    assert sum(node.role == "rowheader" for node in nodes) == rows, "a row without a header"
    assert {node.role for node in nodes} >= _LANDMARKS, "a landmark is missing"
    assert next(node.properties["level"] for node in nodes if node.role == "heading") == 1
    statuses = [node for node in nodes if node.role == "status"]
    assert [node.properties.get("live") for node in statuses] == ["polite"], statuses
    expect(page.locator("#news")).not_to_be_empty()
    return (
        f"{len(controls)} controls named, {len(_HEADERS)} column and {rows} row headers, a polite live region"
    )


def _tree(page: Page) -> list[Node]:
    session = page.context.new_cdp_session(page)
    session.send("Accessibility.enable")
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    return [
        Node(
            role=str(node["role"]["value"]),
            name=str(node.get("name", {}).get("value", "")).strip(),
            properties={one["name"]: one["value"].get("value") for one in node.get("properties", [])},
        )
        for node in nodes
        if not node.get("ignored")
    ]


def is_legible(page: Page) -> str:
    """The contrast of every text that is seen."""
    page.wait_for_timeout(4500)  # a change lights its row for four seconds
    texts = page.evaluate(_CONTRASTS)
    pale = [text for text in texts if text["ratio"] < (_LARGE if text["isLarge"] else _NORMAL)]
    assert texts
    assert not pale, pale[:5]
    return f"{len(texts)} texts, the palest {min(text['ratio'] for text in texts):.1f} to 1"
