"""Whole documents: one schema that fits any definition by its first key, and one for `genesis.yaml`."""

from __future__ import annotations

from genesis.schema.names import add_names
from genesis.schema.shapes import NAME, Schema, shapes
from genesis.spec.data_source import DataSource
from genesis.spec.input import Input
from genesis.spec.model import Definition
from genesis.spec.project import Project
from genesis.spec.workflow import Audit, Workflow

DRAFT = "https://json-schema.org/draft/2020-12/schema"

# An audit has a key `data_source`, so that it is asked for first.
_DEFINITIONS: tuple[type[Definition], ...] = (Audit, DataSource, Input, Workflow)
_COLLECTIONS = {"formatters": "Formatter", "templates": "Template", "tests": "ReportTest"}
_MEANINGS = {
    "data_source": "One table (or query) and what its rows mean",
    "formatters": "How values are shown",
    "input": "One report",
    "workflow": "Jobs that run together on a schedule",
    "audit": "A comparison with the system of record",
    "templates": "Fragments of jobs that workflows share",
    "tests": "What reports should say of rows that are given",
}

KINDS = ("documents", "project", *_MEANINGS)


def schema_of(kind: str, project: Project) -> Schema:
    """The schema of a kind of document; of `documents`, any of them; of `project`, `genesis.yaml`."""
    schemas = shapes()
    add_names(schemas, project)
    schemas |= {name: _collection(name, entry) for name, entry in _COLLECTIONS.items()}
    root = {"project": {"$ref": "#/$defs/ProjectFile"}, "documents": _any_document()}
    shape = root[kind] if kind in root else {"$ref": f"#/$defs/{_models()[kind]}"}
    schema = {"$schema": DRAFT, "$comment": f"{kind} of {project.settings.project}", **shape}
    return {**schema, "$defs": _reached(schema, schemas)}


def _models() -> dict[str, str]:
    """The name of the schema of each kind of document."""
    named = {model.kind: model.__name__ for model in _DEFINITIONS}
    return {**named, **{name: name for name in _COLLECTIONS}}


def _any_document() -> Schema:
    """The document that its key says it is; of one that says nothing, what it may say."""
    schema: Schema = {
        "properties": {kind: {"description": text} for kind, text in _MEANINGS.items()},
        "anyOf": [{"required": [kind]} for kind in _MEANINGS],
    }
    for kind, name in reversed(_models().items()):
        schema = {
            "if": {"required": [kind]},
            "then": {"$ref": f"#/$defs/{name}"},
            "else": schema,
        }
    return {"type": "object", **schema}


def _collection(kind: str, entry: str) -> Schema:
    """A document whose key holds named entries."""
    return {
        "type": "object",
        "properties": {
            kind: {
                "description": f"{_MEANINGS[kind]}, by name.",
                "type": "object",
                "propertyNames": NAME,
                "additionalProperties": {"$ref": f"#/$defs/{entry}"},
            }
        },
        "required": [kind],
        "additionalProperties": False,
    }


def _reached(schema: Schema, schemas: dict[str, Schema]) -> dict[str, Schema]:
    """The schemas that a schema refers to, and those refer to, by name."""
    found: dict[str, Schema] = {}
    waiting = [schema]
    while waiting:
        for name in _references(waiting.pop()):
            if name not in found:
                found[name] = schemas[name]
                waiting.append(schemas[name])
    return dict(sorted(found.items()))


def _references(part: object) -> list[str]:
    match part:
        case dict():
            own = (
                [part["$ref"].removeprefix("#/$defs/")] if isinstance(part.get("$ref"), str) else []
            )
            return own + [name for value in part.values() for name in _references(value)]
        case list():
            return [name for value in part for name in _references(value)]
    return []
