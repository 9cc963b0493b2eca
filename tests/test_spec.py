"""Definitions -> frozen models: every shape the language has, and every mistake once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from genesis.compile.check import check_project
from genesis.errors import Problems
from genesis.load import load_files, load_project
from genesis.spec.data_source import AsOf, Latest, Pick
from genesis.spec.project import Project
from genesis.spec.types import Type

SETTINGS = """\
project: backlot
timezone: Europe/Oslo
dialect: duckdb
default_target: local
targets:
  local:
    engine: {duckdb: {database: warehouse.duckdb}}
    catalog: {sql: {uri: "sqlite:///lake/catalog.db", warehouse: lake}}
  bare: {}
  prod:
    engine: {trino: {host: trino.example.com, port: 8443, catalog: iceberg, schema: backlot, user: genesis, auth: {jwt: "${env:TRINO_JWT}"}}}
    catalog: {rest: {uri: "https://catalog.example.com", token: "${file:/run/secrets/token}"}}
state: "postgresql://genesis:${env:STATE_PASSWORD}@db.example.com/state"
sinks:
  google_sheets: {credentials: "${file:account.json}"}
  airtable: {token: any, endpoint: "http://127.0.0.1:8099"}
sources:
  backlot_db: {postgres: "${env:BACKLOT_DB_URL}"}
alerts:
  on_call: {webhook: "${env:ON_CALL_HOOK}"}
  desk: {webhook: "http://127.0.0.1:9000/hook", allow_private: true}
  mail: {email: desk@example.com, smtp: "${env:SMTP_URL}"}
"""

DATA_SOURCES = """\
data_source: shoot
description: One row per day of shooting.
owner: first-ad@example.com
domain: production
tags: [core, daily]
table: backlot.shoot_events
primary_key: [film_id, day]
unique_keys: [call_sheet, [stage, day]]
latest: true
where: "not cancelled"

fields:
  film_id: integer
  day: {type: date, label: Day of shooting, format: long_day, description: In local time.}
  call_sheet: string
  stage: {type: string, column: stage_code, sql: "upper(stage)", values: [A, B], labels: {A: Stage A}, otherwise: On location, nullable: false}
  cost: {type: "decimal(18,2)", format: usd, sensitivity: confidential}
  rating: float
  cancelled: {type: boolean, hidden: true}
  started_at: timestamptz
  wrapped_at: timestamp
  call: time
  extras: json
  units: array(string)
  hours: {type: integer, sql: "date_diff('hour', wrapped_at, started_at)"}
  crew: {type: integer, sql: "count(people)", where: "people.present", default: 0}
  names: {type: string, sql: "list(people.name)", distinct: true, sort: people.name, separator: "; "}
  old_code: {type: string, deprecated: "use `call_sheet`"}
  order: integer

joins:
  film: {by: film_id}
  set: {data_source: stage, by: {stage: code}, required: true}
  scenes: {data_source: scene, by: [film_id, day], where: "scenes.planned"}
  last_note: {data_source: note, by: film_id, pick: {sort: [written_at desc, note_id]}}
  rate: {data_source: rate, by: film_id, as_of: {at: day, from: valid_from, to: valid_to}}
  open_rate: {data_source: rate, by: film_id, as_of: {at: day, from: valid_from}}
  people: {data_source: person, sql: "film_id = people.film_id", relationship: one_to_many, description: Who is called.}

measures:
  days: {sql: "count(*)", type: integer}
  total_cost: {sql: "sum(cost)", where: "not cancelled", default: 0, label: Cost, format: usd}

sets:
  sheet: [day, call_sheet, set.name]
---
data_source: late_shoot
extends: shoot
where: "hours > 12"
---
data_source: scene
sql: "select * from backlot.scenes cross join unnest(takes) as t (take)"
primary_key: scene_id
latest: {order_by: [seen_at], lateness: 2d}
fields: {scene_id: integer, film_id: integer, day: date, planned: boolean}
---
data_source: note
table: '"Back Lot".notes'
primary_key: note_id
latest: {deleted: "gone"}
fields: {note_id: integer, film_id: integer, written_at: timestamptz}
"""

FORMATTERS = """\
formatters:
  long_day: {date: EEEE d MMMM yyyy, description: As on call sheets.}
  usd: {number: "$#,##0.00"}
  answer: {labels: {true: "Yes", false: "No"}, otherwise: "-"}
  page: {link: "https://backlot.example.com/films/{film_id}"}
  initial: {sql: "upper(substr(value, 1, 1))", type: string}
"""

INPUTS = """\
input: call_sheets
title: Call sheets
description: Everything that is shot from today on.
owner: first-ad@example.com
tags: [daily]
source: shoot
shape: detail
timezone: America/Los_Angeles
parameters:
  stage: {type: string, default: A, values: [A, B], description: Which stage.}
  since: {type: date}
fields:
  - day
  - {set: sheet, except: [day]}
  - {field: film.title, label: Film, format: upper, description: As released.}
  - {field: "list(scenes.scene_id)", name: scenes, distinct: true, sort: [scenes.scene_id], separator: "/", where: "scenes.planned"}
  - {field: "cost / nullif(hours, 0)", name: hourly, type: float, format: usd, default: 0}
  - count(scenes)
filters:
  - "stage = :stage"
  - "day >= today() - interval '7' day"
sort: [day desc, call_sheet]
limit: 500
---
input: cost_per_film
source: shoot
shape: summary
fields: [film.title, total_cost]
filters: "not cancelled"
having: total_cost > 1000
sort: film.title
"""

WORKFLOWS = """\
workflow: call_sheets
description: Fresh before the morning call.
owner: first-ad@example.com
tags: [daily]
schedule: {cron: "*/15 4-20 * * mon-sat", timezone: America/Los_Angeles}
alerts: {on_failure: [on_call], on_late: desk, freshness: 45m, complete_by: "06:00"}
catchup: none
overlap: skip
timeout: 20m
renamed_from: sheets
jobs:
  - refresh: call_sheets
    name: sheet
    parameters: {stage: B, since: 2026-11-23}
    to: {google_sheets: {spreadsheet: 1AbC, tab: Call sheets, allow_anyone: true}}
    mode: upsert
    on_delete: archive
    order: query
    max_deletes: 12.5%
    min_rows: 1
    on_human_edit: keep
    annotations: {remark: string, done: {type: boolean, label: Done?, values: [true, false]}}
    touch: true
    timeout: 90s
    retries: 3
    deadline: 1h
  - {refresh: call_sheets, use: careful}
  - {refresh: call_sheets, use: [careful, airtable], parameters: {since: 2026-01-01}, needs: sheet}
  - {refresh: cost_per_film, to: {csv: {file: out/cost.csv}}, mode: replace, allow_empty: true, max_deletes: 100}
  - {refresh: cost_per_film, to: {parquet: {file: out/cost.parquet}}, name: lake}
  - {refresh: cost_per_film, to: {duckdb: {file: out/cost.duckdb, table: cost}}, name: base}
  - compact: [shoot, note]
  - compact: scene
  - {audit: shoot_end_to_end, view: true}
  - heartbeat: shoot
---
workflow: on_new_events
schedule: {on_change: true}
jobs: [{refresh: call_sheets, use: careful, needs: []}]
---
workflow: by_the_clock
schedule: {every: 30s}
jobs: [{heartbeat: shoot}]
---
templates:
  careful: {to: {xlsx: {file: out/sheets.xlsx}}, max_deletes: 0, parameters: {since: 2026-06-01}}
  airtable: {to: {airtable: {base: app000, table: Sheets}}}
---
audit: shoot_end_to_end
description: Keys and costs against the system of record.
owner: data@example.com
data_source: shoot
against: {source: backlot_db, table: public.shoot, key: [film, day], columns: {cost: cost_usd}}
runs: 2
sla: 15m
alert: on_call
strategy: rows
"""

LANGUAGE = {
    "genesis.yaml": SETTINGS,
    "definitions/shoot.yaml": DATA_SOURCES,
    "definitions/shown.yml": FORMATTERS,
    "inputs/sheets/call_sheets.yaml": INPUTS,
    "workflows/call_sheets.yaml": WORKFLOWS,
}

Read = Callable[[dict[str, str]], tuple[Project, Problems]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """A project of files, and what is told of it."""

    def read_files(files: dict[str, str]) -> tuple[Project, Problems]:
        for name, text in files.items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        problems = Problems()
        return load_project(tmp_path, problems), problems

    return read_files


@pytest.fixture
def language(read: Read) -> Project:
    """A project that uses all of the language."""
    project, problems = read(LANGUAGE)
    assert list(map(str, problems)) == []
    return project


# --- every shape ----------------------------------------------------------------------------------


def test_every_shape_of_the_language_is_read(language: Project) -> None:
    """No problem, and every definition under its name."""
    assert sorted(language.data_sources) == ["late_shoot", "note", "scene", "shoot"]
    assert sorted(language.inputs) == ["call_sheets", "cost_per_film"]
    assert sorted(language.workflows) == ["by_the_clock", "call_sheets", "on_new_events"]
    assert sorted(language.templates) == ["airtable", "careful"]
    assert list(language.audits) == ["shoot_end_to_end"]
    assert {"long_day", "page", "us_date", "yes_no"} <= set(language.formatters)
    assert language.formatters["answer"].labels == {"true": "Yes", "false": "No"}


def test_models_are_frozen(language: Project) -> None:
    """What was read does not change."""
    with pytest.raises(ValidationError, match="frozen"):
        language.inputs["call_sheets"].limit = 1  # type: ignore[misc]


def test_settings(language: Project) -> None:
    """Targets by name, with defaults for what is left out."""
    settings = language.settings
    assert (settings.timezone, settings.dialect) == ("Europe/Oslo", "duckdb")
    assert {name: target.engine.kind for name, target in settings.targets.items()} == {
        "local": "duckdb",
        "bare": "duckdb",
        "prod": "trino",
    }
    assert settings.targets["prod"].engine.trino.database_schema == "backlot"  # type: ignore[union-attr]
    assert settings.targets["bare"].catalog.sql.warehouse == ".genesis/warehouse"  # type: ignore[union-attr]
    assert language.timezone_of(language.inputs["cost_per_film"]) == "Europe/Oslo"
    assert language.timezone_of(language.inputs["call_sheets"]) == "America/Los_Angeles"


def test_a_project_without_settings_has_defaults(read: Read) -> None:
    """Definitions are enough to compile."""
    project, problems = read({"inputs/a.yaml": "input: a\nsource: b\nfields: [c]\n"})
    assert (list(problems), project.settings.dialect, project.settings.timezone) == (
        [],
        "trino",
        "UTC",
    )


def test_keys_in_their_forms(language: Project) -> None:
    """A key is always a tuple of fields, a join always pairs of fields, here and there."""
    shoot = language.data_sources["shoot"]
    assert shoot.primary_key == ("film_id", "day")
    assert shoot.unique_keys == (("call_sheet",), ("stage", "day"))
    assert {name: join.by for name, join in shoot.joins.items()} == {
        "film": (("film_id", "film_id"),),
        "set": (("stage", "code"),),
        "scenes": (("film_id", "film_id"), ("day", "day")),
        "last_note": (("film_id", "film_id"),),
        "rate": (("film_id", "film_id"),),
        "open_rate": (("film_id", "film_id"),),
        "people": None,
    }
    assert shoot.joins["last_note"].pick == Pick(sort=("written_at desc", "note_id"))
    assert shoot.joins["open_rate"].as_of == AsOf(**{"at": "day", "from": "valid_from"})


def test_latest_in_its_forms(language: Project) -> None:
    """`true` is short for genesis's own log; a log of another make says itself what a delete is."""
    latest = {name: source.latest for name, source in language.data_sources.items()}
    assert latest["shoot"] == Latest(order_by=("_ts", "_pos"), deleted="_op = 'd'")
    assert latest["scene"] == Latest.model_validate(
        {"order_by": ["seen_at"], "deleted": None, "lateness": "2d"}
    )
    assert latest["note"] == Latest(deleted="gone")
    assert latest["late_shoot"] == latest["shoot"]  # inherited


def test_fields_in_their_forms(language: Project) -> None:
    """`name: type` is short for a mapping with a type."""
    fields = language.data_sources["shoot"].fields
    assert fields["rating"].type == Type("float")
    assert fields["cost"].type == Type("decimal", 18, 2)
    assert fields["units"].type == Type("array", item=Type("string"))
    assert fields["names"].sort == ("people.name",)
    assert fields["stage"].values == ("A", "B")
    assert list(fields)[-1] == "order"


def test_items_in_their_forms(language: Project) -> None:
    """A text is short for an item with a field; one filter may stand alone."""
    sheets, costs = language.inputs["call_sheets"], language.inputs["cost_per_film"]
    assert [item.field or item.set for item in sheets.fields][:3] == ["day", "sheet", "film.title"]
    assert sheets.fields[1].except_ == ("day",)
    assert (costs.filters, costs.having, costs.sort) == (
        ("not cancelled",),
        ("total_cost > 1000",),
        ("film.title",),
    )


def test_parameters_in_their_forms(read: Read) -> None:
    """A parameter without a default or anything else may be its type."""
    text = "input: shoots\nsource: shoot\nparameters: {day: date, stage: {type: string}}\nfields: [day]\n"
    project, _ = read({"inputs/shoots.yaml": text})
    types = {name: p.type for name, p in project.inputs["shoots"].parameters.items()}
    assert types == {"day": Type("date"), "stage": Type("string")}


def test_jobs_in_their_forms(language: Project) -> None:
    """Shares and numbers of rows, lengths of time, one place each."""
    jobs = language.workflows["call_sheets"].jobs
    assert [job.kind for job in jobs] == ["refresh"] * 6 + ["compact"] * 2 + ["audit", "heartbeat"]
    assert [job.to.sink for job in jobs if job.to] == ["google_sheets", "csv", "parquet", "duckdb"]
    assert [job.max_deletes for job in jobs[:4]] == [0.125, 0.2, 0.2, 100]
    assert (jobs[0].timeout, jobs[0].deadline) == (timedelta(seconds=90), timedelta(hours=1))
    assert (jobs[1].use, jobs[2].needs, jobs[7].compact) == (("careful",), ("sheet",), ("scene",))
    assert jobs[0].annotations["remark"].type == Type("string")
    assert language.templates["careful"].to.details.model_dump() == {  # type: ignore[union-attr]
        "file": "out/sheets.xlsx",
        "tab": "Sheet1",
    }


def test_every_value_knows_its_place(language: Project) -> None:
    """Definitions, entries of collections, and documents after the first."""
    shoot, note = language.data_sources["shoot"], language.data_sources["note"]
    assert str(shoot.locate_name()) == "definitions/shoot.yaml:1:14"
    assert DATA_SOURCES.splitlines()[note.locate_name().line - 1] == "data_source: note"
    assert str(language.formatters["page"].locate_key()) == "definitions/shown.yml:5:3"
    assert str(language.formatters["page"].locate("link")) == "definitions/shown.yml:5:16"
    assert shoot.file == "definitions/shoot.yaml"


# --- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["decimal(39,0)", "decimal(2,3)", "decimal(0)", "Decimal(3)", "array()", "array(x)", "String", ""])  # fmt: skip
def test_what_is_no_type(text: str, read: Read) -> None:
    """Types are spelled as the language spells them."""
    _, problems = read({"definitions/a.yaml": f"data_source: a\ntable: a\nprimary_key: b\nfields: {{b: '{text}'}}\n"})  # fmt: skip
    assert [problem.code for problem in problems] == ["unknown-type"]


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("state", "postgresql://user:secret@host/db", "clear-secret"),
        ("state", "postgresql://user@host/db", None),
        ("state", "postgresql://${env:USER}:${env:PASSWORD}@host/db", None),
        ("state", "${env:}", "wrong-reference"),
        ("state", "${STATE_URL}", "wrong-reference"),
        ("state", "${env:STATE_URL", "wrong-reference"),
        ("state", "${file:a/../../b}", "wrong-reference"),
        ("state", "${file:/etc/genesis/state}", None),
        ("state", "${file:..hidden}", None),
        ("alerts: {x: {webhook", "https://example.com/hook}}", "clear-secret"),
        ("sinks: {airtable: {token", "pat123}}", "clear-secret"),
        ("sinks: {airtable: {token", "pat123, endpoint: 'http://127.0.0.1:1'}}", None),
        ("sources: {x: {postgres", "'postgresql://a:b@c/d'}}", "clear-secret"),
    ],
)
def test_secrets_are_references(key: str, value: str, code: str | None, read: Read) -> None:
    """A secret in clear is refused, and so is a reference that leads out of the project."""
    written = value if key.count("{") else f"'{value}'"
    _, problems = read({"genesis.yaml": f"{key}: {written}\n"})
    assert [problem.code for problem in problems] == ([code] if code else [])
    assert "secret@" not in "".join(map(str, problems))


# --- mistakes -------------------------------------------------------------------------------------


def test_all_mistakes_of_a_file_are_told_in_order(read: Read) -> None:
    """A file is mended in one go."""
    text = """\
data_source: Shoot
tabel: backlot.shoots
primary_key: {}
tags: core
fields:
  film-id: integer
  day: {type: dte, lable: Day, hidden: "yes"}
  cost: {format: usd}
joins:
  film: {data_source: film}
  notes: {by: film_id, relationship: many}
  scenes: {by: 7}
"""
    _, problems = read({"definitions/shoot.yaml": text})
    assert [(p.code, p.at.line, p.at.column) for p in problems if p.at] == [
        ("wrong-name", 1, 14),
        ("unknown-key", 2, 1),
        ("wrong-type", 3, 14),
        ("wrong-type", 4, 7),
        ("wrong-name", 6, 3),
        ("unknown-type", 7, 15),
        ("unknown-key", 7, 20),
        ("wrong-type", 7, 40),
        ("missing-key", 8, 10),
        ("missing-key", 10, 10),
        ("wrong-choice", 11, 38),
        ("wrong-type", 12, 16),
    ]


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ("data_source: a\ntabel: x\nprimary_key: b\nfields: {b: date}", "unknown key `tabel`, did you mean `table`?"),
        ("data_source: a\ntable: x\nprimary_kye: b\nfields: {b: date}", "unknown key `primary_kye`, did you mean `primary_key`?"),
        ("data_source: a\ntable: x\nkey: b\nfields: {b: date}", "unknown key `key`, did you mean `primary_key`?"),
        ("data_source: a\ntable: x\nprimary_key: b\ncolumns: {b: date}", "unknown key `columns`, did you mean `fields`?"),
        ("data_source: a\nquery: x\nid: b\nfields: {b: date}", "unknown key `query`, did you mean `table` or `primary_key`?"),
        ("data_source: a\ntable: x\nprimary_key: b\nfields: {b: {typ: date}}", "unknown key `typ`, did you mean `type`?"),
        ("data_source: a\ntable: x\nprimary_key: b\nfields: {b: date}\njoins: {c: {'on': b}}", "unknown key `on`, did you mean `by`?"),
        ("input: a\nfrom: b\nfields: [c]", "unknown key `from`, did you mean `source`?"),
        ("input: a\nsource: b\nfields: [{fild: c}]", "unknown key `fild`, did you mean `field`?"),
        ("input: a\nsource: b\nfields: [c]\nname: d", "unknown key `name`, the name stands after `input:`"),
        ("input: a\nsource: b\nfields: [c]\ntests: {d: {expect: []}}", "unknown key `tests`, it begins a document of its own: `---` before it"),
        ("workflow: a\njob: [{heartbeat: b}]", "unknown key `job`, did you mean `jobs`?"),
        ("workflow: a\njobs: [{refersh: b, to: {csv: {file: c}}}]", "unknown key `refersh`, did you mean `refresh`?"),
        ("workflow: a\njobs: [{refresh: b, too: {csv: {file: c}}}]", "unknown key `too`, did you mean `to`?"),
        ("workflow: a\nschedule: {evry: 10m}\njobs: [{heartbeat: b}]", "unknown key `evry`, did you mean `every`?"),
        ("audit: a\ndatasource: b\nagainst: {source: c, table: d, key: e}", "unknown key `datasource`, did you mean `data_source`?"),
        ("formatters: {a: {dat: d}}", "unknown key `dat`, did you mean `date`?"),
    ],
)  # fmt: skip
def test_a_mistyped_key_is_told_once_and_as_that(document: str, told: str, read: Read) -> None:
    """What the mapping lacks is what the strange key was meant to be."""
    _, problems = read({"definitions/a.yaml": document})
    said = [f"{problem.message}, {problem.hint}" for problem in problems]
    assert said[0] == told
    assert len(said) == told.count("` or `") + 1


def test_an_empty_value_is_not_a_missing_one_too(read: Read) -> None:
    """A key without a value is told where it stands, once."""
    text = "data_source: a\ntable:\nprimary_key: []\nfields:\n"
    _, problems = read({"definitions/a.yaml": text})
    assert [f"{p.at} {p.message}" for p in problems] == [
        "definitions/a.yaml:2:1 `table` is empty",
        "definitions/a.yaml:3:14 `primary_key` is empty",
        "definitions/a.yaml:4:1 `fields` should be a mapping (`key: value`), not empty",
    ]


def test_long_and_odd_values_do_not_break_a_message(read: Read) -> None:
    """A message is one short line without control characters."""
    odd = "x\\e[31m\\n"
    text = f'input: a\nsource: b\nfields: [c]\nlimit: "{odd * 5000}"\n"{odd * 20}": 1\n'
    _, problems = read({"inputs/a.yaml": text})
    assert len(problems) == 2
    for problem in problems:
        assert len(problem.message) < 500
        assert problem.message.isprintable()


# --- what follows from a mistake is not told ------------------------------------------------------

HEALTHY = {
    "genesis.yaml": "alerts: {desk: {email: desk@example.com}}\nsources: {db: {postgres: '${env:DB}'}}\n",
    "definitions/film.yaml": "data_source: film\ntable: films\nprimary_key: film_id\nfields: {film_id: integer, title: {type: string, format: shouted}}\nsets: {core: [title]}\n",
    "definitions/shoot.yaml": "data_source: shoot\ntable: shoots\nprimary_key: shoot_id\nfields: {shoot_id: integer, film_id: integer, same: {type: boolean, sql: 'film.title = shoot_id'}}\njoins: {film: {by: film_id}}\n".replace("'film.title = shoot_id'", "'film.film_id = shoot_id'"),
    "definitions/shown.yaml": "formatters:\n  shouted: {sql: 'upper(value)', type: string}\n",
    "inputs/shoots.yaml": "input: shoots\nsource: shoot\nparameters: {least: {type: integer, default: 0}}\nfields: [same, film.title, {field: film_id, name: other}]\nfilters: [\"film.title <> 'x' or film_id > :least\"]\nsort: [film.title]\n".replace("film.title <> 'x' or ", ""),
    "inputs/films.yaml": "input: films\nsource: film\nfields: [{set: core}, {field: title, name: again, format: shouted}]\n",
    "workflows/shared.yaml": "templates:\n  careful: {max_deletes: 1, to: {csv: {file: a.csv}}, parameters: {least: 3}}\n",
    "workflows/audits.yaml": "audit: films_end_to_end\ndata_source: film\nagainst: {source: db, table: films, key: id, columns: {title: title}}\nalert: desk\n",
    "workflows/shoots.yaml": "workflow: shoots\nalerts: {on_failure: desk}\njobs:\n  - {refresh: shoots, use: careful}\n  - {refresh: films, to: {csv: {file: b.csv}}}\n  - {audit: films_end_to_end}\n  - {compact: [film, shoot]}\n",
}  # fmt: skip

BREAKS: dict[str, Callable[[str], str | bytes]] = {
    "no YAML": lambda text: text + "\n  - [",
    "no UTF-8": lambda text: text.encode() + b"# \xe9",
    "an unknown key": lambda text: text + "\nstrange: 1\n",
    "a merge key": lambda text: text + "\n<<: {}\n",
    "a key that is a list": lambda text: text + "\n[a]: 1\n",
    "a tag": lambda text: text + "\nowner: !x\n",
    "too deep": lambda text: text + "\ntags: " + "[" * 40,
    "a control character": lambda text: text + "\n# \x07",
}


def test_the_healthy_project_is_healthy(read: Read) -> None:
    """What the tests below break is whole."""
    project, problems = read(HEALTHY)
    check_project(project, problems)
    assert list(map(str, problems)) == []


@pytest.mark.parametrize("how", BREAKS)
@pytest.mark.parametrize("name", HEALTHY)
def test_a_broken_file_is_told_and_its_users_are_not(
    name: str, how: str, read: Read, tmp_path: Path
) -> None:
    """One broken file stops nothing, and nobody is blamed for using what is in it."""
    read(HEALTHY)
    broken = BREAKS[how](HEALTHY[name])
    (tmp_path / name).write_bytes(broken if isinstance(broken, bytes) else broken.encode())
    problems = Problems()
    project = load_project(tmp_path, problems)
    check_project(project, problems)
    assert [problem.at.file for problem in problems if problem.at] == [name]
    whole = {"film", "shoot"} - {Path(name).stem if name.startswith("definitions") else ""}
    assert whole <= set(project.data_sources)


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("definitions/film.yaml", "data_source:", "datasource:"),
        ("definitions/film.yaml", "data_source: film\n", "# "),
        ("definitions/film.yaml", "data_source: film\ntable: films\n", "table: films\ndata_source: film\n"),
        ("definitions/film.yaml", "film_id: integer,", "film_id: intger,"),
        ("definitions/film.yaml", "primary_key: film_id", "primary_key: [film_id, day]"),
        ("definitions/film.yaml", "sets:", "joins: {maker: {by: maker_id}}\nsets:"),
        ("definitions/shoot.yaml", "{film: {by: film_id}}", "{film: {by: fim_id}}"),
        ("definitions/shoot.yaml", "{film: {by: film_id}}", "{film: {data_source: flm, by: film_id}}"),
        ("definitions/shoot.yaml", "film.film_id = shoot_id", "film.film_id ="),
        ("definitions/shoot.yaml", "film.film_id = shoot_id", "same_too"),
        ("definitions/shown.yaml", "shouted: {sql:", "shouted: {sq:"),
        ("definitions/shown.yaml", "upper(value)", "upper(value"),
        ("workflows/shared.yaml", "careful: {", "careful: {modus: mirror, "),
        ("workflows/audits.yaml", "audit:", "adit:"),
        ("inputs/films.yaml", "input:", "inputs:"),
        ("genesis.yaml", "alerts:", "alert:"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_and_what_follows_is_not(
    name: str, before: str, after: str, read: Read
) -> None:
    """One mistake, one problem, in the file of the mistake."""
    assert before in HEALTHY[name]
    project, problems = read({**HEALTHY, name: HEALTHY[name].replace(before, after)})
    check_project(project, problems)
    assert [problem.at.file for problem in problems if problem.at] == [name]


def test_one_document_of_a_file_may_be_broken(read: Read) -> None:
    """Those beside it are read."""
    text = "data_source: a\ntabel: a\n---\ndata_source: b\ntable: b\nprimary_key: c\nfields: {c: date}\n"
    project, problems = read({"definitions/both.yaml": text})
    assert list(project.data_sources) == ["b"]
    assert project.broken == {("data_source", "a")}
    assert {problem.code for problem in problems} == {"unknown-key", "missing-key"}


def test_the_settings_are_one_document(read: Read) -> None:
    """A second one would be passed over in silence."""
    _, problems = read({"genesis.yaml": "project: a\n---\nproject: b\n"})
    assert [f"{p.at} {p.code}" for p in problems] == ["genesis.yaml:3:1 unknown-document"]
    _, problems = read({"genesis.yaml": "- project\n"})
    assert [problem.code for problem in problems] == ["wrong-type"]


# --- files ----------------------------------------------------------------------------------------


def test_hidden_files_and_other_files_are_passed_over(read: Read) -> None:
    """Editors leave files beside ours."""
    source = HEALTHY["definitions/film.yaml"]
    project, problems = read(
        {
            "definitions/.film.yaml": source,
            "definitions/.git/film.yaml": source,
            "definitions/film.yaml~": source,
            "definitions/film.json": source,
            "definitions/deep/er/film.yml": source,
        }
    )
    assert list(problems) == []
    assert project.data_sources["film"].file == "definitions/deep/er/film.yml"


def test_a_file_that_is_named_twice_is_read_once(read: Read, tmp_path: Path) -> None:
    """`--definitions definitions definitions/film.yaml` defines nothing twice."""
    read(HEALTHY)
    problems = Problems()
    folder = tmp_path / "definitions"
    load_files(tmp_path, [folder, folder / "film.yaml", folder / ".." / "definitions"], problems)
    assert list(problems) == []


def test_links_that_lead_nowhere_are_told(read: Read, tmp_path: Path) -> None:
    """A link that dangles, and one that leads to itself."""
    read(HEALTHY)
    (tmp_path / "definitions/film.yaml").unlink()
    (tmp_path / "definitions/film.yaml").symlink_to("gone.yaml")
    (tmp_path / "definitions/round.yaml").symlink_to("round.yaml")
    problems = Problems()
    check_project(load_project(tmp_path, problems), problems)
    assert [(p.code, str(p.at)) for p in problems] == [
        ("unreadable-file", "definitions/film.yaml:1:1"),
        ("unreadable-file", "definitions/round.yaml:1:1"),
    ]


def test_files_outside_the_root_are_named_from_it(read: Read, tmp_path: Path) -> None:
    """A reader of the message finds them."""
    read({"shared/a.yaml": "data_source: a\n", "project/genesis.yaml": ""})
    problems = Problems()
    load_files(tmp_path / "project", [tmp_path / "shared"], problems)
    assert {problem.at.file for problem in problems if problem.at} == {"../shared/a.yaml"}


def test_two_definitions_of_one_name(read: Read) -> None:
    """The first in the order of files counts, the second is told; kinds do not mix."""
    twice: dict[str, Any] = {
        "definitions/a.yaml": HEALTHY["definitions/film.yaml"],
        "definitions/b.yaml": HEALTHY["definitions/film.yaml"].replace("films", "others"),
        "inputs/film.yaml": "input: film\nsource: film\nfields: [title]\n",
    }
    project, problems = read(twice)
    assert project.data_sources["film"].table == "films"
    assert [(p.code, str(p.at)) for p in problems] == [
        ("duplicate-name", "definitions/b.yaml:1:14")
    ]
