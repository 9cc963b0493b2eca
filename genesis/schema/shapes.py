"""What each model takes, as JSON Schema: one entry below `$defs` for every model.

Pydantic knows keys and types. What it cannot know is told here: what the validators of
`genesis.spec` take, and the rules over several keys that the models' `faults` hold (a test asks both of
every set of keys). A key without a value is as good as none, so most keys take `null`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from datetime import timedelta
from functools import cache
from typing import Any, get_args
from zoneinfo import available_timezones

from pydantic import BaseModel, BeforeValidator
from pydantic.json_schema import GenerateJsonSchema, models_json_schema
from pydantic_core import core_schema

from genesis.schema.texts import texts_of
from genesis.spec.data_source import DataSource, Join, KeyPairs
from genesis.spec.formatter import KINDS, Formatter
from genesis.spec.input import Input, Item
from genesis.spec.model import Definition, Model
from genesis.spec.project import (
    WAYS_TO_SIGN_IN,
    AirtableAccess,
    CatalogConfig,
    EngineConfig,
    GoogleSheetsAccess,
    ProjectFile,
    Receiver,
    TrinoAuth,
    TrinoTarget,
)
from genesis.spec.report_test import Cell, Moment, ReportTest
from genesis.spec.types import PLAIN
from genesis.spec.values import (
    Duration,
    Name,
    OneOrMany,
    Reference,
    Scalar,
    Secret,
    ShortForm,
    TimeOfDay,
    Timezone,
    TypeName,
    short_duration,
)
from genesis.spec.workflow import (
    JOB_KINDS,
    Against,
    Audit,
    BaseId,
    Job,
    Label,
    MaxDeletes,
    Place,
    Schedule,
    Spreadsheet,
    Template,
    Workflow,
)

Schema = dict[str, Any]

ROOTS: tuple[type[Model], ...] = (
    DataSource,
    Formatter,
    Input,
    Workflow,
    Audit,
    Template,
    ReportTest,
    ProjectFile,
)


def shapes() -> dict[str, Schema]:
    """The schema of every model, by the model's name; the caller's own."""
    return deepcopy(_shapes())


@cache
def _shapes() -> dict[str, Schema]:
    _, generated = models_json_schema(
        [(model, "validation") for model in ROOTS],
        ref_template="#/$defs/{model}",
        schema_generator=_Generator,
    )
    schemas: dict[str, Schema] = _with_zones(generated["$defs"])
    schemas["timezone"] = _timezone()
    for model in models():
        schema = schemas[model.__name__]
        schema.pop("title", None)
        _describe(schema, model)
        if issubclass(model, Definition):
            schema["properties"] = _named(schema["properties"], model)
            schema["required"] = [model.kind, *schema["required"][1:]]
        if rules := list(_RULES[model]() if model in _RULES else ()):
            schema["allOf"] = rules
    return schemas


def models() -> tuple[type[Model], ...]:
    """Every model that a document is made of, each once, in the order of reading."""
    found: dict[type[Model], None] = {}

    def visit(annotation: Any) -> None:
        for part in get_args(annotation):
            visit(part)
        is_model = isinstance(annotation, type) and issubclass(annotation, Model)
        if is_model and annotation not in found:
            found[annotation] = None
            for field in annotation.model_fields.values():
                visit(field.annotation)

    for root in ROOTS:
        visit(root)
    return tuple(found)


def _named(properties: Schema, model: type[Definition]) -> Schema:
    """A definition's keys: its name stands after its kind."""
    name = {**properties["name"], "description": f"The name of the {_words(model.kind)}."}
    return {model.kind: name, **{key: value for key, value in properties.items() if key != "name"}}


def _words(kind: str) -> str:
    return kind.replace("_", " ")


# --- texts and defaults -----------------------------------------------------------------------------


def _describe(schema: Schema, model: type[Model]) -> None:
    """Add to each key what it means, with an example, and its default."""
    texts = texts_of(model)
    for name, field in model.model_fields.items():
        described = schema["properties"][field.alias or name]
        if text := texts.get(name):
            described["description"] = text.meaning
            # Not `examples`: editors would offer them among the project's own names.
            described["markdownDescription"] = f"{text.meaning}\n\n```yaml\n{text.example}\n```"
        default = _written(field.default, name)
        if default is not None:
            described["default"] = default


def _written(default: Any, key: str) -> Any:
    """A default as YAML says it, or `None` where there is none worth telling."""
    match default:
        case timedelta():
            return short_duration(default)
        case float() if key == "max_deletes":
            return f"{default:.0%}"
        case bool() | int() | float() | str() if default != "":
            return default
        case (_, *_):
            return list(default)
    return None


# --- what the validators take -----------------------------------------------------------------------


class _Generator(GenerateJsonSchema):
    """Pydantic's schemas, but for what the validators of `genesis.spec` take."""

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> Schema:
        function = schema["function"]["function"]
        if isinstance(function, ShortForm):
            short = _TYPE if function.key == "type" else _TEXT
            return {"anyOf": [short, self.generate_inner(schema["schema"])]}
        if function in _TAKES:
            return dict(_TAKES[function])
        inner = self.generate_inner(schema["schema"])
        if function is _LATEST:
            return {"anyOf": [{"type": "boolean"}, inner["anyOf"][0]]}
        assert function is _ONE_OR_MANY, f"no schema says what {function} takes"  # noqa: S101
        return {"anyOf": [{"type": "string"}, inner]}

    def dict_schema(self, schema: core_schema.DictSchema) -> Schema:
        keys = self.generate_inner(schema["keys_schema"])
        values = self.generate_inner(schema["values_schema"])
        named = {"propertyNames": keys} if "pattern" in keys else {}
        return {"type": "object", **named, "additionalProperties": values}

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> Schema:
        return self.generate_inner(schema["schema"])  # defaults are written as YAML says them

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False


def _validator(annotation: Any) -> Callable[..., Any]:
    """The function that brings an annotation's values to one form."""
    metadata = getattr(annotation, "__metadata__", annotation)
    return next(part.func for part in metadata if isinstance(part, BeforeValidator))


_TEXT: Schema = {"type": "string"}
NAME: Schema = {
    **_TEXT,
    "pattern": "^[a-z][a-z0-9_]*$",
    "patternErrorMessage": "a name is lower case letters, digits and `_`, a letter first",
}
_ONE_OF_TYPES = f"a type is one of {', '.join(PLAIN)}, decimal(p,s), array(T)"
_TYPE: Schema = {
    "anyOf": [
        {"enum": [*PLAIN, "decimal(18,2)", "array(string)"], "errorMessage": _ONE_OF_TYPES},
        {
            **_TEXT,
            "pattern": rf"^\s*({'|'.join(PLAIN)}|decimal\(\s*\d{{1,2}}\s*(,\s*\d{{1,2}}\s*)?\)|array\(.+\))\s*$",
            "patternErrorMessage": _ONE_OF_TYPES,
        },
    ]
}
_ZONE: Schema = {**_TEXT, "format": "timezone"}  # stands for a reference, which pydantic refuses
_TAKES: dict[Callable[..., Any], Schema] = {
    _validator(BaseId): _TEXT,
    _validator(Label): _TEXT,
    _validator(Spreadsheet): _TEXT,
    _validator(Name): NAME,
    _validator(TypeName): _TYPE,
    _validator(Scalar): {"type": ["string", "number", "boolean", "null"]},
    _validator(Cell): {"type": ["string", "number", "boolean", "null", "array"]},
    _validator(Moment): {
        **_TEXT,
        "pattern": r"^\d{4}-?(\d\d|W)",
        "patternErrorMessage": "a moment is written 2026-11-23 or 2026-11-23T09:30:00Z",
    },
    _validator(Timezone): _ZONE,
    _validator(Duration): {
        **_TEXT,
        "pattern": r"^\d{1,6}[smhdw]$",
        "patternErrorMessage": "a length of time is a number and a unit: 30s, 15m, 2h, 7d",
    },
    _validator(TimeOfDay): {
        **_TEXT,
        "pattern": r"^([01]\d|2[0-3]):[0-5]\d$",
        "patternErrorMessage": "a time of day is hours and minutes: 09:00, 17:30",
    },
    _validator(Reference): _TEXT,
    _validator(Secret): {
        **_TEXT,
        "pattern": r"^\$\{(env|file):[^}]+\}$",
        "patternErrorMessage": "a secret is a reference: ${env:NAME} or ${file:PATH}",
    },
    _validator(KeyPairs): {
        "anyOf": [
            _TEXT,
            {"type": "array", "items": _TEXT, "minItems": 1},
            {"type": "object", "additionalProperties": _TEXT, "minProperties": 1},
        ]
    },
    _validator(MaxDeletes): {
        "anyOf": [
            {"type": "integer", "minimum": 0},
            {**_TEXT, "pattern": r"^0*(100(\.0*)?|\d{1,2}(\.\d*)?|\.\d+)%$"},
        ]
    },
}


def _with_zones(part: Any) -> Any:
    """The schemas with references to the one list of time zones, which is long."""
    if part == _ZONE:
        return {"$ref": "#/$defs/timezone"}
    if isinstance(part, dict):
        return {key: _with_zones(value) for key, value in part.items()}
    return [_with_zones(value) for value in part] if isinstance(part, list) else part


def _timezone() -> Schema:
    return {
        **_TEXT,
        "enum": sorted(available_timezones()),
        "errorMessage": "a time zone is a name of the IANA database, such as America/Los_Angeles",
    }


_ONE_OR_MANY = _validator(OneOrMany[str])
_LATEST = _validator(DataSource.model_fields["latest"].metadata)


# --- rules over several keys ------------------------------------------------------------------------


def given(*keys: str) -> Schema:
    """The mappings that have all of some keys, each with a value."""
    return {"required": list(keys), "properties": {key: _something(key) for key in keys}}


def _something(key: str) -> Schema:
    # Only where it may be one is a boolean named: editors offer what a type may be.
    kinds = (
        ["boolean"] if key == "on_change" else ["string", "number", "boolean", "object", "array"]
    )
    return {"type": kinds, "errorMessage": f"`{key}` is empty"}


def one_of(*keys: str) -> Iterator[Schema]:
    """The rules by which a mapping has just one of some keys."""
    yield {"anyOf": [given(key) for key in keys]}
    yield from exclusive(*keys)


def exclusive(*keys: str) -> Iterator[Schema]:
    """The rules by which a mapping has at most one of some keys."""
    for position, key in enumerate(keys[:-1]):
        others = {
            other: {"type": "null", "errorMessage": f"`{key}` and `{other}` exclude one another"}
            for other in keys[position + 1 :]
        }
        yield {"if": given(key), "then": {"properties": others}}


def together(key: str, other: str) -> Schema:
    """The rule by which one key needs another."""
    return {"if": given(key), "then": given(other)}


def _data_source() -> Iterator[Schema]:
    yield from exclusive("table", "sql")
    whole = {
        "required": ["primary_key", "fields"],
        "properties": {"primary_key": {"minItems": 1}, "fields": {"minProperties": 1}},
        "anyOf": [given("table"), given("sql")],
    }
    yield {"if": {"not": given("extends")}, "then": whole}


def _join() -> Iterator[Schema]:
    yield from one_of("by", "sql")
    by_sql = {"allOf": [given("sql"), {"not": given("by")}]}
    yield {"if": by_sql, "then": given("relationship")}
    yield from exclusive("pick", "as_of")


def _formatter() -> Iterator[Schema]:
    yield from one_of(*KINDS)
    yield together("otherwise", "labels")


def _item() -> Iterator[Schema]:
    yield from one_of("field", "set")
    yield together("except", "set")


def _job() -> Iterator[Schema]:
    yield from one_of(*JOB_KINDS)
    yield {"if": given("refresh"), "then": {"anyOf": [given("to"), given("use")]}}


def _against() -> Iterator[Schema]:
    yield from one_of("table", "data_source")
    yield from exclusive("source", "data_source")
    yield together("where", "source")


def _not_empty(key: str) -> Iterator[Schema]:
    yield {"properties": {key: {"minItems": 1}}}


def _secret(key: str, unless: str, value: Schema) -> Iterator[Schema]:
    """The rule by which a secret is a reference, unless another key says that it is none."""
    in_clear = {"required": [key], "properties": {key: {**_TEXT, "not": {"pattern": r"\$\{"}}}}
    yield {"if": in_clear, "then": {"required": [unless], "properties": {unless: value}}}


def _trino_target() -> Iterator[Schema]:
    in_clear = {"required": ["http_scheme"], "properties": {"http_scheme": {"const": "http"}}}
    message = "`auth` is sent over https only"
    yield {
        "if": in_clear,
        "then": {"properties": {"auth": {"type": "null", "errorMessage": message}}},
    }


_RULES: Mapping[type[BaseModel], Callable[[], Iterable[Schema]]] = {
    DataSource: _data_source,
    Join: _join,
    Formatter: _formatter,
    Item: _item,
    Input: lambda: _not_empty("fields"),
    Place: lambda: one_of(*Place.model_fields),
    Job: _job,
    Against: _against,
    Schedule: lambda: one_of("cron", "every", "on_change"),
    Workflow: lambda: _not_empty("jobs"),
    EngineConfig: lambda: one_of("duckdb", "trino"),
    TrinoAuth: lambda: [*exclusive(*WAYS_TO_SIGN_IN), together("key", "certificate")],
    TrinoTarget: _trino_target,
    CatalogConfig: lambda: one_of("sql", "rest"),
    GoogleSheetsAccess: lambda: _secret("credentials", "endpoint", {"minLength": 1}),
    AirtableAccess: lambda: _secret("token", "endpoint", {"minLength": 1}),
    Receiver: lambda: [
        *exclusive("webhook", "email"),
        *_secret("webhook", "allow_private", {"const": True}),
    ],
}
