"""What all definitions share: strictness, frozen values, their document, and plain errors.

Pydantic finds every mistake at once and says where by path; `read_model` turns each into a
problem with the place in the file. Models avoid unions: a key that may be written in two ways is
brought to one form before it is validated, so that an error speaks of what was written.
"""

from __future__ import annotations

import re
import typing
from collections import defaultdict
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
from genesis.errors import Fix, Location, Meant, Problems, did_you_mean, misspelt, nearest
from genesis.spec.values import Name, describe, either, listed, mistake

DEFINITIONS = ("data_source", "input", "workflow", "audit")
ENTRIES = ("formatters", "templates", "tests")
FIRST_KEYS = (*DEFINITIONS, *ENTRIES)
"""What a document begins with: the kind of the one that it defines, or of the many."""

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
        defer_build=True,
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
        faults = list(cls.faults(_given(data))) if isinstance(data, dict) else []
        if not faults:
            return handler(data)
        found = [InitErrorDetails(type=fault, loc=(), input=data) for fault in faults]
        try:
            handler(data)
        except ValidationError as invalid:
            found += map(_again, invalid.errors(include_url=False))
        raise ValidationError.from_exception_data(cls.__name__, found)


def _given(data: dict[str, Any]) -> dict[str, Any]:
    """The data without keys that have no value, which are as good as none."""
    return {k: v for k, v in data.items() if v is not None} if None in data.values() else data


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

    @property
    def text(self) -> str:
        """All of that file's text."""
        return self._document.text

    @property
    def written(self) -> Any:
        """Its keys and values, as they are written."""
        return self._document.value(self._root)

    @property
    def own_text(self) -> str:
        """What of the file's text is its own, from its first key to its last value."""
        return self._document.span(*self._root)

    def locate(self, *path: str | int, offset: int | None = None, length: int = 1) -> Location:
        """The place of a value, as `Document.locate`; paths start at this model."""
        return self._document.locate(*self._root, *path, offset=offset, length=length)

    def locate_key(self, *path: str | int) -> Location:
        """The place of a key, as `Document.locate_key`."""
        return self._document.locate_key(*self._root, *path)


class Definition(Located):
    """A whole YAML document that has a name."""

    kind: ClassVar[str]
    entries: ClassVar[tuple[str, ...]] = ()  # keys whose values are mappings of things with names
    name: Name
    _unread: frozenset[Path] = PrivateAttr(default=frozenset())

    def locate_name(self) -> Location:
        """The place of its name."""
        return self.locate(self.kind)

    def has_unread(self, name: str) -> bool:
        """Whether an entry of that name could not be read: uses of it are no further problem."""
        return any(entry == name for _, entry in self._unread)


def read_definition(
    model: type[D], document: Document, problems: Problems, *, lenient: bool = False
) -> D | None:
    """The definition a document holds, or `None` with its problems told.

    A lenient reader takes it without the keys that are wrong, where nothing else rests on them.
    """
    data = dict(document.data)
    named = {"name": data.pop(model.kind)}
    if "name" in data:
        hint = f"the name stands after `{model.kind}:`"
        problems.add("unknown-key", "unknown key `name`", document.locate_key("name"), hint=hint)
        del data["name"]
    unread: set[Path] = set()
    definition = _read(
        model, {**named, **data}, document, problems, unread=unread if lenient else None
    )
    if definition is not None:
        definition._document, definition._unread = document, frozenset(unread)
    return definition


def read_model(model: type[M], document: Document, problems: Problems) -> M | None:
    """A document without a name of its own (the project file) as `model`."""
    found = _read(model, document.data, document, problems)
    if isinstance(found, Located):
        found._document = document
    return found


def read_entries(model: type[L], document: Document, problems: Problems) -> dict[str, L]:
    """The named entries of a `formatters:` or `templates:` document, each located."""
    kind = next(iter(document.data))
    collection = create_model("Entries", __base__=Model, **{kind: (dict[Name, model], ...)})  # type: ignore[call-overload, valid-type]
    read = _read(collection, document.data, document, problems)
    entries: dict[str, L] = getattr(read, kind) if read else {}
    for name, entry in entries.items():
        entry._document, entry._root = document, (kind, name)
    return entries


def _read(
    model: type[M],
    data: Any,
    document: Document,
    problems: Problems,
    *,
    unread: set[Path] | None = None,
) -> M | None:
    """The model, or `None` with its problems told.

    With `unread`, it is read without wrong keys that nothing else rests on, and without entries that
    are wrong, whose paths are added to it.
    """
    try:
        return model.model_validate(data)
    except ValidationError as invalid:
        report, errors = _Report(model, document, problems), invalid.errors(include_url=False)
        report.tell(errors)
    if unread is None:
        return None
    for error in errors:
        path = error["loc"]
        if not report.is_alone(error):
            entry = _entry(model, path)
            if entry is None:
                return None
            unread.add(entry)
            path = entry
        data = _without(data, path)
    try:
        return model.model_validate(data)
    except ValidationError:
        return None


# Keys without which all else in a definition means what it meant, as far as problems go.
_ALONE = frozenset(
    {
        "deprecated",
        "description",
        "domain",
        "filters",
        "format",
        "having",
        "hidden",
        "label",
        "labels",
        "limit",
        "otherwise",
        "owner",
        "sensitivity",
        "separator",
        "tags",
        "title",
        "where",
    }
)


def _entry(model: type[BaseModel], path: Path) -> Path | None:
    """The path of the named entry that a path leads into, or `None`."""
    is_in_one = len(path) > 1 and path[0] in getattr(model, "entries", ())
    return path[:2] if is_in_one else None


def _without(data: Any, path: Path) -> Any:
    """The data but for what stands at a path; what is there no more is not missed."""
    step, *rest = path
    if isinstance(data, list) and isinstance(step, int) and rest:
        return [_without(item, tuple(rest)) if n == step else item for n, item in enumerate(data)]
    if not isinstance(data, dict) or step not in data:
        return data
    if not rest:
        return {key: value for key, value in data.items() if key != step}
    return {**data, step: _without(data[step], tuple(rest))}


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


class _Report:
    """What pydantic finds wrong in a document, as problems with places."""

    def __init__(self, model: type[Model], document: Document, problems: Problems) -> None:
        self._model, self._document, self._problems = model, document, problems

    def tell(self, errors: list[ErrorDetails]) -> None:
        """Tell each mistake once: a mistyped key is not missing too."""
        wrong = {error["loc"] for error in errors if not _lacks(error)}
        meant, lacking = self._typos(errors)
        for error in errors:
            if error["type"] == "extra_forbidden":
                self._tell_unknown(error["loc"], meant.get(error["loc"], ()))
            elif keys := _lacks(error):
                mapping = _mapping(error)
                if keys in lacking[mapping] and not any((*mapping, key) in wrong for key in keys):
                    self._tell_missing(mapping, keys, error.get("ctx", {}).get("hint"))
            else:
                self._tell(error)

    def is_alone(self, error: ErrorDetails) -> bool:
        """Whether the wrong key, or the one it is meant for, is one that nothing else rests on."""
        if _lacks(error) or not error["loc"]:
            return False
        key = str(error["loc"][-1])
        if error["type"] != "extra_forbidden":
            return key in _ALONE
        free = self._free_keys(error["loc"][:-1])
        meant = nearest(key, free)
        if meant is None:  # it may be another language's word for joins, or for a name
            return "name" not in free and not isinstance(error["input"], dict | list)
        return meant in _ALONE

    def _typos(
        self, errors: list[ErrorDetails]
    ) -> tuple[dict[Path, tuple[str, ...]], dict[Path, list[tuple[str, ...]]]]:
        """What each unknown key may be meant for, and what the mappings lack apart from those."""
        unknown: dict[Path, list[str]] = defaultdict(list)
        lacking: dict[Path, list[tuple[str, ...]]] = defaultdict(list)
        for error in errors:
            if error["type"] == "extra_forbidden":
                unknown[_mapping(error)].append(str(error["loc"][-1]))
            elif keys := _lacks(error):
                lacking[_mapping(error)].append(keys)
        meant: dict[Path, tuple[str, ...]] = {}
        for mapping, strange in unknown.items():
            free = self._free_keys(mapping)
            close = {key: found for key in strange if (found := nearest(key, free))}
            meant |= {(*mapping, key): (found,) for key, found in close.items()}
            rest = [keys for keys in lacking[mapping] if not {*close.values()} & {*keys}]
            others = [key for key in strange if key not in close]
            if len(others) >= len(rest):
                wanted = tuple(keys[0] for keys in rest)
                meant |= {(*mapping, key): wanted for key in others}
                rest = []
            lacking[mapping] = rest
        return meant, lacking

    def _free_keys(self, mapping: Path) -> list[str]:
        written = self._document.value(mapping)
        return [key for key in _keys_at(self._model, mapping) if key not in written]

    def _tell_unknown(self, path: Path, meant: tuple[str, ...]) -> None:
        message = f"unknown key {describe(path[-1])}"
        free = self._free_keys(path[:-1])
        hint = f"did you mean {either(meant)}?" if meant else listed(free)
        if not meant and path[-1] in _keys_at(self._model, path[:-2]):
            hint = f"it stands beside {describe(path[-2])}, not in it"
        if len(path) == 1 and path[0] in FIRST_KEYS:
            hint = "it begins a document of its own: `---` before it"
        if len(meant) == 1 and misspelt(str(path[-1]), free) == meant[0]:
            hint = Meant(str(path[-1]), meant[0])
        self._problems.add("unknown-key", message, self._document.locate_key(*path), hint=hint)

    def _tell_missing(self, mapping: Path, keys: tuple[str, ...], hint: str | None) -> None:
        written = self._document.value(mapping)
        if empty := next((key for key in keys if key in written), None):
            at = self._document.locate_key(*mapping, empty)
            self._problems.add("missing-key", f"`{empty}` is empty", at, hint=hint)
            return
        message = f"{self._named(mapping)} lacks {either(keys)}"
        at = self._document.locate(*mapping, "")
        self._problems.add("missing-key", message, at, hint=hint)

    def _named(self, path: Path) -> str:
        """What stands at a path, in words."""
        if path:
            *holder, last = path
            if isinstance(last, int):
                return f"item {last + 1} of {self._named(tuple(holder))}"
            return describe(last)
        if not issubclass(self._model, Definition):
            return describe(self._document.file)
        return f"{self._model.kind.replace('_', ' ')} {describe(self._document.data[self._model.kind])}"

    def _tell(self, error: ErrorDetails) -> None:
        steps = tuple(step for step in error["loc"] if step != "[key]")
        is_name = steps == ("name",) and issubclass(self._model, Definition)
        path = (self._model.kind,) if is_name else steps  # type: ignore[attr-defined]
        context = error.get("ctx", {})
        code, message, hint = _in_words(error)
        if message.startswith("{it} "):
            message = f"{self._named(path)} {message.removeprefix('{it} ')}"
        if context.get("key"):
            path = (*path, context["key"])
        is_key = "[key]" in error["loc"] or code == "conflicting-keys"
        at = self._document.locate_key(*path) if is_key else self._document.locate(*path)
        self._problems.add(code, message, at, hint=hint, fix=self._rewritten(path, hint, at))

    def _rewritten(self, path: Path, hint: str | None, at: Location) -> Fix | None:
        """The value in quotes, without them, or in a list, where that is the whole mistake."""
        spot = self._document.spot(*path)
        style = self._document.style(spot) if spot else None
        if spot is None or style is None:
            return None
        text = self._document.text[spot.start : spot.end]
        if hint == _QUOTED and style == "":
            return Fix(at, text, f'"{text}"')
        if hint == _BARE and style in ("'", '"'):
            return Fix(at, text, text[1:-1])
        return Fix(at, text, f"[{text}]") if hint and hint.startswith(_LISTED) else None


def _lacks(error: ErrorDetails) -> tuple[str, ...]:
    """The keys, one of which is missing, where that is the error."""
    if error["type"] == "missing":
        return (str(error["loc"][-1]),)
    keys: tuple[str, ...] = error.get("ctx", {}).get("lacks", ())
    return keys


def _mapping(error: ErrorDetails) -> Path:
    """The path of the mapping whose keys are wrong."""
    is_below = error["type"] in ("missing", "extra_forbidden")
    return error["loc"][:-1] if is_below else error["loc"]


def _in_words(error: ErrorDetails) -> tuple[str, str, str | None]:
    """Code, message and hint; `{it}` at the start of a message is what stands there."""
    context, given, kind = error.get("ctx", {}), error["input"], error["type"]
    match kind:
        case _ if "message" in context:
            return kind, context["message"], context["hint"]
        case "literal_error":
            choices = re.findall(r"'([^']*)'", context["expected"])
            hint = did_you_mean(str(given), choices) or listed(choices)
            return "wrong-choice", f"{{it}} cannot be {describe(given)}", hint
        case "too_short":
            return "wrong-type", "{it} is empty", "list at least one"
        case "greater_than_equal":
            return (
                "wrong-type",
                f"{{it}} should be at least {context['ge']}, not {describe(given)}",
                None,
            )
        case _ if kind in _KINDS:
            message = f"{{it}} should be {_KINDS[kind]}, not {describe(given)}"
            return "wrong-type", message, _other_writing(kind, given)
    return "wrong-type", f"{{it}} should be something else: {error['msg']}", None


_QUOTED, _BARE, _LISTED = "put it in quotes", "write it without quotes", "a list of one is written"


def _other_writing(kind: str, given: Any) -> str | None:
    """How the value would be what the key wants."""
    match kind, given:
        case "string_type", bool() | int() | float():
            return _QUOTED
        case "bool_type", "true" | "false":
            return _BARE
        case "int_type" | "float_type", str() if given.isdecimal():
            return _BARE
        case "tuple_type" | "list_type", str() if re.fullmatch(r"[\w.-]+", given):
            return f"{_LISTED} `[{given}]`"
    return None


def _keys_at(model: type[BaseModel], path: tuple[str | int, ...]) -> list[str]:
    """The keys a model knows at a path; names of a mapping and positions of a list are passed over."""
    for step in path:
        fields = {(field.alias or name): field for name, field in model.model_fields.items()}
        if step in fields:
            inner = _models_in(fields[str(step)].annotation)
            if not inner:
                return []
            model = inner[0]
    known = [field.alias or name for name, field in model.model_fields.items()]
    return [key for key in known if key != "name" or not issubclass(model, Definition)]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in _models_in(part)]
