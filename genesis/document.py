"""YAML text -> plain data, and the place of every value in it.

YAML 1.2 core: only `true` and `false` are booleans; `on`, `no` and `10:30` are strings. Tags and
merge keys are refused, keys are unique, aliases may repeat only so much. Values are built from
libyaml's events, not its nodes, because its composer recurses in C and a file of 60,000 brackets ends
the process. The surprise: a text is read twice where places are asked for, since most texts hold nothing
to tell and their data alone takes half the time; only `_Builder` tells anything.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple, Protocol

import yaml
from yaml import events as ev

from genesis.errors import MAX_MISTAKES, Fix, Location, Problems, did_you_mean

Path = tuple[str | int, ...]

MAX_CHARACTERS = 256 * 1024
MAX_DEPTH = 32
MAX_NODES = 20_000
MAX_ALIASES = 1_000

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# libyaml reads YAML 1.1, where these three end a line; in 1.2, and in every editor, they are text.
_LINE_LIKE = str.maketrans("\x85\u2028\u2029", "\uf8f0\uf8f1\uf8f2")
_LINE_LIKE_BACK = str.maketrans("\uf8f0\uf8f1\uf8f2", "\x85\u2028\u2029")
_UNPRINTABLE = r"[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"


class Spot(NamedTuple):
    """Where a value stands in its text: offsets, after its anchor and tag, and those of its key.

    `inner` holds the spots of what a collection holds, by key or position; a scalar has none.
    """

    start: int
    end: int
    inner: Mapping[str | int, Spot] | None = None
    key_start: int = -1
    key_end: int = -1

    @property
    def has_key(self) -> bool:
        return self.key_start >= 0


@dataclass(frozen=True)
class Document:
    """One YAML document: its data as dicts, lists and scalars, and where its keys and values stand.

    `number` says which of the documents of its text it is.
    """

    file: str
    text: str
    data: Any
    number: int

    @cached_property
    def root(self) -> Spot:
        """Where all of its data stands."""
        return _roots(self.text)[self.number]

    def locate(self, *path: str | int, offset: int | None = None, length: int = 1) -> Location:
        """The place of the value at `path`, or of the nearest thing round it that is there.

        With `offset`, the place of `length` characters that many into the value's text: exact in
        plain, quoted and `|` scalars; in folded ones the scalar's start.
        """
        spot, depth = self._nearest(path)
        if spot.inner is None:
            if offset is not None:
                return self._inside(spot, path[:depth], offset, length)
            is_empty = spot.start == spot.end
            return self._key(spot) if is_empty and spot.has_key else self._value(spot)
        if depth == len(path) - 1:  # a missing key is told at the first key of what lacks it
            first = next(iter(spot.inner.values()), None)
            return self._key(first) if first and first.has_key else self._value(spot)
        return self._value(spot)

    def locate_key(self, *path: str | int) -> Location:
        """The place of the key that leads to `path`; of the value where there is none."""
        spot = self.spot(*path)
        return self._key(spot) if spot and spot.has_key else self.locate(*path)

    def spot(self, *path: str | int) -> Spot | None:
        """Where the value at `path` stands, if there is one."""
        spot, depth = self._nearest(path)
        return spot if depth == len(path) else None

    def span(self, *path: str | int) -> str:
        """The text of a collection from its first key to its last value."""
        spot = self.spot(*path)
        first = next(iter(spot.inner.values()), None) if spot and spot.inner else None
        while spot is not None and spot.inner:
            spot = list(spot.inner.values())[-1]
        return self.text[first.key_start : spot.end] if first and spot else ""

    def value(self, path: Path) -> Any:
        """The value at a path."""
        value = self.data
        for step in path:
            value = value[step]
        return value

    def style(self, spot: Spot) -> str | None:
        """How a value is written: plain (""), `'`, `"`, `|`, `>`, or `None` for a collection."""
        if spot.inner is not None:
            return None
        first = self.text[spot.start : spot.start + 1] if spot.end > spot.start else ""
        return first if first in _STYLES else ""

    def _nearest(self, path: Path) -> tuple[Spot, int]:
        """The spot that a path leads to, and how many of its steps do."""
        spot = self.root
        for depth, step in enumerate(path):
            if spot.inner is None or step not in spot.inner:
                return spot, depth
            spot = spot.inner[step]
        return spot, len(path)

    def _value(self, spot: Spot) -> Location:
        # A collection's first character stands for it.
        end = spot.end if spot.inner is None else spot.start + 1
        return _between(self.file, self.text, spot.start, end)

    def _key(self, spot: Spot) -> Location:
        return _between(self.file, self.text, spot.key_start, spot.key_end)

    def _inside(self, spot: Spot, path: Path, offset: int, length: int) -> Location:
        positions = _positions(self, spot, path)
        if offset >= len(positions):
            return self._value(spot)
        last = min(offset + length, len(positions)) - 1
        start, end = positions[offset], positions[last] + 1
        return _at(self.file, self.text, start, end - start)


_STYLES = frozenset("'\"|>")


class Values(Protocol):
    """What was read before from texts of which nothing was told."""

    def of(self, text: str, read: Callable[[str], list[Any]]) -> list[Any]:
        """The values of a text's documents; `read` finds them, if they are not known."""


def read_documents(
    file: str, content: bytes | str, problems: Problems, before: Values | None = None
) -> list[Document]:
    """The documents of a file. What cannot be read is left out and told to `problems`."""
    text = _decode(file, content, problems)
    if text is None:
        return []
    values = before.of(text, _simple_values) if before else _simple_values(text)
    if values:
        return [Document(file, text, data, number) for number, data in enumerate(values)]
    builder = _build(file, text, problems)
    if not builder.finished and not builder.refused:
        hint = "delete it, or write a definition in it"
        problems.warn("empty-file", "the file holds nothing", Location(file, 1, 1, 1, 1), hint=hint)
    return [Document(file, text, data, n) for n, (data, _) in enumerate(builder.finished)]


@lru_cache(maxsize=64)
def _roots(text: str) -> tuple[Spot, ...]:
    """Where the documents of a text stand; what is wrong with it was told when it was read."""
    return tuple(root for _, root in _build("", text, Problems()).finished)


def _build(file: str, text: str, problems: Problems) -> _Builder:
    builder = _Builder(file, text, problems)
    try:
        builder.build()
    except yaml.YAMLError as error:
        builder.refused = True
        _tell_mistake(file, text, error, problems)
    except _Refused:
        pass
    return builder


def _decode(file: str, content: bytes | str, problems: Problems) -> str | None:
    if isinstance(content, bytes):
        if len(content) > 4 * MAX_CHARACTERS:
            _tell_too_large(file, len(content), "bytes", problems)
            return None
        try:
            content = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            before = error.object[: error.start].decode("utf-8")
            message = f"byte 0x{error.object[error.start]:02X} is not UTF-8 text"
            at = _at(file, before, len(before))
            problems.add("not-utf8", message, at, hint="save the file as UTF-8")
            return None
    content = content.removeprefix("\ufeff")
    if len(content) > MAX_CHARACTERS:
        _tell_too_large(file, len(content), "characters", problems)
        return None
    # Most text is plain, and the pattern takes longer to make than a command's files to read.
    if not content.replace("\n", "").isprintable() and (odd := re.search(_UNPRINTABLE, content)):
        at = _at(file, content, odd.start())
        message = f"character U+{ord(odd.group()):04X} is no text"
        problems.add("invalid-yaml", message, at, hint="remove it")
        return None
    return content


def _tell_too_large(file: str, size: int, unit: str, problems: Problems) -> None:
    message = f"the file has {size:,} {unit}, more than {MAX_CHARACTERS:,}"
    problems.add("yaml-limit", message, Location(file, 1, 1, 1, 1), hint="split it")


class _NotSimple(Exception):
    """There may be something to tell, or more to do than this knows how."""


def _simple_values(text: str) -> list[Any]:
    """The data of a text without anchors, tags and mistakes, a value a document; of others, nothing."""
    if not text.isascii() and text.translate(_LINE_LIKE) != text:
        return []
    reader = _SimpleReader(text)
    try:
        return reader.values()
    except (yaml.YAMLError, _NotSimple):
        return []


class _SimpleReader:
    """What `_Builder` makes of a simple text, without the places."""

    def __init__(self, text: str) -> None:
        self._next: Callable[[], Any] = _Loader(text).get_event
        self._nodes = 0

    def values(self) -> list[Any]:
        found = []
        for event in iter(self._next, None):
            if event.__class__ is ev.DocumentStartEvent:
                self._nodes += 1
                value = self._value(self._next(), 1)
                if value is not None:
                    found.append(value)
        if self._nodes > MAX_NODES:
            raise _NotSimple
        return found

    def _value(self, event: Any, depth: int) -> Any:
        if event.anchor is not None or event.tag is not None:  # an alias has its anchor's name
            raise _NotSimple
        kind = event.__class__
        if kind is ev.ScalarEvent:
            return _scalar(event)
        if depth >= MAX_DEPTH:
            raise _NotSimple
        value = (
            self._sequence(depth + 1) if kind is ev.SequenceStartEvent else self._mapping(depth + 1)
        )
        self._nodes += len(value)
        return value

    def _sequence(self, depth: int) -> list[Any]:
        items: list[Any] = []
        while (event := self._next()).__class__ is not ev.SequenceEndEvent:
            items.append(self._value(event, depth))
        return items

    def _mapping(self, depth: int) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        following = self._next
        while (event := following()).__class__ is not ev.MappingEndEvent:
            if event.__class__ is not ev.ScalarEvent:
                raise _NotSimple
            key = event.value
            if key in mapping or key == "<<":
                raise _NotSimple
            mapping[key] = self._value(following(), depth)
        return mapping


class _Refused(Exception):
    """Reading a file stops here; the problem is told."""


class _Builder:
    """Documents from libyaml's events; `refused` says that something in the file was.

    A document with a key that is not read means something else without it, so it is left out.
    """

    def __init__(self, file: str, text: str, problems: Problems) -> None:
        self.finished: list[tuple[Any, Spot]] = []
        self.refused = False
        self._file, self._text, self._problems = file, text, problems
        readable = text if text.isascii() else text.translate(_LINE_LIKE)
        self._line_like = readable != text
        self._next: Callable[[], Any] = _Loader(readable).get_event
        self._nodes = self._aliases = self._mistakes = 0

    def build(self) -> None:
        for event in iter(self._next, None):
            if isinstance(event, ev.DocumentStartEvent):
                self._spoilt = False
                self._anchors: dict[str, _Anchored] = {}
                data, root = self._node(self._next(), 1)
                if data is not None and not self._spoilt:
                    self.finished.append((data, root))

    def _node(
        self, event: Any, depth: int, key_start: int = -1, key_end: int = -1
    ) -> tuple[Any, Spot]:
        """The data that starts with an event, and its spot."""
        self._nodes += 1
        if depth > MAX_DEPTH or self._nodes > MAX_NODES:
            self._refuse_excess(event, depth)
        kind = event.__class__
        if kind is ev.AliasEvent:
            return self._alias(event, depth, key_start, key_end)
        before = self._nodes
        inner: Mapping[Any, Spot] | None = None
        data: Any
        if kind is ev.ScalarEvent:
            data = self._scalar(event)
        elif kind is ev.SequenceStartEvent:
            data, inner = self._sequence(depth + 1)
        else:
            data, inner = self._mapping(depth + 1)
        spot = Spot(event.start_mark.index, event.end_mark.index, inner, key_start, key_end)
        if event.anchor is not None or event.tag is not None:
            spot = spot._replace(start=self._after_properties(event))
            self._take_properties(event, data, spot, self._nodes - before)
        return data, spot

    def _take_properties(self, event: Any, data: Any, spot: Spot, nodes: int) -> None:
        if event.tag is not None:
            self._tell_tag(event)
            self._spoilt |= data is None
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(data, spot, nodes, _height(spot))

    def _sequence(self, depth: int) -> tuple[list[Any], dict[int, Spot]]:
        items: list[Any] = []
        spots: dict[int, Spot] = {}
        while (event := self._next()).__class__ is not ev.SequenceEndEvent:
            item, spots[len(items)] = self._node(event, depth)
            items.append(item)
        return items, spots

    def _mapping(self, depth: int) -> tuple[dict[str, Any], dict[str, Spot]]:
        mapping: dict[str, Any] = {}
        spots: dict[str, Spot] = {}
        while (event := self._next()).__class__ is not ev.MappingEndEvent:
            key, start, end = self._key(event, depth)
            value = self._next()
            if key in spots:
                self._tell_duplicate(key, (start, end), value, spots[key])
                self._node(value, depth)
            else:
                mapping[key], spots[key] = self._node(value, depth, start, end)
        return mapping, spots

    def _tell_duplicate(self, key: str, at: tuple[int, int], value: Any, first: Spot) -> None:
        start = value.start_mark.index
        is_scalar = isinstance(value, ev.ScalarEvent) and value.style not in ("|", ">")
        written = self._text[start : value.end_mark.index] if is_scalar else ""
        is_same = written != "" and written == self._text[first.start : first.end]
        line, _ = _line_and_column(self._text, first.key_start)
        message = f"`{key}` is written twice, first in line {line}"
        fix = self._without(at[0], value) if is_same else None
        self._tell("duplicate-key", message, at, fix=fix)

    def _without(self, key: int, value: Any) -> Fix | None:
        """What removes a key and its value: their line, or what a comma separates from the rest."""
        text, end = self._text, value.end_mark.index
        line = _start_of_line(text, key)
        rest = _REST_OF_LINE.match(text, end)
        if not text[line:key].strip(" ") and rest:
            return self._remove(line, rest.end())
        comma = text.rfind(",", line, key)
        if comma >= 0 and not text[comma + 1 : key].strip(" "):
            return self._remove(comma, end)
        return None

    def _remove(self, start: int, end: int) -> Fix:
        return Fix(_between(self._file, self._text, start, end), self._text[start:end], "")

    def _key(self, event: Any, depth: int) -> tuple[str, int, int]:
        """A key's text, and where it starts and ends."""
        start, end = self._extent(event)
        if event.__class__ is not ev.ScalarEvent:
            message = "a key is a plain name, not a list, a mapping or an alias"
            hint = "put a value that starts with `[`, `{` or `*` in quotes"
            self._tell("wrong-key", message, (start, end), hint=hint)
            self._spoilt = True
            self._node(event, depth)
            return f"key {self._nodes}", start, end
        text: str = event.value
        if text == "<<" and event.implicit[0]:
            message = "merge keys (`<<`) are not read"
            hint = "use `extends`, or write the keys out"
            self._tell("merge-key", message, (start, end), hint=hint)
            self._spoilt = True
        return text.translate(_LINE_LIKE_BACK) if self._line_like else text, start, end

    def _tell_tag(self, event: Any) -> None:
        written = _TAG.search(self._text, event.start_mark.index)
        tag, index = (written.group(), written.start()) if written else (event.tag, 0)
        at = _between(self._file, self._text, index, index + len(tag))
        message = f"the tag `{tag}` is not read: values are typed by their key"
        hint = "leave it out; put a value that starts with `!` in quotes"
        self.refused = True
        self._problems.add("yaml-tag", message, at, hint=hint)

    def _alias(self, event: Any, depth: int, key_start: int, key_end: int) -> tuple[Any, Spot]:
        if event.anchor not in self._anchors:
            message = (
                f"`*{event.anchor}` repeats a value, and none before it is marked `&{event.anchor}`"
            )
            hint = did_you_mean(event.anchor, self._anchors) or "put text in quotes"
            self._tell("invalid-yaml", message, self._extent(event), hint=hint)
            raise _Refused
        self._aliases += 1
        anchored = self._anchors[event.anchor]
        self._nodes += anchored.nodes
        if depth + anchored.height > MAX_DEPTH or self._nodes > MAX_NODES:
            self._refuse_excess(event, depth + anchored.height)
        if self._aliases > MAX_ALIASES:
            self._refuse(f"more than {MAX_ALIASES:,} aliases", event, "write the values out")
        return anchored.data, anchored.spot._replace(key_start=key_start, key_end=key_end)

    def _refuse_excess(self, event: Any, depth: int) -> None:
        if depth > MAX_DEPTH:
            hint = "is a bracket not closed?"
            self._refuse(f"nested deeper than {MAX_DEPTH} levels", event, hint)
        message = f"more than {MAX_NODES:,} values, those of aliases counted again"
        self._refuse(message, event, "split the file, or repeat less of it")

    def _refuse(self, message: str, event: Any, hint: str) -> None:
        self._tell("yaml-limit", message, self._extent(event), hint=hint)
        raise _Refused

    def _tell(
        self,
        code: str,
        message: str,
        extent: tuple[int, int],
        *,
        hint: str | None = None,
        fix: Fix | None = None,
    ) -> None:
        self.refused = True
        self._mistakes += 1
        if self._mistakes > MAX_MISTAKES:
            raise _Refused
        self._problems.add(
            code, message, _between(self._file, self._text, *extent), hint=hint, fix=fix
        )

    def _extent(self, event: Any) -> tuple[int, int]:
        """Where a value starts and ends; its first character stands for a collection or an alias."""
        start, kind = event.start_mark.index, event.__class__
        if kind is ev.ScalarEvent and event.anchor is None and event.tag is None:
            return start, event.end_mark.index
        if kind is not ev.AliasEvent:
            start = self._after_properties(event)
        return start, event.end_mark.index if kind is ev.ScalarEvent else start + 1

    def _after_properties(self, event: Any) -> int:
        """Where a value itself starts, after its anchor and tag."""
        properties = _PROPERTIES.match(self._text, event.start_mark.index, event.end_mark.index)
        return properties.end() if properties else event.start_mark.index

    def _scalar(self, event: Any) -> Any:
        try:
            value = _scalar(event)
        except _NotSimple:
            message = f"a number of more than {_MAX_NUMBER} characters"
            self._refuse(message, event, "put it in quotes if it is text")
        if self._line_like and isinstance(value, str):
            return value.translate(_LINE_LIKE_BACK)
        return value


def _scalar(event: Any) -> Any:
    """The value of a scalar; one that is no text can be too long."""
    text: str = event.value
    if event.style or text[:1] not in _FIRST:  # quoted, block or a word: a string
        return text
    if len(text) > _MAX_NUMBER and _NUMBER.fullmatch(text):
        raise _NotSimple
    return _plain(text)


class _Anchored(NamedTuple):
    """What an alias repeats, how many values that is, and how deep it goes."""

    data: Any
    spot: Spot
    nodes: int
    height: int


def _height(spot: Spot) -> int:
    return 1 + max(map(_height, spot.inner.values()), default=0) if spot.inner else 0


_TAG = re.compile(r"!\S*")
_REST_OF_LINE = re.compile(r" *(?:\r\n|\r|\n|\Z)")
_PROPERTIES = re.compile(r"(?:[&!]\S*(?:\s+(?:#[^\r\n]*)?)*)*")
_MAX_NUMBER = 400  # of both engines' types, none has as many digits

_INTEGER = re.compile(r"[-+]?[0-9]+")
_RADIX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NUMBER = re.compile("|".join(kind.pattern for kind in (_INTEGER, _RADIX, _FLOAT)))
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_FIRST = {word[:1] for word in _WORDS} | set("+-.0123456789")  # of what is no string


def _plain(text: str) -> Any:
    """A plain scalar by the core schema of YAML 1.2 (section 10.3.2 of its specification)."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _RADIX.fullmatch(text):
        return int(text, 0)
    return float(text) if _FLOAT.fullmatch(text) else text


class _Mistake(NamedTuple):
    """What is wrong, the way out, and which characters of the text are meant."""

    message: str
    hint: str | None
    start: int
    length: int = 1


_QUOTE_IT = "put the value in quotes"
_OPENED_BY = {"]": "[", "}": "{", '"': '"', "'": "'"}
_NO_START = tuple("@`%!?]},-")
_CONFLICT = re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE)
_WORD = re.compile(r"[\w.-]+(?=:)")
_BARE_KEY = re.compile(r"""(?:- +)*(?P<key>[\w."'-]+)\s*""")


def _tell_mistake(file: str, text: str, error: yaml.YAMLError, problems: Problems) -> None:
    """Tell what stopped libyaml, in words that ask for no knowledge of its grammar."""
    said = getattr(error, "problem", None) or str(error).splitlines()[0]
    here, context = (_index(error, key, text) for key in ("problem_mark", "context_mark"))
    message, hint, start, length = _in_words(said, text, here, context)
    at = _at(file, text, start, length)
    fix = None
    if hint == _QUOTE_IT:
        fix = _quoted(text, start, at)
    elif text[start : start + 1] == "\t":
        fix = _without_tabs(file, text)
    problems.add("invalid-yaml", message, at, hint=hint, fix=fix)


_UNQUOTED = re.compile(
    r"""[ ]*(?:-[ ]+)*(?:(?P<key>[\w.-]+):[ ]+|(?<=-[ ])(?![\w.-]+:))(?P<value>[^\s"'\[{|>&*!#][^\r\n]*?)(?:[ ]+#[^\r\n]*)?[ ]*$"""
)


def _quoted(text: str, inside: int, at: Location) -> Fix | None:
    """What puts the plain value round a place in quotes, where it is one line after `key: ` or `- `."""
    start = _start_of_line(text, inside)
    end = _LINE_END.search(text, start)
    line = _UNQUOTED.match(text[start : end.start() if end else len(text)])
    if line is None or not line.start("value") <= inside - start < line.end("value"):
        return None
    below = _NEXT_LINE.match(text, end.end() if end else len(text))
    column = line.start("key") if line["key"] else line.start("value")
    if below and len(below["indent"]) > column:  # the text goes on there
        return None
    value = line["value"]
    quoted = "'" + value.replace("'", "''") + "'" if re.search(r'["\\]', value) else f'"{value}"'
    columns = line.start("value") + 1, line.end("value") + 1
    return Fix(Location(at.file, at.line, columns[0], at.line, columns[1]), value, quoted)


_NEXT_LINE = re.compile(r"(?:[ ]*(?:#[^\r\n]*)?(?:\r\n|\r|\n))*(?P<indent>[ ]*)[^\s]")
_TABBED = re.compile(r"^(?: *\t[ \t]*)(?=[^ \t\r\n])", re.MULTILINE)


def _without_tabs(file: str, text: str) -> Fix | None:
    """What indents with spaces, a tab being as wide as the file's other steps."""
    tabbed = list(_TABBED.finditer(text))
    if not tabbed:
        return None
    steps = [len(indent) for indent in re.findall(r"^ +(?=[^ \t\r\n#])", text, re.MULTILINE)]
    step = " " * min(steps, default=2)
    start, end = tabbed[0].start(), tabbed[-1].end()
    old = text[start:end]
    new = _TABBED.sub(lambda indent: indent[0].replace("\t", step), old + "x")[:-1]
    at, last = _at(file, text, start), _at(file, text, end)
    return Fix(Location(file, at.line, at.column, last.line, last.column), old, new)


def _index(error: yaml.YAMLError, key: str, text: str) -> int:
    mark = getattr(error, key, None)
    return min(mark.index, len(text)) if mark else 0


def _in_words(said: str, text: str, here: int, context: int) -> _Mistake:
    """`here` is where libyaml stopped, `context` where the thing began that it was reading."""
    character, opener = text[here : here + 1], text[context : context + 1]
    before = text[_start_of_line(text, here) : here].rstrip(" ")[-1:]
    if conflict := _CONFLICT.search(text):
        return _Mistake(
            "a merge of git is not finished", "keep one of the versions", conflict.start(), 7
        )
    match said:
        case _ if character == "\t":
            return _Mistake("a tab where YAML wants spaces", "indent with spaces", here)
        case "mapping values are not allowed in this context":
            return _misplaced_colon(text, here)
        case "could not find expected ':'":
            return _no_key(text, context)
        case _ if said.startswith("did not find expected ") and before in _OPENED_BY:
            what = f"`{before}`" if before in "]}" else "quote"
            hint = "put the whole value in one pair of quotes"
            return _Mistake(f"text after a closing {what}", hint, here)
        case "did not find expected ',' or ']'" | "did not find expected ',' or '}'":
            if character == ":" and not _LINE_END.search(text, context, here):
                return _Mistake("`: ` inside a value", _QUOTE_IT, here)
            return _Mistake(f"a `{opener}` is not closed", f"close it with `{said[-2]}`", context)
        case "did not find expected key" | "did not find expected '-' indicator":
            message = "the line fits neither the keys nor the items above it"
            word = _WORD.match(text, here)
            return _Mistake(message, "check its indentation", here, len(word[0]) if word else 1)
        case "found unexpected end of stream" | "found unexpected document indicator":
            return _Mistake("a quote is not closed", f"close it with `{opener}`", context)
        case "did not find expected comment or line break":
            message = f"text after `{opener}`, which starts a block of lines"
            return _Mistake(message, f"{_QUOTE_IT}, or begin it on the next line", context)
        case "block sequence entries are not allowed in this context":
            hint = f"{_QUOTE_IT}, or begin the list on the next line"
            return _Mistake("`- ` inside a value", hint, here)
        case "did not find expected alphabetic or numeric character":
            return _Mistake(f"no value can start with `{opener}`", _QUOTE_IT, context)
        case "found unknown directive name":
            return _Mistake("no line can start with `%`", _QUOTE_IT, context)
        case _ if "escape" in said or "hexdecimal" in said:
            message = "an unknown escape in a double-quoted value"
            return _Mistake(message, "single quotes keep a backslash as it is", here)
        case _ if character in _NO_START:
            return _Mistake(f"no value can start with `{character}`", _QUOTE_IT, here)
    return _Mistake(said, None, here)


def _misplaced_colon(text: str, colon: int) -> _Mistake:
    """A `: ` is inside a value, or after a key that the line before keeps from being one."""
    line_start = _start_of_line(text, colon)
    indent = _indent(text, line_start)
    key = _BARE_KEY.fullmatch(text, line_start + indent, colon)
    if key is None:
        return _Mistake("`: ` inside a value", _QUOTE_IT, colon)
    above = _start_of_line(text, len(text[:line_start].rstrip()))
    if _indent(text, above) >= indent:
        return _no_key(text, above)
    message = f"`{key['key']}` is indented further than the key before it"
    return _Mistake(message, "align it with that key", key.start("key"), len(key["key"]))


def _no_key(text: str, index: int) -> _Mistake:
    start = index + _indent(text, index)
    end = _LINE_END.search(text, start)
    length = (end.start() if end else len(text)) - start
    message = "the line is neither `key: value` nor a `- ` item"
    return _Mistake(message, "a key ends in `: `", start, length)


def _start_of_line(text: str, index: int) -> int:
    return max(text.rfind("\n", 0, index), text.rfind("\r", 0, index)) + 1


def _indent(text: str, index: int) -> int:
    """How many spaces stand there."""
    return len(text[index:]) - len(text[index:].lstrip(" "))


_LINE_END = re.compile(r"\r\n|\r|\n")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


@lru_cache(maxsize=64)
def _line_starts(text: str) -> list[int]:
    return [0, *[end.end() for end in _LINE_END.finditer(text)]]


def _line_and_column(text: str, index: int) -> tuple[int, int]:
    starts = _line_starts(text)
    line = bisect_right(starts, index)
    return line, index - starts[line - 1] + 1


def _between(file: str, text: str, start: int, end: int) -> Location:
    """The place of the characters from one offset up to another."""
    return Location(file, *_line_and_column(text, start), *_line_and_column(text, end))


def _at(file: str, text: str, index: int, length: int = 1) -> Location:
    """The place of `length` characters at `index` of a text; it never reaches past their line."""
    line, column = _line_and_column(text, index)
    rest = _LINE_END.search(text, index, index + length)
    room = (rest.start() if rest else len(text)) - index
    return Location(file, line, column, line, column + max(1, min(length, room)))


def _positions(document: Document, spot: Spot, path: Path) -> list[int]:
    """For each character of a scalar's value, where in the text it stands."""
    text, start, end = document.text, spot.start, spot.end
    match document.style(spot):
        case "|":
            return _literal_positions(text[start:end], str(document.value(path)), start)
        case ">":
            return []
        case "'" | '"' as quote:
            return _flow_positions(text, start + 1, end - 1, quote)
        case _:
            return _flow_positions(text, start, end, "")


def _literal_positions(source: str, value: str, start: int) -> list[int]:
    """Lines of a `|` block; how far they are indented is told by the value, which is not."""
    header, *lines = _LINE.findall(source)
    first = next((line for line in value.split("\n") if line.strip(" ")), None)
    if first is None:
        return []
    written = next(line.rstrip("\r\n") for line in lines if line.strip(" \r\n"))
    indent = len(written) - len(first)
    positions: list[int] = []
    at = start + len(header)
    for line in lines:
        body = len(line.rstrip("\r\n"))
        positions += range(at + min(indent, body), at + body + 1)
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
