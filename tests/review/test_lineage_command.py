"""`genesis lineage`: in words, as data, and as pictures that hold whatever a name holds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from genesis.cli import run_command
from genesis.compile.run import Run
from genesis.review.drawing import letters, svg
from genesis.review.lineage import ReportLineage, report_lineage
from genesis.review.picture import Arrow, Box, Picture, mermaid, picture_of_report
from tests.browser import opened_browser
from tests.review.reports import STUDIO, of_studio, studio

SVG = "{http://www.w3.org/2000/svg}"
Out = pytest.CaptureFixture[str]


def lineage(*arguments: str) -> int:
    return run_command(["-C", str(STUDIO), "lineage", *arguments])


def traced(name: str) -> ReportLineage:
    found = of_studio(name, studio())
    return report_lineage(found.project, found.name, Run(found.run.parameters))


def test_an_input_in_words(capsys: Out) -> None:
    """Each column with its table columns, the trackers that show it with whom to ask, records, order."""
    assert lineage("production_tracker") == 0
    told = capsys.readouterr().out
    for said in (
        "-> xlsx trackers/production_tracker.xlsx, Productions (tracker production_tracker.",
        "owner production@studio.example.com",
        "  is_late: made of studio.movie_events.delivery_date, studio.production_events.wrap_date (",
        "    rows by newest record movie, join production.movie\n",
        "  filter: `status in ('PREP', 'SHOOT')` reads studio.production_events.status_code (",
        "  column: `code` reads studio.production_events.code",
    ):
        assert said in told


def test_a_column_in_words_is_as_explained(capsys: Out) -> None:
    """The two commands say the same."""
    assert lineage("production_tracker", "--column", "is_late") == 0
    told = capsys.readouterr().out
    assert run_command(["-C", str(STUDIO), "explain", "production_tracker", "--column", "is_late"]) == 0  # fmt: skip
    assert capsys.readouterr().out == told


def test_all_inputs_as_data(capsys: Out) -> None:
    """Values by table and column, apart from what chooses rows; broken neighbours would not hinder."""
    assert lineage("--all", "--format", "json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "genesis/lineage@1"
    found = {one["input"]: one for one in told["inputs"]}
    tracker = found["production_tracker"]
    (late,) = (one for one in tracker["columns"] if one["column"] == "is_late")
    assert late["values"] == [
        {"table": "studio.movie_events", "column": "delivery_date"},
        {"table": "studio.production_events", "column": "wrap_date"},
    ]
    assert [one["kind"] for one in late["rows"]] == ["newest record", "join"]
    assert late["value"]["parts"][0]["name"] == "yes_no"
    assert [one["sink"] for one in tracker["trackers"]] == ["xlsx"]
    assert [one["sql"] for one in tracker["order"]][-2:] == ["code", "production.production_id"]


def test_what_cannot_be_told(capsys: Out) -> None:
    """A wrong column, input or combination, each with the way out."""
    assert lineage("production_tracker", "--column", "is_lat") == 64
    assert "did you mean `is_late`?" in capsys.readouterr().err
    assert lineage("production_trackr") == 2
    assert "did you mean `production_tracker`?" in capsys.readouterr().err
    for wrong in ([], ["production_tracker", "--all"], ["--all", "--column", "code"]):
        assert lineage(*wrong) == 64


def test_of_all_inputs_each_takes_the_parameters_that_it_has(capsys: Out) -> None:
    """What none has is a slip."""
    assert lineage("--all", "--param", "region=APAC") == 0
    assert "regional_productions" in capsys.readouterr().out
    assert lineage("--all", "--param", "regio=APAC") == 64
    assert "did you mean `region`?" in capsys.readouterr().err
    assert lineage("open_tasks", "--param", "region=APAC") == 2


def test_values_and_rows_are_drawn_apart() -> None:
    """Along plain arrows what a value is made of, along dashed ones what chooses rows."""
    told = traced("production_tracker").only("is_late")
    picture = picture_of_report(told, "")
    drawn = {
        (picture.boxes[one.start].title, picture.boxes[one.end].title, one.flows)
        for one in picture.arrows
    }
    assert drawn == {
        ("studio.movie_events", "field production.is_late", True),
        ("studio.production_events", "field production.is_late", True),
        ("field production.is_late", "formatter yes_no", True),
        ("formatter yes_no", "is_late", True),
        ("studio.movie_events", "chooses rows", False),
        ("studio.production_events", "chooses rows", False),
        ("chooses rows", "is_late", False),
        ("chooses rows", "records of the report", False),
    }


@pytest.mark.parametrize("name", studio().inputs)
def test_a_picture_holds_no_more_and_no_less(name: str) -> None:
    """By its plain arrows a column comes from the table columns that its value is made of, by all from all."""
    told = traced(name)
    picture = picture_of_report(told, "")
    for number, box in enumerate(picture.boxes):
        if box.kind == "column":
            (column,) = (one for one in told.columns if one.column == box.title)
            rows = {read for reason in column.rows for read in reason.columns}
            assert _sources(picture, number, only_values=True) == set(map(str, column.values))
            assert _sources(picture, number) == {*map(str, column.values), *map(str, rows)}


def _sources(picture: Picture, number: int, *, only_values: bool = False) -> set[str]:
    box = picture.boxes[number]
    if box.kind == "table":
        return {f"{box.title}.{column}" for column in box.lines}
    nearer = (a.start for a in picture.arrows if a.end == number and (a.flows or not only_values))
    return {one for start in nearer for one in _sources(picture, start, only_values=only_values)}


# --- SVG --------------------------------------------------------------------------------------------

NASTY = [
    '"quoted" <b>&amp;', "`code`", '%%{init: {"theme":"dark"}}%%', "$$x^2$$", "end", "style a: #f;", "1. item",
    "日本語の表", "subgraph x[", 'click n0 "javascript:alert(1)"', "]|;", "*x* _y_", "]]>", "a\x00b\ud800c\u202e\ufffe", "",
]  # fmt: skip


def nasty() -> Picture:
    boxes = [Box("step", name, (name, name * 40)) for name in NASTY]
    arrows = [Arrow(one, one + 1, one % 2 == 0) for one in range(len(boxes) - 1)]
    return Picture(NASTY[0], "\n".join(NASTY), tuple(boxes), tuple(arrows))


@pytest.mark.parametrize("arguments", [["production_tracker"], ["--all"]])
def test_a_drawing_is_xml_without_overlaps(arguments: list[str], capsys: Out) -> None:
    """It says in words what it shows, it is the same each time, and no box lies on another."""
    assert lineage(*arguments, "--format", "svg") == 0
    drawn = capsys.readouterr().out
    assert lineage(*arguments, "--format", "svg") == 0
    assert capsys.readouterr().out == drawn
    root = ElementTree.fromstring(drawn)  # noqa: S314
    assert [one.tag for one in root][:2] == [f"{SVG}title", f"{SVG}desc"]
    assert "made of studio.production_events.code" in (root.findtext(f"{SVG}desc") or "")
    places = [
        tuple(float(one.attrib[key]) for key in ("x", "y", "width", "height"))
        for one in root.iter(f"{SVG}rect")
    ]
    area = tuple(map(float, root.attrib["viewBox"].split()))[2:]
    for number, (x, y, width, height) in enumerate(places):
        assert x >= 0 <= y
        assert (x + width, y + height) <= area
        for left, top, wide, high in places[:number]:
            is_apart = x >= left + wide or left >= x + width or y >= top + high or top >= y + height
            assert is_apart


def test_whatever_a_name_holds_is_drawn_as_text() -> None:
    """Markup in names stays text, and what XML cannot have is shown as missing."""
    root = ElementTree.fromstring(svg(nasty()))  # noqa: S314
    titles = [one.text for one in root.iter(f"{SVG}text") if one.attrib["class"] == "title"]
    assert titles == [*NASTY[:-2], "a�b�c\u202e�", None]
    assert [one.tag.removeprefix(SVG) for one in root.iter() if "script" in one.tag] == []


def test_a_browser_draws_it_as_it_was_measured(tmp_path: Path) -> None:
    """Every text is within its box, CJK ones too, and both themes are there."""
    words = ["wrap_date > movie.delivery_date", "日本語の表", "한국어 보고서", "W" * 40]
    boxes = (*(Box("table", one, (one,)) for one in words), Box("column", "end"))
    (tmp_path / "a.svg").write_text(svg(Picture("t", "d", boxes, (Arrow(0, 4, True),))), "utf-8")
    with opened_browser() as browser:
        browser.open((tmp_path / "a.svg").as_uri())
        assert browser.text("desc") == "d"
        overflows = browser.run(
            "return [...document.querySelectorAll('g')].filter(g => [...g.querySelectorAll('text')].some(t =>"
            "t.getBoundingClientRect().right > g.querySelector('rect').getBoundingClientRect().right))"
            ".map(g => g.textContent)"
        )
        assert overflows == []
        fill = "return getComputedStyle(document.querySelector('.table rect')).fill"
        assert browser.run(fill) == "rgb(221, 244, 255)"
    assert "prefers-color-scheme: dark" in svg(nasty())
    assert letters("日本a\u0301") == 5


# --- Mermaid ----------------------------------------------------------------------------------------


def test_mermaid_reads_no_name_as_its_own() -> None:
    """Between a label's quotes there is nothing but letters, digits, plain marks and numbered characters."""
    picture = nasty()
    first, accessible, *lines = mermaid(picture).splitlines()
    assert (first, accessible) == ("flowchart LR", "  accTitle:  quoted   b  amp ")
    nodes, arrows = lines[: len(NASTY)], lines[len(NASTY) :]
    for number, line in enumerate(nodes):
        label = rf'  n{number}\["((?:[^\W_]|[ ,.()=]|#\d+;|<br/>)*)"\]'
        assert re.fullmatch(label, line), line
    assert arrows[:2] == ["  n0 --> n1", "  n1 -.-> n2"]
