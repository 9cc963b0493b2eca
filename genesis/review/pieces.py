"""What a project is made of, piece by piece, and which pieces a report may rest on.

A piece is a field, a join, a measure or a set; the frame of a data source (its table, keys, rows that
count); a formatter; an input; a setting. What a report rests on is read off the names in its texts and never
compiled, so that thousands of reports take a moment. The surprise: it is rather too much than too little
(a name within a text literal counts), so that a report none of whose pieces was edited is the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple, TypeVar

from genesis.compile.joins import target_name
from genesis.compile.scope import split_direction
from genesis.errors import Location
from genesis.review.changed import Edit
from genesis.spec.data_source import Aggregated, DataSource, Field, Join, Measure
from genesis.spec.formatter import BUILT_IN, Formatter
from genesis.spec.input import Input
from genesis.spec.model import Located, Model
from genesis.spec.project import Project

FOR_PEOPLE = frozenset({"deprecated", "description", "domain", "hidden", "owner", "tags", "title"})

_ENTRIES = {"field": "fields", "join": "joins", "measure": "measures", "set": "sets"}
_FRAME = ("table", "sql", "primary_key", "unique_keys", "latest", "where")
IN_SOURCES = frozenset({"data source", *_ENTRIES})
_SETTINGS = ("timezone", "dialect")


class Piece(NamedTuple):
    """A part of a project by its kind, what it is in, and its name there."""

    kind: str
    owner: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.owner}.{self.name}" if self.name else self.owner

    def at(self, project: Project) -> Location | None:
        """Its place in a project that has it."""
        match self.kind:
            case "input":
                return project.inputs[self.owner].locate_name()
            case "formatter":
                found = project.formatters[self.owner]
                return found.locate_key() if found is not BUILT_IN.get(self.owner) else None
            case "data source":
                return project.data_sources[self.owner].locate_name()
            case "setting":
                is_read = hasattr(project.settings, "_document")
                return project.settings.locate_key(self.owner) if is_read else None
        return project.data_sources[self.owner].locate_key(_ENTRIES[self.kind], self.name)


class Pieces:
    """The pieces of one project."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._edges: dict[Piece, tuple[Piece, ...]] = {}

    def used_by(self, definition: Input) -> frozenset[Piece]:
        """All that a report may rest on, settings left aside."""
        found = {Piece("input", definition.name)}
        waiting = [Piece("data source", definition.source), *self._of_input(definition)]
        while waiting:
            piece = waiting.pop()
            if piece not in found:
                found.add(piece)
                waiting += self._rests_on(piece)
        return frozenset(found)

    def around(self, name: str) -> Iterator[Piece]:
        """What a data source must find sound to be used at all: its joins, what each of them is by."""
        source = self.project.data_sources.get(name)
        for join in source.joins if source is not None else ():
            yield Piece("join", name, join)
            yield from self._keys_of(name, join)

    def _of_input(self, definition: Input) -> Iterator[Piece]:
        start = definition.source
        for item in definition.fields:
            yield from self._texts(start, [item.field or ""])
            yield from self._aggregated(start, item)
            if item.set is not None:
                yield Piece("set", start, item.set)
            yield from self._format(start, item.format, item.field or "")
        yield from self._texts(start, (*definition.filters, *definition.having))
        yield from self._sort(start, definition.sort)

    def _rests_on(self, piece: Piece) -> tuple[Piece, ...]:
        if piece not in self._edges:
            self._edges[piece] = tuple(self._edges_of(piece))
        return self._edges[piece]

    def _edges_of(self, piece: Piece) -> Iterator[Piece]:
        source = self.project.data_sources.get(piece.owner)
        if source is None:
            return
        name = source.name
        match piece.kind, getattr(source, _ENTRIES.get(piece.kind, ""), {}).get(piece.name):
            case "data source", _:
                yield from (Piece("field", name, key) for key in source.primary_key)
                yield from self._texts(name, [source.where or ""])
                required = (join for join, spec in source.joins.items() if spec.required)
                yield from (Piece("join", name, join) for join in required)
            case (("field" | "measure"), (Field() | Measure() as value)):
                yield from self._texts(name, [value.sql or ""])
                yield from self._aggregated(name, value)
                yield from self._format(name, value.format, piece.name)
            case "join", Join() as join:
                yield Piece("data source", target_name(source, piece.name))
                yield from self._keys_of(name, piece.name)
                yield from self._texts(name, [join.sql or "", join.where or ""])
                if join.pick is not None:
                    yield from self._sort(target_name(source, piece.name), join.pick.sort)
            case "set", tuple() as members:
                yield from self._texts(name, members)

    def _keys_of(self, name: str, join_name: str) -> Iterator[Piece]:
        """The fields on both sides that a join is by, and the frame of the other side."""
        source = self.project.data_sources[name]
        join, target = source.joins[join_name], target_name(source, join_name)
        yield Piece("data source", target)
        pairs = [*(join.by or ())]
        if join.as_of is not None:
            ends = (join.as_of.from_, join.as_of.to)
            pairs += [(join.as_of.at, end) for end in ends if end is not None]
        for here, there in pairs:
            yield from self._texts(name, [here])
            yield from self._texts(target, [there])

    def _aggregated(self, name: str, value: Aggregated) -> Iterator[Piece]:
        yield from self._texts(name, [value.where or ""])
        yield from self._sort(name, value.sort)

    def _sort(self, name: str, keys: Iterable[str]) -> Iterator[Piece]:
        yield from self._texts(name, (split_direction(key)[0] for key in keys))

    def _format(self, name: str, formatter: str | None, text: str) -> Iterator[Piece]:
        """A formatter, and the fields of the formatted one's data source that its link names."""
        if formatter is None:
            return
        yield Piece("formatter", formatter)
        found = self.project.formatters.get(formatter)
        if found is not None and found.link is not None:
            for path in _paths(text):
                *_, end = [name, *self._sources_along(name, path)]
                yield from (Piece("field", end, field) for field in _braced(found.link))

    def _sources_along(self, name: str, path: tuple[str, ...]) -> Iterator[str]:
        for step in path:
            source = self.project.data_sources.get(name)
            if source is None or step not in source.joins:
                return
            name = target_name(source, step)
            yield name

    def _texts(self, name: str, texts: Iterable[str]) -> Iterator[Piece]:
        """The joins, fields, measures and sets that the paths in some texts go along, from a data source."""
        for text in texts:
            for path in _paths(text):
                yield from self._along(name, path)

    def _along(self, name: str, path: tuple[str, ...]) -> Iterator[Piece]:
        for step in path:
            source = self.project.data_sources.get(name)
            if source is None:
                return
            for kind, key in _ENTRIES.items():
                if step in getattr(source, key):
                    yield Piece(kind, name, step)
            if step not in source.joins:
                return
            name = target_name(source, step)


_PATH = re.compile(r'"?([^\W\d]\w*)"?((?:\s*\.\s*"?[^\W\d]\w*"?)*)')
_WORD = re.compile(r"\w+")
_BRACED = re.compile(r"\{([^{}]*)\}")


@cache
def _paths(text: str) -> tuple[tuple[str, ...], ...]:
    """The dotted paths in a text, and all else that looks like one."""
    found = (tuple(_WORD.findall(match[0].lower())) for match in _PATH.finditer(text))
    return tuple(dict.fromkeys(found))


def _braced(link: str) -> list[str]:
    return _BRACED.findall(link)


# --- what was edited ------------------------------------------------------------------------------


def edited_pieces(before: Project, after: Project) -> dict[Piece, Edit]:
    """The pieces that differ. Of a data source that is new or gone, its frame stands for all of it."""
    found: dict[Piece, Edit] = {}
    for key in _SETTINGS:
        if getattr(before.settings, key) != getattr(after.settings, key):
            found[Piece("setting", key)] = "edited"
    for name, edit in _edits(before.formatters, after.formatters, said_of):
        found[Piece("formatter", name)] = edit
    for name, edit in _edits(before.inputs, after.inputs, said_of):
        found[Piece("input", name)] = edit
    for name, edit in _edits(before.data_sources, after.data_sources, _whole):
        if edit != "edited":
            found[Piece("data source", name)] = edit
            continue
        old, new = before.data_sources[name], after.data_sources[name]
        if _frame(old) != _frame(new):
            found[Piece("data source", name)] = "edited"
        for kind, key in _ENTRIES.items():
            for entry, changed in _edits(getattr(old, key), getattr(new, key), said_of):
                found[Piece(kind, name, entry)] = changed
    return found


def edited_keys(piece: Piece, before: Project, after: Project) -> tuple[str, ...]:
    """What of an edited piece differs."""
    old, new = _members(piece, before), _members(piece, after)
    return tuple(sorted(key for key in {*old, *new} if old.get(key) != new.get(key)))


def edit_at(piece: Piece, before: Project, after: Project) -> Location | None:
    """Where an edited piece was edited: the first of its keys, or of their items, that reads otherwise now."""
    old, new = _members(piece, before), _members(piece, after)
    owner = _whole_of(piece, after)
    if owner is None:
        return piece.at(after)
    places = []
    for key, value in new.items():
        if key in owner.written and old.get(key) != value:
            place = (key, _first_other(old.get(key), value)) if isinstance(value, tuple) else (key,)
            has_item = isinstance(owner.written[key], list) and len(place) > 1
            places.append(owner.locate(*place) if has_item else owner.locate_key(key))
    return min(places, default=piece.at(after))


def _first_other(old: Any, new: tuple[Any, ...]) -> int:
    """The place of the first item that is not as it was; of the last, where some at the end are gone."""
    was = old if isinstance(old, tuple) else ()
    others = (place for place, item in enumerate(new) if was[place : place + 1] != (item,))
    return next(others, len(new) - 1)


def _whole_of(piece: Piece, project: Project) -> Located | None:
    """The definition that a piece is, if it is all or the frame of one."""
    match piece.kind:
        case "input":
            return project.inputs[piece.owner]
        case "formatter":
            found = project.formatters[piece.owner]
            return found if found is not BUILT_IN.get(piece.owner) else None
        case "data source":
            return project.data_sources[piece.owner]
    return None


def _members(piece: Piece, project: Project) -> dict[str, Any]:
    match piece.kind:
        case "input":
            return _values(project.inputs[piece.owner])
        case "formatter":
            return _values(project.formatters[piece.owner])
        case "data source":
            return _frame(project.data_sources[piece.owner])
        case "field" | "join" | "measure":
            entries = getattr(project.data_sources[piece.owner], _ENTRIES[piece.kind])
            return _values(entries[piece.name])
    return {}


def _edits(
    before: Mapping[str, Any], after: Mapping[str, Any], said: Any
) -> Iterator[tuple[str, Edit]]:
    """The names of entries that differ in what they say, and how."""
    for name in sorted({*before, *after}):
        if name not in after:
            yield name, "removed"
        elif name not in before:
            yield name, "added"
        elif before[name] is not after[name] and said(before[name]) != said(after[name]):
            yield name, "edited"


def said_of(entry: Model | tuple[str, ...]) -> Any:
    """What an entry says that can make a difference to a report."""
    return entry if isinstance(entry, tuple) else _values(entry)


def _values(entry: Model) -> dict[str, Any]:
    return {key: value for key, value in vars(entry).items() if key not in FOR_PEOPLE}


def _frame(source: DataSource) -> dict[str, Any]:
    return {key: getattr(source, key) for key in _FRAME}


def _whole(source: DataSource) -> Any:
    entries = {
        (key, name): said_of(entry)
        for key in _ENTRIES.values()
        for name, entry in getattr(source, key).items()
    }
    return _frame(source), entries


def with_piece_of(project: Project, piece: Piece, other: Project) -> Project:
    """The project with one of its pieces as another project has it, or without it if that has none."""
    match piece.kind:
        case "setting":
            value = getattr(other.settings, piece.owner)
            settings = project.settings.model_copy(update={piece.owner: value})
            return replace(project, settings=settings)
        case "input":
            return replace(project, inputs=_with(project.inputs, piece.owner, other.inputs))
        case "formatter":
            found = _with(project.formatters, piece.owner, other.formatters)
            return replace(project, formatters=found)
    sources = project.data_sources
    if piece.owner not in sources or piece.owner not in other.data_sources:
        return replace(project, data_sources=_with(sources, piece.owner, other.data_sources))
    source, wanted = sources[piece.owner], other.data_sources[piece.owner]
    if piece.kind == "data source":
        update = _frame(wanted)
    else:
        key = _ENTRIES[piece.kind]
        update = {key: _with(getattr(source, key), piece.name, getattr(wanted, key))}
    copy = source.model_copy(update=update)
    return replace(project, data_sources={**sources, source.name: copy})


def _with(entries: Mapping[str, Any], name: str, others: Mapping[str, Any]) -> dict[str, Any]:
    """The entries with one of others' in its place, or without it."""
    rest = {key: value for key, value in entries.items() if key != name or name in others}
    return {**rest, name: others[name]} if name in others else rest


def in_order_of(project: Project, other: Project) -> Project:
    """The project with labels in the order in which another has the same ones: their order means nothing."""
    formatters = _alike(project.formatters, other.formatters)
    sources = dict(project.data_sources)
    for name, source in sources.items():
        fields = _alike(source.fields, getattr(other.data_sources.get(name), "fields", {}))
        if fields is not source.fields:
            sources[name] = source.model_copy(update={"fields": fields})
    return replace(project, formatters=formatters, data_sources=sources)


L = TypeVar("L", Field, Formatter)


def _alike(entries: Mapping[str, L], others: Mapping[str, L]) -> Mapping[str, L]:
    """The entries, but those of others' that say the same with labels in another order."""
    odd = {
        name: others[name]
        for name, entry in entries.items()
        if entry.labels and name in others and _is_reordered(entry, others[name])
    }
    return {**entries, **odd} if odd else entries


def _is_reordered(entry: L, other: L) -> bool:
    is_equal = said_of(entry) == said_of(other)
    return is_equal and list(entry.labels or ()) != list(other.labels or ())
