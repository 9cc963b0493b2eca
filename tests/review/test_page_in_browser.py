"""The page of a change in a real browser: complete in itself, read by keyboard, on a small screen, in either theme."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from genesis.review.page import page
from genesis.review.reviewed import Review
from tests.browser import ENTER, TAB, Browser, opened_browser
from tests.review.films import TEXTS, edited, review, warehouse

EDITS = (
    ("inputs/films.yaml", "  - status\n", "  - {field: agent, label: Agent}\n"),
    ("inputs/films.yaml", "'SHOOT')", "'SHOOT', 'POST')"),
    ("definitions/film.yaml", "  title: string", f"  title: {{type: string, sql: \"title || '{'wide' * 99}'\"}}"),
)  # fmt: skip


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Review:
    """Two trackers of wide SQL, with rows."""
    folder = tmp_path_factory.mktemp("films")
    warehouse(folder)
    found = review(TEXTS, edited(*EDITS), folder)
    (change,) = found.diff.changes
    other = replace(change, name="films.other")
    looked = dict.fromkeys((change.name, other.name), found.looked[change.name])
    return replace(found, diff=replace(found.diff, changes=(change, other)), looked=looked)


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with opened_browser() as browser:
        yield browser


@pytest.fixture
def browser(window: Browser, told: Review, tmp_path: Path) -> Browser:
    file = tmp_path / "changes.html"
    file.write_text(page(told), encoding="utf-8")
    window.open(file.as_uri())
    return window


def test_it_opens_and_asks_for_nothing(browser: Browser) -> None:
    """No line in the console, no request."""
    assert browser.texts("h1") == ["genesis: 2 changed, 0 as they were"]
    assert browser.told() == []
    assert browser.run("return performance.getEntriesByType('resource').map((e) => e.name)") == []


def test_every_detail_is_opened_by_keyboard(browser: Browser) -> None:
    """Tab leads to each of them, and Enter closes and opens it."""
    focused, known = "const e = document.activeElement; return [e.tagName, e.parentElement.open, [...document.querySelectorAll('summary')].indexOf(e)]", []  # fmt: skip
    for _ in range(60):
        browser.press(TAB)
        tag, is_open, number = browser.run(focused)
        if tag == "SUMMARY":
            browser.press(ENTER)
            assert browser.run(focused)[1] is not is_open
            browser.press(ENTER)
            known.append(number)
    assert set(known) == {*range(len(browser.texts("summary")))} == {0, 1, 2, 3}


def test_a_small_screen_scrolls_one_way(browser: Browser) -> None:
    """At 360 pixels what is wide scrolls in its own box."""
    browser.emulate("DeviceMetricsOverride", width=360, height=700, deviceScaleFactor=1, mobile=False)  # fmt: skip
    assert browser.run("return document.documentElement.scrollWidth") <= 360
    assert browser.run("const e = document.querySelector('pre'); return e.scrollWidth > e.clientWidth")  # fmt: skip


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_can_be_read(browser: Browser, theme: str) -> None:
    """Text stands out from what is behind it, headings go down by one, a table says what it is, ids are one."""
    browser.emulate("EmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
    assert browser.run(_FAULTS) == []


_FAULTS = """
const light = (colour) => {
  const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((one) => one / 255)
    .map((one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (e) => {
  for (; e; e = e.parentElement) {
    const colour = getComputedStyle(e).backgroundColor;
    if (!colour.endsWith(', 0)')) return colour;
  }
};
const faults = [];
for (const e of document.querySelectorAll('body *')) {
  if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
  const [one, other] = [light(getComputedStyle(e).color), light(behind(e))].sort((a, b) => b - a);
  if ((one + 0.05) / (other + 0.05) < 4.5) faults.push(['contrast', e.textContent]);
}
let level = 0;
for (const e of document.querySelectorAll('h1, h2, h3')) {
  if (e.tagName[1] - level > 1) faults.push(['heading', e.textContent]);
  level = Number(e.tagName[1]);
}
for (const e of document.querySelectorAll('table')) if (!e.caption) faults.push(['caption', e.textContent]);
for (const e of document.querySelectorAll('th:not([scope])')) faults.push(['scope', e.textContent]);
const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
if (new Set(ids).size !== ids.length) faults.push(['ids', ids]);
for (const e of document.querySelectorAll('[aria-labelledby]')) {
  if (!document.getElementById(e.getAttribute('aria-labelledby'))) faults.push(['label', e.id]);
}
return faults;
"""
