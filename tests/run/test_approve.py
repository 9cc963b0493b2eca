"""A change that a guard holds back goes through once a person approved it: that one, once, no other."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from genesis.cli import run_command

PROJECT = """
data_source: film
table: film
primary_key: film_id
latest: true
fields: {film_id: integer, title: string}
---
input: films
source: film
fields: [title]
---
workflow: films
jobs:
  - {refresh: films, to: {xlsx: {file: films.xlsx}}, max_deletes: 1}
  - {name: careful, refresh: films, to: {xlsx: {file: careful.xlsx}}, on_human_edit: fail}
"""
JOB = "films.refresh_films"


@dataclass
class Studio:
    """Six films in a tracker of which one may go at a time."""

    root: Path
    capsys: pytest.CaptureFixture[str]

    def genesis(self, *arguments: str) -> tuple[int, str]:
        code = run_command(["-C", str(self.root), *arguments])
        told = self.capsys.readouterr()
        return code, told.out + told.err

    def held(self) -> list[dict[str, Any]]:
        _, told = self.genesis("approve", "--list", "--format", "json")
        return list(json.loads(told)["held"])

    def ingest(self, *numbers: int, gone: bool = False) -> None:
        file = self.root / "events.jsonl"
        events = (
            {"film_id": n, "title": f"Film {n}", "_op": "d" if gone else "u"} for n in numbers
        )
        file.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
        assert self.genesis("ingest", "film", str(file))[0] == 0

    def run(self, job: str = JOB) -> int:
        return self.genesis("run", job)[0]

    def shown(self) -> list[str]:
        sheet = openpyxl.load_workbook(self.root / "films.xlsx").worksheets[0]
        return [str(row[0]) for row in sheet.iter_rows(min_row=2, values_only=True)]


@pytest.fixture
def studio(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Studio:
    """Refreshed once."""
    (tmp_path / "genesis.yaml").write_text("project: films\n", encoding="utf-8")
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "films.yaml").write_text(PROJECT, encoding="utf-8")
    found = Studio(tmp_path, capsys)
    found.ingest(1, 2, 3, 4, 5, 6)
    assert found.run("films") == 0
    return found


def test_what_is_held_is_told(studio: Studio) -> None:
    """Why, how many rows, and a few of them; the guard's hint names the command."""
    studio.ingest(1, 2, gone=True)
    code, told = studio.genesis("run", JOB)
    assert (code, f"`genesis approve {JOB}` lets it through once" in told) == (4, True)
    (held,) = studio.held()
    assert held["job"] == JOB
    assert held["reasons"] == [f"2 of 6 rows of tracker `{JOB}` would be deleted, 1 may be"]
    assert (held["rows"], held["deletes"], held["sample"]) == (4, 2, ["1", "2"])
    assert held["approved_at"] is None


def test_an_approved_change_goes_through_once(studio: Studio) -> None:
    """The next one is held again."""
    studio.ingest(1, 2, gone=True)
    studio.run()
    code, told = studio.genesis("approve", JOB)
    assert (code, f"approved: `genesis run {JOB}` does it" in told) == (0, True)
    assert (studio.run(), studio.shown()) == (0, ["Film 3", "Film 4", "Film 5", "Film 6"])
    assert studio.held() == []
    studio.ingest(3, 4, gone=True)
    assert studio.run() == 4


def test_less_than_was_approved_goes_through(studio: Studio) -> None:
    """One of the films came back."""
    studio.ingest(1, 2, 3, gone=True)
    studio.run()
    studio.genesis("approve", JOB)
    studio.ingest(3)
    assert (studio.run(), len(studio.shown())) == (0, 4)


def test_more_than_was_approved_is_held_anew(studio: Studio) -> None:
    """It has to be looked at again."""
    studio.ingest(1, 2, gone=True)
    studio.run()
    studio.genesis("approve", JOB)
    studio.ingest(3, gone=True)
    code, told = studio.genesis("run", JOB)
    assert (code, "is not what was approved" in told) == (4, True)
    (held,) = studio.held()
    assert (held["deletes"], held["approved_at"]) == (3, None)
    studio.genesis("approve", JOB)
    assert studio.run() == 0


def test_an_empty_report_can_be_approved(studio: Studio) -> None:
    """Of just the rows that were there then."""
    studio.ingest(1, 2, 3, 4, 5, 6, gone=True)
    studio.run()
    studio.genesis("approve", JOB)
    assert (studio.run(), studio.shown()) == (0, [])


def test_what_people_wrote_can_be_given_up(studio: Studio) -> None:
    """But not what they write after that."""
    job = "films.careful"

    def write(text: str) -> None:
        book = openpyxl.load_workbook(studio.root / "careful.xlsx")
        book.worksheets[0]["A2"] = text
        book.save(studio.root / "careful.xlsx")

    write("mine")
    assert studio.run(job) == 4
    studio.genesis("approve", job)
    write("mine again")
    assert studio.run(job) == 4
    studio.genesis("approve", job)
    assert studio.run(job) == 0


def test_a_change_that_is_no_more_is_not_held(studio: Studio) -> None:
    """The films came back before anybody looked."""
    studio.ingest(1, 2, gone=True)
    studio.run()
    studio.ingest(1, 2)
    studio.run()
    assert studio.genesis("approve", "--list") == (0, "nothing is held\n")


def test_an_approval_survives_a_run_that_fails(studio: Studio) -> None:
    """It was for a change that was never made."""
    studio.ingest(1, 2, gone=True)
    studio.run()
    studio.genesis("approve", JOB)
    workbook = (studio.root / "films.xlsx").read_bytes()
    (studio.root / "films.xlsx").write_bytes(b"no workbook")
    assert studio.run() == 4
    (studio.root / "films.xlsx").write_bytes(workbook)
    assert studio.run() == 0


def test_a_dry_run_holds_nothing(studio: Studio) -> None:
    """It tells what would be refused, and that what was approved would not."""
    studio.ingest(1, 2, gone=True)
    assert studio.genesis("run", JOB, "--dry-run")[0] == 4
    assert studio.held() == []
    studio.run()
    studio.genesis("approve", JOB)
    assert studio.genesis("run", JOB, "--dry-run")[0] == 0
    assert (studio.run(), studio.held()) == (0, [])


def test_a_dry_run_makes_no_state(studio: Studio) -> None:
    """Where nothing is known, nothing is looked up."""
    state = studio.root / ".genesis" / "state.db"
    state.unlink()
    studio.genesis("run", JOB, "--dry-run")
    assert not state.exists()


def test_a_mistyped_job_is_told(studio: Studio) -> None:
    """With the one that was meant."""
    studio.ingest(1, 2, gone=True)
    studio.run()
    code, told = studio.genesis("approve", "films.refresh_film")
    assert (code, f"did you mean `{JOB}`?" in told) == (64, True)


def test_one_job_or_the_list_is_asked_for(studio: Studio) -> None:
    """Neither none nor both."""
    assert studio.genesis("approve")[0] == 64
    assert studio.genesis("approve", JOB, "--list")[0] == 64


def test_a_column_of_another_type_is_told_once(studio: Studio) -> None:
    """It is not held: whoever changed the definition meant it."""
    file = studio.root / "workflows" / "films.yaml"
    text = file.read_text(encoding="utf-8")
    new = text.replace("fields: [title]", "fields: [{field: length(title), name: title}]")
    file.write_text(new, encoding="utf-8")
    said = "column `Title` holds integer now, it held string"
    assert said in studio.genesis("run", JOB)[1]
    assert said not in studio.genesis("run", JOB)[1]


def test_a_column_that_left_the_report_is_told(studio: Studio) -> None:
    """Once that is approved, in the text and in the receipt."""
    file = studio.root / "workflows" / "films.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("fields: [title]", "fields: [film_id]"), encoding="utf-8")
    assert studio.genesis("run", "films")[0] == 4
    assert all(studio.genesis("approve", job)[0] == 0 for job in (JOB, "films.careful"))
    said = "column `Title` left the report, and the tracker with all that is in it"
    assert said in studio.genesis("run", JOB)[1]
    _, told = studio.genesis("run", "films.careful", "--format", "json")
    assert json.loads(told)["jobs"][0]["receipt"]["notes"] == [said]
