"""Every mistake that the design lists: its code, its exact place, its way out; and nothing else is told.

Each stands in a file of its own beside a healthy project. `«` and `»` mark the place that is told.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from genesis.compile.check import check_project
from genesis.errors import MAX_MISTAKES, Location, Problem, Problems
from genesis.load import load_files

STUDIO = """\
data_source: production
table: studio.productions
primary_key: production_id
unique_keys: [[movie_id, phase]]
fields:
  production_id: integer
  movie_id: integer
  title: string
  phase: {type: string, values: [PREP, SHOOT, POST], nullable: false}
  status: string
  start_date: date
  saved_at: timestamptz
  budget: "decimal(18,2)"
  is_late: boolean
  legacy_code: {type: string, deprecated: use production_id}
joins:
  movie: {by: movie_id}
  tasks: {data_source: task, by: production_id}
  vendors: {data_source: vendor, by: production_id}
measures:
  production_count: {sql: count(*), type: integer}
sets:
  core: [title, start_date]
---
data_source: movie
table: studio.movies
primary_key: movie_id
fields: {movie_id: integer, title: string, delivery_date: date}
---
data_source: task
table: studio.tasks
primary_key: task_id
fields: {task_id: integer, production_id: integer, title: string, hours: integer, is_done: boolean}
---
data_source: vendor
table: studio.vendors
primary_key: [production_id, number]
fields: {production_id: integer, number: integer, name: string, amount: integer, is_signed: boolean}
"""


class Mistake(NamedTuple):
    """What a person did, what is told of it, and part of the hint."""

    what: str
    code: str
    hint: str
    text: str


def report(what: str, code: str, hint: str, text: str) -> Mistake:
    """A mistake in an input over productions."""
    return Mistake(what, code, hint, f"input: report\nsource: production\n{text}")


def source(what: str, code: str, hint: str, text: str) -> Mistake:
    """A mistake in a data source of awards."""
    head = "data_source: award\ntable: studio.awards\nprimary_key: award_id\n"
    return Mistake(what, code, hint, head + text)


MISTAKES = [
    # --- YAML
    report("a tab", "invalid-yaml", "indent with spaces", "fields:\n«\t»- title"),
    report("an indent slip", "invalid-yaml", "indentation", "fields: [title]\n «limit»: 5"),
    report("a list that is indented less", "invalid-yaml", "indentation", "fields:\n    - title\n  «-» status"),
    report("a colon in a text", "invalid-yaml", "in quotes", "title: Shoots«:» all\nfields: [title]"),
    report("an open bracket", "invalid-yaml", "close it", "fields: «[»title"),
    report("an open quote", "invalid-yaml", "close it", "fields: [title]\ntitle: «'»Shoots"),
    report("a key twice", "duplicate-key", "", "fields: [title]\nsort: title\nlimit: 5\n«limit»: 6"),
    report("a merge of git", "invalid-yaml", "keep one", "fields: [title]\n«<<<<<<<» HEAD"),
    report("a tag", "yaml-tag", "in quotes", "fields: [title]\nfilters:\n  - «!late»"),
    Mistake("an empty file", "empty-file", "delete it", "«»# later"),
    # --- documents and keys
    Mistake("an unknown kind", "unknown-document", "did you mean `input`?", "«imput»: report\nsource: production\nfields: [title]"),
    Mistake("the kind is not first", "unknown-document", "move it to the top", "source: production\n«input»: report\nfields: [title]"),
    report("a misspelt key", "unknown-key", "did you mean `limit`?", "fields: [title]\n«limt»: 5"),
    report("an unknown key", "unknown-key", "one of `", "fields: [title]\n«colour»: red"),
    Mistake("an input without a source", "missing-key", "", "«input»: report\nfields: [title]"),
    Mistake("an input without fields", "missing-key", "", "«input»: report\nsource: production"),
    Mistake("a data source without a key", "missing-key", "", "«data_source»: award\ntable: t\nfields: {award_id: integer}"),
    Mistake("a data source without a table", "missing-key", "", "«data_source»: award\nprimary_key: award_id\nfields: {award_id: integer}"),
    Mistake("a data source without fields", "missing-key", "", "«data_source»: award\ntable: t\nprimary_key: award_id"),
    source("a join without keys", "missing-key", "", "fields: {award_id: integer}\njoins:\n  movie: {«required»: true}"),
    source("a join by sql without relationship", "missing-key", "leads to many", "fields: {award_id: integer}\njoins:\n  movie: {«sql»: movie.title is null}"),
    Mistake("a workflow without jobs", "missing-key", "", "«workflow»: nightly\nowner: me"),
    Mistake("an audit without a source", "missing-key", "", "«audit»: productions\ndata_source: production"),
    report("a wrong choice", "wrong-choice", "did you mean `summary`?", "shape: «sumary»\nfields: [title]"),
    report("a wrong kind of value", "wrong-type", "without quotes", "fields: [title]\nsort: title\nlimit: «'5'»"),
    report("a limit of nothing", "wrong-type", "", "fields: [title]\nsort: title\nlimit: «0»"),
    report("a list without items", "wrong-type", "at least one", "fields: «[»]"),
    Mistake("a name in capitals", "wrong-name", "for example `all_shoots`", "input: «AllShoots»\nsource: production\nfields: [title]"),
    source("a field's name with a hyphen", "wrong-name", "for example `made_on`", "fields: {award_id: integer, «made-on»: date}"),
    Mistake("a name twice", "duplicate-name", "rename", "data_source: «movie»\ntable: t\nprimary_key: id\nfields: {id: integer}"),
    report("an unknown time zone", "unknown-timezone", "did you mean `America/Los_Angeles`?", "fields: [title]\ntimezone: «America/Los_Angles»"),
    source("a type of a database", "unknown-type", "did you mean `string`?", "fields: {award_id: integer, name: «varchar»}"),
    source("an impossible decimal", "unknown-type", "at most 38", "fields: {award_id: integer, prize: «'decimal(50,2)'»}"),
    source("a join by nothing", "wrong-type", "at least one", "fields: {award_id: integer}\njoins: {movie: {by: «[»]}}"),
    source("a join by no pair", "wrong-type", "at least one", "fields: {award_id: integer}\njoins: {movie: {by: «{»}}}"),
    source("a unique key of nothing", "wrong-type", "at least one", "fields: {award_id: integer}\nunique_keys: [«[»]]"),
    source("newest by nothing", "wrong-type", "at least one", "fields: {award_id: integer}\nlatest: {order_by: «[»]}"),
    source("one of many by nothing", "wrong-type", "at least one", "fields: {award_id: integer, title: string}\njoins: {film: {data_source: movie, by: title, pick: {sort: «[»]}}}"),
    Mistake("a formatter of something else", "unknown-field", "`value`", "formatters:\n  loud: {sql: upper(«valeu»)}"),
    report("NULLs first", "invalid-sql", "NULLs last", "fields: [title]\nsort: [title «nulls» first]"),
    # --- names that lead nowhere
    report("a misspelt field", "unknown-field", "did you mean `title`?", "fields: [«titel»]"),
    report("an unknown field", "unknown-field", "there is `production_id`, `movie_id`, `title`, `phase`, `status`, `start_date` and 4 more", "fields: [«xyz»]"),
    report("an unknown set, none near", "unknown-set", "there is `core`", "fields: [{set: «finances»}]"),
    Mistake("an unknown data source, none near", "unknown-data-source", "there is `movie`, `production`, `task`, `vendor`", "input: report\nsource: «invoice»\nfields: [title]"),
    report("a field of a joined data source", "unknown-field", "`movie.delivery_date` is one", "fields: [«delivery_date»]"),
    report("the first wrong step of a path", "unknown-join", "did you mean `movie`?", "fields: [«moovie».titel]"),
    report("the last wrong step of a path", "unknown-field", "did you mean `title`?", "fields: [movie.«titel»]"),
    report("a field in the middle of a path", "unknown-join", "nothing follows it", "fields: [«title».length]"),
    report("a join where a field is wanted", "unknown-field", "name one of its fields", "fields: [«movie»]"),
    report("a field in a larger expression", "unknown-field", "did you mean `title`?", "fields: [{field: \"upper(movie.title) || upper(«titel»)\", name: x}]"),
    report("text in double quotes", "unknown-field", "single quotes: `'PREP'`", "fields: [title]\nfilters: ['phase = «\"PREP\"»']"),
    Mistake("an unknown data source", "unknown-data-source", "did you mean `production`?", "input: report\nsource: «prodction»\nfields: [title]"),
    source("a join to nowhere", "unknown-data-source", "did you mean `movie`?", "fields: {award_id: integer, movie_id: integer}\njoins:\n  film: {data_source: «moovie», by: movie_id}"),
    source("a join by a field that is not here", "unknown-field", "did you mean `movie_id`?", "fields: {award_id: integer, movie_id: integer}\njoins:\n  movie: {by: {«movei_id»: movie_id}}"),
    source("a join by a field that is not there", "unknown-field", "did you mean `movie_id`?", "fields: {award_id: integer, movie_id: integer}\njoins:\n  movie: {by: {movie_id: «movei_id»}}"),
    source("a key that is no field", "unknown-field", "did you mean `year`?", "fields: {award_id: integer, year: integer}\nunique_keys: [[«yaer»]]"),
    source("a set of an unknown field", "unknown-field", "did you mean `year`?", "fields: {award_id: integer, year: integer}\nsets: {core: [«yaer»]}"),
    report("an unknown set", "unknown-set", "did you mean `core`?", "fields: [{set: «croe»}]"),
    report("an exception that the set has not", "unknown-field", "did you mean `title`?", "fields: [{set: core, except: [«titel»]}]"),
    report("an unknown formatter", "unknown-formatter", "did you mean `us_date`?", "fields: [{field: start_date, format: «us_dat»}]"),
    report("an unknown parameter", "unknown-parameter", "declare it", "fields: [title]\nfilters: ['title = «:region»']"),
    report("a misspelt parameter", "unknown-parameter", "did you mean `region`?", "fields: [title]\nparameters: {region: {type: string, default: x}}\nfilters: ['title = «:regoin»']"),
    source("a parameter of a data source", "unknown-parameter", "only an input", "fields: {award_id: integer, year: integer}\nwhere: year > «:since»"),
    # --- definitions that contradict
    source("a cycle of derived fields, once", "cycle", "", "fields:\n  award_id: integer\n  «one»: {type: integer, sql: two + 1}\n  two: {type: integer, sql: one + 1}"),
    source("a relationship that does not agree", "wrong-join", "did you mean `one_to_many`?", "fields: {award_id: integer}\njoins:\n  tasks: {data_source: task, by: {award_id: production_id}, relationship: «many_to_one»}"),
    source("a relationship that is none", "wrong-choice", "did you mean `many_to_one`?", "fields: {award_id: integer, movie_id: integer}\njoins:\n  movie: {by: movie_id, relationship: «many_to_on»}"),
    source("required to many", "wrong-join", "`any(...)`", "fields: {award_id: integer}\njoins:\n  tasks: {data_source: task, by: {award_id: production_id}, required: «true»}"),
    source("keys that never match", "wrong-join", "derived field", "fields: {award_id: integer, film: date}\njoins:\n  movie: {by: {film: «movie_id»}}"),
    source("a pick of one", "wrong-join", "", "fields: {award_id: integer, movie_id: integer}\njoins:\n  movie: {by: movie_id, «pick»: {sort: title}}"),
    source("a join and a field of one name", "name-clash", "rename", "fields: {award_id: integer, movie: integer}\njoins:\n  «movie»: {by: {movie: movie_id}}"),
    source("a value that is none of the type", "wrong-literal", "", "fields: {award_id: integer, year: {type: integer, values: [«soon»]}}"),
    source("a measure that does not aggregate", "wrong-aggregate", "sum(year)", "fields: {award_id: integer, year: integer}\nmeasures: {years: {sql: «year»}}"),
    source("a derived field of another type", "wrong-literal", "", "fields:\n  award_id: integer\n  next: {type: «date», sql: award_id + 1}"),
    Mistake("table and sql", "conflicting-keys", "remove one", "data_source: award\ntable: t\n«sql»: select 1 as award_id\nprimary_key: award_id\nfields: {award_id: integer}"),
    source("a boolean that a field never has", "wrong-literal", "one of `true`", "fields: {award_id: integer, is_won: {type: boolean, values: [true]}}\nwhere: «is_won = false»"),
    # --- to many
    report("a to-many field without aggregate", "fans-out", "aggregate it", "fields: [«tasks».title]"),
    report("a to-many field in a filter", "quantifier-needed", "any(tasks.is_done ...)", "fields: [title]\nfilters: [«tasks».is_done]"),
    report("a to-many sort key", "fans-out", "aggregate it", "fields: [title]\nsort: [«tasks».hours]"),
    report("an own aggregate in a detail report", "own-aggregate", "shape: summary", "fields: [title, «sum»(budget)]"),
    report("an own measure in a detail report", "own-aggregate", "shape: summary", "fields: [title, «production_count»]"),
    report("an aggregate over a to-one path", "own-aggregate", "shape: summary", "fields: [title, «max»(movie.delivery_date)]"),
    report("an aggregate over two branches", "mixed-branches", "", "fields: [title, {field: sum(tasks.hours + «vendors».amount), name: x}]"),
    report("first without sort", "wrong-aggregate", "sort", "fields: [title, «first»(tasks.title)]"),
    report("distinct sorted by another", "wrong-aggregate", "", "fields: [{field: list(tasks.title), distinct: true, sort: «tasks.hours»}]"),
    report("a where without an aggregate", "wrong-aggregate", "", "fields: [{field: title, «where»: is_late, name: x}]"),
    report("a where without a name", "name-needed", "name: ...", "fields: [{field: «sum(tasks.hours)», where: tasks.is_done}]"),
    report("a foreign aggregate", "wrong-aggregate", "the aggregates are", "fields: [{field: «stddev»(tasks.hours), name: x}]"),
    # --- columns
    report("an expression without a name", "name-needed", "name: ...", "fields: [«upper(title)»]"),
    report("two columns of one name", "column-clash", "name", "fields:\n  - title\n  - {field: movie.title, name: «title», label: Film}"),
    report("two columns of one field", "column-clash", "name", "fields:\n  - title\n  - «title»"),
    report("two columns of one label", "column-clash", "label", "fields:\n  - title\n  - {field: movie.title, label: «Title»}"),
    report("a column that a set has", "column-clash", "except: [title]", "fields:\n  - title\n  - {set: «core»}"),
    report("a type that cannot be told", "untyped", "type: ...", "fields: [{field: «'null'», name: x}]"),
    report("a declared type that does not fit", "wrong-literal", "", "fields: [{field: title, type: «integer»}]"),
    report("a formatter that does not fit", "wrong-format", "", "fields: [{field: title, format: «us_date»}]"),
    source("labels that do not fit", "wrong-format", "", "fields: {award_id: integer, won: {type: boolean, labels: {«PREP»: Preparing}}}"),
    source("a link to no field", "wrong-format", "", "fields: {award_id: integer, name: {type: string, format: «page»}}\n---\nformatters:\n  page: {link: 'https://example.com/{nmae}'}"),
    source("a measure's formatter that does not fit", "wrong-format", "", "fields: {award_id: integer}\nmeasures:\n  found: {sql: count(*), format: «us_date»}"),
    report("a deprecated field", "deprecated-field", "use production_id", "fields: [title, «legacy_code»]"),
    report("a deprecated field in a filter", "deprecated-field", "use production_id", "fields: [title]\nfilters: [\"«legacy_code» = 'x'\"]"),
    report("a deprecated field in a sort", "deprecated-field", "use production_id", "fields: [title]\nsort: [«legacy_code» desc]"),
    report("a deprecated field in an expression", "deprecated-field", "use production_id", "fields: [{field: upper(title || «legacy_code»), name: x}]"),
    # --- filters, order
    report("a literal of the wrong type", "wrong-literal", "without quotes", "fields: [title]\nfilters: [\"budget > «'much'»\"]"),
    report("a date that is none", "wrong-literal", "2026-11-23", "fields: [title]\nfilters: [\"start_date > «'2026-13-01'»\"]"),
    report("a literal outside the values", "wrong-literal", "one of `PREP`, `SHOOT`, `POST`", "fields: [title]\nfilters: [\"phase = «'DONE'»\"]"),
    report("a literal near the values", "wrong-literal", "did you mean `SHOOT`?", "fields: [title]\nfilters: [\"phase in ('PREP', «'SHOT'»)\"]"),
    report("a filter that is no condition", "wrong-literal", "compare it", "fields: [title]\nfilters: [«title»]"),
    report("<> on a nullable field", "nullable-comparison", "is distinct from", "fields: [title]\nfilters: [\"«status» <> 'x'\"]"),
    report("not in on a nullable field", "nullable-comparison", "is null", "fields: [title]\nfilters: [\"«status» not in ('x')\"]"),
    report("= null", "nullable-comparison", "is null", "fields: [title]\nfilters: [\"«status» = null\"]"),
    report("<> null", "nullable-comparison", "is not null", "fields: [title]\nfilters: [\"«status» <> null\"]"),
    report("null =", "nullable-comparison", "is null", "fields: [title]\nfilters: [\"null = «status»\"]"),
    report("in (null)", "nullable-comparison", "is null", "fields: [title]\nfilters: [\"«phase» in ('PREP', null)\"]"),
    report("a limit without a sort", "limit-without-sort", "sort", "fields: [title]\n«limit»: 5"),
    report("a sort by what is not in the report", "wrong-sort", "did you mean `title`?", "fields: [title]\nsort: [«titel» desc]"),
    report("a sort by an expression", "wrong-sort", "column", "fields: [title]\nsort: [«length(title)»]"),
    report("having in a detail report", "wrong-having", "filters", "fields: [title]\n«having»: title = 'x'"),
    # --- parameters
    report("a default of the wrong type", "wrong-parameter", "", "fields: [title]\nparameters: {since: {type: date, default: «soon»}}\nfilters: ['start_date > :since']"),
    report("a default outside the values", "wrong-parameter", "did you mean `EMEA`?", "fields: [title]\nparameters: {region: {type: string, default: «EMAE», values: [EMEA]}}\nfilters: ['title = :region']"),
    Mistake("a job without a parameter", "wrong-parameter", "parameters: {since: ...}", "input: report\nsource: production\nfields: [title]\nparameters: {since: {type: date}}\nfilters: ['start_date > :since']\n---\nworkflow: nightly\njobs:\n  - {refresh: «report», to: {csv: {file: r.csv}}}"),
    Mistake("a job with a wrong parameter", "wrong-parameter", "", "input: report\nsource: production\nfields: [title]\nparameters: {since: {type: date}}\nfilters: ['start_date > :since']\n---\nworkflow: nightly\njobs:\n  - {refresh: report, to: {csv: {file: r.csv}}, parameters: {since: «soon»}}"),
    # --- fragments that are no expressions
    report("a subquery", "not-an-expression", "join the other", "fields: [{field: («select» max(x) from t), name: x}]"),
    report("a subquery in a filter", "not-an-expression", "join the other", "fields: [title]\nfilters: ['title in («select» title from t)']"),
    report("exists", "not-an-expression", "join the other", "fields: [title]\nfilters: ['exists («select» 1 from t)']"),
    report("a statement", "not-an-expression", "", "fields: [{field: «select» title, name: x}]"),
    report("a second statement", "not-an-expression", "", "fields: [{field: title«;» drop table t, name: x}]"),
    report("as", "not-an-expression", "name:", "fields: [upper(title) «as» y]"),
    report("a window function", "not-an-expression", "pick", "fields: [{field: «row_number»() over (order by title), name: x}]"),
    report("what does not parse", "invalid-sql", "", "fields: [{field: \"upper(«title»\", name: x}]"),
    report("a number without its exponent", "invalid-sql", "", "fields: [title]\nfilters: ['budget > «1e»']"),
    report("two operators", "invalid-sql", "", "fields: [title]\nfilters: ['budget > «>» 5']"),
    report("an open quote in SQL", "invalid-sql", "", "fields: [title]\nfilters: [\"title = «'x»\"]"),
    report("a nondeterministic function", "nondeterministic", "equal rows", "fields: [{field: «random»(), name: x}]"),
    report("a date that is not in the calendar", "wrong-literal", "2026-11-23", "fields: [title]\nfilters: [\"start_date > date «'2026-02-30'»\"]"),
    report("a clock without parentheses", "unknown-field", "`today()`", "fields: [{field: «today», name: x}]"),
    report("where in a fragment", "invalid-sql", "keys of the YAML", "fields: [title]\nfilters: ['«where» is_late']"),
    report("&& for and", "invalid-sql", "`and` joins", "fields: [title]\nfilters: ['is_late «&&» is_late']"),
    report("a case without end", "invalid-sql", "case when", "fields: [{field: case when is_late then «1», name: x}]"),
    report("a cast without a type", "invalid-sql", "cast(... as ...)", "fields: [{field: cast(title as «foo»), name: x}]"),
    # --- summaries
    report("a sort of a summary by a path", "wrong-sort", "a column of the input", "shape: summary\nfields: [status, production_count]\nsort: [«movie.title»]"),
    report("a to-many field of a summary", "fans-out", "aggregate it", "shape: summary\nfields: [«tasks».title, production_count]"),
    report("an own aggregate in a filter", "own-aggregate", "having", "shape: summary\nfields: [status, production_count]\nfilters: ['«count»(*) > 1']"),
    # --- extends, as_of
    source("a base that is unknown", "unknown-data-source", "did you mean `production`?", "fields: {award_id: integer}\nextends: «prodction»"),
    source("a base in a circle", "cycle", "", "fields: {award_id: integer}\nextends: «award»"),
    source("an interval of unknown fields", "unknown-field", "did you mean `delivery_date`?", "fields: {award_id: integer, given: date, title: string}\njoins:\n  film: {data_source: movie, by: title, as_of: {at: given, from: «delivery_dat»}}"),
    source("a time that is unknown", "unknown-field", "did you mean `given`?", "fields: {award_id: integer, given: date, title: string}\njoins:\n  film: {data_source: movie, by: title, as_of: {at: «gievn», from: delivery_date}}"),
    source("a pick by an unknown field", "unknown-field", "did you mean `delivery_date`?", "fields: {award_id: integer, title: string}\njoins:\n  film: {data_source: movie, by: title, pick: {sort: [«delivery_dat» desc]}}"),
    source("a where of a join", "unknown-field", "did you mean `title`?", "fields: {award_id: integer, movie_id: integer}\njoins:\n  movie: {by: movie_id, where: movie.«titel» is null}"),
    source("a where of a data source", "unknown-field", "did you mean `won_on`?", "fields: {award_id: integer, won_on: date}\nwhere: «won_no» is null"),
    source("a measure of an unknown field", "unknown-field", "did you mean `year`?", "fields: {award_id: integer, year: integer}\nmeasures: {years: {sql: sum(«yaer»)}}"),
    source("an unknown formatter of a field", "unknown-formatter", "did you mean `us_date`?", "fields: {award_id: integer, won_on: {type: date, format: «us_dat»}}"),
    source("a raw delete that does not parse", "invalid-sql", "", "fields: {award_id: integer}\nlatest: {order_by: [at], deleted: op = «=» 'd'}"),
    Mistake("a query that is no select", "not-an-expression", "", "data_source: award\nsql: «delete from awards»\nprimary_key: award_id\nfields: {award_id: integer}"),
    Mistake("a function that is ours alone in a query", "invalid-sql", "", "data_source: award\nsql: «select genesis_list(1) as award_id»\nprimary_key: award_id\nfields: {award_id: integer}"),
    Mistake("a query that is nested too deeply", "invalid-sql", "view", "data_source: award\nsql: «select " + "(" * 200 + "1" + ")" * 200 + " as award_id»\nprimary_key: award_id\nfields: {award_id: integer}"),
    Mistake("a query that is too long", "invalid-sql", "view", "data_source: award\nsql: «select 1 as award_id where 1 in (" + "1, " * 20_000 + "1)»\nprimary_key: award_id\nfields: {award_id: integer}"),
    Mistake("a table with an open quote", "wrong-name", "odd parts in double quotes", "data_source: award\ntable: «'studio.\"awards'»\nprimary_key: award_id\nfields: {award_id: integer}"),
    Mistake("a table with a part of nothing", "wrong-name", "odd parts in double quotes", "data_source: award\ntable: «studio..awards»\nprimary_key: award_id\nfields: {award_id: integer}"),
    Mistake("an odd table without quotes", "wrong-name", "odd parts in double quotes", "data_source: award\ntable: «studio.my awards»\nprimary_key: award_id\nfields: {award_id: integer}"),
    Mistake("a table of four parts", "wrong-name", "odd parts in double quotes", "data_source: award\ntable: «a.b.c.d»\nprimary_key: award_id\nfields: {award_id: integer}"),
    # --- workflows, settings
    Mistake("an unknown input", "unknown-input", "did you mean", "input: report\nsource: production\nfields: [title]\n---\nworkflow: nightly\njobs:\n  - {refresh: «reprot», to: {csv: {file: r.csv}}}"),
    Mistake("an unknown job", "unknown-job", "did you mean `one`?", "workflow: nightly\njobs:\n  - {compact: movie, name: one}\n  - {compact: task, needs: «noe»}"),
    Mistake("an unknown receiver", "unknown-alert", "under `alerts`", "workflow: nightly\nalerts: {on_failure: «slack»}\njobs: [{compact: movie}]"),
    Mistake("a key of the workflow in its schedule", "unknown-key", "beside `schedule`", "workflow: nightly\nschedule: {every: 1h, «catchup»: all}\njobs: [{compact: movie}]"),
    Mistake("jobs in a circle", "cycle", "", "workflow: nightly\njobs:\n  - {compact: movie, name: one, «needs»: two}\n  - {compact: task, name: two, needs: one}"),
    Mistake("a job that needs itself", "cycle", "", "workflow: nightly\njobs:\n  - {compact: movie, name: one, «needs»: one}\n  - {compact: task, needs: one}"),
    Mistake("a cron of four fields", "wrong-type", "minute, hour", "workflow: nightly\nschedule: {cron: «\"0 9 * *\"»}\njobs: [{compact: movie}]"),
    Mistake("a minute that no clock has", "wrong-type", "minute, hour", "workflow: nightly\nschedule: {cron: «61 * * * *»}\njobs: [{compact: movie}]"),
    Mistake("a weekday that is none", "wrong-type", "minute, hour", "workflow: nightly\nschedule: {cron: «0 9 * * mon-fry»}\njobs: [{compact: movie}]"),
    Mistake("a day that never comes", "wrong-type", "day, month", "workflow: nightly\nschedule: {cron: «0 9 30 2 *»}\njobs: [{compact: movie}]"),
    Mistake("no time at all between runs", "wrong-type", "15m", "workflow: nightly\nschedule: {every: «0m»}\njobs: [{compact: movie}]"),
    Mistake("a time of day that is none", "wrong-type", "09:00", "workflow: nightly\nalerts: {complete_by: «24:00»}\njobs: [{compact: movie}]"),
    Mistake("a share that is none", "wrong-type", "20%", "input: report\nsource: production\nfields: [title]\n---\nworkflow: nightly\njobs:\n  - {refresh: report, to: {csv: {file: r.csv}}, max_deletes: «lots»}"),
]  # fmt: skip


BROKEN = (
    """
title +|upper(title|upper title)|case when is_late then 1|case is_late then 1 end|case end|cast(title as)|cast(title integer)
title in|title like|title is|title = = 'x'|title &&|= title|title and|(title|title[|title.|movie..title|title,status|count(
sum()|nullif(title)|extract(year start_date)|date_trunc('day')|`title`|#title|'it's'|title := 1|lambda x: x|from production
title order by title|title limit 5|distinct title|null null|?|:|%title|title not 'x'|grant all|title union select 1|values (1)
""".replace("\n", "|")
    .strip("|")
    .split("|")
)


@pytest.mark.parametrize("fragment", BROKEN)
def test_what_does_not_parse_is_told_in_plain_words(fragment: str, tmp_path: Path) -> None:
    """No word of the parser's own: nobody here knows what a token or an `Identifier` is."""
    text = (
        f"input: report\nsource: production\nfields: [{{field: {json.dumps(fragment)}, name: x}}]"
    )
    problems = _problems(text, tmp_path)
    assert problems
    for problem in problems:
        said = re.sub(r"`[^`]*`", "", problem.message)
        assert not re.search(r"[A-Z]|^expect|: expect|token|<|class", said), said


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.what)
def test_a_mistake_is_told(mistake: Mistake, tmp_path: Path) -> None:
    """Once, with its code, at the marked characters, with the way out; what only follows from it is not."""
    problems = _problems(mistake.text.replace("«", "").replace("»", ""), tmp_path)
    assert [problem.code for problem in problems] == [mistake.code], problems
    assert str(problems[0].at) == str(_marked(mistake.text)), problems
    assert problems[0].at == _marked(mistake.text), problems
    assert mistake.hint in (problems[0].hint or ""), problems


FAULTY = {
    "a wrong key": ("unique_keys: [[movie_id, phase]]", "unique_keys: [[movei_id]]"),
    "no primary key": ("primary_key: production_id\nunique", "primary_key: producer_id\nunique"),
    "a wrong delete": ("fields:\n", "latest: {order_by: [at], deleted: 'op = = 3'}\nfields:\n"),
}


@pytest.mark.parametrize("fault", FAULTY)
def test_what_is_wrong_elsewhere_is_told_beside_a_wrong_key(fault: str, tmp_path: Path) -> None:
    """In the data source, and in those that use it; whatever may follow from the key is not."""
    before, after = FAULTY[fault]
    definition = STUDIO.replace(before, after, 1).replace("core: [title", "core: [titel", 1)
    (tmp_path / "studio.yaml").write_text(definition, encoding="utf-8")
    (tmp_path / "report.yaml").write_text(
        "input: report\nsource: production\nfields: [titel, movie.titel, vendors.name]\n"
        "filters: [\"phase = 'DONE'\"]\n",
        encoding="utf-8",
    )
    (tmp_path / "other.yaml").write_text(
        "data_source: prize\ntable: prizes\nprimary_key: prize_id\n"
        "fields: {prize_id: integer, movie_id: integer, phase: string}\n"
        "joins: {production: {by: [movie_id, phase], relationship: many_to_one}}\n"
        "---\ninput: prizes\nsource: prize\nfields: [production.title]\n",
        encoding="utf-8",
    )
    problems = Problems()
    check_project(load_files(tmp_path, [tmp_path], problems), problems)
    told = [(problem.at.file, problem.code) for problem in problems if problem.at]
    fault_code = "invalid-sql" if "delete" in fault else "unknown-field"
    assert sorted(told) == [
        ("report.yaml", "unknown-field"),
        ("report.yaml", "unknown-field"),
        ("report.yaml", "wrong-literal"),
        *sorted([("studio.yaml", fault_code), ("studio.yaml", "unknown-field")]),
    ]


def _problems(text: str, folder: Path) -> list[Problem]:
    (folder / "studio.yaml").write_text(STUDIO, encoding="utf-8")
    (folder / "mistake.yaml").write_text(text, encoding="utf-8")
    problems = Problems()
    files = [folder / "studio.yaml", folder / "mistake.yaml"]
    check_project(load_files(folder, files, problems), problems)
    return [problem for problem in problems if problem.code != "unused-data-source"]


def _marked(text: str) -> Location:
    start, end = text.index("«"), text.index("»") - 1
    plain = text.replace("«", "").replace("»", "")

    def place(index: int) -> tuple[int, int]:
        before = plain[:index]
        return before.count("\n") + 1, index - before.rfind("\n")

    return Location("mistake.yaml", *place(start), *place(end))


def _codes(tmp_path: Path, text: str) -> list[str]:
    """The codes of all that `check` tells of a project with one more file."""
    (tmp_path / "studio.yaml").write_text(STUDIO, encoding="utf-8")
    (tmp_path / "more.yaml").write_text(text, encoding="utf-8")
    problems = Problems()
    check_project(load_files(tmp_path, [tmp_path], problems, lenient=True), problems)
    return sorted(problem.code for problem in problems.errors)


@pytest.mark.parametrize(
    "wrong", ["- {field: title, lable: T}", "- {field: title, where: 5}", "- tilte\ncolour: red"]
)
def test_a_wrong_key_does_not_hide_what_does_not_rest_on_it(tmp_path: Path, wrong: str) -> None:
    text = f"input: report\nsource: production\nfields:\n  - relase_date\n  {wrong}"
    first, *others = _codes(tmp_path, text)
    assert first == "unknown-field"
    assert others in (["unknown-key"], ["wrong-type"], ["unknown-field", "unknown-key"])


def test_a_wrong_entry_hides_nothing_but_its_own_uses(tmp_path: Path) -> None:
    """What is beside it is told, and what is wrong in reports; what names it is right as far as can be told."""
    found = _codes(
        tmp_path,
        """data_source: reel
table: reels
primary_key: reel_id
unique_keys: [[number]]
fields:
  reel_id: integer
  number: {type: integr}
  twice: {type: integer, sql: number * 2}
  length: {type: float, sql: minuts * 60}
  shade: {type: string, nullabel: false}
joins:
  next: {data_source: reel, by: {number: reel_id}}
  boxes: {data_source: reel, by: number, relationship: one_to_lots}
measures:
  total: {sum: sum(number)}
sets: {core: [number, twice], rest: 5}
---
input: reels
source: reel
parameters: {least: {type: integr}}
fields:
  - {set: core}
  - {set: rest}
  - {field: next.number, label: Next}
  - {field: count(boxes), name: boxes}
  - {field: boxes.total, name: all}
  - shade
  - shde
filters: ["twice > :least", "numbr = 1"]
sort: [number]
""",
    )
    assert found == [
        "unknown-field",  # minuts
        "unknown-field",  # shde
        "unknown-field",  # numbr
        "unknown-key",  # nullabel
        "unknown-key",  # sum, which is meant for sql
        "unknown-type",
        "unknown-type",
        "wrong-choice",  # one_to_lots
        "wrong-type",  # rest
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        "fields:\n  - {field: budget / 2, alias: half}",
        "fields:\n  - {field: budget / 2, nmae: half}",
        "parmeters: {late: {type: boolean, default: true}}\nfields: [title]\nfilters: ['is_late = :late']",
        "shap: summary\nfields: [production_count]",
    ],
)
def test_what_only_follows_from_a_wrong_key_is_not_told(tmp_path: Path, wrong: str) -> None:
    assert _codes(tmp_path, f"input: report\nsource: production\n{wrong}") == ["unknown-key"]


def test_a_definition_with_a_wrong_key_compiles_to_nothing(tmp_path: Path) -> None:
    """Only who tells problems takes it without that key."""
    (tmp_path / "studio.yaml").write_text(
        f"{STUDIO}---\ninput: report\nsource: production\nfields: [title]\nfilter: is_late\n"
    )
    assert "report" not in load_files(tmp_path, [tmp_path], Problems()).inputs


def test_an_input_of_mistakes_is_left_after_a_thousand(tmp_path: Path) -> None:
    """A flow list has room for ten thousand; nobody reads on, and to tell each takes time."""
    fields = ", ".join(f"a{n} +" for n in range(3_000))
    text = f"input: report\nsource: production\nfields: [{fields}]\nsort: [title]\n"
    assert [p.code for p in _problems(text, tmp_path)] == ["invalid-sql"] * MAX_MISTAKES
