"""A report changes under a tracker that people use: what is lost with it waits for `genesis approve`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from genesis.cli import run_command
from genesis.clock import SystemClock
from genesis.testing.airtable import Airtable
from genesis.testing.sheets import SheetsEmulator

JOB = "films.refresh_films"
SOURCE = """
data_source: film
sql: "SELECT unnest([1, 2, 3]) AS id, unnest(['Dune', 'Alien', 'Brazil']) AS title,
  unnest(['1984', '1979', '1985']) AS year, unnest([2, 3, 1]) AS seat"
primary_key: id
fields: {id: integer, title: string, year: string, seat: integer}
---
input: films
source: film
fields: [title, year]
"""
NOTES = {"Dune": "sand", "Alien": "acid", "Brazil": "ducts"}


class Place:
    """Where the films are: what people see there and write beside each one."""

    def __init__(self, root: Path) -> None:
        self.root = root

    settings = ""
    to: str

    def rows(self) -> list[dict[str, Any]]:
        raise NotImplementedError

    def annotate(self) -> None:
        raise NotImplementedError


class Workbook(Place):
    to = "{xlsx: {file: films.xlsx}}"

    def rows(self) -> list[dict[str, Any]]:
        book = openpyxl.load_workbook(self.root / "films.xlsx")
        header, *rows = book.worksheets[0].iter_rows()
        return [{h.value: c.value for h, c in zip(header, row, strict=True)} for row in rows]

    def annotate(self) -> None:
        book = openpyxl.load_workbook(self.root / "films.xlsx")
        sheet = book.worksheets[0]
        right = sheet.max_column + 1
        sheet.cell(1, right, "Note")
        for row in range(2, sheet.max_row + 1):
            sheet.cell(row, right, NOTES[str(sheet.cell(row, 1).value)])
        book.save(self.root / "films.xlsx")


class Spreadsheet(Place):
    def __init__(self, root: Path, google: SheetsEmulator) -> None:
        super().__init__(root)
        book = google.new_spreadsheet("Films")
        self.person = google.person(book)
        self.to = f"{{google_sheets: {{spreadsheet: {book}, tab: Films}}}}"
        self.settings = f"sinks: {{google_sheets: {{endpoint: '{google.url}'}}}}"

    def rows(self) -> list[dict[str, Any]]:
        header, *rows = self.person.sees_rows("Films")
        rows = [[*row, *[""] * (len(header) - len(row))] for row in rows]
        return [dict(zip(header, row, strict=True)) for row in rows]

    def annotate(self) -> None:
        self.person.types("Films!G1", "Note")
        for at, row in enumerate(self.rows(), 2):
            self.person.types(f"Films!G{at}", NOTES[row["Title"]])


class Base(Place):
    to = "{airtable: {base: app1, table: Films}}"

    def __init__(self, root: Path, airtable: Airtable) -> None:
        super().__init__(root)
        self.base = airtable.base("app1")
        self.settings = f"sinks: {{airtable: {{endpoint: '{airtable.url}'}}}}"

    def rows(self) -> list[dict[str, Any]]:
        return self.base.table("Films").rows

    def annotate(self) -> None:
        table = self.base.table("Films")
        table.add_field("Note")
        for record in table.records:
            table.edit(record, Note=NOTES[table.row(record)["Title"]])


@dataclass
class Studio:
    """A project of three films whose tracker people have written beside."""

    root: Path
    place: Place
    capsys: pytest.CaptureFixture[str]

    def genesis(self, *arguments: str) -> tuple[int, str]:
        code = run_command(["-C", str(self.root), *arguments])
        told = self.capsys.readouterr()
        return code, told.out + told.err

    def define(self, old: str, new: str) -> None:
        file = self.root / "definitions" / "films.yaml"
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")

    def column(self, label: str) -> dict[str, Any]:
        """A column by film."""
        return {row["Title"]: row.get(label) for row in self.place.rows() if row.get("Title")}

    @property
    def has_notes(self) -> bool:
        """Whether each note is where it was put."""
        return self.column("Note") == NOTES


@contextmanager
def place_of(kind: str, root: Path) -> Iterator[Place]:
    match kind:
        case "google_sheets":
            with SheetsEmulator() as google:
                yield Spreadsheet(root, google)
        case "airtable":
            with Airtable(clock=SystemClock()) as airtable:
                yield Base(root, airtable)
        case _:
            yield Workbook(root)


@pytest.fixture(params=["xlsx", "google_sheets", "airtable"])
def studio(
    request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[Studio]:
    """Refreshed once, then annotated."""
    with place_of(request.param, tmp_path) as place:
        for name, text in {
            "genesis.yaml": f"project: films\n{place.settings}\n",
            "definitions/films.yaml": SOURCE,
            "workflows/films.yaml": f"workflow: films\njobs: [{{refresh: films, to: {place.to}}}]\n",
        }.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        found = Studio(tmp_path, place, capsys)
        assert found.genesis("run", "films")[0] == 0
        place.annotate()
        yield found


def test_a_column_that_comes(studio: Studio) -> None:
    """Nothing is asked."""
    studio.define(
        "fields: [title, year]", "fields: [title, {field: upper(title), name: loud}, year]"
    )
    assert studio.genesis("run", "films")[0] == 0
    assert studio.column("Loud") == {title: title.upper() for title in NOTES}
    assert studio.has_notes


def test_a_column_that_goes(studio: Studio) -> None:
    """It waits, since people's notes on its cells would go; a base leaves its field to people."""
    before = studio.place.rows()
    studio.define("fields: [title, year]", "fields: [title]")
    code, told = studio.genesis("run", "films")
    assert studio.place.rows() == before or isinstance(studio.place, Base)
    if isinstance(studio.place, Base):
        assert (code, "`Year` is no longer kept" in studio.genesis("run", "films")[1]) == (0, True)
        assert studio.column("Year") == {"Dune": "1984", "Alien": "1979", "Brazil": "1985"}
    else:
        assert (code, "column `Year` of tracker" in told) == (4, True)
        assert studio.genesis("approve", JOB)[0] == 0
        assert studio.genesis("run", "films")[0] == 0
        assert set(studio.column("Year").values()) == {None}
    assert studio.has_notes


def test_a_column_that_is_called_otherwise(studio: Studio) -> None:
    """By its name or by its label, it is the same column; by both, it is another one."""
    studio.define(
        "fields: [title, year]", "fields: [title, {field: year, name: made, label: Year}]"
    )
    assert studio.genesis("run", "films")[0] == 0
    studio.define("label: Year", "label: Made")
    assert studio.genesis("run", "films")[0] == 0
    assert studio.column("Made") == {"Dune": "1984", "Alien": "1979", "Brazil": "1985"}
    assert studio.has_notes


def test_a_column_of_another_type(studio: Studio) -> None:
    """It is shown as such, and told; a base, whose fields have one type each, is left as it is."""
    before = studio.place.rows()
    studio.define("year: string", "year: {sql: CAST(year AS integer), type: integer}")
    code, told = studio.genesis("run", "films")
    if isinstance(studio.place, Base):
        assert (code, "rename it: the next refresh makes one" in told) == (4, True)
        assert studio.place.rows() == before
    else:
        assert (code, "holds integer now, it held string" in told) == (0, True)
        assert {int(year) for year in studio.column("Year").values()} == {1979, 1984, 1985}
        studio.define(
            "CAST(year AS integer), type: integer",
            "CAST(CAST(year AS varchar) || '-05-01' AS date), type: date",
        )
        assert studio.genesis("run", "films")[0] == 0
        assert str(studio.column("Year")["Dune"])[:10] in ("1984-05-01", "5/1/1984", "05/01/1984")
        studio.define(
            "CAST(CAST(year AS varchar) || '-05-01' AS date), type: date",
            "length(title), type: integer",
        )
        assert studio.genesis("run", "films")[0] == 0
        assert str(studio.column("Year")["Dune"]) == "4"
        assert "unchanged" in studio.genesis("run", "films")[1]
    assert studio.has_notes


def test_another_key(studio: Studio) -> None:
    """What is beside a row would go, or stand beside another, although so few rows may go unasked."""
    before = studio.place.rows()
    studio.define("primary_key: id", "primary_key: seat")
    assert studio.genesis("run", "films", "--dry-run")[0] == 4
    code, told = studio.genesis("run", "films")
    assert (code, "were known by `id` and would be by `seat`" in told) == (4, True)
    assert studio.place.rows() == before
    assert studio.genesis("approve", JOB)[0] == 0
    assert studio.genesis("run", "films")[0] == 0
    assert set(studio.column("Title")) == set(NOTES)
    assert "unchanged" in studio.genesis("run", "films")[1]


def test_another_key_that_rows_show(studio: Studio) -> None:
    """They are known by it already."""
    studio.define("primary_key: id", "primary_key: title")
    assert studio.genesis("run", "films")[0] == 0
    assert studio.has_notes


def test_a_key_of_the_same_values_by_another_name(studio: Studio) -> None:
    """The rows are the same."""
    studio.define("AS id", "AS number")
    studio.define("primary_key: id", "primary_key: number")
    studio.define("{id: integer", "{number: integer")
    assert studio.genesis("run", "films")[0] == 0
    assert studio.has_notes
