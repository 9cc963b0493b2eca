"""`genesis test`: reports of rows that are given, held against what they should say.

They run in a DuckDB in memory: no lake, no catalog and no tracker is touched.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from genesis.cli.session import Session, definitions_option, inputs_option
from genesis.console import cell_text, shorten, show_problems, table_text
from genesis.errors import DefinitionError, EngineError, Location, Problem, Problems, UsageError
from genesis.errors import suggest as suggested
from genesis.folders import file_name

if TYPE_CHECKING:
    from genesis.compile.given import Parts, Trial
    from genesis.compile.statement import Scan, Statement
    from genesis.engines.duckdb import GivenTables
    from genesis.review.rows import RowDifference
    from genesis.spec.project import Project
    from genesis.spec.types import Type

WRONG, FAILED = 2, 5
MOST = 20  # rows that differ, of a test, in a table


@dataclass(frozen=True)
class Result:
    """How a test ended: what differs, or why its report could not be read."""

    name: str
    input: str
    at: Location
    columns: tuple[str, ...] = ()
    differences: tuple[RowDifference, ...] = ()
    refusal: str | None = None
    seconds: float = 0.0

    @property
    def has_passed(self) -> bool:
        return not self.differences and self.refusal is None


@click.command("test")
@click.argument("names", nargs=-1, metavar="[NAME|INPUT|PATH]...")
@click.option(
    "--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@definitions_option
@inputs_option
@click.pass_obj
def command(
    session: Session,
    names: tuple[str, ...],
    format_: str,
    definitions: tuple[Path, ...],
    inputs: tuple[Path, ...],
) -> int:
    """Run the `tests:` of reports, on DuckDB in memory; NAME is a test's, an input's, a file's or a folder's.

    \b
    genesis test
    genesis test open_tasks inputs/regional_productions.yaml --format json
    """
    problems = Problems()
    project = session.load(problems, definitions, inputs, tests=True)
    root = session.shown_root.resolve()
    wanted = _wanted(project, names, root)
    files = {project.tests[name].file for name in wanted}
    found = Problems(
        problem
        for problem in problems.errors
        if not names
        or (problem.at and (problem.at.file in files or _is_in(problem.at.file, names, root)))
    )
    results = list(_run(project, wanted, found))
    show_problems(found.errors, root=session.shown_root)
    if format_ == "json":
        click.echo(json.dumps(_as_json(results), indent=2, ensure_ascii=False))
    else:
        _show(results)
    failed = sum(not result.has_passed for result in results)
    broken = len(wanted) - len(results)
    said = f"{len(wanted)} test{'' if len(wanted) == 1 else 's'}: {len(results) - failed} passed, {failed} failed"
    click.echo(f"{said}, {broken} cannot run" if broken else said, err=True)
    return WRONG if found.errors else FAILED if failed else 0


def _wanted(project: Project, names: Sequence[str], root: Path) -> list[str]:
    """The tests that names, names of inputs, or paths mean; all of them where nothing is named."""
    if not names:
        return list(project.tests)
    found: dict[str, None] = {}
    for asked in names:
        inside = [
            name
            for name, test in project.tests.items()
            if asked in (name, test.input)
            or (test.input is None and asked in _beside(project, name))
            or _is_in(test.file, (asked,), root)
        ]
        if not inside and asked not in project.inputs and not Path(asked).exists():
            hint = suggested(asked, [*project.tests, *project.inputs])
            message = f"`{asked}` is no test, and no input or file that has one"
            raise UsageError(Problem("wrong-usage", message, hint=hint))
        found |= dict.fromkeys(inside)
    return list(found)


def _is_in(file: str, asked: Iterable[str], root: Path) -> bool:
    """Whether a file is one that is asked for, or lies in such a folder."""
    places = [file_name(Path(each), root) for each in asked]
    return any(place in (".", file) or file.startswith(f"{place}/") for place in places)


def _beside(project: Project, name: str) -> list[str]:
    file = project.tests[name].file
    return [each.name for each in project.inputs.values() if each.file == file]


def _run(project: Project, wanted: Sequence[str], found: Problems) -> Iterator[Result]:
    """The results of tests; what is wrong in them, or in their inputs, is told instead."""
    from genesis.compile.given import read_test, tables, without_queries
    from genesis.compile.sound import Sound
    from genesis.engines.duckdb import GivenTables

    project = without_queries(project)
    known, sound = tables(project), Sound(project)
    named = {project.tests[name].input for name in wanted}
    named |= {other for name in wanted for other in _beside(project, name)}
    headings = {
        name: sound.check(definition, found)
        for name, definition in project.inputs.items()
        if name in named
    }
    with closing(GivenTables()) as duck:
        for name in wanted:
            began = time.perf_counter()
            trial = read_test(project, name, headings, found)
            statement = _compile(project, trial, found) if trial is not None else None
            if trial is not None and statement is not None:
                result = _result(trial, statement, known, project, duck)
                yield replace(result, seconds=time.perf_counter() - began)


def _compile(project: Project, trial: Trial, found: Problems) -> Statement | None:
    """The statement of a test's report; one that asks for the time is told what time it is."""
    from genesis.compile.compiler import compile_input

    test = project.tests[trial.name]
    try:
        statement = compile_input(project, trial.input, "duckdb", trial.run)
        fixed = replace(trial.run, moment=datetime(2000, 1, 1, tzinfo=UTC))
        if test.now is None and compile_input(project, trial.input, "duckdb", fixed) != statement:
            message = f"test `{trial.name}` lacks `now`, and its report asks for the time"
            hint = "`now: 2026-11-23T09:30` says when it is"
            found.add("missing-key", message, test.locate_key(), hint=hint)
            return None
    except DefinitionError as error:
        found.extend(error.problems)
        return None
    return statement


def _result(
    trial: Trial,
    statement: Statement,
    known: Mapping[Parts, Mapping[str, Type | None]],
    project: Project,
    duck: GivenTables,
) -> Result:
    from genesis.compile.given import comparable_value, relation
    from genesis.compile.identifiers import table_parts
    from genesis.review.rows import compare_rows

    scans: dict[Parts, list[Scan]] = defaultdict(list)
    for scan in statement.scans:
        scans[tuple(part.lower() for part in table_parts(scan.table))].append(scan)
    relations = {
        table: relation(known.get(table, {}), trial.records.get(table, ()), of_it)
        for table, of_it in scans.items()
    }
    result = Result(trial.name, trial.input, project.tests[trial.name].locate_key())
    try:
        answer = duck.query(statement, relations)
    except EngineError as error:
        return replace(result, refusal=error.problems[0].message)
    expected = trial.expected
    columns = [column for column in statement.columns if column.name in expected.columns]
    cells = [
        [comparable_value(value, column.type) for value in answer.column(column.name).to_pylist()]
        for column in columns
    ]
    key = [n for n, column in enumerate(columns) if column.key]
    has_key = len(key) == sum(column.key for column in statement.columns)
    differences = compare_rows(
        expected.rows,
        list(zip(*cells, strict=True)),
        key=key if has_key else (),
        ordered=bool(project.inputs[trial.input].sort),
    )
    return replace(result, columns=expected.columns, differences=differences)


# --- what is told -----------------------------------------------------------------------------------


def _show(results: Sequence[Result]) -> None:
    for result in results:
        outcome = "passed" if result.has_passed else "failed"
        what = f": {_in_words(result)}" if not result.has_passed else ""
        click.echo(f"{outcome}  {result.name} ({result.at}){what}")
        if result.differences:
            click.echo(f"\n{_table(result)}\n")


def _in_words(result: Result) -> str:
    if result.refusal is not None:
        return result.refusal
    kinds = [difference.kind for difference in result.differences]
    counts = {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}
    rows = "row" if len(kinds) == 1 else "rows"
    return f"{', '.join(f'{number} {kind}' for kind, number in counts.items())} {rows}"


def _table(result: Result) -> str:
    """The rows that differ; of a changed one, what was expected and what was found."""
    rows = [[each.kind, *_cells(each)] for each in result.differences[:MOST]]
    text = table_text(["", *result.columns], rows)
    text = "\n".join(f"  {line}" for line in text.splitlines())
    more = len(result.differences) - MOST
    return f"{text}\n  and {more} more" if more > 0 else text


def _cells(difference: RowDifference) -> Iterator[str]:
    from genesis.review.rows import same

    if difference.expected is None or difference.found is None:
        yield from map(_text, difference.expected or difference.found or ())
        return
    for one, other in zip(difference.expected, difference.found, strict=True):
        yield _text(one) if same(one, other) else f"{_text(one)} -> {_text(other)}"


def _text(value: Any) -> str:
    return "NULL" if value is None else shorten(cell_text(value))


def _as_json(results: Sequence[Result]) -> dict[str, Any]:
    return {
        "schema": "genesis/test@1",
        "tests": [
            {
                "name": result.name,
                "input": result.input,
                "file": result.at.file,
                "line": result.at.line,
                "outcome": "passed" if result.has_passed else "failed",
                "seconds": round(result.seconds, 3),
                "refusal": result.refusal,
                "differences": [
                    {
                        "kind": difference.kind,
                        "expected": _row_as_json(result.columns, difference.expected),
                        "found": _row_as_json(result.columns, difference.found),
                    }
                    for difference in result.differences
                ],
            }
            for result in results
        ],
    }


def _row_as_json(columns: Sequence[str], row: Sequence[Any] | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {name: _cell_as_json(cell) for name, cell in zip(columns, row, strict=True)}


def _cell_as_json(cell: Any) -> Any:
    return cell if cell is None or isinstance(cell, bool | int | str) else cell_text(cell)
