"""What a tab holds now, out of one answer of Google's: rows by their hidden key, columns by their tags.

A tab is known by a tag that moves and is renamed with it, each of our columns by another one; the
hidden columns say whose row each is and what was written there last. The surprise: the header is the
row in which a hidden column names itself, so that people may put a title above it.
The key stands in both hidden columns: a key that somebody typed over or deleted is in the other one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Any, NamedTuple

from genesis.errors import Problem, SinkError
from genesis.sinks.google.cells import Json, Raw, as_written, decimal_mark, reader, zone_of
from genesis.sync.changes import Cell, Present, PresentColumn, PresentRow, Tracker, plain
from genesis.sync.compare import recognise
from genesis.sync.encode import key_of_cells, managed_columns
from genesis.sync.keys import key_columns
from genesis.sync.stamps import select, split, stamp_of

if TYPE_CHECKING:
    from genesis.spec.workflow import GoogleSheetsPlace

TAB, COLUMN, ANNOTATION, KEY, STAMP, ARCHIVE = (
    f"genesis.{what}" for what in ("tab", "column", "annotation", "key", "stamp", "archive")
)
KEY_HEADER, STAMP_HEADER = "_genesis_key", "_genesis"
FENCE = "genesis_"
STAGING = "_genesis staging"

# What is asked for of a spreadsheet. Of cells what was entered, which is what they are, and their notes,
# for one of them is genesis's.
OUTLINE = (
    "properties(locale,timeZone),namedRanges(namedRangeId,name),"
    "sheets.properties(sheetId,title,gridProperties(rowCount,columnCount))"
)
CONTENT = (
    "sheets(developerMetadata(metadataKey,metadataValue),"
    "data(columnMetadata.developerMetadata(metadataId,metadataKey,metadataValue),"
    "rowData.values(userEnteredValue,note)))"
)
_STAMP = re.compile(r"((?:[A-Za-z0-9_-]{4})*) (.+)", re.DOTALL)
_TITLE_ROWS = 100  # above a header there may be a title, not a novel


@dataclass(frozen=True, slots=True)
class Tag:
    """A piece of metadata of ours that a column bears."""

    id: int
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Archive:
    """The tab that deleted rows go to; `header` is its newest one."""

    sheet: int
    columns: int
    header: tuple[Raw, ...]


@dataclass(frozen=True, slots=True)
class SheetsPresent(Present):
    """What a tab holds now, and where: rows and columns from 0.

    `strays` are rows that bear a stamp and no key: a write may have met a row that a person put in.
    `tags` are those of our columns, by name, `header_notes` the notes on the header row, by column. `marked` says that the header row bears our mark. `others` counts
    the cells of other tabs, as far as they were read; `leftovers` are hidden tabs that a refresh which ended early left behind.
    """

    sheet: int | None = None
    title: str = ""
    size: tuple[int, int] = (0, 0)
    header_row: int = 0
    header: tuple[Raw, ...] = ()
    header_notes: Mapping[int, str] = field(default_factory=dict)
    marked: bool = False
    key_column: int | None = None
    stamp_column: int | None = None
    stamp_tag: Tag | None = None
    strays: tuple[PresentRow, ...] = ()
    tags: Mapping[str, Tag] = field(default_factory=dict)
    tagged: bool = False
    zone: tzinfo = UTC
    decimal_mark: str = "."
    archive: Archive | None = None
    others: int = 0
    leftovers: tuple[int, ...] = ()
    reads: int = 0


def place_of(tracker: Tracker) -> GoogleSheetsPlace:
    """The tab in which a tracker lives."""
    place = tracker.place.google_sheets
    if place is None:
        raise TypeError(f"tracker {tracker.name} is not in a spreadsheet")
    return place


def stamp_text(key: str, prints: str) -> str:
    """A stamp as a row bears it: the fingerprints of its cells, and its key."""
    return f"{prints} {key}"


def key_of_stamp(text: str) -> str:
    """The key in a stamp; of what is none, nothing."""
    return _of_stamp(text)[1]


def fence_of(names: Iterable[Json], sheet: int) -> dict[str, str]:
    """The fences of a tab, name by id: there is one, unless people copied it."""
    start = f"{FENCE}{sheet}_"
    return {
        name["namedRangeId"]: name.get("name", "")
        for name in names
        if name["namedRangeId"].startswith(start)
    }


def tagged_tab(answer: Json, tracker: Tracker) -> Json | None:
    """The tab that bears the tracker's tag. Of twins, the one that has the fence."""
    found = [
        sheet
        for sheet in answer.get("sheets") or ()
        if (TAB, place_of(tracker).tab) in _tags_of(sheet)
    ]
    names = answer.get("namedRanges") or ()
    found.sort(key=lambda sheet: not fence_of(names, _id(sheet)))
    return found[0] if found else None


def archive_of(answer: Json, tracker: Tracker) -> Archive | None:
    """The tab of deleted rows, where the answer has it: of that one only the header is read."""
    for sheet in answer.get("sheets") or ():
        for data in sheet.get("data") or ():
            rows = [row or {} for row in data.get("rowData") or ()]
            is_whole = (TAB, place_of(tracker).tab) in _tags_of(sheet)
            if not is_whole:
                header = tuple((rows[0].get("values") if rows else None) or ())
                return Archive(_id(sheet), size_of(sheet)[1], header)
    return None


def _tags_of(sheet: Json) -> set[tuple[str, str]]:
    pieces = sheet.get("developerMetadata") or ()
    return {(piece["metadataKey"], piece.get("metadataValue", "")) for piece in pieces}


def _id(sheet: Json) -> int:
    return int(sheet["properties"].get("sheetId", 0))


def size_of(sheet: Json) -> tuple[int, int]:
    """The rows and the columns of a tab."""
    grid = sheet["properties"].get("gridProperties") or {}
    return grid.get("rowCount", 0), grid.get("columnCount", 0)


def read_tab(sheet: Json, answer: Json, tracker: Tracker, **more: Any) -> SheetsPresent:
    """What a tab holds. Raises `tracker-not-ours` for content that nobody adopts."""
    tab = _Tab(sheet, answer, tracker)
    if tab.tagged and tab.tells_rows:
        return tab.read(**more)
    if tab.is_empty:
        return tab.empty(**more)
    if not tracker.adopt:
        raise SinkError(_not_ours(tab, tracker))
    return tab.adopt(**more)


def no_tab(answer: Json, tracker: Tracker) -> SheetsPresent:
    """A tab that is to be made, in a spreadsheet of which the outline was read."""
    sheets = answer.get("sheets") or ()
    return SheetsPresent(
        exists=False,
        title=place_of(tracker).tab,
        **_place(answer),
        **_others(sheets, None),
    )


def outline(answer: Json, tracker: Tracker) -> tuple[Json | None, dict[str, Any]]:
    """The tab of the tracker's name, and what is known of the others."""
    title = place_of(tracker).tab.casefold()
    sheets = answer.get("sheets") or ()
    named = [sheet for sheet in sheets if sheet["properties"]["title"].casefold() == title]
    sheet = named[0] if named else None
    return sheet, _others(sheets, None if sheet is None else _id(sheet))


def _others(sheets: Sequence[Json], own: int | None) -> dict[str, Any]:
    sizes = [size_of(sheet) for sheet in sheets if _id(sheet) != own]
    leftovers = [_id(s) for s in sheets if s["properties"]["title"].startswith(STAGING)]
    return {"others": sum(r * c for r, c in sizes), "leftovers": tuple(leftovers)}


def _place(answer: Json) -> dict[str, Any]:
    """What a spreadsheet's place in the world makes of numbers and instants."""
    properties = answer.get("properties") or {}
    return {
        "zone": zone_of(properties.get("timeZone", "")),
        "decimal_mark": decimal_mark(properties.get("locale", "")),
    }


class _Tab:
    """One tab of an answer, read as one tracker."""

    def __init__(self, sheet: Json, answer: Json, tracker: Tracker) -> None:
        data = (sheet.get("data") or [{}])[0] or {}
        self._tracker = tracker
        self._known = managed_columns(tracker)
        rows = [row or {} for row in data.get("rowData") or ()]
        self._rows = [row.get("values") or () for row in rows]
        self._notes = {at: row["notes"] for at, row in enumerate(rows) if "notes" in row}
        self._world = _place(answer)
        self._zone: tzinfo = self._world["zone"]
        self.sheet, self.size = _id(sheet), size_of(sheet)
        self.title = sheet["properties"]["title"]
        self.tagged = (TAB, place_of(tracker).tab) in _tags_of(sheet)
        self._fence = fence_of(answer.get("namedRanges") or (), self.sheet)
        tags = _column_tags(data)
        self._tags = {at: tag for at, tag in tags if tag.key == COLUMN}
        self._asked = {at: tag for at, tag in tags if tag.key == ANNOTATION}
        self.key = next((at for at, tag in tags if tag.key == KEY), None)
        self._stamp = next(((at, tag) for at, tag in tags if tag.key == STAMP), None)

    @property
    def tells_rows(self) -> bool:
        """Whether a hidden column says whose row each is: that of keys, or else that of stamps."""
        if self.key is not None or self._stamp is None:
            return self.key is not None
        column = self._stamp[0]
        return any(_of_stamp(_at(row, column))[1] for row in self._rows)

    @property
    def shows_keys(self) -> bool:
        """Whether people see whose row each is."""
        return set(key_columns(self._tracker.columns)) <= set(self._known)

    @property
    def is_empty(self) -> bool:
        return all(raw is None or raw == "" for row in self._rows for raw in row)

    def empty(self, **more: Any) -> SheetsPresent:
        """A tab with nothing in it, which is as good as none."""
        return SheetsPresent(exists=False, fence=self._fence_text, **self._place(0), **more)

    def read(self, **more: Any) -> SheetsPresent:
        """A tab of ours."""
        header = self._marked_row()
        recorded = {tag.value.partition(" ")[0]: at for at, tag in reversed(self._tags.items())}
        order = self._stamp[1].value.split() if self._stamp else []
        names = [*order, *(name for name in sorted(recorded) if name not in order)]
        labels = {name: self._tags[recorded[name]].value.partition(" ")[2] for name in recorded}
        called = recognise([(name, labels.get(name, "")) for name in names], self._known)
        found = [at for at, name in enumerate(names) if name in recorded]
        columns = tuple(
            PresentColumn(
                called[at],
                labels[names[at]] or self._label(called[at]),
                self._text(header, recorded[names[at]]),
                recorded[names[at]],
            )
            for at in found
        )
        rows = self._identities(header)
        typed = Counter(row.typed for row in rows)
        stamps = [
            select(row.prints, found, len(order)) if found and found[-1] < len(order) else None
            for row in rows
        ]
        numbers = [row.number for row in rows]
        asked = self._annotations(header)
        cells = self._cells(numbers, columns, stamps)
        beside = self._cells(numbers, asked, None)
        found_rows = [
            PresentRow(
                _key_of(row, typed),
                values,
                row.number,
                stamp,
                notes,
                row.stamped if self._stamp else None,
            )
            for row, values, stamp, notes in zip(rows, cells, stamps, beside, strict=True)
        ]
        kept, copies = _apart(row for row in found_rows if row.key)
        tags = {called[at]: self._tags[recorded[names[at]]] for at in found}
        tags |= {column.name: self._asked[column.position] for column in asked}
        present = self._present(header, columns, kept, copies, asked=asked, tags=tags, **more)
        return replace(
            present,
            ours=True,
            recalled=frozenset(called[at] for at in found if called[at] != names[at]),
            strays=tuple(row for row in found_rows if not row.key),
            retyped=frozenset(
                row.position
                for row, seen in zip(found_rows, rows, strict=True)
                if row.key != seen.typed
            ),
        )

    def _identities(self, header: int) -> list[_Identity]:
        """The rows that bear a key or a stamp."""
        column = self._stamp[0] if self._stamp else None
        every = [
            (number, _at(row, self.key), _of_stamp(_at(row, column)))
            for number, row in enumerate(self._rows[header + 1 :], header + 1)
        ]
        return [
            _Identity(number, str(key or ""), prints, stamped)
            for number, key, (prints, stamped) in every
            if key or prints
        ]

    def adopt(self, **more: Any) -> SheetsPresent:
        """A tab of people's, its rows known by the cells of their key, its columns by their headers."""
        header = self._header_row()
        texts = {at: self._text(header, at) for at in range(len(self._rows[header]))}
        places: dict[str, int] = {}
        for column in self._known:
            free = (at for at, text in texts.items() if at not in places.values())
            at = next((at for at in free if texts[at] == column.label), None)
            if at is not None and at not in (self.key, self._stamp and self._stamp[0]):
                places[column.name] = at
        labels = {column.name: column.label for column in self._known}
        columns = tuple(
            PresentColumn(name, labels[name], labels[name], at) for name, at in places.items()
        )
        numbers = list(range(header + 1, len(self._rows)))
        asked = self._annotations(header)
        cells = self._cells(numbers, columns, None), self._cells(numbers, asked, None)
        rows = []
        for number, values, notes in zip(numbers, *cells, strict=True):
            named = {column.name: cell for column, cell in zip(columns, values, strict=True)}
            if key := key_of_cells(named, self._tracker):
                rows.append(PresentRow(key, values, number, None, notes))
        kept, _ = _apart(rows)
        tags = {name: self._tags[at] for name, at in places.items() if at in self._tags}
        tags |= {column.name: self._asked[column.position] for column in asked}
        present = self._present(header, columns, kept, (), asked=asked, tags=tags, **more)
        return replace(present, ours=False)

    def _annotations(self, header: int) -> tuple[PresentColumn, ...]:
        """The annotation columns that are there."""
        places = {tag.value.partition(" ")[0]: at for at, tag in reversed(self._asked.items())}
        return tuple(
            PresentColumn(
                each.name,
                self._asked[places[each.name]].value.partition(" ")[2] or each.label,
                self._text(header, places[each.name]),
                places[each.name],
            )
            for each in self._tracker.annotations
            if each.name in places
        )

    def _present(
        self,
        header: int,
        columns: tuple[PresentColumn, ...],
        rows: tuple[PresentRow, ...],
        copies: tuple[PresentRow, ...],
        *,
        asked: tuple[PresentColumn, ...],
        tags: Mapping[str, Tag],
        **more: Any,
    ) -> SheetsPresent:
        hidden = {self.key, self._stamp[0] if self._stamp else None}
        managed = hidden | {column.position for column in (*columns, *asked)}
        width = len(self._rows[header]) if header < len(self._rows) else 0
        others = [self._text(header, at) for at in range(width) if at not in managed]
        return SheetsPresent(
            columns=columns,
            rows=rows,
            copies=copies,
            annotations=asked,
            own_columns=tuple(text for text in others if text),
            fence=self._fence_text,
            key_column=self.key,
            stamp_column=self._stamp[0] if self._stamp else None,
            stamp_tag=self._stamp[1] if self._stamp else None,
            tags=tags,
            **self._place(header),
            **more,
        )

    def _place(self, header: int) -> dict[str, Any]:
        return {
            "sheet": self.sheet,
            "title": self.title,
            "size": self.size,
            "header_row": header,
            "header": tuple(self._rows[header]) if header < len(self._rows) else (),
            "header_notes": self._notes.get(header, {}),
            "marked": header < len(self._rows) and _at(self._rows[header], self.key) == KEY_HEADER,
            "tagged": self.tagged,
            **self._world,
        }

    @property
    def _fence_text(self) -> str:
        return " ".join(sorted(self._fence))

    def _label(self, name: str) -> str:
        return next((column.label for column in self._known if column.name == name), name)

    def _text(self, row: int, column: int) -> str:
        raw = _at(self._rows[row], column) if row < len(self._rows) else None
        return "" if raw is None else str(plain(raw))

    def _cells(
        self,
        numbers: Sequence[int],
        columns: Sequence[PresentColumn],
        stamps: Sequence[str | None] | None,
    ) -> list[tuple[Cell, ...]]:
        """The cells of rows, column by column, which is the fastest way through millions."""
        asked = (each.column for each in self._tracker.annotations)
        types = {column.name: column.type.name for column in (*self._known, *asked)}
        rows = [self._rows[number] for number in numbers]
        read = []
        for at, column in enumerate(columns):
            type_name = types.get(column.name, "string")
            convert, place = reader(type_name, self._zone), column.position
            cells = [convert(row[place]) if place < len(row) else None for row in rows]
            if stamps and type_name in ("timestamp", "timestamptz"):
                prints = [(split(stamp, len(columns)) or {at: ""})[at] for stamp in stamps]
                cells = [as_written(*both, self._zone) for both in zip(cells, prints, strict=True)]
            read.append(cells)
        return list(zip(*read, strict=True)) if read else [()] * len(rows)

    def _marked_row(self) -> int:
        """The row in which a hidden column names itself; the first, if a person emptied it."""
        stamp = self._stamp[0] if self._stamp else None
        for number, row in enumerate(self._rows):
            if _at(row, self.key) == KEY_HEADER or _at(row, stamp) == STAMP_HEADER:
                return number
        if self._rows and (_at(self._rows[0], self.key) or _at(self._rows[0], stamp)):
            what = f"tab `{self.title}` of tracker `{self._tracker.name}`"
            hint = "undo its deletion in Google Sheets, or insert an empty row above all others"
            raise SinkError(
                Problem("tracker-not-ours", f"{what} has lost its header row", hint=hint)
            )
        return 0

    def _header_row(self) -> int:
        """The row that has most of the tracker's labels, and all of its keys'."""
        labels = {column.label for column in self._known}
        keys = {column.label for column in key_columns(self._tracker.columns)}
        best, most = None, 0
        for number, row in enumerate(self._rows[:_TITLE_ROWS]):
            found = {raw for raw in row if isinstance(raw, str)}
            if keys <= found and len(labels & found) > most:
                best, most = number, len(labels & found)
        if best is None:
            named = ", ".join(f"`{label}`" for label in sorted(keys))
            raise SinkError(
                Problem(
                    "tracker-not-ours",
                    f"tab `{self.title}` cannot be adopted: it has no header row with the key {named}",
                    hint="rename its headers to the report's labels, or let the report show its key",
                )
            )
        return best


class _Identity(NamedTuple):
    """What a row says of whose it is: the key that stands there, and its stamp."""

    number: int
    typed: str
    prints: str | None
    stamped: str


def _key_of(row: _Identity, typed: Mapping[str, int]) -> str:
    """A row's key: the one in its stamp, where the other is missing or copied.

    A key that stands elsewhere counts there: a stamp that was meant for that row got into this
    one, because somebody put in or dragged a row meanwhile.
    """
    is_own = typed[row.typed] == 1 if row.typed else not row.stamped
    return row.typed if is_own or typed.get(row.stamped) else row.stamped or row.typed


def _of_stamp(raw: Raw) -> tuple[str | None, str]:
    """The fingerprints that a stamp has, and its key; what is none has neither."""
    match = _STAMP.fullmatch(raw) if isinstance(raw, str) and raw else None
    return (match[1], match[2]) if match else (None, "")


def _column_tags(data: Json) -> list[tuple[int, Tag]]:
    """Our tags, each with its column."""
    return [
        (at, Tag(piece["metadataId"], piece["metadataKey"], piece.get("metadataValue", "")))
        for at, column in enumerate(data.get("columnMetadata") or ())
        for piece in (column or {}).get("developerMetadata") or ()
    ]


def _at(row: Sequence[Raw], column: int | None) -> Raw:
    return row[column] if column is not None and column < len(row) else None


def _apart(
    rows: Iterable[PresentRow],
) -> tuple[tuple[PresentRow, ...], tuple[PresentRow, ...]]:
    """One row of each key, and the copies that people made: those that are changed, or lower."""
    kept: dict[str, PresentRow] = {}
    copies: list[PresentRow] = []
    for row in rows:
        other = kept.setdefault(row.key, row)
        if other is row:
            continue
        if _is_as_written(row) and not _is_as_written(other):
            kept[row.key], row = row, other
        copies.append(row)
    return tuple(sorted(kept.values(), key=lambda row: row.position)), tuple(copies)


def _is_as_written(row: PresentRow) -> bool:
    return row.stamp == stamp_of(row.cells)


def _not_ours(tab: _Tab, tracker: Tracker) -> Problem:
    what = f"tab `{tab.title}` of tracker `{tracker.name}`"
    if tab.tagged:
        undo = "undo their deletion in Google Sheets: Edit, Undo, or File, Version history"
        way = "`--adopt` matches rows by their visible key"
        new = "name another `tab`, which is made with all annotations that were read"
        return Problem(
            "tracker-not-ours",
            f"{what} has lost the hidden columns that say whose row each is",
            hint=f"{undo}; or {way if tab.shows_keys else new}",
        )
    return Problem(
        "tracker-not-ours",
        f"{what} has content that genesis did not write",
        hint="`--adopt` matches its rows by key and header; or name another tab",
    )
