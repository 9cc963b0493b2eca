"""What all definitions share: strictness, frozen values, their document, and plain errors.

Pydantic finds every mistake at once and says where by path; `read_model` turns each into a
problem with the place in the file. Models avoid unions: a key that may be written in two ways is
brought to one form before it is validated, so that an error speaks of what was written.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationError,
    create_model,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from genesis.document import Document, Path
from genesis.errors import Location, Problems, did_you_mean, nearest
from genesis.spec.values import Name, describe, listed, mistake

M = TypeVar("M", bound="Model")
D = TypeVar("D", bound="Definition")
L = TypeVar("L", bound="Located")


class Model(BaseModel):
    """A strict, frozen piece of a definition."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        arbitrary_types_allowed=True,
        validate_by_name=False,
    )


class Checked(Model):
    """A model with rules over several keys; what they find stands beside what its values get wrong."""

    @classmethod
    def faults(cls, data: Mapping[str, Any]) -> Iterator[PydanticCustomError]:
        """What is wrong with the mapping as a whole, from `mistake`."""
        raise NotImplementedError

    @model_validator(mode="wrap")
    @classmethod
    def _check(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        faults = cls.faults(data) if isinstance(data, dict) else ()
        found = [InitErrorDetails(type=fault, loc=(), input=data) for fault in faults]
        try:
            value = handler(data)
        except ValidationError as invalid:
            found += map(_again, invalid.errors(include_url=False))
        if found:
            raise ValidationError.from_exception_data(cls.__name__, found)
        return value


def _again(error: ErrorDetails) -> InitErrorDetails:
    """An error that was found below, to be raised anew beside others."""
    context = error.get("ctx", {})
    kind: Any = error["type"]
    if "message" in context:
        kind = mistake(kind, **context)
    return InitErrorDetails(type=kind, loc=error["loc"], input=error["input"], ctx=context)


class Located(Checked):
    """A model that knows its file and the place of each of its values."""

    _document: Document = PrivateAttr()
    _root: Path = PrivateAttr(default=())

    @classmethod
    def faults(cls, data: Mapping[str, Any]) -> Iterator[PydanticCustomError]:  # noqa: ARG003
        """None, unless a kind of definition says otherwise."""
        return iter(())

    @property
    def file(self) -> str:
        """The file it was read from, relative to the project's root."""
        return self._document.file

    def locate(self, *path: str | int, offset: int | None = None, length: int = 1) -> Location:
        """The place of a value, as `Document.locate`; paths start at this model."""
        return self._document.locate(*self._root, *path, offset=offset, length=length)

    def locate_key(self, *path: str | int) -> Location:
        """The place of a key, as `Document.locate_key`."""
        return self._document.locate_key(*self._root, *path)


class Definition(Located):
    """A whole YAML document that has a name."""

    kind: ClassVar[str]
    name: Name

    def locate_name(self) -> Location:
        """The place of its name."""
        return self.locate(self.kind)


def read_definition(model: type[D], document: Document, problems: Problems) -> D | None:
    """The definition a document holds, or `None` with its problems told."""
    data = dict(document.data)
    name = data.pop(model.kind)
    definition = _read(
        model, {"name": name, **data}, document, problems, {("name",): (model.kind,)}
    )
    if definition is not None:
        definition._document = document
    return definition


def read_model(model: type[M], document: Document, problems: Problems) -> M | None:
    """A document without a name of its own (the project file) as `model`."""
    return _read(model, document.data, document, problems, {})


def read_entries(model: type[L], document: Document, problems: Problems) -> dict[str, L]:
    """The named entries of a `formatters:` or `templates:` document, each located."""
    kind = next(iter(document.data))
    collection = create_model("Entries", __base__=Model, **{kind: (dict[Name, model], ...)})  # type: ignore[call-overload, valid-type]
    read = _read(collection, document.data, document, problems, {})
    entries: dict[str, L] = getattr(read, kind) if read else {}
    for name, entry in entries.items():
        entry._document, entry._root = document, (kind, name)
    return entries


def _read(
    model: type[M],
    data: Any,
    document: Document,
    problems: Problems,
    renamed: Mapping[Path, Path],
) -> M | None:
    try:
        return model.model_validate(data)
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False)
        slips = {_slip(error, model) for error in errors if error["type"] == "extra_forbidden"}
        for error in errors:
            if _missed(error) not in slips:
                _tell(error, model, document, problems, renamed)
        return None


def _slip(error: ErrorDetails, model: type[Model]) -> Path:
    """The path of the key that an unknown one was meant to be."""
    *path, key = error["loc"]
    known = _keys_at(model, tuple(path))
    return (*path, nearest(str(key), known) or "")


def _missed(error: ErrorDetails) -> Path | None:
    """The path of the key that is missing, where that is the error."""
    if error["type"] == "missing":
        return error["loc"]
    key = error.get("ctx", {}).get("key")
    return (*error["loc"], key) if key else None


_KINDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "`true` or `false`",
    "dict_type": "a mapping (`key: value`)",
    "mapping_type": "a mapping (`key: value`)",
    "model_type": "a mapping (`key: value`)",
    "model_attributes_type": "a mapping (`key: value`)",
    "tuple_type": "a list (`- item`)",
    "list_type": "a list (`- item`)",
}


def _tell(
    error: ErrorDetails,
    model: type[Model],
    document: Document,
    problems: Problems,
    renamed: Mapping[Path, Path],
) -> None:
    steps = tuple(step for step in error["loc"] if step != "[key]")
    path = renamed.get(steps, steps)
    key = str(path[-1]) if path else ""
    at = document.locate(*path)
    context = error.get("ctx", {})
    match error["type"]:
        case "missing":
            problems.add("missing-key", f"`{key}` is missing", at)
        case "extra_forbidden":
            known = _keys_at(model, steps[:-1])
            hint = did_you_mean(key, known) or listed(known)
            problems.add(
                "unknown-key", f"unknown key `{key}`", document.locate_key(*path), hint=hint
            )
        case "literal_error":
            choices = re.findall(r"'([^']*)'", context["expected"])
            hint = did_you_mean(str(error["input"]), choices) or listed(choices)
            problems.add("wrong-choice", f"`{key}` cannot be `{error['input']}`", at, hint=hint)
        case "greater_than_equal":
            problems.add(
                "wrong-type",
                f"`{key}` should be at least {context['ge']}, not {error['input']}",
                at,
            )
        case kind if kind in _KINDS:
            given = error["input"]
            quotable = kind == "string_type" and isinstance(given, int | float)
            name = "the item" if key.isdigit() else f"`{key}`"
            message = f"{name} should be {_KINDS[kind]}, not {describe(given)}"
            problems.add("wrong-type", message, at, hint="put it in quotes" if quotable else None)
        case kind:
            place = document.locate_key(*path) if "[key]" in error["loc"] else at
            if kind == "missing-key":  # told at the first key of the mapping that lacks it
                place = document.locate(*path, "")
            code = kind if "message" in context else "wrong-type"
            problems.add(
                code, context.get("message", error["msg"]), place, hint=context.get("hint")
            )


def _keys_at(model: type[BaseModel], path: tuple[str | int, ...]) -> list[str]:
    """The keys a model knows at a path; names of a mapping and positions of a list are passed over."""
    for step in path:
        fields = {(field.alias or name): field for name, field in model.model_fields.items()}
        if step in fields:
            inner = _models_in(fields[str(step)].annotation)
            if not inner:
                return []
            model = inner[0]
    return [field.alias or name for name, field in model.model_fields.items()]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in _models_in(part)]
