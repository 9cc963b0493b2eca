"""YAML text -> plain data, and the place of every value in it.

YAML 1.2 core: only `true` and `false` are booleans; `on`, `no` and `10:30` are strings. Tags and
merge keys are refused, keys are unique, aliases may repeat only so much. The surprise: values
are built from libyaml's events, not its nodes, because its composer recurses in C and a file of
60,000 brackets ends the process.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from yaml import events as ev

from genesis.errors import Location, Problems, did_you_mean

Path = tuple[str | int, ...]

MAX_CHARACTERS = 256 * 1024
MAX_DEPTH = 32
MAX_NODES = 50_000
MAX_ALIASES = 1_000

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# libyaml reads YAML 1.1, where these three end a line; in 1.2, and in every editor, they are text.
_LINE_LIKE = str.maketrans("\x85\u2028\u2029", "\uf8f0\uf8f1\uf8f2")
_LINE_LIKE_BACK = str.maketrans("\uf8f0\uf8f1\uf8f2", "\x85\u2028\u2029")
_UNPRINTABLE = re.compile(r"[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands; `style` is YAML's: plain (""), `'`, `"`, `|`, `>`, or `None` for a collection."""

    start: int
    end: int
    line: int
    column: int
    end_line: int
    end_column: int
    style: str | None


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document: its data as dicts, lists and scalars, and the places of both keys and values."""

    file: str
    text: str
    data: Any
    values: dict[Path, Place]
    keys: dict[Path, Place]

    def locate(self, *path: str | int, offset: int | None = None, length: int = 1) -> Location:
        """The place of the value at `path`, or of the nearest thing round it that is there.

        With `offset`, the place of `length` characters that many into the value's text: exact in
        plain, quoted and `|` scalars; in folded ones the scalar's start.
        """
        place = self.values[self._nearest(path)]
        if offset is not None and place.style is not None:
            return _inside(self, place, offset, length)
        if place.style is None and path and path not in self.values and path[:-1] in self.values:
            return self._first_key(path[:-1])
        return _location(self.file, place)

    def locate_key(self, *path: str | int) -> Location:
        """The place of the key that leads to `path`; of the value where there is none."""
        place = self.keys.get(path)
        return _location(self.file, place) if place else self.locate(*path)

    def _nearest(self, path: Path) -> Path:
        while path not in self.values:
            path = path[:-1]
        return path

    def _first_key(self, path: Path) -> Location:
        """A missing key is reported at the first key of the mapping that lacks it."""
        for key, place in self.keys.items():
            if key[:-1] == path:
                return _location(self.file, place)
        return _location(self.file, self.values[path])


def read_documents(file: str, content: bytes | str, problems: Problems) -> list[Document]:
    """The documents of a file. What cannot be read is left out and told to `problems`."""
    text = _decode(file, content, problems)
    if text is None:
        return []
    builder = _Builder(file, text, problems)
    try:
        builder.build()
    except yaml.YAMLError as error:
        builder.refused = True
        _tell_mistake(file, text, error, problems)
    except _Refused:
        pass
    if not builder.finished and not builder.refused:
        problems.warn("empty-file", f"`{file}` holds nothing", Location(file, 1, 1, 1, 1))
    return builder.finished


def _decode(file: str, content: bytes | str, problems: Problems) -> str | None:
    if isinstance(content, bytes):
        if len(content) > 4 * MAX_CHARACTERS:
            _tell_too_large(file, len(content), "bytes", problems)
            return None
        try:
            content = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            at = _at(file, error.object[: error.start].decode("utf-8", "replace"), error.start)
            problems.add("not-utf8", f"byte {error.start + 1} is not UTF-8 text", at)
            return None
    if len(content) > MAX_CHARACTERS:
        _tell_too_large(file, len(content), "characters", problems)
        return None
    if odd := _UNPRINTABLE.search(content):
        at = _at(file, content, odd.start())
        problems.add("invalid-yaml", f"character U+{ord(odd.group()):04X} is no text", at)
        return None
    return content


def _tell_too_large(file: str, size: int, unit: str, problems: Problems) -> None:
    message = f"the file has {size:,} {unit}, more than {MAX_CHARACTERS:,}"
    problems.add("yaml-limit", message, Location(file, 1, 1, 1, 1), hint="split it into files")


class _Refused(Exception):
    """Reading a file stops here; the problem is told."""


class _Builder:
    """Documents from libyaml's events. `refused` says that something in the file was."""

    def __init__(self, file: str, text: str, problems: Problems) -> None:
        self.finished: list[Document] = []
        self.refused = False
        self._file, self._text, self._problems = file, text, problems
        readable = text.translate(_LINE_LIKE)
        self._line_like = readable != text
        self._events: Iterator[Any] = yaml.parse(readable, Loader=_Loader)
        self._nodes = self._aliases = 0

    def build(self) -> None:
        for event in self._events:
            if isinstance(event, ev.DocumentStartEvent):
                self._start_document()
                data = self._node(next(self._events), (), 1)
                if data is not None:
                    self.finished.append(
                        Document(self._file, self._text, data, self._values, self._keys)
                    )

    def _start_document(self) -> None:
        self._values: dict[Path, Place] = {}
        self._keys: dict[Path, Place] = {}
        self._order: list[Path] = []
        # anchor -> its data, path, and where its places start and end in `_order`
        self._anchors: dict[str, tuple[Any, Path, int, int]] = {}

    def _node(self, event: Any, path: Path, depth: int) -> Any:
        self._count(event, depth)
        if isinstance(event, ev.AliasEvent):
            return self._alias(event, path)
        if event.tag is not None:
            message = f"the tag `{event.tag}` is not read: values are typed by their key"
            self._tell("yaml-tag", message, self._place(event))
        start = len(self._order)
        self._order.append(path)
        if isinstance(event, ev.ScalarEvent):
            self._values[path] = self._place(event)
            data = self._scalar(event)
        elif isinstance(event, ev.SequenceStartEvent):
            data = self._sequence(event, path, depth)
        else:
            data = self._mapping(event, path, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = (data, path, start, len(self._order))
        return data

    def _sequence(self, start: Any, path: Path, depth: int) -> list[Any]:
        items: list[Any] = []
        self._values[path] = self._place(start)
        while not isinstance(event := next(self._events), ev.SequenceEndEvent):
            items.append(self._node(event, (*path, len(items)), depth + 1))
        return items

    def _mapping(self, start: Any, path: Path, depth: int) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        self._values[path] = self._place(start)
        while not isinstance(event := next(self._events), ev.MappingEndEvent):
            key = self._key(event)
            place = self._place(event)
            key_path = (*path, key)
            if key in mapping:
                first = self._keys[key_path].line
                message = f"`{key}` is written twice, first in line {first}"
                self._tell("duplicate-key", message, place)
                self._node(
                    next(self._events), (*path, f"{key} (again, line {place.line})"), depth + 1
                )
                continue
            self._keys[key_path] = place
            mapping[key] = self._node(next(self._events), key_path, depth + 1)
        return mapping

    def _key(self, event: Any) -> str:
        if not isinstance(event, ev.ScalarEvent):
            self._tell(
                "wrong-key",
                "a key is a plain name, not a list, mapping or alias",
                self._place(event),
            )
            raise _Refused
        if event.value == "<<" and event.implicit[0]:
            message = "merge keys (`<<`) are not read"
            self._tell(
                "merge-key",
                message,
                self._place(event),
                hint="use `extends`, or write the keys out",
            )
        return self._string(event.value)

    def _alias(self, event: Any, path: Path) -> Any:
        if event.anchor not in self._anchors:
            message = f"`*{event.anchor}` has no anchor before it"
            hint = did_you_mean(event.anchor, self._anchors)
            self._tell("invalid-yaml", message, self._place(event), hint=hint)
            raise _Refused
        self._aliases += 1
        data, source, start, end = self._anchors[event.anchor]
        self._nodes += end - start
        self._count(event, len(path) + 1)
        if self._aliases > MAX_ALIASES:
            self._refuse(f"more than {MAX_ALIASES:,} aliases", event)
        for place_path in self._order[start:end]:
            copied = path + place_path[len(source) :]
            if len(copied) > MAX_DEPTH:
                self._refuse(f"nested deeper than {MAX_DEPTH} levels", event)
            self._order.append(copied)
            self._values[copied] = self._values[place_path]
            if place_path != source and place_path in self._keys:
                self._keys[copied] = self._keys[place_path]
        return data

    def _count(self, event: Any, depth: int) -> None:
        self._nodes += 1
        if depth > MAX_DEPTH:
            self._refuse(f"nested deeper than {MAX_DEPTH} levels", event)
        if self._nodes > MAX_NODES:
            self._refuse(f"more than {MAX_NODES:,} values, aliases written out", event)

    def _refuse(self, message: str, event: Any) -> None:
        self._tell("yaml-limit", message, self._place(event))
        raise _Refused

    def _tell(self, code: str, message: str, place: Place, *, hint: str | None = None) -> None:
        self.refused = True
        self._problems.add(code, message, _location(self._file, place), hint=hint)

    def _place(self, event: Any) -> Place:
        start, end = event.start_mark, event.end_mark
        style = (event.style or "") if isinstance(event, ev.ScalarEvent) else None
        return Place(
            start.index,
            end.index,
            start.line + 1,
            start.column + 1,
            end.line + 1,
            end.column + 1,
            style,
        )

    def _string(self, text: str) -> str:
        return text.translate(_LINE_LIKE_BACK) if self._line_like else text

    def _scalar(self, event: Any) -> Any:
        if event.style:  # quoted or block: a string, whatever it looks like
            return self._string(event.value)
        try:
            return _plain(self._string(event.value))
        except ValueError:
            self._tell("wrong-value", "the number has too many digits to read", self._place(event))
            return None


_INTEGER = re.compile(r"[-+]?[0-9]+")
_RADIX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}


def _plain(text: str) -> Any:
    """A plain scalar by the core schema of YAML 1.2 (section 10.3.2 of its specification)."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _RADIX.fullmatch(text):
        return int(text, 0)
    return float(text) if _FLOAT.fullmatch(text) else text


_MISTAKES: dict[str, tuple[str, str | None]] = {
    "mapping values are not allowed in this context": (
        "a `: ` where no key can stand",
        "put a value that holds `: ` in quotes, or check the indentation",
    ),
    "did not find expected key": ("a key was expected here", "check the indentation of this line"),
    "did not find expected '-' indicator": (
        "a `- ` item was expected here",
        "check the indentation of this line",
    ),
    "could not find expected ':'": (
        "the line is neither `key: value` nor an item",
        "a key ends in `: `",
    ),
    "did not find expected ',' or ']'": (
        "a `[` list is not closed",
        "items are parted by `, ` and end in `]`",
    ),
    "did not find expected ',' or '}'": (
        "a `{` mapping is not closed",
        "entries are parted by `, ` and end in `}`",
    ),
    "found unexpected end of stream": (
        "a quote is not closed",
        'a quote inside a quoted value is written twice or as \\"',
    ),
    "block sequence entries are not allowed in this context": (
        "a `- ` item cannot stand here",
        "check the indentation of this line",
    ),
    "found unknown escape character": (
        "an unknown escape in a double-quoted value",
        "single quotes keep a backslash as it is",
    ),
}


def _tell_mistake(file: str, text: str, error: yaml.YAMLError, problems: Problems) -> None:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = getattr(error, "problem", None) or str(error).splitlines()[0]
    index = min(mark.index, len(text)) if mark else 0
    message, hint = _MISTAKES.get(said, (said, None))
    if said == "found character that cannot start any token":
        if text[index : index + 1] == "\t":
            message, hint = "a tab where YAML wants spaces", "indent with spaces"
        else:
            message, hint = (
                f"no value can start with `{text[index : index + 1]}`",
                "put the value in quotes",
            )
    if "not closed" in message and (mark := getattr(error, "context_mark", None)):
        index = min(mark.index, len(text))
    problems.add("invalid-yaml", message, _at(file, text, index), hint=hint)


_LINE_END = re.compile(r"\r\n|\r|\n")


def _at(file: str, text: str, index: int, length: int = 1) -> Location:
    """The place of `length` characters at `index` of a text; it never reaches past their line."""
    line, start = 1, 0
    for match in _LINE_END.finditer(text, 0, index):
        line, start = line + 1, match.end()
    column = index - start + 1
    rest = _LINE_END.search(text, index)
    room = (rest.start() if rest else len(text)) - index
    return Location(file, line, column, line, column + max(1, min(length, room)))


def _location(file: str, place: Place) -> Location:
    if place.style is None:  # a collection: its first character stands for it
        return Location(file, place.line, place.column, place.line, place.column + 1)
    return Location(file, place.line, place.column, place.end_line, place.end_column)


def _inside(document: Document, place: Place, offset: int, length: int) -> Location:
    positions = _positions(document.text[place.start : place.end], place.style or "")
    if offset >= len(positions):
        return _location(document.file, place)
    start = place.start + positions[offset]
    last = min(offset + length, len(positions)) - 1
    end = place.start + positions[last] + 1
    return _at(document.file, document.text, start, end - start)


def _positions(source: str, style: str) -> list[int]:
    """For each character of a scalar's value, where in its source text it stands."""
    properties = re.match(r"(&\S+\s+)*", source)
    first = properties.end() if properties else 0
    match style:
        case "|":
            return _literal_positions(source, first)
        case ">":
            return []
        case "'" | '"':
            return _flow_positions(source, first + 1, source.rfind(style), style)
        case _:
            return _flow_positions(source, first, len(source), style)


def _literal_positions(source: str, first: int) -> list[int]:
    header, *lines = source[first:].splitlines(keepends=True)
    indents = [len(line) - len(line.lstrip(" ")) for line in lines if line.strip()]
    stated = re.search(r"[1-9]", header.split("#")[0])
    if (
        not indents or stated
    ):  # an indentation indicator counts from the parent, which is not known here
        return []
    positions: list[int] = []
    at = first + len(header)
    for line in lines:
        body = line.rstrip("\r\n")
        positions += range(at + min(indents[0], len(body)), at + len(body))
        positions.append(at + len(body))
        at += len(line)
    return positions


_ESCAPES = {"x": 4, "u": 6, "U": 10}
_BREAK = re.compile(r"[ \t]*(?:\r\n|\r|\n)[ \t]*")


def _flow_positions(source: str, at: int, end: int, style: str) -> list[int]:
    positions: list[int] = []
    while at < end:
        if fold := _BREAK.match(source, at, end):
            breaks = 0
            while fold:
                breaks += 1
                at, last = fold.end(), fold.start()
                fold = _BREAK.match(source, at, end)
            positions += [last] * max(1, breaks - 1)  # one break is a space, n are n - 1 newlines
            continue
        if style == '"' and source[at] == "\\":
            if continued := _BREAK.match(source, at + 1, end):
                at = continued.end()
                continue
            positions.append(at)
            at += _ESCAPES.get(source[at + 1], 2)
            continue
        positions.append(at)
        at += 2 if style == "'" and source[at] == "'" else 1
    return positions
