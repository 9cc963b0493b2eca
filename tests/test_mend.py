"""`genesis check --fix` writes what can only be meant, and not one character more."""

from __future__ import annotations

import atexit
import functools
import json
import re
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.cli import run_command
from genesis.compile.check import check_project
from genesis.errors import Problems, misspelt
from genesis.load import load_files
from genesis.mend import Mended, Texts, mend

MOVIE = """\
data_source: movie
table: studio.movies
primary_key: movie_id
fields:
  movie_id: integer
  title: string
  release_date: date
  studio_id: integer
joins:
  studio: {by: studio_id}
---
data_source: studio
table: studio.studios
primary_key: studio_id
fields: {studio_id: integer, name: string, q1: integer}
"""
REPORT = "input: movies\nsource: movie\nfields: [movie_id]\n"

# What stands in a report, and what stands there once it is mended.
MENDED = {
    "a plain name": ("fields: [titel]", "fields: [title]"),
    "two in one line": ("fields: [titel, relase_date]", "fields: [title, release_date]"),
    "one name twice": ("fields: [titel]\nsort: [titel desc]", "fields: [title]\nsort: [title desc]"),
    "in a single-quoted scalar": (
        "fields: [{field: 'coalesce(titel, ''titel'')', name: shown}]",
        "fields: [{field: 'coalesce(title, ''titel'')', name: shown}]",
    ),
    "in a double-quoted scalar": (
        r'fields: [{field: "titel || \"studio\".name || \u0027titel\u0027", name: shown}]',
        r'fields: [{field: "title || \"studio\".name || \u0027titel\u0027", name: shown}]',
    ),
    "in a block": (
        "fields:\n  - name: shown\n    field: |\n      upper(\n        titel\n      )",
        "fields:\n  - name: shown\n    field: |\n      upper(\n        title\n      )",
    ),
    "in a folded block": (
        "fields:\n  - name: shown\n    field: >-\n      upper(\n        titel)\n",
        "fields:\n  - name: shown\n    field: >-\n      upper(\n        title)\n",
    ),
    "after other scripts": (
        "fields: [{label: '発売日 🎬', field: relase_date}] # titel",
        "fields: [{label: '発売日 🎬', field: release_date}] # titel",
    ),
    "a step of a path": ("fields: [stduio.name]", "fields: [studio.name]"),
    "a filter": ("fields: [title]\nfilters: ['titel is null']", "fields: [title]\nfilters: ['title is null']"),
    "a key": ("fields: [{field: title, lable: Film}]", "fields: [{field: title, label: Film}]"),
    "a choice": ("fields: [title]\nshape: 'detial'", "fields: [title]\nshape: 'detail'"),
    "a formatter": ("fields: [{field: title, format: uppre}]", "fields: [{field: title, format: upper}]"),
    "a parameter": (
        "fields: [title]\nparameters: {region: {type: string, default: x}}\nfilters: ['title = :regoin']",
        "fields: [title]\nparameters: {region: {type: string, default: x}}\nfilters: ['title = :region']",
    ),
    "a time zone": ("fields: [title]\ntimezone: Europe/Berln", "fields: [title]\ntimezone: Europe/Berlin"),
    "a type of a database": (
        "fields: [title]\nparameters: {p: {type: varchar, default: x}}",
        "fields: [title]\nparameters: {p: {type: string, default: x}}",
    ),
    "text that looks like a number": ("fields: [title]\ntitle: 2026", 'fields: [title]\ntitle: "2026"'),
    "a number in quotes": ("fields: [title]\nsort: title\nlimit: '5'", "fields: [title]\nsort: title\nlimit: 5"),
    "a list of one": ("fields: [title]\ntags: core", "fields: [title]\ntags: [core]"),
    "a colon in a text": (
        "fields: [title]\ndescription: Films: one row each  # of movie",
        'fields: [title]\ndescription: "Films: one row each"  # of movie',
    ),
    "a colon beside quotes": (
        'fields: [title]\ndescription: the "best": films',
        "fields: [title]\ndescription: 'the \"best\": films'",
    ),
    "a colon in an item": (
        "fields:\n  - label: Film: its title\n    field: title",
        'fields:\n  - label: "Film: its title"\n    field: title',
    ),
    "beside what only warns": (
        "fields: [title]\nfilters: [\"titel <> 'x'\"]",
        "fields: [title]\nfilters: [\"title <> 'x'\"]",
    ),
    "two steps of a path": ("fields: [stduio.nmae]", "fields: [studio.name]"),
    "an at sign": ("fields: [title]\nowner: @studio", 'fields: [title]\nowner: "@studio"'),
    "tabs": (
        "fields:\n\t- field: title\n\t  label: 'a\tb' # c\td\n\t- movie_id",
        "fields:\n  - field: title\n    label: 'a\tb' # c\td\n  - movie_id",
    ),
    "the same key again": ("fields: [title]\nlimit: 5\nsort: title\nlimit: 5\n", "fields: [title]\nlimit: 5\nsort: title\n"),
    "the same key again in a flow": (
        "fields: [{field: title, label: Film,  label: Film }]",
        "fields: [{field: title, label: Film }]",
    ),
    "what a slip had hidden": ("feilds: [titel]\nsoruce: movie", "fields: [title]\nsource: movie"),
}  # fmt: skip

# What is told with a hint, if any, and left to a person.
LEFT = {
    "two names are as near": "fields: [title]\nparameters: {studio_ia: {type: string}, studio_ib: {type: string}}\nfilters: ['title = :studio_ic']",
    "another number": "fields: [studio.q2]",
    "another word": "fields: [start_date]",
    "another key": "fields: [title]\nhaving: 'title is null'",
    "it would be there twice": "fields: [titel, title]",
    "a second value for a key": "fields: [title]\nlimit: 5\nsort: title\nlimit: 6",
    "a value, not a name": "fields: [title]\nparameters: {region: {type: string, default: EMAE, values: [EMEA]}}",
    "a comparison that drops NULLs": "fields: [title]\nfilters: [\"title <> 'x'\"]",
    "a comment beside what would go": "fields: [title]\nsort: title\nlimit: 5\nlimit: 5 # five",
    "text over two lines": "fields: [title]\ndescription: Films: one\n  row each",
    "twice in a folded block": "fields:\n  - name: shown\n    field: >-\n      titel || titel",
}  # fmt: skip


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that is right, and where the commands run."""
    for folder in ("definitions", "inputs"):
        (tmp_path / folder).mkdir()
    (tmp_path / "genesis.yaml").write_text("")
    (tmp_path / "definitions" / "movie.yaml").write_text(MOVIE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def report(text: str) -> str:
    """An input, with a source if the text gives none."""
    return (
        "input: movies\n"
        + ("" if "soruce" in text or "source" in text else "source: movie\n")
        + text
    )


@pytest.mark.parametrize("name", MENDED)
def test_it_mends(name: str, project: Path) -> None:
    """Just that, and the project has no error left."""
    before, after = map(report, MENDED[name])
    file = project / "inputs" / "movies.yaml"
    file.write_bytes(before.encode())
    assert run_command(["check", "--fix"]) == 0
    assert file.read_bytes().decode() == after
    assert run_command(["check", "--fix"]) == 0
    assert file.read_bytes().decode() == after


@pytest.mark.parametrize("name", LEFT)
def test_it_leaves(name: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file stays as it is, and its problems are told."""
    text = report(LEFT[name])
    file = project / "inputs" / "movies.yaml"
    file.write_text(text, encoding="utf-8")
    run_command(["check", "--fix"])
    told = capsys.readouterr().err
    assert file.read_text(encoding="utf-8") == text
    assert "fixed" not in told
    assert "0 errors, 0 warnings" not in told


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["no mark", "byte order mark"])
def test_line_ends_and_marks_stay(ends: str, mark: bytes, project: Path) -> None:
    """A file of Windows stays one."""
    text = report("fields:\n  - titel  # 発売\n\n  - {field: 'relase_date'}\n").replace("\n", ends)
    file = project / "inputs" / "movies.yaml"
    file.write_bytes(mark + text.encode())
    assert run_command(["check", "--fix"]) == 0
    mended = text.replace("titel", "title").replace("relase", "release")
    assert file.read_bytes() == mark + mended.encode()


def test_what_was_done_is_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each fix with its place, then what remains, as a check without it tells."""
    (project / "inputs" / "movies.yaml").write_text(report("fields: [titel, nothing_such]"))
    assert run_command(["check", "--fix"]) == 2
    first, *rest = capsys.readouterr().err.splitlines()
    assert first == (
        "fixed inputs/movies.yaml:3:10: unknown field `titel` in data source `movie`: wrote `title`"
    )
    run_command(["check"])
    assert capsys.readouterr().err.splitlines() == rest


def test_files_that_are_not_asked_for_stay(project: Path) -> None:
    """PATHs limit what is mended as they limit what is told."""
    for name in ("one", "two"):
        text = f"input: {name}\nsource: movie\nfields: [titel]\n"
        (project / "inputs" / f"{name}.yaml").write_text(text)
    assert run_command(["check", "--fix", "inputs/one.yaml"]) == 0
    assert "title" in (project / "inputs" / "one.yaml").read_text()
    assert "titel" in (project / "inputs" / "two.yaml").read_text()


def test_a_definition_is_mended_before_its_users(project: Path) -> None:
    """Its misspelt key had hidden what is wrong with them."""
    definition, input_ = project / "definitions" / "movie.yaml", project / "inputs" / "movies.yaml"
    definition.write_text(MOVIE.replace("primary_key: movie_id", "primray_key: moive_id"))
    input_.write_text(report("fields: [titel]"))
    assert run_command(["check", "--fix"]) == 0
    assert definition.read_text() == MOVIE
    assert "[title]" in input_.read_text()


def test_a_healthy_file_is_not_written(project: Path) -> None:
    """Its time of change is what editors and build tools look at."""
    file = project / "definitions" / "movie.yaml"
    before = file.stat().st_mtime_ns
    (project / "inputs" / "movies.yaml").write_text(report("fields: [titel]"))
    run_command(["check", "--fix"])
    assert file.stat().st_mtime_ns == before


def test_json_carries_the_fix(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The characters to replace, even where the problem's place is wider; SARIF has the same."""
    (project / "inputs" / "movies.yaml").write_text(report("fields: [title]\nshape: 'detial'"))
    run_command(["check", "--format", "json"])
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert problem["column"] == 8
    assert problem["fix"] == {
        "line": 4,
        "column": 9,
        "end_line": 4,
        "end_column": 15,
        "text": "detail",
    }
    run_command(["check", "--format", "sarif"])
    (result,) = json.loads(capsys.readouterr().out)["runs"][0]["results"]
    (change,) = result["fixes"][0]["artifactChanges"]
    assert change["artifactLocation"]["uri"] == "inputs/movies.yaml"
    assert change["replacements"] == [
        {
            "deletedRegion": {"startLine": 4, "startColumn": 9, "endLine": 4, "endColumn": 15},
            "insertedContent": {"text": "detail"},
        }
    ]


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("titel", "title status", "title"),
        ("relase_date", "release_date wrap_date", "release_date"),
        ("STATUS", "status state", "status"),
        ("sotr", "sort set", "sort"),
        ("date", "rate", None),
        ("movie_1", "movie_2", None),
        ("end_date", "start_date", None),
        ("vendor_x", "vendor_a vendor_b", None),
        ("id", "ids", None),
    ],
)
def test_a_misspelling_is_one_of_one_name(name: str, known: str, meant: str | None) -> None:
    """A slip of the finger, and no other name as near."""
    assert misspelt(name, known.split()) == meant


# --- whatever the slip ----------------------------------------------------------------------------

RICH = """\
input: movies
title: "Movies: all of them"   # the lot
source: movie
parameters:
  region: {type: string, default: EMEA, values: [EMEA, APAC]}
fields:
  - title
  - {field: studio.name, label: '製作 studio'}
  - {field: "upper(title) || ' by ' || studio.name", name: line}
  - field: >-
      coalesce(title,
        'title')
    name: again
  - {field: release_date, format: us_date}
filters:
  - "release_date > date '2026-01-01' and title <> :region"
  - |
    studio_id is not null
sort: [release_date desc, line]
limit: 50
"""
# But those that declare a name: they are taken at their word, and their users follow.
WORDS = [match.span() for match in re.finditer(r"(?<!name: )\b[a-z_]{3,}\b(?!: \{)", RICH)]


def slipped(text: str, span: tuple[int, int], at: int, kind: int) -> str:
    """The text with one letter of a word swapped, lost or doubled."""
    start, end = span
    here = start + at % (end - start - 1)
    first, second = text[here], text[here + 1]
    return text[:here] + (second + first, second, first + first + second)[kind] + text[here + 2 :]


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(WORDS), st.integers(0, 20), st.integers(0, 2))
def test_a_slip_is_mended_or_left(span: tuple[int, int], at: int, kind: int) -> None:
    """The text is as it was before the slip, or as it is after: never a third one."""
    text = slipped(RICH, span, at, kind)
    mended = mend_text(text)
    assert mended.texts.get("movies.yaml", text) in (text, RICH)
    assert mended.texts or not mended.fixed


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.sampled_from(WORDS), st.integers(0, 20)), max_size=4), st.data())
def test_any_text_is_mended_or_left(
    slips: list[tuple[tuple[int, int], int]], data: st.DataObject
) -> None:
    """Nothing that stands in a file stops it, and a second time it finds nothing to mend."""
    text = RICH
    for span, at in slips:
        text = slipped(text, span, at, 0)
    for _ in range(data.draw(st.integers(0, 3))):
        here = data.draw(st.integers(0, len(text)))
        text = (
            text[:here]
            + data.draw(st.sampled_from(["\t", ": ", "'", '"', "\n", "[", "é", "- "]))
            + text[here:]
        )
    mended = mend_text(text)
    again = mend_text(mended.texts.get("movies.yaml", text))
    assert again.fixed == ()
    assert again.remaining == mended.remaining


@functools.cache
def folder() -> Path:
    """A project of one healthy definition and a file to be mended."""
    place = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, place)
    (place / "definitions.yaml").write_text(MOVIE)
    (place / "movies.yaml").write_text(RICH, encoding="utf-8")
    return place


def mend_text(text: str) -> Mended:
    """What becomes of a file's text."""

    def check(texts: Texts) -> Problems:
        problems = Problems()
        files = [folder() / "definitions.yaml", folder() / "movies.yaml"]
        project = load_files(folder(), files, problems, texts={"movies.yaml": text, **texts})
        check_project(project, problems)
        return problems

    return mend(check, lambda _: text, lambda file: file == "movies.yaml")
