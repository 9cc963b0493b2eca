"""Where a tracker stands in a workbook, and what it holds.

The hidden column `_genesis` holds each row's stamp and key; the row of its header is the tracker's
header row. Managed columns are found by the header that stood there last, a renamed one by its
content: at least half of its cells are those that genesis wrote. The surprise: a tab is followed
when it is renamed, since the tab that people look at is the one that should be fresh.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from typing import TYPE_CHECKING

from genesis.errors import Problem, SinkError
from genesis.sinks.workbook.book import Book, KeptColumn
from genesis.sinks.workbook.tab import Tab
from genesis.sync.changes import (
    Cell,
    Formula,
    Present,
    PresentColumn,
    PresentRow,
    Tracker,
    plain,
)
from genesis.sync.compare import recognise
from genesis.sync.encode import key_of_cells, managed_columns
from genesis.sync.keys import key_columns
from genesis.sync.stamps import fingerprint, select, split, stamp_of

if TYPE_CHECKING:
    from genesis.compile.statement import Column

MARK = "_genesis"
_KEY_CELL = re.compile(r"([A-Za-z0-9_-]+) (.+)", re.DOTALL)
_EMPTY = fingerprint(None)
_TITLE_ROWS = 100  # above a header there may be a title, not a novel


@dataclass(frozen=True, slots=True)
class XlsxPresent(Present):
    """What a tab holds now, and where its header and its keys are."""

    tab: str = ""
    header_row: int = 1
    key_column: int = 0


def read_tracker(book: Book, tracker: Tracker, *, place: str, fence: str) -> XlsxPresent:
    """What the tab at a place holds. Raises `tracker-not-ours` for content that nobody adopts."""
    name = _tab_of(book, place)
    if name is None:
        return XlsxPresent(exists=False, fence=fence, tab=place)
    tab = book.tab(name)
    mark = _find_mark(tab)
    if mark is not None:
        reader = _Reader(tab, tracker, *mark)
        asked = _Asked(book.kept_columns(place, "genesis-annotation"), book.pointers(name))
        return reader.read(book.kept_columns(place), asked, name, fence)
    if not has_content(tab):
        return XlsxPresent(exists=False, fence=fence, tab=name)
    if not tracker.adopt:
        raise SinkError(
            Problem(
                "tracker-not-ours",
                f"tab `{name}` of tracker `{tracker.name}` has content that genesis did not write",
                hint="`--adopt` matches its rows by key and header; or name another tab",
            )
        )
    return _Reader(tab, tracker, _header_row(tab, tracker, name), 0).adopt(name, fence)


def _tab_of(book: Book, place: str) -> str | None:
    """The tab at a place; one that was renamed has our mark, and a name that we do not know."""
    for name in book.tabs:
        if name.casefold() == place.casefold():
            return name
    headers = {column.header for column in book.kept_columns(place)}
    likeness: dict[str, int] = {}
    for name in book.tabs if headers else ():
        tab = book.tab(name)
        if name not in book.kept_tabs and (mark := _find_mark(tab)):
            cells = tab.rows[mark[0]].cells.values()
            likeness[name] = len(headers & {str(tab.value_of(cell)) for cell in cells})
    best = max(likeness.values(), default=0)
    found = [name for name, hits in likeness.items() if hits == best > 0]
    return found[0] if len(found) == 1 else None  # of twins, neither can be told


def _find_mark(tab: Tab) -> tuple[int, int] | None:
    """The row and column of the hidden column's header."""
    for row, line in sorted(tab.rows.items()):
        for column, element in line.cells.items():
            if tab.value_of(element) == MARK:
                return row, column
    return None


def has_content(tab: Tab) -> bool:
    """Whether any cell holds something."""
    return any(
        tab.value_of(element) is not None
        for line in tab.rows.values()
        for element in line.cells.values()
    )


def _header_row(tab: Tab, tracker: Tracker, name: str) -> int:
    """The row of a foreign tab that has most of the tracker's labels, and all of its keys'."""
    labels = {column.label for column in managed_columns(tracker)}
    keys = {column.label for column in key_columns(tracker.columns)}
    best, most = 0, 0
    for row in sorted(tab.rows)[:_TITLE_ROWS]:
        found = {tab.value_of(element) for element in tab.rows[row].cells.values()}
        if keys <= found and len(labels & found) > most:
            best, most = row, len(labels & found)
    if not best:
        named = ", ".join(f"`{label}`" for label in sorted(keys))
        raise SinkError(
            Problem(
                "tracker-not-ours",
                f"tab `{name}` cannot be adopted: it has no header row with the key {named}",
                hint="rename its headers to the report's labels, or let the report show its key",
            )
        )
    return best


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is remembered of annotation columns, and where their hidden names point."""

    kept: Sequence[KeptColumn] = ()
    pointers: Mapping[str, int] = field(default_factory=dict)


class _Reader:
    """One tab, read as one tracker whose header row is known."""

    def __init__(self, tab: Tab, tracker: Tracker, header_row: int, key_column: int) -> None:
        self._tab = tab
        self._tracker = tracker
        self._header_row = header_row
        self._key_column = key_column
        self._columns = {column.name: column for column in managed_columns(tracker)}
        self._headers = {
            column: str(plain(value))
            for column, element in tab.rows[header_row].cells.items()
            if column != key_column and (value := tab.value_of(element)) is not None
        }

    def read(self, kept: Sequence[KeptColumn], asked: _Asked, name: str, fence: str) -> XlsxPresent:
        """A tab with our mark."""
        stamped = bool(kept)
        kept = [self._labelled(column) for column in kept] or self._by_label()
        names = recognise([(column.name, column.label) for column in kept], self._known)
        keys = self._keys()
        places = self._places(kept, names, {row: stamp for row, (stamp, _) in keys.items()})
        found = [at for at in range(len(kept)) if at in places]
        columns = tuple(
            PresentColumn(names[at], kept[at].label, self._headers[places[at]], places[at])
            for at in found
        )
        converters = [self._converter(column) for column in columns]
        rows = [
            PresentRow(
                key,
                self._cells(row, columns, converters),
                row,
                select(stamp, found, len(kept)) if stamped else None,
            )
            for row, (stamp, key) in sorted(keys.items())
        ]
        present = self._present(columns, rows, asked, name, fence, ours=True)
        recalled = frozenset(names[at] for at in found if names[at] != kept[at].name)
        return replace(present, recalled=recalled)

    def adopt(self, name: str, fence: str) -> XlsxPresent:
        """A tab without our mark, its rows known by the cells of their key."""
        kept = self._by_label()
        places = self._by_header(kept, [column.name for column in kept], {})
        columns = tuple(
            PresentColumn(kept[at].name, kept[at].label, kept[at].label, places[at])
            for at in sorted(places)
        )
        converters = [self._converter(column) for column in columns]
        rows = []
        for row in sorted(self._tab.rows):
            cells = self._cells(row, columns, converters) if row > self._header_row else ()
            named = {c.name: cell for c, cell in zip(columns, cells, strict=False)}
            if cells and (key := key_of_cells(named, self._tracker)):
                rows.append(PresentRow(key, cells, row))
        return self._present(columns, rows, _Asked(), name, fence, ours=False)

    def _present(
        self,
        columns: tuple[PresentColumn, ...],
        rows: Sequence[PresentRow],
        asked: _Asked,
        name: str,
        fence: str,
        *,
        ours: bool,
    ) -> XlsxPresent:
        kept: dict[str, PresentRow] = {}
        copies: list[PresentRow] = []
        for row in rows:
            if row.key not in kept:
                kept[row.key] = row
            elif _is_as_written(row) and not _is_as_written(kept[row.key]):
                copies.append(kept.pop(row.key))
                kept[row.key] = row
            else:
                copies.append(row)
        managed = {column.position for column in columns}
        annotations = self._annotations(asked, managed)
        managed |= {column.position for column in annotations}
        return XlsxPresent(
            columns=columns,
            rows=self._annotated(sorted(kept.values(), key=lambda r: r.position), annotations),
            copies=tuple(copies),
            annotations=annotations,
            own_columns=tuple(h for at, h in sorted(self._headers.items()) if at not in managed),
            ours=ours,
            fence=fence,
            tab=name,
            header_row=self._header_row,
            key_column=self._key_column,
        )

    # ---- rows

    def _keys(self) -> dict[int, tuple[str, str]]:
        """Row -> its stamp and key; rows without are people's own."""
        keys = {}
        for row in self._tab.rows:
            cell = self._tab.value(row, self._key_column) if row > self._header_row else None
            match = _KEY_CELL.fullmatch(cell) if isinstance(cell, str) else None
            if match:
                keys[row] = (match[1], match[2])
        return keys

    def _cells(
        self, row: int, columns: Sequence[PresentColumn], converters: Sequence[_Converter]
    ) -> tuple[Cell, ...]:
        cells = self._tab.rows[row].cells
        value_of = self._tab.value_of
        return tuple(
            None if (element := cells.get(column.position)) is None else convert(value_of(element))
            for column, convert in zip(columns, converters, strict=True)
        )

    def _converter(self, column: PresentColumn) -> _Converter:
        known = self._columns.get(column.name)
        return converter(known.type.name if known else "string", self._tab)

    # ---- annotations

    def _annotations(self, asked: _Asked, taken: set[int]) -> tuple[PresentColumn, ...]:
        """Where people's answers stand: under the header that was there last, or the hidden name.

        A column of a person's own that bears an annotation's label already becomes that annotation.
        """
        columns = [each.column for each in self._tracker.annotations]
        names = recognise([(kept.name, kept.label) for kept in asked.kept], columns)
        known = dict(zip(names, asked.kept, strict=True))
        free = {at: text for at, text in sorted(self._headers.items()) if at not in taken}

        def under(text: str) -> int | None:
            return next((at for at, header in free.items() if header == text), None)

        looks: tuple[Callable[[KeptColumn, Column], int | None], ...] = (
            lambda kept, _: under(kept.header),
            lambda kept, _: asked.pointers.get(kept.name),
            lambda kept, column: under(kept.label) or under(column.label),
        )
        found: dict[str, PresentColumn] = {}
        for look in looks:
            for column in columns:
                kept = known.get(column.name, KeptColumn(column.name, column.label, ""))
                at = look(kept, column) if column.name not in found else None
                if at in free:
                    found[column.name] = PresentColumn(column.name, kept.label, free.pop(at), at)
        return tuple(found[column.name] for column in columns if column.name in found)

    def _annotated(
        self, rows: Iterable[PresentRow], columns: Sequence[PresentColumn]
    ) -> tuple[PresentRow, ...]:
        types = {each.name: each.column.type.name for each in self._tracker.annotations}
        converters = [converter(types[column.name], self._tab) for column in columns]
        if not columns:
            return tuple(rows)
        return tuple(
            replace(row, annotations=self._cells(row.position, columns, converters)) for row in rows
        )

    # ---- columns

    @property
    def _known(self) -> tuple[Column, ...]:
        return tuple(self._columns.values())

    def _by_label(self) -> list[KeptColumn]:
        """What to look for where nothing is remembered: the report's own labels."""
        return [KeptColumn(column.name, column.label, column.label) for column in self._known]

    def _labelled(self, column: KeptColumn) -> KeptColumn:
        """A column whose label was too long to remember goes by the report's."""
        known = self._columns.get(column.name)
        if column.label or known is None:
            return column
        return KeptColumn(column.name, known.label, known.label)

    def _places(
        self, kept: Sequence[KeptColumn], names: Sequence[str], stamps: Mapping[int, str]
    ) -> dict[int, int]:
        """Kept column -> where it stands now."""
        written = {row: prints for row, s in stamps.items() if (prints := split(s, len(kept)))}
        places = self._by_header(kept, names, written)
        for at in range(len(kept)):
            if at not in places:
                free = [c for c in sorted(self._headers) if c not in places.values()]
                hits = {c: self._hits(c, names[at], at, written) for c in free}
                half = sum(prints[at] != _EMPTY for prints in written.values()) / 2
                found = max(free, key=hits.__getitem__, default=None)
                if found is None or hits[found][0] < max(half, 1):
                    found = self._beside(at, places, written)
                if found:
                    places[at] = found
        return places

    def _by_header(
        self,
        kept: Sequence[KeptColumn],
        names: Sequence[str],
        written: Mapping[int, Sequence[str]],
    ) -> dict[int, int]:
        """By the header that stood there last, else by the label that genesis wrote.

        Where a person gave a column of theirs the same one, the content tells which is ours.
        """
        places: dict[int, int] = {}
        for texts in ([column.header for column in kept], [column.label for column in kept]):
            for at, text in enumerate(texts):
                free = (c for c in sorted(self._headers) if c not in places.values())
                found = [c for c in free if self._headers[c] == text]
                if found and at not in places:
                    places[at] = (
                        max(found, key=lambda c: self._hits(c, names[at], at, written))
                        if len(found) > 1
                        else found[0]
                    )
        return places

    def _hits(
        self, column: int, name: str, at: int, written: Mapping[int, Sequence[str]]
    ) -> tuple[int, int]:
        """How many cells of a column genesis wrote into the one called `name`, in any row and in theirs.

        Any row counts, since the rows may have been sorted without their key.
        """
        known = self._columns.get(name)
        convert = converter(known.type.name if known else "string", self._tab)
        found = [fingerprint(convert(self._tab.value(row, column))) for row in written]
        pairs = [
            (one, prints[at])
            for one, prints in zip(found, written.values(), strict=True)
            if prints[at] != _EMPTY
        ]
        anywhere = Counter(found) & Counter(theirs for _, theirs in pairs)
        return anywhere.total(), sum(one == theirs for one, theirs in pairs)

    def _beside(self, at: int, places: Mapping[int, int], rows: Iterable[int]) -> int | None:
        """For a column that nothing was written into: the one right of its left neighbour."""
        place = places.get(at - 1, 0) + 1
        free = place in self._headers and place not in places.values()
        return place if free and all(self._tab.value(row, place) is None for row in rows) else None


def _is_as_written(row: PresentRow) -> bool:
    """Of a row and its copy, which of the two was copied: people change the copy."""
    return row.stamp == stamp_of(row.cells)


_Converter = Callable[[Cell], Cell]


def converter(type_name: str, tab: Tab) -> _Converter:
    """How a cell of a column reads: a number as a date where the column holds dates."""

    def moment(cell: Cell) -> Cell:
        if isinstance(cell, int | float) and not isinstance(cell, bool):
            found = tab.moment(cell)
            return cell if found is None else found
        return cell

    def full_moment(cell: Cell) -> Cell:
        found = moment(cell)
        is_day = isinstance(found, date) and not isinstance(found, datetime)
        return datetime.combine(found, time()) if is_day else found  # type: ignore[arg-type]

    def clock(cell: Cell) -> Cell:
        if isinstance(cell, int | float) and 0 <= cell < 1 and not isinstance(cell, bool):
            found = tab.moment(cell)
            return found.time() if isinstance(found, datetime) else time()
        return cell

    # `True == 1` to Python, not to people.
    def number(cell: Cell) -> Cell:
        return str(cell).upper() if isinstance(cell, bool) else cell

    def truth(cell: Cell) -> Cell:
        if isinstance(cell, Formula) and cell.text in ("=TRUE()", "=FALSE()"):
            return cell.text == "=TRUE()"  # as LibreOffice writes it
        is_number = isinstance(cell, int | float) and not isinstance(cell, bool)
        return str(cell) if is_number else cell

    return {
        "date": moment,
        "timestamp": full_moment,
        "timestamptz": full_moment,
        "time": clock,
        "integer": number,
        "decimal": number,
        "float": number,
        "boolean": truth,
    }.get(type_name, lambda cell: cell)
