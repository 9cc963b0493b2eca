"""`genesis test`: rows that are given go in where tables are read, and reports are held against what is expected."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.cli import run_command
from genesis.compile.check import check_project
from genesis.errors import Problems
from genesis.load import load_project
from genesis.review.rows import compare_rows
from tests.tables import rows_of_file
from tests.test_cases import FOLDERS, _compiled
from tests.test_language_reference import blocks

ROOT = Path(__file__).parents[1]

MOVIE = """
data_source: movie
table: studio.movies
primary_key: movie_id
fields:
  movie_id: integer
  title: {type: string, column: name, labels: {HEAT: Heat}}
  shouted: {type: string, sql: "upper(title)"}
  score: float
  price: decimal(10,2)
  seen_at: timestamptz
  opens: time
  tags: array(string)
  facts: json
where: "movie_id > 0"
"""
REPORT = "input: movies\nsource: movie\nfields: [title]\n"

Tell = Callable[..., list[str]]


@pytest.fixture
def tell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Tell:
    """What differs in each test of a project, a line each: `name: kind expected -> found`; or what is wrong."""

    def tell(*documents: str) -> list[str]:
        (tmp_path / "genesis.yaml").touch()
        (tmp_path / "inputs").mkdir(exist_ok=True)
        (tmp_path / "inputs" / "all.yaml").write_text("---\n".join(documents), encoding="utf-8")
        exit_code = run_command(["-C", str(tmp_path), "test", "--format", "json"])
        out, err = capsys.readouterr()
        if exit_code == 2:
            return [line for line in err.splitlines() if line.startswith("error")]
        told = json.loads(out)
        assert told["schema"] == "genesis/test@1"
        assert exit_code == (5 if any(t["outcome"] == "failed" for t in told["tests"]) else 0)
        lines = [
            f"{test['name']}: {each['kind']} {_cells(each['expected'])} -> {_cells(each['found'])}"
            for test in told["tests"]
            for each in test["differences"]
        ]
        return lines + [test["refusal"] for test in told["tests"] if test["refusal"]]

    return tell


def _cells(row: dict[str, Any] | None) -> str:
    return "nothing" if row is None else " ".join(map(str, row.values()))


def a_test(**keys: Any) -> str:
    return yaml.safe_dump({"tests": {"a": keys}}, sort_keys=False)


# --- the repository's own ---------------------------------------------------------------------------


def test_the_tests_of_the_studio_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["-C", str(ROOT), "test"]) == 0
    out, err = capsys.readouterr()
    assert "passed  spend_counts_no_production_twice (inputs/spend_by_status.yaml:" in out
    assert "3 tests: 3 passed, 0 failed" in err


def test_a_file_that_is_named_and_broken_does_not_pass(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A test that cannot be read is no test that passed."""
    (tmp_path / "genesis.yaml").touch()
    (tmp_path / "inputs").mkdir()
    (tmp_path / "inputs" / "a.yaml").write_text(f"{REPORT}tests: {{b: {{expect: []}}}}\n")
    (tmp_path / "inputs" / "b.yaml").write_text("tests: {c: {input: nobody, expect: []}}\n")
    for name, told in (("a", "0 tests: 0 passed, 0 failed"), ("b", "0 failed, 1 cannot run")):
        assert (
            run_command(["-C", str(tmp_path), "test", str(tmp_path / f"inputs/{name}.yaml")]) == 2
        )
        err = capsys.readouterr().err
        assert f"--> inputs/{name}.yaml:" in err
        assert told in err


def test_the_test_of_the_language_reference_passes(tell: Tell) -> None:
    page = [block for block in blocks() if not block.startswith(("project:", "workflow:"))]
    assert tell(*page) == []


@pytest.mark.parametrize("folder", FOLDERS[::15], ids=lambda folder: folder.name)
def test_a_case_is_a_test_too(folder: Path, tmp_path: Path) -> None:
    """Its tables given, its rows expected: they pass, and without one of the rows they do not."""
    run = folder / "run.yaml"
    said = yaml.safe_load(run.read_text("utf-8")) if run.exists() else {}
    if "as_of" in said or said.get("render") == "text":
        pytest.skip("a test is not read as of a moment, or as text")
    text = _as_test(folder, said)
    for name in ("definitions", "genesis.yaml"):
        if (folder / name).exists():
            (tmp_path / name).symlink_to(folder / name)
    (tmp_path / "genesis.yaml").touch()
    (tmp_path / "inputs").mkdir()
    file = tmp_path / "inputs" / "input.yaml"
    for lines, exit_code in ((text, 0), ({**text, "expect": [*text["expect"], {}]}, 5)):
        document = f"\n---\ntests:\n  a: {json.dumps(lines, ensure_ascii=False)}\n"
        file.write_text((folder / "input.yaml").read_text("utf-8") + document, encoding="utf-8")
        assert run_command(["-C", str(tmp_path), "test"]) == exit_code


def _as_test(folder: Path, said: dict[str, Any]) -> dict[str, Any]:
    columns = _compiled(folder, "duckdb").columns
    names, *rows = rows_of_file(folder / "rows.csv")
    types = {column.name: column.type.name for column in columns}
    problems = Problems()
    tables = {}
    for source in load_project(folder, problems).data_sources.values():
        file = folder / "tables" / f"{source.table}.csv"
        if source.table in (*tables, None) or not file.exists():
            continue
        header, *cells = rows_of_file(file)
        tables[source.table] = [
            {
                (cell or "").rpartition(":")[0]: _yaml_value(value, (cell or "").rpartition(":")[2])
                for cell, value in zip(header, row, strict=True)
            }
            for row in cells
        ]
    first: dict[str, Any] = {}
    for source in load_project(folder, problems).data_sources.values():
        if source.table in tables:
            first[source.name] = tables.pop(source.table)
    return {
        "given": first,
        "parameters": said.get("parameters", {}),
        "now": str(said.get("moment", "2026-01-01")),
        "expect": [
            {n: _yaml_value(v, types[n or ""]) for n, v in zip(names, row, strict=True)}
            for row in rows
        ],
    }


def _yaml_value(text: str | None, type_: str) -> Any:
    if text is None:
        return None
    return json.loads(text) if type_ in ("integer", "float", "boolean", "bigint") else text


# --- what is given ----------------------------------------------------------------------------------


def test_rows_are_given_by_field_or_column_and_are_those_of_the_table(tell: Tell) -> None:
    """`where` holds, derived fields are computed, labels are shown, what is left out is NULL."""
    test = a_test(
        given={"movie": [{"movie_id": 1, "title": "HEAT"}, {"movie_id": 2, "name": "Ran"}, {}]},
        expect=[{"title": "Heat", "shouted": "HEAT"}, {"title": "Ran", "shouted": "RAN"}],
    )
    assert tell(MOVIE, REPORT.replace("[title]", "[title, shouted]"), test) == []


def test_values_of_every_type_come_out_as_they_went_in(tell: Tell) -> None:
    row = {
        "movie_id": 1, "score": 0.1, "price": "12345678.90", "seen_at": "2026-03-08T10:00-08:00",
        "opens": "09:30", "tags": ["a", None, "b'"], "facts": '{"b": [1], "a": null}',
    }  # fmt: skip
    report = f"input: movies\nsource: movie\nfields: [{', '.join(row)}]\n"
    assert tell(MOVIE, report, a_test(given={"movie": [row]}, expect=[row])) == []
    other = {
        **row,
        "seen_at": "2026-03-08 18:00",
        "facts": '{"a":null,"b":[1]}',
        "price": 12345678.9,
    }
    assert tell(MOVIE, report, a_test(given={"movie": [row]}, expect=[other])) == []


LOG = MOVIE.replace("studio.movies", "movies\nlatest: true")


def test_rows_of_a_log_are_events_in_order(tell: Tell) -> None:
    """The later of a key is the newer, unless they say when they were."""
    events = [
        {"movie_id": 1, "title": "old"}, {"movie_id": 1, "title": "new"},
        {"movie_id": 2, "title": "gone"}, {"movie_id": 2, "_op": "d"},
        {"movie_id": 3, "title": "late", "_ts": "2026-01-02"}, {"movie_id": 3, "title": "early", "_ts": "2026-01-01"},
    ]  # fmt: skip
    test = a_test(given={"movie": events}, expect=[{"title": "new"}, {"title": "late"}])
    assert tell(LOG, REPORT, test) == []


def test_a_log_of_another_make_takes_its_own_columns(tell: Tell) -> None:
    """Those that no field reads, too; their type is that of what is given, and none where nothing is."""
    log = MOVIE.replace(
        "studio.movies", 'x."Y z".movies\nlatest: {order_by: [version], deleted: is_gone}'
    )
    events = [
        {"movie_id": 1, "title": "a", "version": 9},
        {"movie_id": 1, "title": "b", "version": 10},
    ]
    assert tell(log, REPORT, a_test(given={"movie": events}, expect=[{"title": "b"}])) == []
    gone = [*events, {"movie_id": 1, "version": 11, "is_gone": True}]
    assert tell(log, REPORT, a_test(given={"movie": gone}, expect=[])) == []


def test_of_a_query_its_answer_is_given(tell: Tell) -> None:
    query = MOVIE.replace("table: studio.movies", 'sql: "select * from nowhere"')
    row = {"movie_id": 1, "title": "Ran"}
    assert tell(query, REPORT, a_test(given={"movie": [row]}, expect=[{"title": "Ran"}])) == []


def test_data_sources_of_one_table_share_what_is_given(tell: Tell) -> None:
    other = MOVIE.replace("data_source: movie", "data_source: film").replace("title", "name")
    other = other.replace("studio.movies", "Studio.MOVIES").replace("column: name", "column: Name")
    given_rows = {"film": [{"movie_id": 1, "name": "Ran"}], "movie": [{"movie_id": 2, "score": 1}]}
    test = a_test(given=given_rows, expect=[{"title": "Ran"}, {}])
    assert tell(MOVIE, other, REPORT, test) == []


# --- what is expected -------------------------------------------------------------------------------

TWO = {"movie": [{"movie_id": 1, "title": "a"}, {"movie_id": 2, "title": "b"}]}


def test_order_counts_where_the_report_sorts(tell: Tell) -> None:
    test = a_test(given=TWO, expect=[{"title": "b"}, {"title": "a"}])
    assert tell(MOVIE, REPORT, test) == []
    assert tell(MOVIE, REPORT + "sort: title\n", test) == ["a: moved b -> b"]


def test_rows_are_paired_by_the_key_where_it_is_compared(tell: Tell) -> None:
    report = REPORT.replace("[title]", "[movie_id, title]")
    test = a_test(given=TWO, expect=[{"movie_id": 2, "title": "x"}, {"movie_id": 3, "title": "a"}])
    assert tell(MOVIE, report, test) == [
        "a: changed 2 x -> 2 b",
        "a: missing 3 a -> nothing",
        "a: unexpected nothing -> 1 a",
    ]


def test_a_report_that_should_be_empty_shows_what_it_says(tell: Tell) -> None:
    assert tell(MOVIE, REPORT, a_test(given=TWO, expect=[])) == [
        "a: unexpected nothing -> a 1",
        "a: unexpected nothing -> b 2",
    ]


def test_what_the_engine_refuses_fails_the_test(tell: Tell) -> None:
    report = REPORT.replace("[title]", "[{field: cast(title as integer), name: n}]")
    [told] = tell(MOVIE, report, a_test(given=TWO, expect=[{"n": 1}]))
    assert told.startswith("Conversion Error")


DATES = (
    MOVIE
    + "---\ninput: movies\nsource: movie\ntimezone: Asia/Tokyo\nfields: [{field: today(), name: day}]\n"
)


def test_now_is_in_the_zone_of_the_report(tell: Tell) -> None:
    """A day is that day wherever the report is read; a moment with a zone is that moment."""
    rows = {"movie": [{"movie_id": 1}]}
    for now, day in (("2026-11-23", "2026-11-23"), ("2026-11-23T18:00Z", "2026-11-24")):
        assert tell(DATES, a_test(now=now, given=rows, expect=[{"day": day}])) == []


def test_a_report_that_asks_for_the_time_needs_to_know_it(tell: Tell) -> None:
    test = a_test(given={"movie": [{"movie_id": 1}]}, expect=[{"day": "2026-11-23"}])
    [told] = tell(DATES, test)
    assert told == "error[missing-key]: test `a` lacks `now`, and its report asks for the time"


# --- what is wrong ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("test", "told"),
    [
        (a_test(given={"films": []}, expect=[]), "unknown data source `films`"),
        (a_test(given={"movie": [{"titel": "x"}]}, expect=[]), "unknown field `titel` in data source `movie`"),
        (a_test(given={"movie": [{"title": "x", "name": "y"}]}, expect=[]), "`title` and `name` are one column"),
        (a_test(given={"movie": [{"title": 1}]}, expect=[]), "`1` is no string"),
        (a_test(given={"movie": [{"movie_id": "1"}]}, expect=[]), "`1` is no integer"),
        (a_test(given={"movie": [{"movie_id": True}]}, expect=[]), "`true` is no integer"),
        (a_test(given={"movie": [{"price": 1.005}]}, expect=[]), "`1.005` is no decimal(10,2)"),
        (a_test(given={"movie": [{"seen_at": "soon"}]}, expect=[]), "`soon` is no timestamptz"),
        (a_test(given={"movie": [{"tags": "a"}]}, expect=[]), "`a` is no array(string)"),
        (a_test(given={"movie": [{"facts": "{"}]}, expect=[]), "`{` is no json"),
        (a_test(expect=[{"titles": "x"}]), "input `movies` has no column `titles`"),
        (a_test(expect=[{"title": False}]), "`false` is no string"),
        (a_test(input="films", expect=[]), "unknown input `films`"),
        (a_test(parameters={"a": 1}, expect=[]), "input `movies` has no parameter `a`"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_by_check_and_test(
    tell: Tell, tmp_path: Path, test: str, told: str
) -> None:
    """Once, with its place."""
    [said] = tell(MOVIE, REPORT, test)
    assert said.endswith(f": {told}")
    problems = Problems()
    check_project(load_project(tmp_path, problems), problems)
    assert [problem.message for problem in problems.errors] == [told]
    assert all(problem.at for problem in problems)


def test_names_choose_tests(capsys: pytest.CaptureFixture[str]) -> None:
    """A test's, an input's, a file's; of one that is none, the nearest is told."""
    for name, number in (
        ("open_tasks_of_high_priority", 1),
        ("open_tasks", 2),
        (str(ROOT / "inputs"), 3),
    ):
        assert run_command(["-C", str(ROOT), "test", name]) == 0
        assert len(capsys.readouterr().out.splitlines()) == number
    assert run_command(["-C", str(ROOT), "test", "open_taks"]) == 64
    assert "did you mean `open_tasks`?" in capsys.readouterr().err


# --- the difference ---------------------------------------------------------------------------------

ROWS = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["a", None])), max_size=6)


@settings(deadline=None)
@given(ROWS, ROWS)
def test_a_difference_makes_one_of_the_other(expected: Any, found: Any) -> None:
    """With what is missing put in, what is unexpected taken out and what changed changed, they are equal."""
    made = list(expected)
    for each in compare_rows(expected, found):
        if each.expected is not None:
            made.remove(each.expected)
        if each.found is not None:
            made.append(each.found)
    assert sorted(made, key=repr) == sorted(found, key=repr)


@settings(deadline=None)
@given(st.lists(st.integers(0, 4), max_size=6), st.randoms())
def test_without_a_difference_rows_are_equal(numbers: list[int], choose: Any) -> None:
    rows = [(number,) for number in numbers]
    others = choose.sample(rows, len(rows))
    assert compare_rows(rows, others) == ()
    assert (compare_rows(rows, others, ordered=True) == ()) == (rows == others)
