"""`genesis impact`: held against what moves when data change, and what changes when definitions do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from genesis.cli import run_command
from genesis.compile.compiler import compile_input
from genesis.compile.run import Run
from genesis.errors import DefinitionError
from genesis.review.impact import ReachedInput, Subject, impact, subject_of
from genesis.review.lineage import ReportLineage, report_lineage
from genesis.spec.data_source import DataSource
from genesis.spec.project import Project
from tests.oracle.running import create_tables
from tests.review.moves import Rows, changed, keys_of
from tests.review.reports import CASES, STUDIO, Report, of_case, studio
from tests.review.test_random_reports import worlds
from tests.tables import connect, load_tables, rows_of
from tests.tpch import questions

Out = pytest.CaptureFixture[str]


# --- data: what moves is told -------------------------------------------------------------------------


@dataclass
class Tally:
    """How much was told to move, and how much of that did."""

    told: int = 0
    moved: int = 0


def test_what_moves_in_random_reports_is_told() -> None:
    """Values by record, which records there are, their order."""
    tally = Tally()
    for seed in (3, 7):
        for world, report in worlds(seed):
            with connect() as duck:
                duck.execute("CREATE SCHEMA data; SET TimeZone = 'UTC'")
                create_tables(duck, world.schema)
                assert_moves_are_told(duck, report, tally)
    assert tally.moved


@pytest.mark.parametrize("folder", CASES[::5], ids=lambda folder: folder.name)
def test_what_moves_in_a_case_is_told(folder: Path) -> None:
    """Some of them, with tables by hand."""
    with connect() as duck:
        load_tables(duck, folder / "tables")
        assert_moves_are_told(duck, of_case(folder), Tally())


def assert_moves_are_told(duck: Any, report: Report, tally: Tally) -> None:
    statement = compile_input(report.project, report.name, "duckdb", report.run)
    keys = [number for number, column in enumerate(statement.columns) if column.key]
    is_detail = report.project.inputs[report.name].shape == "detail"
    lineage = report_lineage(report.project, report.name, report.run)
    before = rows_of(duck, statement.sql)
    moves: dict[tuple[str, ...], set[str]] = {}
    for place, after in changed(duck, statement.sql, list(keys_of(report.project))):
        moves.setdefault(place, set()).update(_moved(before, after, keys))
    for place, moved in moves.items():
        told = _told(report.project, lineage, place)
        # Of a group, or under another key, all values are others where the records are.
        is_whole = "key" in told or (not is_detail and "records" in told)
        assert is_whole or moved <= told, (place, moved - told)
        tally.told += len(told)
        tally.moved += len(moved & told)


def _moved(before: Rows, after: Rows, keys: list[int]) -> set[str]:
    """Which columns have other values in the same records, whether there are other records, in another order."""
    names, old = before
    found = set()
    rows = [{tuple(row[n] for n in keys): row for row in some} for some in (old, after[1])]
    if sorted(map(str, rows[0])) != sorted(map(str, rows[1])) or len(old) != len(after[1]):
        found.add("records")
    elif list(rows[0]) != list(rows[1]):
        found.add("order")
    for key in rows[0].keys() & rows[1].keys():
        pairs = zip(names, rows[0][key], rows[1][key], strict=True)
        found |= {name for name, one, other in pairs if one != other}
    return found


def _told(project: Project, lineage: ReportLineage, place: tuple[str, ...]) -> set[str]:
    name = ".".join('"' + part.replace('"', '""') + '"' for part in place)
    told = impact(project, Subject("table column", name), [lineage])
    return {one for reached in told.inputs for one in _parts(reached)}


def _parts(reached: ReachedInput) -> Iterator[str]:
    yield from (one.column for one in reached.columns)
    if reached.records:
        yield "records"
    if any(one.kind == "key" for one in reached.records):
        yield "key"
    if reached.order or reached.records:
        yield "order"


# --- definitions: what changes is told, and nothing else ---------------------------------------------


@pytest.mark.parametrize("project", [studio(), questions.project()], ids=["studio", "tpch"])
def test_it_reaches_just_what_needs_a_definition(project: Project) -> None:
    """A report is another, or none, without a field, measure or join: then, and only then, is it told.

    Without a field that a join goes by, reports fail that do not use that join: more than are told.
    """
    reports = [report_lineage(project, name, Run(None)) for name in project.inputs]
    before = _texts(project)
    for source, key, name in list(_members(project))[::5]:
        rest = {one: spec for one, spec in getattr(source, key).items() if one != name}
        sources = {**project.data_sources, source.name: source.model_copy(update={key: rest})}
        after = _texts(replace(project, data_sources=sources))
        differs = {one for one in before if after[one] != before[one]}
        found = impact(project, subject_of(project, f"{source.name}.{name}"), reports)
        told = {one.input for one in found.inputs}
        assert told <= differs, f"{source.name}.{name}"
        assert told == differs or name in _joined_by(project), f"{source.name}.{name}"


def _members(project: Project) -> Iterator[tuple[DataSource, str, str]]:
    """All of them but keys, without which a data source is none."""
    for source in project.data_sources.values():
        keys = {*source.primary_key, *(name for key in source.unique_keys for name in key)}
        for key in ("fields", "measures", "joins"):
            yield from ((source, key, name) for name in getattr(source, key) if name not in keys)


def _joined_by(project: Project) -> set[str]:
    joins = (join for source in project.data_sources.values() for join in source.joins.values())
    return {name for join in joins for pair in join.by or () for name in pair}


def _texts(project: Project) -> dict[str, str]:
    found = {}
    for name in project.inputs:
        try:
            found[name] = compile_input(project, name, "duckdb", Run(None)).sql
        except DefinitionError:
            found[name] = "none"
    return found


# --- the command ------------------------------------------------------------------------------------


def told_of(*arguments: str) -> int:
    return run_command(["-C", str(STUDIO), "impact", *arguments])


def test_a_field_in_words(capsys: Out) -> None:
    """How much is reached, whom to ask, and of each input by what: a value, a choice of rows."""
    assert told_of("production.is_late") == 0
    said = capsys.readouterr().out
    for line in (
        "field production.is_late (definitions/production.yaml:40)",
        "  reaches 3 of 12 inputs, 3 trackers; ask production@studio.example.com, rights@",
        "  value of any_late, through formatter yes_no, aggregate productions (inputs/release_ca",
        "  rows of late, by where of column late (inputs/spend_by_status.yaml:25)",
        "Not reached\n  crew_load, film_library, location_use, open_tasks, ",
    ):
        assert line in said


def test_a_table_column_as_data(capsys: Out) -> None:
    """Records and order too, each with its reason; trackers with sink, workflow and owner."""
    assert told_of("STUDIO.production_events.Status_Code", "--format", "json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "genesis/impact@1"
    assert told["subject"]["name"] == "studio.production_events.status_code"
    found = {one["input"]: one for one in told["inputs"]}
    tracker = found["production_tracker"]
    assert [(one["column"], one["by"], one["through"]) for one in tracker["columns"]] == [
        ("status", "value", ["formatter labels", "set production.at_a_glance"])
    ]
    assert [one["sql"] for one in tracker["records"]] == ["status in ('PREP', 'SHOOT')"]
    (place,) = tracker["trackers"]
    assert (place["sink"], place["workflow"]) == ("xlsx", "production_tracker")
    assert place["owner"] in told["owners"]
    assert [one["kind"] for one in found["spend_by_status"]["records"]] == ["group", "key"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("production.is_lat", "did you mean `is_late`?"),
        ("movi", "did you mean `movie`?"),
        ("studio.movie_evnts", "did you mean `studio.movie_events`?"),
        ("studio.movie_events.titel", "did you mean `title`?"),
        ("nothing.of.the.kind", "name a DATA_SOURCE"),
        ("", "name a DATA_SOURCE"),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest(name: str, hint: str, capsys: Out) -> None:
    """Nothing is said to reach nothing by a slip."""
    assert told_of(name) == 64
    out, err = capsys.readouterr()
    assert (out, hint in err) == ("", True)


def test_what_is_inherited_is_reached_through_heirs(tmp_path: Path, capsys: Out) -> None:
    """A join and a field of the base, where only an heir is used; not what the heir says itself."""
    (tmp_path / "genesis.yaml").write_text("")
    (tmp_path / "definitions").mkdir()
    (tmp_path / "definitions/all.yaml").write_text(
        "data_source: movie\ntable: movies\nprimary_key: id\n"
        "fields: {id: integer, title: string, year: integer, parent_id: integer}\n"
        "joins: {parent: {data_source: movie, by: {parent_id: id}}}\n---\n"
        "data_source: film\nextends: movie\nfields: {year: {type: integer, sql: year + 1}}\n---\n"
        "input: films\nsource: film\nfields: [title, year, parent.title]\n"
    )

    def columns(name: str) -> list[str]:
        assert run_command(["-C", str(tmp_path), "impact", name, "--format", "json"]) == 0
        inputs = json.loads(capsys.readouterr().out)["inputs"]
        return [column["column"] for one in inputs for column in one["columns"]]

    assert columns("movie.title") == ["title", "parent_title"]
    assert columns("movie.parent") == ["parent_title"]
    assert columns("movie.year") == []
    assert columns("film.year") == ["year"]
    assert columns("movies.year") == ["year"]


def test_a_query_of_a_definition_is_reached_through_its_tables() -> None:
    """By the table it reads, and by a field it gives."""
    project = questions.project()
    reports = [report_lineage(project, name, Run(None)) for name in project.inputs]
    for name, reached in (("average_balance.balance", "q22"), ("supplier.s_acctbal", "q02")):
        told = impact(project, subject_of(project, name), reports)
        assert reached in [one.input for one in told.inputs]
