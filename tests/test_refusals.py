"""What a report cannot mean is refused by name, at the words that say it, and never compiled."""

from __future__ import annotations

import pytest

from genesis.compile.compiler import compile_input
from genesis.compile.run import Run
from genesis.document import read_documents
from genesis.errors import DefinitionError, Problem, Problems
from genesis.spec.data_source import DataSource
from genesis.spec.formatter import BUILT_IN, Formatter
from genesis.spec.input import Input
from genesis.spec.model import read_definition
from genesis.spec.project import Project, ProjectFile

STUDIO = """
data_source: production
table: production
primary_key: production_id
fields:
  production_id: integer
  title: string
  status: {type: string, values: [PREP, SHOOT], nullable: false}
  starts: date
  saved: timestamp
  sent: timestamptz
  budget: "decimal(10,2)"
  share: float
  late: boolean
  order: integer
  tags: array(string)
joins:
  movie: {by: {production_id: movie_id}}
  tasks: {data_source: task, by: production_id}
  contracts: {data_source: contract, by: production_id}
measures:
  total: {sql: sum(budget)}
---
data_source: movie
table: movie
primary_key: movie_id
fields: {movie_id: integer, minutes: integer}
---
data_source: task
table: task
primary_key: [production_id, number]
fields: {production_id: integer, number: integer, title: string, hours: float, due: date}
joins: {production: {by: production_id}}
---
data_source: contract
table: contract
primary_key: contract_id
fields: {contract_id: integer, production_id: integer, amount: integer, signed: boolean}
joins: {invoices: {data_source: invoice, by: contract_id}}
---
data_source: invoice
table: invoice
primary_key: invoice_id
fields: {invoice_id: integer, contract_id: integer, amount: integer, paid: boolean}
"""

FIELDS = [
    # many values for one row
    ("tasks.title", "fans-out", "tasks"),
    ("upper(tasks.title)", "fans-out", "tasks"),
    ("sum(tasks.hours) + contracts.amount", "fans-out", "contracts"),
    ("count(*)", "own-aggregate", "count"),
    ("sum(budget)", "own-aggregate", "sum"),
    ("max(movie.minutes)", "own-aggregate", "max"),
    ("total", "own-aggregate", "total"),
    ("sum(tasks.hours * contracts.amount)", "mixed-branches", "contracts"),
    # aggregates as they are not
    ("max(count(contracts.invoices))", "wrong-aggregate", "max"),
    ("sum(tasks.title)", "wrong-aggregate", "sum"),
    ("bool_or(contracts.amount)", "wrong-aggregate", "bool_or"),
    ("first(tasks.title)", "wrong-aggregate", "first"),
    ("stddev(contracts.amount)", "wrong-aggregate", "stddev"),
    ("every(contracts.signed)", "wrong-aggregate", "every"),
    ("max(budget, share)", "wrong-aggregate", "max"),
    ("sum(contracts.amount) filter (where contracts.signed)", "wrong-aggregate", "sum"),
    ("sum(budget) over (partition by status)", "not-an-expression", "sum"),
    ("unnest(tags)", "not-an-expression", "unnest"),
    ("any(contracts.amount)", "wrong-aggregate", "contracts"),
    ("any(count(contracts.invoices) > 1)", "wrong-aggregate", "count"),
    ("any(contracts.signed, contracts.amount)", "wrong-aggregate", "contracts"),
    # types that do not go together
    ("starts - starts", "wrong-type", "starts"),
    ("starts + 1", "wrong-type", "starts"),
    ("title + 1", "wrong-type", "title"),
    ("-title", "wrong-type", "title"),
    ("title / 2", "wrong-type", "title"),
    ("title || order", "wrong-type", "order"),
    ("concat(title, 1)", "wrong-type", "1"),
    ("not title", "wrong-type", "title"),
    ("late and order", "wrong-type", "order"),
    ("case when order then 1 end", "wrong-type", "order"),
    ("case when late then 'many' else 1 end", "wrong-type", "1"),
    ("coalesce(starts, 'soon')", "wrong-type", "'soon'"),
    ("coalesce(budget, title)", "wrong-type", "title"),
    ("if(late, starts, sent)", "wrong-type", "sent"),
    ("int_div(budget, 2)", "wrong-type", "budget"),
    ("local_date(starts)", "wrong-literal", "local_date"),
    # results that are not the data's
    ("random()", "nondeterministic", "random"),
    ("current_user", "nondeterministic", ""),
    ("localtimestamp", "nondeterministic", ""),
    ("today(1)", "invalid-sql", "today"),
    # what is no expression
    ("(select 1)", "not-an-expression", ""),
    ("budget as b", "not-an-expression", "as"),
    ("budget; drop table x", "not-an-expression", ";"),
    ("delete from production", "not-an-expression", "delete"),
    ("budget > > share", "invalid-sql", ">"),
    ("lower(*)", "invalid-sql", "*"),
    ("tasks.*", "invalid-sql", "*"),
    ("(title, status)", "invalid-sql", "title"),
    ("genesis_list(title)", "invalid-sql", "genesis_list"),
    ("? + 1", "invalid-sql", ""),
    (":region", "unknown-parameter", ":region"),
    ("'open", "invalid-sql", ""),
    ("/* nothing */", "invalid-sql", ""),
    # names
    ("titel", "unknown-field", "titel"),
    ("movie", "unknown-field", "movie"),
    ("movies.minutes", "unknown-join", "movies"),
    ("title.length", "unknown-join", "title"),
    ("movie.minuts", "unknown-field", "minuts"),
]  # fmt: skip

FILTERS = [
    ("interval '1' day", "wrong-literal", ""),
    ("tasks.title = 'x'", "quantifier-needed", "tasks"),
    ("title", "wrong-literal", ""),
    ("order > 'many'", "wrong-literal", "'many'"),
    ("order = '5'", "wrong-literal", "'5'"),
    ("late = 'true'", "wrong-literal", "'true'"),
    ("late = 1", "wrong-literal", "1"),
    ("title = 5", "wrong-literal", "5"),
    ("status = 'DONE'", "wrong-literal", "'DONE'"),
    ("status in ('PREP', 'DONE')", "wrong-literal", "'DONE'"),
    ("case status when 'DONE' then true end", "wrong-literal", "'DONE'"),
    ("starts > '2026-13-01'", "wrong-literal", "'2026-13-01'"),
    ("starts between '2026-01-01' and 'later'", "wrong-literal", "'later'"),
    ("starts = title", "wrong-literal", "title"),
    ("sent >= today()", "wrong-literal", "today"),
    ("sent > starts", "wrong-literal", "starts"),
    ("order in ()", "invalid-sql", "order"),
    ("order in tasks", "invalid-sql", "order"),
    ('status = "PREP"', "unknown-field", '"PREP"'),
    ("any(tasks.title = 'x' and contracts.signed)", "mixed-branches", "contracts"),
    ("any(title = 'x')", "wrong-aggregate", "title"),
    (
        "any(contracts.signed and any(tasks.number = contracts.amount))",
        "mixed-branches",
        "contracts.amount",
    ),
]

BESIDE = [
    ("{field: title, where: late, name: x}", "wrong-aggregate", "where"),
    ("{field: count(contracts), sort: contracts.amount}", "wrong-aggregate", "sort"),
    ("{field: count(contracts), separator: '-'}", "wrong-aggregate", "separator"),
    ("{field: order + 1, distinct: true, name: x}", "wrong-aggregate", "distinct"),
    ("{field: median(contracts.amount), distinct: true, name: x}", "wrong-aggregate", "median"),
    ("{field: any(contracts.signed), where: contracts.amount > 1, name: x}", "wrong-aggregate", "where"),
    ("{field: count(contracts) + count(tasks), where: late, name: x}", "mixed-branches", "tasks"),
    ("{field: count(contracts), where: contracts.invoices.paid, name: x}", "quantifier-needed", "invoices"),
    ("{field: count(contracts), where: contracts.amount, name: x}", "wrong-literal", "contracts.amount"),
    ("{field: list(tasks.hours), distinct: true}", "not-supported", "list"),
    ("{field: list(tasks.title), distinct: true, sort: tasks.due}", "wrong-aggregate", "tasks.due"),
    ("{field: order, default: many}", "wrong-literal", "many"),
    ("{field: title, type: integer}", "wrong-literal", "integer"),
    ("{field: title, format: usd}", "wrong-format", "usd"),
    ("{field: order, format: upper}", "wrong-format", "upper"),
    ("{field: order + 1}", "name-needed", "order + 1"),
]  # fmt: skip

SUMMARIES = [
    ("fields: [status, {field: sum(budget) / order, name: x}]", "wrong-aggregate", "order"),
    ("fields: [status, {field: sum(budget), where: total > 1, name: x}]", "own-aggregate", "total"),
    ("fields: [status, {field: sum(budget), where: count(*) > 1, name: x}]", "own-aggregate", "count"),
    ("fields: [status, {field: 'case when any(contracts.signed) then sum(budget) end', name: x}]", "wrong-aggregate", "contracts"),
    ("fields: [status, {field: count(*) + count(contracts), where: late, name: x}]", "mixed-branches", "contracts"),
    ("fields: [status, {field: status, where: late, name: x}]", "wrong-aggregate", "where"),
    ("fields: [status, tasks.title]", "fans-out", "tasks"),
    ("fields: [{field: title, format: link}]", "wrong-format", "title"),
    ("fields: [status, total]\nfilters: total > 1", "own-aggregate", "total"),
    ("fields: [status, total]\nsort: starts", "wrong-sort", "starts"),
    ("fields: [status, total]\nhaving: starts is null", "unknown-field", "starts"),
    ("fields: [status, total]\nhaving: sum(budget) > 1", "wrong-aggregate", "sum"),
    ("fields: [status, total]\nhaving: any(contracts.signed)", "wrong-aggregate", "contracts"),
    ("fields: [status, total]\nhaving: total", "wrong-literal", "total"),
    ("fields: [status, total]\nhaving: status = 'DONE'", "wrong-literal", "'DONE'"),
]  # fmt: skip

NESTED = "coalesce(" * 95 + "{}" + ", 1)" * 95


@pytest.mark.parametrize(("field", "code", "at"), FIELDS, ids=[field for field, _, _ in FIELDS])
def test_field(field: str, code: str, at: str) -> None:
    """A column that means nothing, or nothing certain."""
    item = f'{{field: "{_escaped(field)}", name: x}}'
    _assert_told(f"input: report\nsource: production\nfields:\n  - {item}", code, at)


@pytest.mark.parametrize(("text", "code", "at"), FILTERS, ids=[text for text, _, _ in FILTERS])
def test_filter(text: str, code: str, at: str) -> None:
    """A condition that is none, or that could never be true."""
    report = f'input: report\nsource: production\nfields: [title]\nfilters: "{_escaped(text)}"'
    _assert_told(report, code, at)


@pytest.mark.parametrize(("item", "code", "at"), BESIDE, ids=[item for item, _, _ in BESIDE])
def test_what_stands_beside_a_field(item: str, code: str, at: str) -> None:
    """An option without an aggregate that it could act on would silently do nothing."""
    _assert_told(f"input: report\nsource: production\nfields:\n  - {item}", code, at)


@pytest.mark.parametrize(("rest", "code", "at"), SUMMARIES, ids=[rest for rest, _, _ in SUMMARIES])
def test_summary(rest: str, code: str, at: str) -> None:
    """What differs within a group is no column of it, and what is asked of groups is asked in `having`."""
    _assert_told(f"input: report\nsource: production\nshape: summary\n{rest}", code, at)


@pytest.mark.parametrize(
    "nested",
    [
        "(" * 15_000 + "order" + ")" * 15_000,
        "(" * 500 + "order" + ")" * 500,
        "not " * 2_000 + "late",
        "case when late then " * 300 + "1" + " end" * 300,
        " + ".join(["order"] * 500),
        "title" + "[1]" * 2_000,
        "coalesce(" * 900 + "order" + ")" * 900,
    ],
    ids=["30 kB", "parentheses", "not", "case", "sum", "subscripts", "calls"],
)
def test_nesting(nested: str) -> None:
    """What is nested too deeply to be read is a problem, and no crash."""
    _assert_told(
        f'input: report\nsource: production\nfields: [{{field: "{nested}", name: x}}]',
        "invalid-sql",
    )


@pytest.mark.parametrize(
    ("depth", "step", "code"), [(1_000, "{} + 1", "yaml-limit"), (29, NESTED, "invalid-sql")]
)
def test_fields_that_build_on_one_another_too_deeply(depth: int, step: str, code: str) -> None:
    """A thousand derived fields in a row are told, too, and a few that are all but too deep themselves."""
    fields = [
        f'  f{n}: {{type: integer, sql: "{step.format(f"f{n - 1}")}"}}' for n in range(1, depth)
    ]
    source = "data_source: deep\ntable: deep\nprimary_key: f0\nfields:\n  f0: integer\n"
    report = f"input: report\nsource: deep\nfields: [f{depth - 1}]"
    _assert_told("\n".join([source, *fields, "---", report]).replace("\n\n", "\n"), code)


def test_text_in_double_quotes_is_a_name() -> None:
    """The way out is told: SQL writes text in single quotes."""
    report = "input: report\nsource: production\nfields: [title]\nfilters: 'status = \"PREP\"'"
    (problem,) = _problems(report)
    assert problem.hint == "text stands in single quotes: `'PREP'`"


def _escaped(fragment: str) -> str:
    return fragment.replace("\\", "\\\\").replace('"', '\\"')


def _assert_told(text: str, code: str, at: str = "") -> None:
    """The one error of a report is of that code, and its place holds these words."""
    (problem,) = _problems(text)
    assert problem.code == code, str(problem)
    if at and problem.at is not None:
        line = f"{STUDIO}---\n{text}".split("\n")[problem.at.line - 1]
        assert line[problem.at.column - 1 :].replace("\\", "").startswith(at), str(problem)


def _problems(text: str) -> list[Problem]:
    """The errors of a report; one that compiles has none."""
    problems = Problems()
    sources, inputs = {}, {}
    for document in read_documents("studio.yaml", f"{STUDIO}---\n{text}", problems):
        if "input" in document.data:
            inputs["report"] = read_definition(Input, document, problems)
        else:
            source = read_definition(DataSource, document, problems)
            sources[source.name if source else ""] = source
    assert not problems.errors, problems.errors
    formatters = {**BUILT_IN, "link": Formatter(link="https://studio.example.com/{production_id}")}
    project = Project(ProjectFile(), data_sources=sources, formatters=formatters, inputs=inputs)
    try:
        statement = compile_input(project, "report", "duckdb", Run(render="native"))
    except DefinitionError as error:
        return [problem for problem in error.problems if problem.severity == "error"]
    pytest.fail(statement.sql)
