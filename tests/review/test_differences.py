"""What a change does to a report, told in words: one edit of two definitions, and what is said of it."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pytest

from genesis.errors import Problems
from genesis.load import load_files
from genesis.review.differences.difference import Difference
from genesis.review.differences.reports import differences
from genesis.review.report import Report
from genesis.spec.project import Project
from tests.review.reports import of_studio, studio

FILMS = """data_source: film
table: studio.film
primary_key: film_id
where: not is_test
fields:
  film_id: integer
  title: {type: string, label: Film}
  status: {type: string, column: status_code, values: [PREP, SHOOT, POST]}
  start: date
  wrap: date
  days: {type: integer, sql: "date_diff('day', start, wrap)"}
  budget: {type: "decimal(18,2)", format: usd}
  is_test: boolean
  director_id: integer
  seat: integer
joins:
  director: {data_source: person, by: {director_id: person_id}}
  tasks: {data_source: task, by: film_id}
---
data_source: person
table: studio.person
primary_key: person_id
latest: true
fields: {person_id: integer, name: string, pay: {type: integer, sensitivity: confidential}}
---
data_source: task
table: studio.task
primary_key: task_id
fields: {task_id: integer, film_id: integer, state: string, hours: integer}
---
input: films
source: film
parameters: {least: {type: integer, default: 3}}
fields:
  - title
  - status
  - {field: start, label: Shoot start}
  - days
  - budget
  - {field: count(tasks), name: tasks}
filters:
  - status in ('PREP', 'SHOOT')
  - start >= '2026-01-01'
  - seat > :least
sort: start desc
---
input: by_status
source: film
shape: summary
fields: [status, {field: count(*), name: films}, {field: sum(tasks.hours), name: hours}]
having: films > 2
"""


def project(folder: Path, text: str) -> Project:
    file = folder / "films.yaml"
    file.write_text(text, encoding="utf-8")
    problems = Problems()
    found = load_files(folder, [file], problems)
    problems.raise_errors()
    return found


def of_edit(folder: Path, *edits: tuple[str, str], name: str = "films") -> tuple[Difference, ...]:
    edited = FILMS
    for old, new in edits:
        assert old in edited
        edited = edited.replace(old, new, 1)
    before, after = (Report(project(folder, text), name) for text in (FILMS, edited))
    return differences(before, after)


COLUMNS = {
    "added": (
        "  - days\n",
        "  - days\n  - wrap\n",
        ["column `Wrap` comes: `wrap`"],
    ),
    "removed": ("  - days\n", "", ["column `Days` goes"]),
    "renamed": ("  - days\n", "  - {field: days, name: length}\n", ["column `Days` is called `Length` now"]),
    "renamed in SQL": (
        "  - title\n",
        "  - {field: title, name: name}\n",
        ["column `Film` is `name` in SQL, it was `title`"],
    ),
    "relabelled": (
        "label: Shoot start",
        "label: First day",
        ["column `Shoot start` has the header `First day` now"],
    ),
    "relabelled below": ("label: Film", "label: Movie", ["column `Film` has the header `Movie` now"]),
    "moved": (
        "  - title\n  - status\n",
        "  - status\n  - title\n",
        ["column `Film` moves behind `Status`"],
    ),
    "another expression": (
        "{field: start, label: Shoot start}",
        "{field: wrap, name: start, label: Shoot start}",
        ["column `Shoot start` is `wrap`, it was `start`", "rows are sorted by `start desc`, which means"],
    ),
    "another expression below": (
        "('day', start, wrap)\"",
        "('day', start, wrap) + 1\"",
        [
            ("column `Days` changes, since field `film.days` is `date_diff('day', start, wrap) + 1`,"
             " it was `date_diff('day', start, wrap)`"),
        ],
    ),
    "another table column": (
        "column: status_code",
        "column: state_code",
        ["column `Status` is computed otherwise, as `state_code`, it was `status_code`", "filter `status in"],
    ),
    "restricted": (
        "{field: count(tasks), name: tasks}",
        "{field: count(tasks), name: tasks, where: \"tasks.state = 'OPEN'\"}",
        ["column `Tasks` is `count(tasks) where tasks.state = 'OPEN'`, it was `count(tasks)`"],
    ),
    "another type": (
        "  wrap: date\n  days: {type: integer, sql: \"date_diff('day', start, wrap)\"}",
        "  wrap: date\n  days: {type: string, sql: \"cast(date_diff('day', start, wrap) as varchar)\"}",
        [
            ("column `Days` changes, since field `film.days` is"
             " `cast(date_diff('day', start, wrap) as varchar)`, it was `date_diff('day', start, wrap)`"),
            "column `Days` holds string, it held integer",
        ],
    ),
    "another format": (
        "format: usd",
        "format: eur",
        ["column `Budget` is shown as `number €#,##0.00`, it was shown as `number $#,##0.00`"],
    ),
    "sensitive": (
        'budget: {type: "decimal(18,2)"',
        'budget: {type: "decimal(18,2)", sensitivity: restricted',
        ["column `Budget` is `restricted` now"],
    ),
    "sensitive one": (
        "  - days\n",
        "  - days\n  - {field: director.pay, label: Pay}\n",
        [
            "column `Pay` comes: `director.pay`, which is `confidential`",
            "join `director`, to one row of `person`, is new, asked for by column `director_pay`",
        ],
    ),
}  # fmt: skip

RECORDS = {
    "filter added": (
        "  - seat > :least\n",
        "  - seat > :least\n  - wrap is not null\n",
        ["filter `wrap is not null` is new: records may go, none comes"],
    ),
    "filter removed": (
        "  - start >= '2026-01-01'\n",
        "",
        ["filter `start >= '2026-01-01'` is gone: records may come, none goes"],
    ),
    "list widened": (
        "('PREP', 'SHOOT')",
        "('PREP', 'SHOOT', 'POST')",
        [
            ("filter is `status in ('PREP', 'SHOOT', 'POST')`, it was `status in ('PREP', 'SHOOT')`: looser, records may come,"
             " none goes"),
        ],
    ),
    "list narrowed": (
        "status in ('PREP', 'SHOOT')",
        "status = 'PREP'",
        [
            "filter is `status = 'PREP'`, it was `status in ('PREP', 'SHOOT')`: tighter, records may go, none comes"
        ],
    ),
    "bound moved": (
        "start >= '2026-01-01'",
        "start > '2026-02-01'",
        ["filter is `start > '2026-02-01'`, it was `start >= '2026-01-01'`: tighter, records may go, none comes"],
    ),
    "another filter": (
        "start >= '2026-01-01'",
        "wrap >= '2026-01-01'",
        ["filter is `wrap >= '2026-01-01'`, it was `start >= '2026-01-01'`: records may come and go"],
    ),
    "condition widened": (
        "  - status in ('PREP', 'SHOOT')\n",
        "  - status in ('PREP', 'SHOOT') or days > 90\n",
        ["`status in ('PREP', 'SHOOT')`: looser, records may come, none goes"],
    ),
    "where of the data source": (
        "where: not is_test\n",
        "where: not is_test and title is not null\n",
        ["the `where` of data source `film` `NOT title IS NULL` is new: records may go, none comes"],
    ),
    "join with its condition": (
        "by: {director_id: person_id}}",
        "by: {director_id: person_id}, required: true}",
        ["join `film.director`, to one row of `person`, is new, asked for by required join `film.director`: records without a match go"],
    ),
    "condition of a join": (
        "tasks: {data_source: task, by: film_id}",
        "tasks: {data_source: task, by: film_id, where: \"tasks.state = 'OPEN'\"}",
        ["join `tasks`: `where` is `tasks.state = 'OPEN'`, it was `none`"],
    ),
    "another table": (
        "table: studio.task",
        "table: studio.job",
        ["data source `task` is read from `studio.job`, it was `studio.task`"],
    ),
    "newest records": (
        "table: studio.film\n",
        "table: studio.film\nlatest: true\n",
        ["of the records of data source `film` count `only the newest of each film_id by _ts, _pos, none where _op = 'd'`, it was `all`"],
    ),
    "another key": ("primary_key: film_id", "primary_key: seat", ["rows are known by `seat`, it was `film_id`"]),
    "sort": ("sort: start desc", "sort: title", ["rows are sorted by `title`, it was `start desc`"]),
    "limit": ("sort: start desc", "sort: start desc\nlimit: 50", ["of the rows, `the first 50` are shown, it was `all`"]),
    "parameter": (
        "default: 3",
        "default: 4",
        [
            "filter `seat > :least` means something else than before: tighter, records may go, none comes",
            "parameter `least` is `integer, 4 by default`, it was `integer, 3 by default`",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "said"), [*COLUMNS.values(), *RECORDS.values()], ids=[*COLUMNS, *RECORDS]
)
def test_an_edit_is_told(tmp_path: Path, old: str, new: str, said: list[str]) -> None:
    """All of it, in these words or as they begin or end."""
    told = [one.said for one in of_edit(tmp_path, (old, new))]
    assert len(told) == len(said), told
    assert all(part in whole for part, whole in zip(said, told, strict=True)), told


NOTHING = {
    "a comment": ("  - title\n", "  - title # the working title\n"),
    "a description": ("source: film\nparameters", "source: film\ndescription: All films.\nparameters"),
    "spaces and letters": ("status in ('PREP', 'SHOOT')", "status  IN ('PREP','SHOOT')"),
    "an unused field": ("  seat: integer\n", "  seat: integer\n  note: string\n"),
    "an unused join": ("joins:\n", "joins:\n  twin: {data_source: film, by: {seat: film_id}}\n"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new"), NOTHING.values(), ids=NOTHING)
def test_nothing_is_told_of_what_changes_nothing(tmp_path: Path, old: str, new: str) -> None:
    assert of_edit(tmp_path, (old, new)) == ()


# --- claims about rows --------------------------------------------------------------------------

CONDITIONS = {
    "status": ["= 'PREP'", "in ('PREP', 'SHOOT')", "in ('PREP', 'SHOOT', 'POST')", "<> 'POST'"],
    "seat": ["> 1", ">= 2", "between 1 and 3", "< 4", "is not null", "not in (1, 2)"],
    "start": [">= '2026-01-02'", "> '2026-01-02'", "< '2026-01-05'"],
    "budget": ["> 1.5", ">= 2", "<= 3"],
    "days": ["> 2", "is not null"],
    "director.name": ["= 'Ana'", "in ('Ana', 'Bo')", "is not null"],
    "count(tasks)": ["> 0", "> 1", "= 2"],
}


def _filters(choose: random.Random) -> list[str]:
    return [_filter(choose) for _ in range(choose.randint(1, 3))]


def _filter(choose: random.Random, path: str | None = None) -> str:
    shape = choose.choice(["{}"] * 4 + ["{} or {}", "{} and {}"])
    paths = [path or choose.choice(list(CONDITIONS)), choose.choice(list(CONDITIONS))]
    return shape.format(*(f"{one} {choose.choice(CONDITIONS[one])}" for one in paths))


def _edited(filters: list[str], choose: random.Random) -> list[str]:
    """The filters with one put in, left out, or asked otherwise."""
    at = choose.randrange(len(filters))
    new = choose.choice([[], [_filter(choose, filters[at].split()[0])]])
    return [*filters[:at], *new, *filters[at + choose.choice([0, 1, 1]) :]]


def _rows(seed: int) -> duckdb.DuckDBPyConnection:
    choose = random.Random(seed)
    connection = duckdb.connect()
    connection.execute("""CREATE SCHEMA studio;
        CREATE TABLE studio.film (film_id int, title text, status_code text, start date, wrap date,
            budget decimal(18,2), is_test boolean, director_id int, seat int);
        CREATE TABLE studio.person (person_id int, name text, pay int, _ts int, _pos int, _op text);
        CREATE TABLE studio.task (task_id int, film_id int, state text, hours int)""")

    def some(*values: object) -> object:
        return choose.choice([None, *values])

    for n in range(60):
        start = some(*(date(2026, 1, day) for day in range(1, 8)))
        wrap = some(*(date(2026, 1, day) for day in range(3, 12)))
        row = [n, f"film {n}", some("PREP", "SHOOT", "POST"), start, wrap, some(1, 1.5, 2, 3, 4),
               choose.random() < 0.1, some(0, 1, 2, 9), some(0, 1, 2, 3, 4, 5)]  # fmt: skip
        connection.execute("INSERT INTO studio.film VALUES (?,?,?,?,?,?,?,?,?)", row)
        connection.execute(
            "INSERT INTO studio.task VALUES (?,?,?,?)", [n, choose.randint(0, 60), "OPEN", 1]
        )
    for n, name in enumerate(["Ana", "Bo", None]):
        connection.execute("INSERT INTO studio.person VALUES (?,?,?,1,1,'c')", [n, name, 5])
    return connection


def test_a_tighter_report_has_no_row_that_the_looser_one_lacks(tmp_path: Path) -> None:
    """Of pairs of random filters: what is said of the rows is so of the keys on DuckDB."""
    base = project(tmp_path, FILMS)
    choose, connection = random.Random(11), _rows(3)
    claims: Counter[str] = Counter()
    for _ in range(50):
        asked = _filters(choose)
        others = _edited(asked, choose)
        reports = [_with_filters(base, filters) for filters in (asked, others)]
        kinds = {one.kind for one in differences(*reports) if one.kind.startswith("filter")}
        old, new = (_keys(report, connection) for report in reports)
        if kinds <= {"filter added", "filter tightened"}:
            assert new <= old, (asked, others)
            claims.update(kinds)
        if kinds <= {"filter removed", "filter loosened"}:
            assert old <= new, (asked, others)
            claims.update(kinds)
    assert min(claims[kind] for kind in ("filter tightened", "filter loosened")) >= 3, claims


def _with_filters(base: Project, filters: list[str]) -> Report:
    definition = base.inputs["films"].model_copy(update={"filters": tuple(filters)})
    return Report(replace(base, inputs={"films": definition}), "films")


def _keys(report: Report, connection: duckdb.DuckDBPyConnection) -> set[object]:
    names = [column.name for column in report.statement.columns]
    for setup in report.statement.setup:
        connection.execute(setup)
    rows = connection.execute(report.statement.sql).fetchall()
    return {row[names.index("_key_film_id")] for row in rows}


STUDIO = studio()


@pytest.mark.parametrize("name", ["spend_by_status", "crew_load", "talent_credits"])
def test_a_column_that_goes_changes_no_other(name: str) -> None:
    """Whatever becomes of the plan, the others mean what they meant."""
    found = of_studio(name, STUDIO)
    definition = found.project.inputs[name].model_copy(update={"sort": (), "having": ()})
    whole = Report(replace(STUDIO, inputs={name: definition}), name, found.run)
    for at in range(len(definition.fields)):
        fields = definition.fields[:at] + definition.fields[at + 1 :]
        less = replace(STUDIO, inputs={name: definition.model_copy(update={"fields": fields})})
        kinds = {one.kind for one in differences(whole, Report(less, name, found.run))}
        assert "column removed" in kinds
        assert kinds <= {"column removed", "join dropped", "key changed"}


def test_having_looks_at_rows(tmp_path: Path) -> None:
    """A filter of a summary looks at its records."""
    edits = (("having: films > 2", "having: films > 3"),)
    (told,) = of_edit(tmp_path, *edits, name="by_status")
    assert (
        told.said == "`having` is `films > 3`, it was `films > 2`: tighter, rows may go, none comes"
    )


def test_a_related_aggregate_changes_no_other(tmp_path: Path) -> None:
    """Without it the plan of a summary is quite another one."""
    kinds = [
        one.kind
        for one in of_edit(
            tmp_path, (", {field: sum(tasks.hours), name: hours}", ""), name="by_status"
        )
    ]
    assert kinds == ["column removed", "join dropped"]
