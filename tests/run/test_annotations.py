"""Trackers that people fill in, the whole way: workbook, table, report. Whatever happens, nothing is lost."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet

from genesis.cli import run_command
from genesis.lake import annotations
from genesis.lake.catalog import find_catalog, load_table
from genesis.sinks.xlsx import XlsxSink
from genesis.spec.project import Target

PROJECT = """
data_source: film
table: film
primary_key: film_id
latest: true
fields: {film_id: integer, title: string}
joins: {said: {data_source: film_notes, by: film_id}}
---
data_source: film_notes
table: annotations.films_refresh_films
primary_key: film_id
latest: true
fields: {film_id: integer, decision: string, due: date, seen: boolean}
---
input: films
source: film
fields: [title]
---
input: decided
source: film
fields: [film_id, said.decision, said.due]
sort: film_id
---
workflow: films
jobs:
  - refresh: films
    to: {xlsx: {file: films.xlsx}}
    max_deletes: 1
    annotations: {decision: {type: string, values: [open, done]}, due: date}
"""


@dataclass
class Studio:
    """A project of films, whose tracker a person and genesis edit in turns."""

    root: Path
    capsys: pytest.CaptureFixture[str]

    def genesis(self, *arguments: str) -> tuple[int, str]:
        code = run_command(["-C", str(self.root), *arguments])
        told = self.capsys.readouterr()
        return code, told.out + told.err

    def run(self) -> dict[str, Any]:
        """The one job of a run."""
        run_command(["-C", str(self.root), "run", "films", "--format", "json"])
        (job,) = json.loads(self.capsys.readouterr().out)["jobs"]
        return dict(job)

    def ingest(self, *events: dict[str, Any]) -> None:
        file = self.root / "events.jsonl"
        file.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
        assert self.genesis("ingest", "film", str(file))[0] == 0

    def edit(self, old: str, new: str) -> None:
        """Change the definitions."""
        file = self.root / "workflows" / "films.yaml"
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")

    @contextmanager
    def person(self) -> Iterator[Worksheet]:
        book = openpyxl.load_workbook(self.root / "films.xlsx")
        yield book.worksheets[0]
        book.save(self.root / "films.xlsx")

    def write(self, title: str, **cells: Any) -> None:
        with self.person() as sheet:
            columns = {str(cell.value).casefold(): cell.column for cell in sheet[1]}
            row = next(cell.row for cell in sheet["A"] if cell.value == title)
            for name, value in cells.items():
                sheet.cell(row, columns[name]).value = value

    def shown(self) -> dict[str, tuple[Any, ...]]:
        sheet = openpyxl.load_workbook(self.root / "films.xlsx").worksheets[0]
        return {str(row[0]): row[1:-1] for row in sheet.iter_rows(min_row=2, values_only=True)}

    def history(self) -> list[tuple[Any, ...]]:
        """All that was ever read back, in order."""
        return [(event["film_id"], event["decision"], event["due"]) for event in self.events()]

    def events(self) -> list[dict[str, Any]]:
        catalog = find_catalog(self.root, Target())
        table = load_table(catalog, ("annotations", "films_refresh_films")) if catalog else None
        return list(table.scan().to_arrow().sort_by("_pos").to_pylist()) if table else []


@pytest.fixture
def studio(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Studio:
    """Three films in a tracker that was refreshed once."""
    (tmp_path / "genesis.yaml").write_text("project: films\n", encoding="utf-8")
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "films.yaml").write_text(PROJECT, encoding="utf-8")
    found = Studio(tmp_path, capsys)
    found.ingest(*({"film_id": n, "title": t} for n, t in enumerate(("M", "Jaws", "Up"), 1)))
    return found


def test_before_the_first_run_the_way_out_is_told(studio: Studio) -> None:
    """The table of annotations is none that could be ingested."""
    code, told = studio.genesis("preview", "decided")
    assert code == 3
    assert "the first `genesis run` of the tracker that it names makes it" in told


def test_the_first_run_makes_an_empty_table(studio: Studio) -> None:
    """So that reports may read it from then on."""
    studio.run()
    assert studio.history() == []
    assert studio.genesis("preview", "decided")[0] == 0


def test_a_report_may_read_the_annotations_of_its_own_tracker(studio: Studio) -> None:
    """The table is there before it is asked for."""
    studio.edit("fields: [title]", "fields: [title, {field: said.decision, name: verdict}]")
    assert studio.run()["outcome"] == "succeeded"
    studio.write("M", decision="done")
    assert studio.run()["receipt"]["annotated"] == 1
    studio.run()
    assert studio.shown()["M"][0] == "done"


def test_what_people_say_is_read_in_a_run_that_changes_nothing(studio: Studio) -> None:
    """Values of their types, of the rows that somebody filled."""
    studio.run()
    studio.write("Jaws", decision="open", due=date(2026, 3, 1))
    job = studio.run()
    assert (job["outcome"], job["receipt"]["annotated"]) == ("no_change", 1)
    assert studio.history() == [(2, "open", date(2026, 3, 1))]


def test_only_what_changed_is_added(studio: Studio) -> None:
    """An emptied cell is a change too."""
    studio.run()
    studio.write("Jaws", decision="open")
    studio.run()
    studio.run()
    studio.write("M", decision="open")
    studio.write("Jaws", decision="done")
    studio.run()
    studio.write("Jaws", decision=None)
    studio.run()
    assert studio.history() == [
        (2, "open", None),
        (1, "open", None),
        (2, "done", None),
        (2, None, None),
    ]


def test_reports_read_what_was_said_last(studio: Studio) -> None:
    """As any other data source."""
    studio.run()
    studio.write("Jaws", decision="open")
    studio.run()
    studio.write("Jaws", decision="done")
    studio.run()
    code, told = studio.genesis("preview", "decided", "--format", "json")
    assert code == 0
    assert [row["said_decision"] for row in json.loads(told)] == [None, "done", None]


def test_what_people_say_is_read_though_the_change_is_refused(studio: Studio) -> None:
    """The guard comes after."""
    studio.run()
    studio.write("Up", decision="done")
    studio.ingest(*({"film_id": number, "_op": "d"} for number in (1, 2)))
    assert studio.run()["outcome"] == "failed"
    assert studio.history() == [(3, "done", None)]


def test_what_was_said_of_a_row_that_goes_is_kept_and_comes_back_with_it(studio: Studio) -> None:
    """It was read in the very run that deleted the row."""
    studio.run()
    studio.write("Jaws", decision="done", due=date(2026, 3, 1))
    studio.ingest({"film_id": 2, "_op": "d"})
    studio.run()
    assert studio.history() == [(2, "done", date(2026, 3, 1))]
    assert "Jaws" not in studio.shown()
    studio.ingest({"film_id": 2, "title": "Jaws"})
    studio.run()
    assert studio.shown()["Jaws"][0] == "done"
    assert studio.run()["receipt"].get("annotated") is None
    assert len(studio.history()) == 1


def test_a_dry_run_keeps_nothing(studio: Studio) -> None:
    """And makes no table."""
    assert studio.genesis("run", "films", "--dry-run")[0] == 0
    assert studio.genesis("preview", "decided")[0] == 3


def test_an_annotation_that_is_added_later_has_a_column_of_its_own(studio: Studio) -> None:
    """What was said before stays."""
    studio.run()
    studio.write("M", decision="open")
    studio.run()
    studio.edit("due: date}\n", "due: date, seen: boolean}\n")
    studio.run()
    studio.write("M", seen=True)
    studio.run()
    assert studio.events()[-1]["seen"] is True
    assert studio.history()[-1] == (1, "open", None)


def test_an_annotation_of_another_type_needs_another_name(studio: Studio) -> None:
    """What was said before is of the old one."""
    studio.run()
    studio.edit("done]}, due: date", "done]}, due: integer")
    code, told = studio.genesis("run", "films")
    assert (code, "an annotation of another type needs another name" in told) == (3, True)


def test_a_renamed_job_is_told_of_its_old_table(studio: Studio) -> None:
    """What stands in the tracker is read anew; what was said of a record that left is in the old one."""
    studio.run()
    studio.write("M", decision="open")
    studio.run()
    studio.edit("- refresh: films", "- name: pictures\n    refresh: films")
    code, told = studio.genesis("check")
    assert code == 0
    assert "no tracker keeps `annotations.films_refresh_films`" in told
    assert "`annotations.films_pictures`" in told
    receipt = studio.run()["receipt"]
    assert receipt["annotated"] == 1
    (note,) = receipt["notes"]
    assert note.startswith("annotations go to the new table `annotations.films_pictures`; ")
    assert "`annotations.films_refresh_films` is no tracker's any more" in note
    assert studio.shown()["M"][0] == "open"
    assert "notes" not in studio.run()["receipt"]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_run_that_is_killed_at_the_table_is_made_up_for(studio: Studio, moment: str) -> None:
    """Before it is added to, and after that, before anything is written: nothing lost, nothing doubled."""
    studio.run()
    studio.write("Jaws", decision="open")
    studio.ingest({"film_id": 1, "title": "M (1931)"})
    child = os.fork()
    if child == 0:
        _die(moment)
        run_command(["-C", str(studio.root), "run", "films"])
        os._exit(0)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    studio.run()
    assert studio.history() == [(2, "open", None)]
    assert list(studio.shown()) == ["M (1931)", "Jaws", "Up"]


def _die(moment: str) -> None:
    """Arrange for death beside the table of annotations."""

    def die(*_: Any, **__: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    if moment == "before":
        annotations.ingest = die
    else:
        XlsxSink.apply = die  # type: ignore[method-assign]
