"""A project's own names, put where the YAML takes them.

Names of data sources, formatters, inputs and the like are the only ones their keys take. Fields,
and paths over to-one joins, are offered and never demanded: an expression may stand in their place.
What is offered is bounded, nearest first, so that a schema stays small.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from genesis.compile.joins import fans_out, target_name
from genesis.schema.shapes import Schema
from genesis.spec.data_source import DataSource
from genesis.spec.project import SETTINGS, Project

MAX_PATHS = 150  # that are offered of one data source
MAX_STEPS = 3  # of joins, in a path that is offered

_KINDS = {
    "data_source": "data source",
    "formatters": "formatter",
    "input": "input",
    "audit": "audit",
    "templates": "template",
    "alerts": "alert receiver",
    "sources": "source system",
}
_PLACES: tuple[tuple[str, str, str], ...] = (
    ("DataSource", "extends", "data_source"),
    ("Join", "data_source", "data_source"),
    ("Input", "source", "data_source"),
    ("Audit", "data_source", "data_source"),
    ("Job", "compact", "data_source"),
    ("Job", "heartbeat", "data_source"),
    ("Field", "format", "formatters"),
    ("Measure", "format", "formatters"),
    ("Item", "format", "formatters"),
    ("Job", "refresh", "input"),
    ("ReportTest", "input", "input"),
    ("Job", "audit", "audit"),
    ("Job", "use", "templates"),
    ("Alerts", "on_failure", "alerts"),
    ("Alerts", "on_late", "alerts"),
    ("Audit", "alert", "alerts"),
    ("Against", "source", "sources"),
    ("Against", "data_source", "data_source"),
)


def add_names(schemas: dict[str, Schema], project: Project) -> None:
    """Put a project's names into the schemas of the models."""
    for kind, what in _KINDS.items():
        schemas[f"{kind}.name"] = _choice(_names(project, kind), what)
    for model, key, kind in _PLACES:
        properties = schemas[model]["properties"]
        properties[key] = _of_kind(properties[key], kind)
    for model, key in (("SourceSystem", "tables"), ("ReportTest", "given")):
        schemas[model]["properties"][key]["propertyNames"] = _ref("data_source.name")
    for source in project.data_sources.values():
        schemas |= _offers(source, project)
    for model, key, part in (
        ("Input", "source", "input"),
        ("DataSource", "data_source", "definition"),
        ("Join", "data_source", "target"),
    ):
        by_name = {name: _ref(f"{name}.{part}") for name in project.data_sources}
        _add_rules(schemas[model], _choose(key, by_name))
    targets = {name: _ref(f"{name}.target") for name in project.data_sources}
    _add_rules(schemas["DataSource"], [{"properties": {"joins": {"properties": targets}}}])
    _add_rules(schemas["Job"], _choose("refresh", _parameters(project)))


def _names(project: Project, kind: str) -> list[str]:
    """The names that may stand where a kind is asked for; broken definitions are there, too."""
    settings = project.settings
    known: Mapping[str, Mapping[str, Any]] = {
        "data_source": project.data_sources,
        "formatters": project.formatters,
        "input": project.inputs,
        "audit": project.audits,
        "templates": project.templates,
        "alerts": settings.alerts,
        "sources": settings.sources,
    }
    if kind in ("alerts", "sources") and SETTINGS in project.broken:
        return []
    return sorted({*known[kind], *(name for what, name in project.broken if what == kind)})


def _choice(names: list[str], what: str) -> Schema:
    if not names:
        return {"type": "string"}
    message = f"no {what} of the project has this name; `genesis schema` learns new ones"
    return {"type": "string", "enum": names, "errorMessage": message}


def _of_kind(schema: Schema, kind: str) -> Schema:
    """The schema with a kind's names wherever it takes text."""
    if schema.get("type") == "string":
        return {**{k: v for k, v in schema.items() if k != "type"}, **_ref(f"{kind}.name")}
    inner: Schema = {}
    if "anyOf" in schema:
        inner["anyOf"] = [_of_kind(part, kind) for part in schema["anyOf"]]
    if "items" in schema:
        inner["items"] = _of_kind(schema["items"], kind)
    return {**schema, **inner}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _choose(key: str, by_value: Mapping[str, Schema]) -> list[Schema]:
    """The rules of which the one for the key's value applies."""
    # A pattern, since editors take the start of a `const` for the whole: `vendor` for `vendor_contract`.
    return [
        {"if": {"required": [key], "properties": {key: _exactly(value)}}, "then": then}
        for value, then in by_value.items()
    ]


def _exactly(name: str) -> Schema:
    return {"type": "string", "pattern": f"^{name}$"}


def _add_rules(schema: Schema, rules: list[Schema]) -> None:
    if rules:
        schema["allOf"] = [*schema.get("allOf", ()), *rules]


# --- fields and paths -------------------------------------------------------------------------------


def _offers(source: DataSource, project: Project) -> dict[str, Schema]:
    """What is offered where a data source's fields, paths and sets may stand."""
    name = source.name
    fields, columns = _offer(f"{name}.fields"), _offer(f"{name}.paths")
    members = {"type": "array", "items": columns}
    item = {"field": columns, "sort": _many(f"{name}.paths")}
    if source.sets:
        item["set"] = {"anyOf": [_choice(sorted(source.sets), "set"), {"type": "null"}]}
    keys = _many(f"{name}.fields")
    there = {"if": {"type": "object"}, "then": {"additionalProperties": fields}}
    order = [f"{field}{direction}" for field in _shown(source) for direction in ("", " desc")]
    return {
        f"{name}.fields": {"enum": _shown(source)},
        f"{name}.paths": {"enum": list(islice(_paths(source, project), MAX_PATHS))},
        f"{name}.order": {"enum": order},
        f"{name}.target": {"properties": {"by": there}},
        f"{name}.input": {
            "properties": {
                "fields": {
                    "items": {
                        "if": {"type": "object"},
                        "then": {"properties": item},
                        "else": columns,
                    }
                },
                "sort": _many(f"{name}.order"),
            }
        },
        f"{name}.definition": {
            "properties": {
                "primary_key": keys,
                "unique_keys": {"items": keys},
                "joins": {"additionalProperties": {"properties": {"by": keys}}},
                "sets": {"additionalProperties": members},
            }
        },
    }


def _offer(names: str) -> Schema:
    """Names that are offered; anything else may stand there, too."""
    return {"anyOf": [_ref(names), {}]}


def _many(names: str) -> Schema:
    """Names that are offered for one value, or for each of a list."""
    return {"anyOf": [_ref(names), {"type": "array", "items": _offer(names)}, {}]}


def _shown(source: DataSource) -> list[str]:
    return [name for name, field in source.fields.items() if not field.hidden]


def _measures(source: DataSource) -> list[str]:
    return [name for name, measure in source.measures.items() if not measure.hidden]


def _paths(source: DataSource, project: Project) -> Iterator[str]:
    """Fields, measures and counts by the paths that reach them, those of fewer steps first."""
    yield from _shown(source)
    yield from _measures(source)
    reached = [("", source)]
    for _ in range(MAX_STEPS):
        further = []
        for prefix, here in reached:
            for name in here.joins:
                target = project.data_sources.get(target_name(here, name))
                if target is None:
                    continue
                path = f"{prefix}{name}."
                if fans_out(here, name, target):
                    yield f"count({prefix}{name})"
                    yield from (f"{path}{measure}" for measure in _measures(target))
                else:
                    yield from (f"{path}{field}" for field in _shown(target))
                    further.append((path, target))
        reached = further


# --- parameters -------------------------------------------------------------------------------------


def _parameters(project: Project) -> dict[str, Schema]:
    """What a job's `parameters` may name, by the input that it refreshes."""
    return {
        name: {
            "properties": {
                "parameters": {
                    "properties": {
                        parameter: {
                            **({"description": spec.description} if spec.description else {}),
                            "anyOf": [{"enum": list(spec.values)}, {}] if spec.values else [{}],
                        }
                        for parameter, spec in definition.parameters.items()
                    },
                    "additionalProperties": False,
                }
            }
        }
        for name, definition in project.inputs.items()
    }
