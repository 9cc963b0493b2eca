"""Changes as requests: steps that may be made one by one, each of which leaves a tracker that is right.

Columns come first, then rows that go, rows that move and rows that come, with all their cells, then
cells of rows that stay. What no request names is people's. The surprise: a key is written when its
row is, and never again, since it would be another's if a person sorted or inserted meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from genesis.sinks.google.cells import Json, Raw, cell_data, number_format, raw_of
from genesis.sinks.google.present import (
    ANNOTATION,
    ARCHIVE,
    COLUMN,
    KEY,
    KEY_HEADER,
    STAMP,
    STAMP_HEADER,
    TAB,
    SheetsPresent,
    Tag,
    place_of,
    stamp_text,
)
from genesis.sinks.google.rows import RowPlan, Span, plan_rows, spans
from genesis.sinks.google.widths import column_widths, of_one_width
from genesis.sync.changes import Annotation, Changes, Insert, PresentRow, Tracker
from genesis.sync.notice import find_note
from genesis.sync.stamps import fingerprint, split, stamp_of, stamps

if TYPE_CHECKING:
    from datetime import tzinfo

    from genesis.compile.statement import Column

Step = list[Json]
Cells = Mapping[int, Mapping[int, Raw]]

METADATA = 30_000  # characters that Google keeps for a tab
SPARE_COLUMNS = 6  # room for people in a new tab
_PARTS = 20  # a step of rows is that part of a payload, so that calls are filled well


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything stands after the changes; tabs that are made get `new_id` and the next ones."""

    new_id: int
    sheet: int
    title: str
    header_row: int
    columns: Mapping[str, int]
    annotations: Mapping[str, int]
    key: int
    stamp: int
    width: int
    note: int | None

    def new_row(self, insert: Insert, changes: Changes, zone: tzinfo) -> dict[int, Raw]:
        """A new row, its key, its stamp, and what people had put beside it before."""
        row: dict[int, Raw] = {
            self.columns[column.name]: raw_of(cell, zone)
            for column, cell in zip(changes.columns, insert.cells, strict=True)
        }
        stamp = stamp_text(insert.key, stamp_of(insert.cells))
        return row | {self.key: insert.key, self.stamp: stamp}


def plan_changes(
    changes: Changes,
    present: SheetsPresent,
    tracker: Tracker,
    layout: Layout,
    *,
    payload: int,
) -> Iterator[Step]:
    """The changes, step by step, each made when it is asked for; `open_tab` comes before."""
    size = payload // _PARTS
    rows = plan_rows(changes, first=present.header_row + 1)
    yield list(dress(changes, present, tracker, layout))
    yield from _deletes(changes, present, tracker, layout, rows)
    yield from _moves(layout, rows)
    if present.exists:
        yield from _inserts(changes, present, layout, rows, size)
    else:
        yield from _new_tab(changes, present, layout, size)
    yield from _updates(changes, present, layout, rows, size)
    yield list(memory(changes, present, layout))


def _request(kind: str, **body: object) -> Json:
    return {kind: body}


def _lines(layout: Layout | int, dimension: str, span: Span) -> Json:
    sheet = layout if isinstance(layout, int) else layout.sheet
    return {
        "sheetId": sheet,
        "dimension": dimension,
        "startIndex": span.start,
        "endIndex": span.end,
    }


# ---- columns


def lay_out(changes: Changes, present: SheetsPresent, tracker: Tracker, new_id: int) -> Layout:
    """Where columns will stand: new ones right of their left neighbour in the report."""
    order = _column_order(changes, present, tracker)
    place = {item: number for number, item in enumerate(order)}
    at = {column.name: column.position for column in (*present.columns, *present.annotations)}
    title = present.title or place_of(tracker).tab
    columns = {c.name: place[at.get(c.name, c.name)] for c in changes.columns}
    return Layout(
        new_id=new_id,
        sheet=new_id if present.sheet is None else present.sheet,
        title=title,
        header_row=present.header_row,
        columns=columns,
        annotations={a.name: place[at.get(a.name, a.name)] for a in tracker.annotations},
        key=place[KEY if present.key_column is None else present.key_column],
        stamp=place[STAMP if present.stamp_column is None else present.stamp_column],
        width=len(order),
        note=_note_column(columns, present, tracker, place),
    )


def lay_out_again(present: SheetsPresent, tracker: Tracker) -> Layout:
    """Where columns stand, and stay."""
    if present.sheet is None:
        raise ValueError("a tab that is there")
    columns = {column.name: column.position for column in present.columns}
    hidden = (present.key_column, present.stamp_column)
    key, stamp = (-1 if at is None else at for at in hidden)
    return Layout(
        new_id=0,
        sheet=present.sheet,
        title=present.title,
        header_row=present.header_row,
        columns=columns,
        annotations={column.name: column.position for column in present.annotations},
        key=key,
        stamp=stamp,
        width=present.size[1],
        note=_note_column(columns, present, tracker, {at: at for at in present.header_notes}),
    )


def _note_column(
    columns: Mapping[str, int],
    present: SheetsPresent,
    tracker: Tracker,
    place: Mapping[int | str, int],
) -> int | None:
    """The column whose header bears genesis's note, or else the first of ours without one of people's."""
    notes = {place[at]: text for at, text in present.header_notes.items() if at in place}
    ours = find_note(list(notes.values()), tracker)
    if ours is not None:
        return list(notes)[ours]
    return min((at for at in columns.values() if at not in notes), default=None)


def note_of(present: SheetsPresent, tracker: Tracker) -> str:
    """Genesis's note as it stands there; empty where it does not."""
    notes = list(present.header_notes.values())
    ours = find_note(notes, tracker)
    return "" if ours is None else notes[ours]


def _column_order(changes: Changes, present: SheetsPresent, tracker: Tracker) -> list[int | str]:
    """The columns after the changes: those that are there by their number, new ones by name."""
    names: list[int | str] = [column.name for column in changes.columns]
    if not present.exists:
        ours = [*names, KEY, STAMP, *(each.name for each in tracker.annotations)]
        return [*ours, *range(len(ours), present.size[1])]
    dropped = {column.position for column in changes.dropped}
    order: list[int | str] = [c for c in range(present.size[1]) if c not in dropped]
    at = {column.name: column.position for column in present.columns}
    managed = [at[column.name] for column in changes.columns if column.name in at]
    left: int | str | None = None
    for column in changes.columns:
        if column.name in at:
            left = at[column.name]
            continue
        before = order.index(min(managed)) if managed else 0
        order.insert(before if left is None else order.index(left) + 1, column.name)
        left = column.name
    last = max(order.index(at.get(column.name, column.name)) for column in changes.columns)
    if present.key_column is None:
        order.insert(last + 1, KEY)
    if present.stamp_column is None:
        key = KEY if present.key_column is None else present.key_column
        order.insert(order.index(key) + 1, STAMP)
    stamp = STAMP if present.stamp_column is None else present.stamp_column
    right = max(last, order.index(stamp))
    asked = {column.name: column.position for column in present.annotations}
    for each in tracker.annotations:
        if each.name not in asked:
            order.insert(right + 1, each.name)
        right = order.index(asked.get(each.name, each.name))
    return order


def open_tab(
    changes: Changes, present: SheetsPresent, tracker: Tracker, layout: Layout
) -> Iterator[Json]:
    """A new tab, or room in an empty one, or columns in their order."""
    yield from (_request("deleteSheet", sheetId=sheet) for sheet in present.leftovers)
    rows = layout.header_row + 1 + len(changes.inserts)
    if present.sheet is None:
        # A spare row, since Google keeps a tab from losing all rows below its header.
        width = layout.width + SPARE_COLUMNS
        grid = {"rowCount": rows + 1, "columnCount": width, "frozenRowCount": 1}
        properties = {"sheetId": layout.sheet, "title": layout.title, "gridProperties": grid}
        yield _request("addSheet", properties=properties)
        return
    if not present.exists:
        lacking = {"ROWS": rows + 1 - present.size[0], "COLUMNS": layout.width - present.size[1]}
        for dimension, count in lacking.items():
            if count > 0:
                yield _request(
                    "appendDimension", sheetId=layout.sheet, dimension=dimension, length=count
                )
        return
    dropped = spans(column.position for column in changes.dropped)
    order = _column_order(changes, present, tracker)
    for span in reversed(dropped):
        yield _request("deleteDimension", range=_lines(layout, "COLUMNS", span))
    for span in spans(at for at, item in enumerate(order) if isinstance(item, str)):
        inherits = span.start > 0
        lines = _lines(layout, "COLUMNS", span)
        yield _request("insertDimension", range=lines, inheritFromBefore=inherits)
        if inherits:  # a neighbour's choices are not for what comes from a report
            yield _request("setDataValidation", range=_area(layout, columns=span))


def _area(layout: Layout, *, columns: Span, first_row: int = 0) -> Json:
    return {
        "sheetId": layout.sheet,
        "startRowIndex": first_row,
        "startColumnIndex": columns.start,
        "endColumnIndex": columns.end,
    }


def dress(
    changes: Changes, present: SheetsPresent, tracker: Tracker, layout: Layout
) -> Iterator[Json]:
    """Headers, the note, formats and hidden columns: what is said once, when a column comes."""
    labels = {relabel.column: relabel.label for relabel in changes.relabels}
    labels |= {column.name: column.label for column in changes.added}
    labels |= {each.name: each.label for each in changes.new_annotations}
    places = {**layout.columns, **layout.annotations}
    header: dict[int, Raw] = {places[name]: label for name, label in labels.items()}
    if not present.marked:
        header[layout.key] = KEY_HEADER
    if present.stamp_column is None:
        header[layout.stamp] = STAMP_HEADER
    yield from write_cells(layout, {layout.header_row: header})
    if present.sheet is None:
        bold = {"userEnteredFormat": {"textFormat": {"bold": True}}}
        row = _area(layout, columns=Span(0, layout.width)) | {"endRowIndex": 1}
        yield _request(
            "repeatCell", range=row, cell=bold, fields="userEnteredFormat.textFormat.bold"
        )
        yield from _widths(changes, tracker, layout)
    yield from _formats((*changes.added, *changes.retyped), layout.columns, layout)
    asked = [each.column for each in changes.new_annotations]
    yield from _formats(asked, layout.annotations, layout)
    yield from _validations(changes.new_annotations, layout, present.decimal_mark)
    yield from _hidden(present, layout)
    yield from _tags(changes, present, tracker, layout)
    yield from note(tracker.note, layout)


def _widths(changes: Changes, tracker: Tracker, layout: Layout) -> Iterator[Json]:
    """How wide the columns of a new tab are."""
    for start, count, pixels in of_one_width(column_widths(changes, tracker, layout)):
        yield _request(
            "updateDimensionProperties",
            range=_lines(layout, "COLUMNS", Span(start, count)),
            properties={"pixelSize": pixels},
            fields="pixelSize",
        )


def note(text: str, layout: Layout) -> Iterator[Json]:
    """The note on a header cell."""
    if text and layout.note is not None:
        place = {"rowIndex": layout.header_row, "columnIndex": layout.note}
        start = {"sheetId": layout.sheet, **place}
        rows = [{"values": [{"note": text}]}]
        yield _request("updateCells", start=start, rows=rows, fields="note")


def _formats(
    columns: Iterable[Column], places: Mapping[str, int], layout: Layout
) -> Iterator[Json]:
    for column in columns:
        span = Span(places[column.name], 1)
        shown = number_format(column)
        yield _request(
            "repeatCell",
            range=_area(layout, columns=span, first_row=layout.header_row + 1),
            cell={"userEnteredFormat": {"numberFormat": shown}} if shown else {},
            fields="userEnteredFormat.numberFormat",
        )


def _validations(annotations: Iterable[Annotation], layout: Layout, mark: str) -> Iterator[Json]:
    """What people may put into their columns."""
    for each in annotations:
        if condition := _condition(each, mark):
            span = Span(layout.annotations[each.name], 1)
            rule = {"condition": condition, "strict": True, "showCustomUi": True}
            area = _area(layout, columns=span, first_row=layout.header_row + 1)
            yield _request("setDataValidation", range=area, rule=rule)


def _condition(annotation: Annotation, mark: str) -> Json | None:
    if annotation.values:
        values = [{"userEnteredValue": _choice(value, mark)} for value in annotation.values]
        return {"type": "ONE_OF_LIST", "values": values}
    match annotation.column.type.name:
        case "boolean":
            return {"type": "BOOLEAN"}
        case "date":
            return {"type": "DATE_IS_VALID"}
        case "integer" | "decimal" | "float":
            # Every number: Google has no condition that says just that.
            ends = [{"userEnteredValue": "-1E+300"}, {"userEnteredValue": "1E+300"}]
            return {"type": "NUMBER_BETWEEN", "values": ends}
        case _:
            return None


def _choice(value: object, mark: str) -> str:
    """A value as people type it, who have another decimal mark in most of the world."""
    match value:
        case bool():
            return str(value).upper()
        case float():
            return str(value).replace(".", mark)
        case _:
            return str(value)


def _hidden(present: SheetsPresent, layout: Layout) -> Iterator[Json]:
    new = {layout.key: present.key_column, layout.stamp: present.stamp_column}
    for span in spans(at for at, known in new.items() if known is None):
        yield _request(
            "updateDimensionProperties",
            range=_lines(layout, "COLUMNS", span),
            properties={"hiddenByUser": True},
            fields="hiddenByUser",
        )
        warning = {
            "range": _area(layout, columns=span),
            "description": "genesis keeps rows apart by this column",
            "warningOnly": True,
        }
        yield _request("addProtectedRange", protectedRange=warning)


# ---- tags


def _tags(
    changes: Changes, present: SheetsPresent, tracker: Tracker, layout: Layout
) -> Iterator[Json]:
    """What tells our tab and our columns, wherever people move them."""
    if not present.tagged:
        yield _tag(TAB, place_of(tracker).tab, {"sheetId": layout.sheet})
    if present.key_column is None:
        yield _tag(KEY, "", _column_place(layout, layout.key))
    places = {**layout.columns, **layout.annotations}
    for name, text in _tag_texts(changes, present, tracker).items():
        tag = present.tags.get(name)
        kind = COLUMN if name in layout.columns else ANNOTATION
        if tag is None:
            yield _tag(kind, text, _column_place(layout, places[name]))
        elif tag.value != text:
            yield _retag(tag, text)


def _tag_texts(changes: Changes, present: SheetsPresent, tracker: Tracker) -> dict[str, str]:
    """What each column's tag says: its name, and the label that was written, where there is room."""
    labels = {column.name: column.label for column in (*present.columns, *present.annotations)}
    labels |= {relabel.column: relabel.label for relabel in changes.relabels}
    every = (*changes.columns, *(each.column for each in tracker.annotations))
    texts = {c.name: f"{c.name} {labels.get(c.name, c.label)}" for c in every}
    names = sum(len(name) for name in texts)
    used = sum(len(ANNOTATION) + len(text) for text in texts.values()) + names
    return texts if used < METADATA - 1_000 else {name: name for name in texts}


def memory(changes: Changes, present: SheetsPresent, layout: Layout) -> Iterator[Json]:
    """Which columns the stamps are of, once they are."""
    order = " ".join(column.name for column in changes.columns)
    if present.stamp_tag is None:
        yield _tag(STAMP, order, _column_place(layout, layout.stamp))
    elif present.stamp_tag.value != order:
        yield _retag(present.stamp_tag, order)


def _tag(key: str, value: str, place: Json) -> Json:
    piece = {
        "metadataKey": key,
        "metadataValue": value,
        "location": place,
        "visibility": "DOCUMENT",
    }
    return _request("createDeveloperMetadata", developerMetadata=piece)


def _retag(tag: Tag, value: str) -> Json:
    return _request(
        "updateDeveloperMetadata",
        dataFilters=[{"developerMetadataLookup": {"metadataId": tag.id}}],
        developerMetadata={"metadataValue": value},
        fields="metadataValue",
    )


def _column_place(layout: Layout, column: int) -> Json:
    return {"dimensionRange": _lines(layout, "COLUMNS", Span(column, 1))}


# ---- rows


def _deletes(
    changes: Changes,
    present: SheetsPresent,
    tracker: Tracker,
    layout: Layout,
    rows: RowPlan,
) -> Iterator[Step]:
    if not rows.deletes:
        return
    left = present.size[0] - sum(span.count for span in rows.deletes)
    if left <= present.header_row + 1:  # Google refuses to delete all rows below the header
        yield [_request("appendDimension", sheetId=layout.sheet, dimension="ROWS", length=1)]
    archives = changes.policy.on_delete == "archive"
    archive = layout.new_id + 1
    if archives:
        opening, archive = _open_archive(changes, present, tracker, layout)
        yield opening
    for span in rows.deletes:
        delete = _request("deleteDimension", range=_lines(layout, "ROWS", span))
        yield [*(_archived(span, layout, archive) if archives else ()), delete]


def _open_archive(
    changes: Changes, present: SheetsPresent, tracker: Tracker, layout: Layout
) -> tuple[Step, int]:
    """The tab for deleted rows, under the header that they have now."""
    tag = place_of(tracker).tab
    known = present.archive
    archive = layout.new_id + 1 if known is None else known.sheet
    top = {"dimensionRange": _lines(archive, "ROWS", Span(0, 1))}
    if known is None:
        grid = {"rowCount": 2, "columnCount": layout.width, "frozenRowCount": 1}
        title = f"{layout.title} archive"
        properties = {"sheetId": archive, "title": title, "gridProperties": grid}
        step = [_request("addSheet", properties=properties)]
    else:
        step = []
        if (lacking := layout.width - known.columns) > 0:
            step.append(
                _request("appendDimension", sheetId=archive, dimension="COLUMNS", length=lacking)
            )
        new_columns = changes.added or changes.dropped or changes.relabels
        if known.header == _shown_header(present) and not new_columns:
            return step, archive
        lookup = {"metadataKey": ARCHIVE, "metadataValue": tag}
        step += [
            _request("deleteDeveloperMetadata", dataFilter={"developerMetadataLookup": lookup}),
            _request("insertDimension", range=_lines(archive, "ROWS", Span(0, 1))),
        ]
    header = Span(layout.header_row, 1)
    return [*step, *_copied(header, layout, archive, 0), _tag(ARCHIVE, tag, top)], archive


def _shown_header(present: SheetsPresent) -> tuple[Raw, ...]:
    """The header without what is hidden, as the archive has it."""
    hidden = (present.key_column, present.stamp_column)
    header = [None if at in hidden else raw for at, raw in enumerate(present.header)]
    while header and header[-1] is None:
        header.pop()
    return tuple(header)


def _archived(span: Span, layout: Layout, archive: int) -> Step:
    """The rows on top of the archive: what is below it may be people's by now."""
    room = _lines(archive, "ROWS", Span(1, span.count))
    return [_request("insertDimension", range=room), *_copied(span, layout, archive, 1)]


def _copied(span: Span, layout: Layout, archive: int, to: int) -> Step:
    def rows(sheet: int, start: int) -> Json:
        return {
            "sheetId": sheet,
            "startRowIndex": start,
            "endRowIndex": start + span.count,
            "startColumnIndex": 0,
            "endColumnIndex": layout.width,
        }

    source, destination = rows(layout.sheet, span.start), rows(archive, to)
    copy = {"source": source, "destination": destination, "pasteType": "PASTE_NORMAL"}
    # What the hidden columns say is nothing to people, who would see it there.
    emptied = (
        _request(
            "repeatCell",
            range=destination | {"startColumnIndex": one.start, "endColumnIndex": one.end},
            cell={},
            fields="userEnteredValue",
        )
        for one in spans((layout.key, layout.stamp))
    )
    return [_request("copyPaste", **copy), *emptied]


def _moves(layout: Layout, rows: RowPlan) -> Iterator[Step]:
    for move in rows.moves:
        source = _lines(layout, "ROWS", move.rows)
        yield [_request("moveDimension", source=source, destinationIndex=move.to)]


def _inserts(
    changes: Changes, present: SheetsPresent, layout: Layout, rows: RowPlan, size: int
) -> Iterator[Step]:
    """New rows, each together with its cells."""
    restored = _restored(changes, present, layout)
    height = present.size[0] - sum(span.count for span in rows.deletes)
    height = max(height, layout.header_row + 2) if rows.deletes else height
    for start, inserts in rows.inserts:
        new = (
            layout.new_row(one, changes, present.zone) | restored.get(one.key, {})
            for one in inserts
        )
        for cells in _groups(enumerate(new, start), size):
            first = min(cells)
            # Right below the header a row is like the next one, not bold like the header.
            inherits = first > layout.header_row + 1 or first >= height
            span = Span(first, len(cells))
            lines = _lines(layout, "ROWS", span)
            yield [
                _request("insertDimension", range=lines, inheritFromBefore=inherits),
                _uncoloured(layout, span),
                *write_cells(layout, cells),
            ]
            height += len(cells)


def _uncoloured(layout: Layout, rows: Span) -> Json:
    """A neighbour's number formats are for new rows too; colours and strokes are about the neighbour."""
    look = ("backgroundColor", "backgroundColorStyle", "textFormat")
    area = {"sheetId": layout.sheet, "startRowIndex": rows.start, "endRowIndex": rows.end}
    fields = ",".join(f"userEnteredFormat.{part}" for part in look)
    return _request("repeatCell", range=area, cell={}, fields=fields)


def _groups(
    rows: Iterable[tuple[int, dict[int, Raw]]], size: int
) -> Iterator[dict[int, dict[int, Raw]]]:
    """Rows, as many together as have about that size in a request."""
    group: dict[int, dict[int, Raw]] = {}
    weight = 0
    for number, row in rows:
        group[number] = row
        weight += sum(50 + (len(raw) if isinstance(raw, str) else 10) for raw in row.values())
        if weight > size:
            yield group
            group, weight = {}, 0
    if group:
        yield group


def new_rows(changes: Changes, present: SheetsPresent, layout: Layout) -> Iterator[dict[int, Raw]]:
    """The rows of a new tracker, the header left out."""
    restored = _restored(changes, present, layout)
    for insert in changes.inserts:
        yield layout.new_row(insert, changes, present.zone) | restored.get(insert.key, {})


def _restored(
    changes: Changes, present: SheetsPresent, layout: Layout
) -> dict[str, dict[int, Raw]]:
    """What people had put into annotations that are made anew, by row and place."""
    return {
        key: {layout.annotations[name]: raw_of(cell, present.zone) for name, cell in cells.items()}
        for key, cells in changes.restored.items()
    }


def _new_tab(changes: Changes, present: SheetsPresent, layout: Layout, size: int) -> Iterator[Step]:
    rows = enumerate(new_rows(changes, present, layout), layout.header_row + 1)
    for group in _groups(rows, size):
        yield list(write_cells(layout, group))


def _updates(
    changes: Changes, present: SheetsPresent, layout: Layout, rows: RowPlan, size: int
) -> Iterator[Step]:
    """Cells of rows that stay, and what is remembered of them."""
    zone = present.zone
    places = {row.key: rows.place(row.position) for row in changes.rows}
    cells: dict[int, dict[int, Raw]] = {}
    for update in changes.updates:
        row = cells.setdefault(places[update.key], {})
        row[layout.columns[update.column]] = raw_of(update.cell, zone)
    for key, beside in _restored(changes, present, layout).items():
        if key in places:
            cells.setdefault(places[key], {}).update(beside)
    texts = set()
    for stamp in stamps(changes):
        texts.add(stamp.text)
        row = cells.setdefault(rows.place(stamp.position), {})
        row[layout.stamp] = stamp_text(stamp.key, stamp.text)
        if not present.ours:
            row[layout.key] = stamp.key
    gone = set(changes.deletes)
    for each in changes.followed:
        if each.key not in gone:
            cells.setdefault(rows.place(each.position), {})[layout.key] = each.key
    for position in changes.releases:
        cells[rows.place(position)] = {layout.key: None, layout.stamp: None}
    for stray in present.strays:
        if stray.stamp in texts:
            cells[rows.place(stray.position)] = _cleared(stray, present, layout)
    for group in _groups(sorted(cells.items()), size):
        yield list(write_cells(layout, group))


def _cleared(stray: PresentRow, present: SheetsPresent, layout: Layout) -> dict[int, Raw]:
    """What a write that was meant for another row left in a person's: no more than that."""
    prints = split(stray.stamp, len(present.columns)) or ()
    cells: dict[int, Raw] = {layout.stamp: None}
    for column, cell, print_ in zip(present.columns, stray.cells, prints, strict=False):
        if cell is not None and fingerprint(cell) == print_ and column.name in layout.columns:
            cells[layout.columns[column.name]] = None
    return cells


def write_cells(layout: Layout, cells: Cells) -> Iterator[Json]:
    """Cells by row and column, as few requests as they can be: one for each rectangle."""
    blocks: dict[tuple[int, int], tuple[int, list[Json]]] = {}
    for number in sorted(cells):
        row = cells[number]
        ours = {}
        for span in spans(row):
            values = [cell_data(row[at]) for at in range(span.start, span.end)]
            block = (span.start, span.count)
            start, rows = blocks.pop(block, (number, []))
            if start + len(rows) != number:
                yield _written(layout, start, block[0], rows)
                start, rows = number, []
            rows.append({"values": values})
            ours[block] = (start, rows)
        for (column, _), (start, rows) in blocks.items():
            yield _written(layout, start, column, rows)
        blocks = ours
    for (column, _), (start, rows) in blocks.items():
        yield _written(layout, start, column, rows)


def _written(layout: Layout, row: int, column: int, rows: list[Json]) -> Json:
    start = {"sheetId": layout.sheet, "rowIndex": row, "columnIndex": column}
    return _request("updateCells", start=start, rows=rows, fields="userEnteredValue")


# ---- calls


def pack(
    opening: Step, steps: Iterable[Step], *, payload: int, requests: int
) -> Iterator[list[Json]]:
    """Steps in as few calls as hold them."""
    call = list(opening)
    size = sum(map(size_of, opening))
    for step in steps:
        added = sum(map(size_of, step))
        if call and (size + added > payload or len(call) + len(step) > requests):
            yield call
            call, size = [], 0
        call += step
        size += added
    if call:
        yield call


def size_of(request: Json) -> int:
    """The bytes of a request in a body."""
    text = json.dumps(request, ensure_ascii=False, separators=(",", ":"))
    return (len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))) + 1
