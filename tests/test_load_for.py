"""Loading what some reports need, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.compile.compiler import compile_input
from genesis.errors import Problems
from genesis.load import load_files, load_for, load_project

STUDIO = Path(__file__).parents[1]
WHOLE = load_project(STUDIO, Problems())
MOVIE = """
data_source: movie
table: movie
primary_key: movie_id
fields: {movie_id: integer}
"""


def write(root: Path, **texts: str) -> Path:
    (root / "inputs").mkdir(exist_ok=True)
    (root / "genesis.yaml").touch()
    for name, text in texts.items():
        (root / "inputs" / f"{name}.yaml").write_text(text)
    return root


def report(name: str) -> str:
    return f"input: {name}\nsource: movie\nfields: [movie_id]\n"


@pytest.mark.parametrize("name", WHOLE.inputs)
def test_a_report_is_the_same_as_from_the_whole_project(name: str) -> None:
    enough = load_for(STUDIO, [name])
    assert enough is not None
    assert list(enough.inputs) == [name]
    # A file that defines more than workflows is read: reports may need the rest.
    assert {workflow.file for workflow in enough.workflows.values()} <= {"workflows/upkeep.yaml"}
    if not WHOLE.inputs[name].parameters:
        assert compile_input(enough, name, "trino") == compile_input(WHOLE, name, "trino")


def test_several_reports_are_loaded_together() -> None:
    enough = load_for(STUDIO, ["open_tasks", "location_use"])
    assert enough is not None
    assert sorted(enough.inputs) == ["location_use", "open_tasks"]


def test_what_is_wrong_with_another_input_stops_nothing(tmp_path: Path) -> None:
    write(tmp_path, movie=MOVIE, films=report("films"), other="# ours\ninput: other\nfields: [")
    assert load_for(tmp_path, ["films"]) is not None


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("unknown", {"films": report("films")}),
        ("inputs/films.yaml", {"films": report("films")}),
        ("films", {"films": report("films"), "more": report("other") + "---\n" + report("films")}),
        ("films", {"films": report("films"), "broken": "data_source: person\nfields: ["}),
        ("films", {"films": report("films"), "odd": "input: other\r---\rinput: films"}),
    ],
    ids=["a name of none", "a file", "defined twice", "a broken data source", "odd line ends"],
)
def test_else_the_whole_project_has_to_be_loaded(
    tmp_path: Path, name: str, texts: dict[str, str]
) -> None:
    assert load_for(write(tmp_path, movie=MOVIE, **texts), [name]) is None


def test_tests_stay_unread(tmp_path: Path) -> None:
    """Of the report's own file, too; what stands behind them is read, and found at its lines."""
    tests = "---\n\ntests: # of films\n  films_are_shown: {expect: {\n"
    write(tmp_path, movie=MOVIE, films=report("films") + tests, more=tests.removeprefix("---\n"))
    found = load_for(tmp_path, ["films"])
    assert found is not None
    assert not found.tests

    write(tmp_path, films=report("films") + tests + "---\n" + report("other"))
    whole = load_files(tmp_path, [tmp_path / "inputs" / "films.yaml"], Problems(), tests=False)
    assert whole.inputs["other"].locate_name().line == 9


REST = "source: movie\nfields: [movie_id]"
DOCUMENTS = st.sampled_from(
    [f"input: films\n{REST}", f"input: other\n{REST}", f'"input": films\n{REST}', f"input: &a films\n{REST}",
     f"? input\n: films\n{REST}", "workflow: films\njobs: []", "formatters:\n  a: {sql: value}", "# nothing",
     "tests:\n  a: {input: films, expect: [{movie_id: 1}]}\n", "# of films\ntests: # all\n  a: {expect: []}"]
)  # fmt: skip
BETWEEN = st.sampled_from(
    ["\n---\n", "\n...\n", "\n--- # x\n", "\n", "\r---\r", "\r\n---\r\n", "\x85---\x85"]
)
BEFORE = st.sampled_from(["", "# input: other\n", "---\n", "\ufeff", " \n\n", "%YAML 1.2\n---\n"])
TEXTS = st.tuples(BEFORE, DOCUMENTS, BETWEEN, DOCUMENTS, BETWEEN).map("".join)


@given(TEXTS)
def test_a_file_that_stays_unread_defines_nothing_that_is_wanted(text: str) -> None:
    file = STUDIO / "inputs" / "open_tasks.yaml"
    texts = {"inputs/open_tasks.yaml": text}
    whole = load_files(STUDIO, [file], Problems(), texts=texts)
    enough = load_files(STUDIO, [file], Problems(), texts=texts, only={"films"})
    assert enough.formatters == whole.formatters
    assert enough.inputs.get("films") == whole.inputs.get("films")
