"""A tab says itself why it was not refreshed: once, in one small write, until it is refreshed again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from genesis.cli import run_command
from genesis.sync.notice import without_notice
from genesis.testing.sheets import Person, Refused, SheetsEmulator, writes

JOB = "films.refresh_films"
FILMS = "SELECT id, 'Film ' || id AS title FROM (SELECT unnest(range({count})) AS id) AS ids"
TWINS = "SELECT unnest([1, 1]) AS id, 'Dune' AS title"


@dataclass
class Cinema:
    """A project whose films are what its SQL says, in a tab of the emulated Google Sheets."""

    root: Path
    google: SheetsEmulator
    capsys: pytest.CaptureFixture[str]

    def __post_init__(self) -> None:
        self.book = self.google.new_spreadsheet("Films 2026")
        (self.root / "workflows").mkdir()
        self.write("genesis.yaml", f"sinks: {{google_sheets: {{endpoint: '{self.google.url}'}}}}\n")
        self.write("workflows/films.yaml", self.workflow())
        self.shows(FILMS.format(count=20))

    def write(self, file: str, text: str) -> None:
        (self.root / file).write_text(text, encoding="utf-8")

    def workflow(self, more: str = "") -> str:
        place = f"{{google_sheets: {{spreadsheet: {self.book}, tab: Films}}}}"
        return f"workflow: films\njobs: [{{refresh: films, to: {place}{more}}}]\n"

    def shows(self, sql: str) -> None:
        """The films there are from now on."""
        source = f'data_source: film\nsql: "{sql}"\nprimary_key: id\nfields: {{id: integer, title: string}}\n'
        (self.root / "definitions").mkdir(exist_ok=True)
        self.write(
            "definitions/films.yaml",
            f"{source}---\ninput: films\nsource: film\nfields: [id, title]\n",
        )

    def genesis(self, *arguments: str) -> tuple[int, str]:
        code = run_command(["-C", str(self.root), *arguments])
        told = self.capsys.readouterr()
        return code, told.out + told.err

    def run(self, *options: str) -> tuple[int, int, int]:
        """The exit code of a run, its reads and its writes."""
        before = len(self.google.calls)
        code, _ = self.genesis("run", "films", *options)
        calls = self.google.calls[before:]
        kinds = [call.kind for call in calls if not call.method.startswith("drive.")]
        return code, kinds.count("Read"), kinds.count("Write")

    @property
    def person(self) -> Person:
        return self.google.person(self.book)

    @property
    def note(self) -> str:
        return self.person.reads_note("Films!A1")

    @property
    def notice(self) -> str:
        """What stands below what the last good refresh said, times left out."""
        below = self.note.removeprefix(without_notice(self.note))
        return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "TIME", below).strip()


@pytest.fixture
def cinema(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Cinema]:
    """Refreshed once, with 20 films."""
    with SheetsEmulator() as google:
        found = Cinema(tmp_path, google, capsys)
        assert found.run()[0] == 0
        yield found


def test_a_held_change_is_told_in_the_tab(cinema: Cinema) -> None:
    """Once, below what the last good refresh said; `genesis approve` is named."""
    good = cinema.note
    cinema.shows(FILMS.format(count=5))
    assert cinema.run() == (4, 1, 1)
    assert cinema.note.startswith(good)
    assert cinema.notice == (
        f"Held since TIME: 15 of 20 rows of tracker `{JOB}` would be deleted, 5 may be;"
        f" `genesis approve {JOB}` lets it through once"
    )
    assert cinema.run() == (4, 1, 0)
    cinema.shows(FILMS.format(count=4))
    assert cinema.run() == (4, 1, 1)
    assert "16 of 20" in cinema.notice
    assert cinema.note.count("Held") == 1


def test_the_next_good_refresh_takes_it_back(cinema: Cinema) -> None:
    """With what it changes, or alone where there is nothing to change any more."""
    good = cinema.note
    cinema.shows(FILMS.format(count=5))
    cinema.run()
    cinema.shows(FILMS.format(count=20))
    assert cinema.run() == (0, 1, 1)
    assert cinema.note == good
    assert cinema.run() == (0, 1, 0)
    cinema.shows(FILMS.format(count=5))
    cinema.run()
    cinema.genesis("approve", JOB)
    assert cinema.run() == (0, 1, 1)
    assert (cinema.notice, len(cinema.person.sees_rows("Films"))) == ("", 6)


def test_a_dry_run_says_nothing(cinema: Cinema) -> None:
    """It writes nothing at all."""
    cinema.shows(FILMS.format(count=5))
    assert cinema.run("--dry-run") == (4, 1, 0)
    assert cinema.notice == ""


def test_keys_that_repeat_are_told(cinema: Cinema) -> None:
    """They are found before the tab is read, which is then read for the note."""
    cinema.shows(TWINS)
    assert cinema.run() == (4, 1, 1)
    assert cinema.notice == f"Not refreshed since TIME: keys of tracker `{JOB}` repeat: `1`"
    assert cinema.run() == (4, 1, 0)


def test_a_report_that_fails_is_told_without_its_values(cinema: Cinema) -> None:
    """An engine quotes values, and `genesis status` is for those who may see them."""
    cinema.shows("SELECT CAST('a secret' AS integer) AS id, 'Dune' AS title")
    assert cinema.run() == (3, 1, 1)
    assert cinema.notice == (
        f"Not refreshed since TIME: its report could not be made; `genesis status {JOB}` says why"
    )
    assert "Could not convert string" in cinema.genesis("status", JOB)[1]


def test_peoples_edits_that_stop_a_refresh_are_told(cinema: Cinema) -> None:
    """`on_human_edit: fail` is the one guard that they can lift themselves, in the tab."""
    cinema.write("workflows/films.yaml", cinema.workflow(", on_human_edit: fail"))
    cinema.person.types("Films!B2", "mine")
    assert cinema.run() == (4, 1, 1)
    assert "people changed managed cells" in cinema.notice
    cinema.person.types("Films!B2", "Film 0")
    assert (cinema.run(), cinema.notice) == ((0, 1, 1), "")


def test_a_note_that_cannot_be_written_hides_no_failure(cinema: Cinema) -> None:
    """The run ends as it would have, and says the same."""
    cinema.shows(FILMS.format(count=5))
    cinema.google.inject(Refused(403), on=writes)
    code, told = cinema.genesis("run", "films")
    assert (code, "15 of 20 rows" in told, cinema.notice) == (4, True, "")


def test_nothing_is_said_where_anyone_could_read_it(tmp_path: Path, cinema: Cinema) -> None:
    """A spreadsheet that must not be written gets no note either."""
    (tmp_path / ".genesis" / "state.db").unlink()  # nobody asked today
    cinema.google.share(cinema.book, "anyone", "reader")
    cinema.shows(FILMS.format(count=5))
    assert (cinema.run(), cinema.notice) == ((4, 1, 0), "")


def test_a_failure_makes_no_tab_and_touches_no_other(cinema: Cinema) -> None:
    """Neither where there is none, nor where people have one of that name."""
    cinema.shows(TWINS)
    cinema.person.deletes_tab("Films")
    assert cinema.run() == (4, 2, 0)
    cinema.person.adds_tab("Films")
    cinema.person.types("Films!A1", "Mine")
    assert cinema.run() == (4, 3, 0)


def test_a_note_goes_along_with_its_column(cinema: Cinema) -> None:
    """And is the same note there; one of people's in its place is left alone."""
    cinema.person.moves_columns("Films", "A", 1, "C")
    cinema.person.notes("Films!A1", "titles are from the poster")
    cinema.shows(FILMS.format(count=5))
    assert cinema.run() == (4, 1, 1)
    assert cinema.run() == (4, 1, 0)
    cinema.shows(FILMS.format(count=21))
    cinema.run()
    person = cinema.person
    assert person.reads_note("Films!A1") == "titles are from the poster"
    assert person.reads_note("Films!B1").startswith("Films\nKept by genesis")
    assert "Held" not in person.reads_note("Films!B1")


def test_a_note_that_people_deleted_comes_back(cinema: Cinema) -> None:
    """It does not claim to know when the data changed last."""
    cinema.person.notes("Films!A1", "")
    cinema.shows(FILMS.format(count=5))
    assert cinema.run() == (4, 1, 1)
    assert "Kept by genesis" in cinema.note
    assert "Last change" not in cinema.note
