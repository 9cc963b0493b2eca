"""What is said to be held is held, and nothing else: every edit is told, and then refreshed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from genesis.cli import run_command
from genesis.errors import Problems
from genesis.load import load_project
from genesis.review.differences.reports import differences
from genesis.review.report import Report
from genesis.review.risks import Mark, marks
from genesis.spec.project import Project

DEFINITIONS = """data_source: film
sql: "SELECT unnest([1, 2, 3]) AS id, unnest(['Dune', 'Alien', 'Brazil']) AS title,
  unnest(['1984', '1979', '1985']) AS year, unnest([2, 3, 1]) AS seat"
primary_key: id
fields: {id: integer, title: string, year: string, seat: integer}
---
input: films
source: film
fields: [title, year]
"""
WORKBOOK, FILE = "{xlsx: {file: films.xlsx}}", "{csv: {file: films.csv}}"


@dataclass
class Studio:
    root: Path
    capsys: pytest.CaptureFixture[str]

    def write(self, text: str, to: str) -> None:
        for name, content in {
            "genesis.yaml": "project: films\n",
            "definitions/films.yaml": text,
            "workflows/films.yaml": f"workflow: films\njobs: [{{refresh: films, to: {to}}}]\n",
        }.items():
            (self.root / name).parent.mkdir(exist_ok=True)
            (self.root / name).write_text(content, encoding="utf-8")

    def project(self) -> Project:
        problems = Problems()
        found = load_project(self.root, problems)
        problems.raise_errors()
        return found

    def run(self) -> str:
        run_command(["-C", str(self.root), "run", "films"])
        told = self.capsys.readouterr()
        return told.out + told.err


@pytest.fixture
def studio(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Studio:
    return Studio(tmp_path, capsys)


def of_edit(studio: Studio, old: str, new: str, to: str) -> tuple[tuple[Mark, ...], str]:
    """The marks of an edit, and what the next refresh says."""
    studio.write(DEFINITIONS, to)
    before = studio.project()
    studio.run()
    assert old in DEFINITIONS
    studio.write(DEFINITIONS.replace(old, new), to)
    after = studio.project()
    found = differences(Report(before, "films"), Report(after, "films"))
    return marks(found, "films.refresh_films", after.workflows["films"].jobs[0]), studio.run()


EDITS = {
    "a column comes": ("[title, year]", "[title, year, seat]"),
    "a column goes": ("[title, year]", "[title]"),
    "a column has another name and header": ("[title, year]", "[title, {field: year, name: made}]"),
    "a column has another name": ("year]", "{field: year, name: made, label: Year}]"),
    "a column has another header": ("[title, year]", "[title, {field: year, label: Made}]"),
    "another column has the header": ("year]", "{field: seat, label: Year}]"),
    "another key": ("primary_key: id", "primary_key: seat"),
    "another type of key": ("id: integer", "id: string"),
    "another filter": ("[title, year]\n", "[title, year]\nfilters: [seat > 0]\n"),
    "other values": ("[title, year]", "[title, {field: year || '!', name: year}]"),
}


@pytest.mark.parametrize(("old", "new"), EDITS.values(), ids=EDITS)
def test_what_is_said_to_be_held_is(studio: Studio, old: str, new: str) -> None:
    """By the guards of a sheet; nothing else is."""
    told, said = of_edit(studio, old, new, WORKBOOK)
    assert ("held" in said) == any(mark.is_held for mark in told), said
    assert all("`genesis approve films.refresh_films`" in one.said for one in told if one.is_held)


def test_nothing_is_held_of_a_file(studio: Studio) -> None:
    """Nobody writes into it; what reads it by a column's name is warned of."""
    told, said = of_edit(studio, *EDITS["a column goes"], FILE)
    assert [(mark.risk, mark.is_held) for mark in told] == [("column removed", False)]
    assert "held" not in said
