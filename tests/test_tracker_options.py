"""What a job asks of its tracker is checked against its sink and its report, at the words that ask it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from genesis.cli import run_command
from genesis.compile.check import check_project
from genesis.errors import Problems
from genesis.load import load_project
from genesis.spec.workflow import Place

FILMS = """
data_source: film
table: film
primary_key: film_id
fields: {film_id: integer, title: string}
---
input: films
source: film
fields: [title]
---
input: totals
source: film
shape: summary
fields: [{field: count(film_id), name: films}]
---
workflow: films
jobs:
  - refresh: REFRESH
    to: {TO}
    OPTIONS
"""
XLSX = "xlsx: {file: films.xlsx}"


def told(root: Path, options: str, *, to: str = XLSX, refresh: str = "films") -> list[str]:
    """What is told, with the line and the column of the job's options; the fourth line is the first."""
    (root / "genesis.yaml").write_text("project: films\n", encoding="utf-8")
    text = FILMS.replace("REFRESH", refresh).replace("TO", to).replace("OPTIONS", options)
    (root / "workflows").mkdir(exist_ok=True)
    (root / "workflows" / "films.yaml").write_text(text.lstrip(), encoding="utf-8")
    problems = found(root)
    assert all(problem.at for problem in problems)
    return [f"{p.at.column if p.at else 0}: {p.message}" for p in problems.errors]


def found(root: Path) -> Problems:
    problems = Problems()
    check_project(load_project(root, problems), problems)
    return problems


def test_the_address_of_a_spreadsheet_or_base_is_as_good_as_its_id(tmp_path: Path) -> None:
    """As it is copied from the browser; an address without an id is told."""
    place = Place(
        google_sheets={
            "spreadsheet": "https://docs.google.com/spreadsheets/u/0/d/1AbC_-x/edit?gid=0#gid=0",
            "tab": "T",
        }
    )
    assert place.google_sheets is not None
    assert place.google_sheets.spreadsheet == "1AbC_-x"
    base = Place(airtable={"base": "https://airtable.com/appX1/tblY2/viwZ3", "table": "T"}).airtable
    assert base is not None
    assert base.base == "appX1"
    folder = "https://drive.google.com/drive/folders/1AbC"
    to = f"google_sheets: {{spreadsheet: '{folder}', tab: T}}"
    assert told(tmp_path, "", to=to) == [
        f"39: `{folder}` is not a spreadsheet's address, and has no id"
    ]


def test_a_service_that_nothing_says_how_to_reach_is_told_once(tmp_path: Path) -> None:
    """Before the run: a warning, since definitions may be checked where they are not run."""
    to = "google_sheets: {spreadsheet: 1AbC, tab: T}"
    assert told(tmp_path, "", to=to) == []
    (warning,) = (p for p in found(tmp_path) if p.code == "access-refused")
    assert warning.severity == "warning"
    assert warning.message == (
        "tracker `films.refresh_films` is in Google Sheets, and `genesis.yaml` has no key of a"
        " service account"
    )
    settings = "project: films\nsinks: {google_sheets: {endpoint: 'http://127.0.0.1:1'}}\n"
    (tmp_path / "genesis.yaml").write_text(settings, encoding="utf-8")
    assert not found(tmp_path)


def test_a_blank_label_is_refused(tmp_path: Path) -> None:
    """Where it stands."""
    assert told(tmp_path, "annotations: {remark: {type: string, label: ' '}}") == [
        "49: `label` is blank"
    ]


def test_a_run_refuses_what_a_check_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its place, and before anything is read."""
    assert told(tmp_path, "annotations: {remark: {type: string, label: Title }}") == [
        "19: annotation `remark` has the label `Title`, as another column has"
    ]
    assert run_command(["-C", str(tmp_path), "run", "films"]) == 2
    assert (
        "error[column-clash]: annotation `remark` has the label `Title`" in capsys.readouterr().err
    )


def test_annotations_of_all_types_that_people_can_fill_in(tmp_path: Path) -> None:
    """Short and long, with values and a label."""
    options = (
        "annotations: {remark: string, due: date, cost: 'decimal(9,2)',"
        " decision: {type: string, values: [open, done], label: The decision}}"
    )
    assert told(tmp_path, options) == []


@pytest.mark.parametrize("sink", ["csv", "parquet", "duckdb"])
def test_exports_have_no_annotations(tmp_path: Path, sink: str) -> None:
    """They are written anew."""
    to = f"{sink}: {{file: films.out{', table: films' if sink == 'duckdb' else ''}}}"
    said = f"nobody writes into a `{sink}` tracker, it is written anew"
    assert told(tmp_path, "annotations: {remark: string}", to=to) == [f"5: {said}"]


@pytest.mark.parametrize("sink", ["csv", "parquet", "duckdb"])
def test_exports_have_no_archive(tmp_path: Path, sink: str) -> None:
    """Where would it be?"""
    to = f"{sink}: {{file: films.out{', table: films' if sink == 'duckdb' else ''}}}"
    said = f"a `{sink}` tracker has no archive, it holds nothing but the report"
    assert told(tmp_path, "on_delete: archive", to=to) == [f"16: {said}"]


def test_rows_without_a_key_have_no_annotations(tmp_path: Path) -> None:
    """Of a tracker that is replaced, and of totals."""
    options = "annotations: {remark: string}"
    assert told(tmp_path, options + "\n    mode: replace") == [
        "5: `annotations` need rows that are known by key, `mode: replace` has none"
    ]
    assert told(tmp_path, options, refresh="totals") == [
        "5: `annotations` need a key, and this report is one row of totals"
    ]


def test_names_and_labels_are_told_apart_from_the_reports(tmp_path: Path) -> None:
    """From those of its key too, which is a column of the table that is read back."""
    assert told(tmp_path, "annotations: {title: string, film_id: string}") == [
        "19: annotation `title` has the name of a column of the report",
        "34: annotation `film_id` has the name of a column of the report",
    ]
    assert told(tmp_path, "annotations: {one: {type: string, label: TITLE}}") == [
        "19: annotation `one` has the label `TITLE`, as another column has"
    ]
    assert told(tmp_path, "annotations: {one: {type: string, label: Two}, two: string}") == [
        "52: annotation `two` has the label `Two`, as another column has"
    ]


def test_values_are_of_the_type(tmp_path: Path) -> None:
    """The place is the value's."""
    assert told(tmp_path, "annotations: {cost: {type: integer, values: [1, many]}}") == [
        "53: `many` is no integer"
    ]


def test_people_fill_in_single_values(tmp_path: Path) -> None:
    """A cell has no lists."""
    assert told(tmp_path, "annotations: {tags: array(string)}") == [
        "25: people cannot fill in a value of type `array(string)`"
    ]


def test_what_a_template_says_is_told_in_the_template(tmp_path: Path) -> None:
    """The job that uses it says nothing wrong."""
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "templates.yaml").write_text(
        "templates:\n  asked: {annotations: {title: string}}\n", encoding="utf-8"
    )
    assert told(tmp_path, "use: asked") == [
        "25: annotation `title` has the name of a column of the report"
    ]


def test_what_the_page_shows_is_right(tmp_path: Path) -> None:
    """`docs/annotations.md`: a workflow, and the data source of its annotations."""
    page = Path(__file__).parents[1] / "docs" / "annotations.md"
    shown = re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    report = """
data_source: vendor_contract
table: vendor_contract
primary_key: contract_id
fields: {contract_id: integer, vendor: string}
joins: {note: {data_source: contract_note, by: contract_id}}
---
input: vendor_contracts
source: vendor_contract
fields: [vendor, note.decision]
"""
    (tmp_path / "genesis.yaml").write_text("project: studio\n", encoding="utf-8")
    (tmp_path / "workflows").mkdir()
    text = "---\n".join([report.lstrip(), *shown])
    (tmp_path / "workflows" / "all.yaml").write_text(text, encoding="utf-8")
    problems = Problems()
    check_project(load_project(tmp_path, problems), problems)
    assert list(problems) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("xlsx: {file: films.xlsx, tab: Films}", "xlsx: {file: ./films.xlsx, tab: films}"),
        ("google_sheets: {spreadsheet: s, tab: A}", "google_sheets: {spreadsheet: s, tab: A}"),
        ("airtable: {base: b, table: T}", "airtable: {base: b, table: T, max_calls: 9}"),
        ("csv: {file: films.csv}", "csv: {file: films.csv}"),
    ],
)
def test_two_trackers_have_a_place_each(tmp_path: Path, one: str, other: str) -> None:
    """Each would take the rows of the other away."""
    second = f"name: again\n  - refresh: films\n    to: {{{other}}}\n    name: second"
    assert told(tmp_path, second, to=one) == [
        "9: trackers `films.again` and `films.second` write to one place"
    ]


def test_trackers_that_only_add_rows_may_share_a_place(tmp_path: Path) -> None:
    second = (
        f"mode: upsert\n  - refresh: films\n    to: {{{XLSX}}}\n    name: second\n    mode: append"
    )
    assert told(tmp_path, second) == []


def test_two_tabs_of_a_workbook_are_two_places(tmp_path: Path) -> None:
    second = "name: again\n  - {refresh: films, name: b, to: {xlsx: {file: films.xlsx, tab: B}}}"
    assert told(tmp_path, second) == []


def test_names_of_trackers_lead_to_a_table_of_annotations_each(tmp_path: Path) -> None:
    """`a_b.c` and `a.b_c` would keep what people say in one table."""
    second = (
        "name: b_c\n    annotations: {remark: string}\n---\nworkflow: films_b\njobs:\n"
        "  - {refresh: films, name: c, to: {xlsx: {file: b.xlsx}}, annotations: {remark: string}}"
    )
    assert [text.partition(": ")[2] for text in told(tmp_path, second)] == [
        "trackers `films.b_c` and `films_b.c` share table `annotations.films_b_c`"
    ]
