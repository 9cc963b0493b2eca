"""Make the changes to a tab: give rows and columns their places, then write what differs.

New rows stand where the changes say, new columns right of their left neighbour in the report; rows
of people stay between the rows they stood between. A cell that is there keeps its style, and a new
one takes that of its row or column. The surprise: nothing is ever written into people's columns,
not even into the empty cells of a new row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, time
from xml.etree.ElementTree import Element

from genesis.compile.statement import Column
from genesis.errors import Problem, SinkError
from genesis.sinks.workbook.annotations import dress_annotations, keep_annotations
from genesis.sinks.workbook.archive import archive_rows
from genesis.sinks.workbook.book import Book, KeptColumn, freeze_header, place_in_sheet
from genesis.sinks.workbook.find import MARK, XlsxPresent
from genesis.sinks.workbook.follow import follow
from genesis.sinks.workbook.layout import Layout, stretch_of
from genesis.sinks.workbook.note import set_note
from genesis.sinks.workbook.patterns import excel_pattern
from genesis.sinks.workbook.references import COLUMNS, ROWS, Axis, References, area_of, bounds
from genesis.sinks.workbook.tab import Tab, expand_shared
from genesis.sync.changes import Annotation, Cell, Changes, Insert, arrange
from genesis.sync.stamps import stamp_of, stamps

_NARROWEST, _WIDEST = 9, 60  # characters
_ROWS_MEASURED = 200


def write_changes(
    book: Book,
    changes: Changes,
    present: XlsxPresent,
    *,
    place: str,
    note: str,
    annotations: Sequence[Annotation] = (),
) -> None:
    """Bring a tab of the workbook up to date."""
    if present.tab not in book.tabs:
        book.add_tab(present.tab)
    tab = book.edit_tab(present.tab)
    expand_shared(tab.root)
    archive_rows(book, tab, changes, present, place=place)
    layout = _lay_out(tab, changes, present, annotations)
    follow(book, present.tab, tab, layout.references)
    tab.rearrange(layout.references.rows, layout.references.columns)
    dress_annotations(book, tab, changes, layout, annotations)
    writer = _Writer(book, tab, layout, changes.columns)
    writer.write_headers(changes)
    writer.write_cells(changes)
    writer.write_restored(changes)
    writer.show_anew(changes.retyped)
    _write_keys(tab, changes, layout)
    if not present.exists:
        _dress(book, tab, layout, present.tab)
    _set_widths(tab, layout, changes)
    tab.write_back()
    _extend_filter(book, tab, layout, present.tab)
    _name_table_columns(book, tab, present.tab)
    if note:
        columns = sorted(layout.columns.values())
        set_note(book, present.tab, note, row=layout.header_row, columns=columns)
    book.keep_columns(place, list(_kept(tab, changes, present, layout)))
    keep_annotations(book, tab, changes, present, layout, annotations, place=place)
    book.recalculate()


# ---- places


def _lay_out(
    tab: Tab, changes: Changes, present: XlsxPresent, annotations: Sequence[Annotation]
) -> Layout:
    rows, row_of = _row_axis(tab, changes, present)
    columns, place = _column_axis(tab, changes, present, annotations)
    references = References(present.tab, rows, columns)
    at = {column.name: column.position for column in (*present.columns, *present.annotations)}

    def places(these: Iterable[Column | Annotation]) -> dict[str, int]:
        return {each.name: place[at.get(each.name, each.name)] for each in these}

    return Layout(
        references,
        present.header_row,
        place[present.key_column or MARK],
        places(changes.columns),
        places(annotations),
        row_of,
    )


def _row_axis(tab: Tab, changes: Changes, present: XlsxPresent) -> tuple[Axis, dict[str, int]]:
    first, last = present.header_row + 1, max(tab.last_row, present.header_row)
    keys = {row.position: row.key for row in changes.rows}
    arranged = arrange(((keys.get(row), row) for row in range(first, last + 1)), changes)
    if first + len(arranged) - 1 > ROWS:
        raise SinkError(
            Problem(
                "tracker-too-large",
                f"tab `{present.tab}` of tracker `{changes.tracker}` has no room for new rows",
                hint="its last row is taken; delete what is below the tracker",
            )
        )
    row_of = {
        (item.key if isinstance(item, Insert) else keys[item]): first + at
        for at, item in enumerate(arranged)
        if isinstance(item, Insert) or item in keys
    }
    axis = Axis(
        limit=ROWS,
        first=first,
        last=last,
        order=[None if isinstance(item, Insert) else item for item in arranged],
        block=(_stretch(list(keys), first - 1), _stretch(list(row_of.values()), first - 1)),
    )
    return axis, row_of


def _stretch(lines: list[int], otherwise: int) -> tuple[int, int]:
    """From the first to the last line; of none, the line that stands for them."""
    return (min(lines), max(lines)) if lines else (otherwise, otherwise)


def _column_axis(
    tab: Tab, changes: Changes, present: XlsxPresent, annotations: Sequence[Annotation]
) -> tuple[Axis, dict[int | str, int]]:
    """Where columns go, old ones by their number and new ones by their name."""
    last = max(tab.last_column, present.key_column)
    dropped = {column.position for column in changes.dropped}
    order: list[int | str] = [c for c in range(1, last + 1) if c not in dropped]
    at = {column.name: column.position for column in (*present.columns, *present.annotations)}
    managed = [at[column.name] for column in changes.columns if column.name in at]
    left: int | str | None = None
    for column in changes.columns:
        if column.name in at:
            left = at[column.name]
            continue
        before = order.index(min(managed)) if managed else len(order)
        order.insert(before if left is None else order.index(left) + 1, column.name)
        left = column.name
    ours = [at.get(column.name, column.name) for column in changes.columns]
    left = max(ours, key=order.index, default=None)
    for each in annotations:
        if each.name not in at:
            order.insert(0 if left is None else order.index(left) + 1, each.name)
        left = at.get(each.name, each.name)
    if not present.key_column:
        order.append(MARK)
    place = {item: number for number, item in enumerate(order, 1)}
    old = [item if isinstance(item, int) else None for item in order]
    return Axis(limit=COLUMNS, first=1, last=last, order=old), place


# ---- cells


class _Writer:
    """Writes values, and gives new cells their style."""

    def __init__(self, book: Book, tab: Tab, layout: Layout, columns: tuple[Column, ...]) -> None:
        self._tab = tab
        self._styles = book.styles
        self._layout = layout
        self._patterns = {column.name: excel_pattern(column) for column in columns}
        self._known: dict[tuple[int, str], int] = {}
        self._column_styles = dict(_column_styles(tab.root))

    def write_headers(self, changes: Changes) -> None:
        row = self._layout.header_row
        labels = {relabel.column: relabel.label for relabel in changes.relabels}
        labels |= {column.name: column.label for column in changes.added}
        labels |= {each.name: each.label for each in changes.new_annotations}
        places = self._layout.columns | self._layout.annotations
        others = [at for name, at in self._layout.columns.items() if name not in labels]
        like = self._tab.cell(row, others[0]) if others else None
        style = int(like.get("s", 0)) if like is not None else self._styles.bold()
        for name, label in labels.items():
            is_new = self._tab.cell(row, places[name]) is None
            self._put(row, places[name], label, style=style if is_new else None)
        if self._tab.value(row, self._layout.key_column) != MARK:
            self._put(row, self._layout.key_column, MARK)

    def write_cells(self, changes: Changes) -> None:
        for update in changes.updates:
            self._write(update.key, update.column, update.cell)
        names = [column.name for column in changes.columns]
        for insert in changes.inserts:
            for name, cell in zip(names, insert.cells, strict=True):
                self._write(insert.key, name, cell)

    def write_restored(self, changes: Changes) -> None:
        """What people had put into rows and columns that are new now."""
        for restore in changes.restores:
            row, column = self._layout.rows[restore.key], self._layout.annotations[restore.column]
            if self._tab.value(row, column) is None:
                self._put(row, column, restore.cell, style=self._base(row, column))

    def show_anew(self, columns: Iterable[Column]) -> None:
        """Show values of another type in their way: a number would look like a day of 1900."""
        for column in columns:
            pattern = self._patterns[column.name] or "General"
            for row in self._layout.rows.values():
                cell = self._tab.cell(row, self._layout.columns[column.name])
                if cell is not None:
                    style = self._styles.with_pattern(int(cell.get("s", 0)), pattern)
                    cell.set("s", str(style))

    def _write(self, key: str, name: str, cell: Cell) -> None:
        row, column = self._layout.rows[key], self._layout.columns[name]
        old = self._tab.cell(row, column)
        is_time = isinstance(cell, date | time)
        if old is None:
            base = self._base(row, column)
        elif is_time and self._styles.is_general(int(old.get("s", 0))):
            base = int(old.get("s", 0))  # or it would show a number
        else:
            self._put(row, column, cell)
            return
        self._put(row, column, cell, style=self._style(base, name))

    def _put(self, row: int, column: int, cell: Cell, *, style: int | None = None) -> None:
        self._tab.put(row, column, cell)
        element = self._tab.cell(row, column)
        if style and element is not None:
            element.set("s", str(style))

    def _base(self, row: int, column: int) -> int:
        """The style that a program would give a new cell: its row's, else its column's."""
        line = self._tab.line(row).element
        if line.get("customFormat") in ("1", "true"):
            return int(line.get("s", 0))
        return self._column_styles.get(column, 0)

    def _style(self, base: int, name: str) -> int:
        """The style, and the column's way to show numbers where it has none of its own."""
        if (base, name) not in self._known:
            pattern = self._patterns[name]
            plain = pattern is None or not self._styles.is_general(base)
            self._known[base, name] = (
                base if plain else self._styles.with_pattern(base, pattern or "")
            )
        return self._known[base, name]


def _column_styles(root: Element) -> Iterator[tuple[int, int]]:
    for stretch in root.iterfind("cols/col"):
        if "style" in stretch.attrib:
            last = min(int(stretch.get("max", 1)), int(stretch.get("min", 1)) + 1000)
            for column in range(int(stretch.get("min", 1)), last + 1):
                yield column, int(stretch.get("style", 0))


def _write_keys(tab: Tab, changes: Changes, layout: Layout) -> None:
    """The hidden column: whose row each is, and what was written there last."""
    for position in changes.releases:
        row = layout.references.rows.of(position)
        if row is not None:
            tab.put(row, layout.key_column, None)
    for stamp in stamps(changes):
        tab.put(layout.rows[stamp.key], layout.key_column, f"{stamp.text} {stamp.key}")
    for insert in changes.inserts:
        text = f"{stamp_of(insert.cells)} {insert.key}"
        tab.put(layout.rows[insert.key], layout.key_column, text)


# ---- looks


def _dress(book: Book, tab: Tab, layout: Layout, name: str) -> None:
    """A new tab: the header in sight while people scroll, and a filter over all columns."""
    freeze_header(tab)
    area = area_of(layout.header_row, 1, layout.header_row, layout.key_column)
    place_in_sheet(tab.root, "autoFilter").set("ref", area)
    book.filter_name(name)


def _set_widths(tab: Tab, layout: Layout, changes: Changes) -> None:
    """Room for what new columns hold; the column of keys is hidden."""
    widths = {layout.columns[c.name]: _width(tab, layout, c) for c in changes.added}
    key_is_new = not (changes.present.exists and changes.present.ours)
    if not widths and not key_is_new:
        return
    columns = place_in_sheet(tab.root, "cols")
    for column, width in widths.items():
        columns.append(stretch_of(column, width=str(width), customWidth="1"))
    if key_is_new:
        columns.append(stretch_of(layout.key_column, width="9", hidden="1", customWidth="1"))
    columns[:] = sorted(columns, key=lambda stretch: int(stretch.get("min", 1)))


def _width(tab: Tab, layout: Layout, column: Column) -> int:
    place = layout.columns[column.name]
    rows = list(layout.rows.values())[:_ROWS_MEASURED]
    texts = [excel_pattern(column) or "", *(str(tab.value(row, place) or "") for row in rows)]
    longest = max(map(len, texts)) + 3  # commas and signs
    return min(max(_NARROWEST, len(column.label) + 4, longest), _WIDEST)


def _extend_filter(book: Book, tab: Tab, layout: Layout, name: str) -> None:
    """A filter covers all rows and people's columns too, or sorting by it would part them."""
    element = tab.root.find("autoFilter")
    area = bounds(element.get("ref", "")) if element is not None else None
    if element is None or area is None or area[0] != layout.header_row:
        return
    top, left, bottom, right = area
    managed = layout.columns.values()
    covers = left <= min(managed) and max(managed) <= right
    while covers and tab.value(top, right + 1) is not None:
        right += 1
    bottom = max([bottom, *layout.rows.values()])
    if (top, left, bottom, right) != area or not book.filter_name(name).text:
        element.set("ref", area_of(top, left, bottom, right))
        quoted = name.replace("'", "''")
        absolute = area_of(top, left, bottom, right, absolute=True)
        book.filter_name(name).text = f"'{quoted}'!{absolute}"


def _name_table_columns(book: Book, tab: Tab, name: str) -> None:
    """A table's columns carry the texts of its header cells, or the workbook counts as corrupt."""
    for part in book.package.related(book.part_of(name), "table"):
        root = book.package.read(part)
        area = bounds(root.get("ref", ""))
        columns = root.find("tableColumns")
        if area is None or columns is None or root.get("headerRowCount") == "0":
            continue
        headers = [str(tab.value(area[0], at) or "") for at in range(area[1], area[3] + 1)]
        if headers == [column.get("name", "") for column in columns]:
            continue
        book.package.edit(part)
        known = {column.get("name"): column for column in columns}
        ids = [int(column.get("id", 0)) for column in columns]
        same_columns = len(headers) == len(columns)
        named = list(columns) if same_columns else [known.get(header) for header in headers]
        columns[:] = [
            Element("tableColumn", {"id": str(max(ids) + 1 + at)}) if column is None else column
            for at, column in enumerate(named)
        ]
        for column, header in zip(columns, headers, strict=True):
            column.set("name", header)
        columns.set("count", str(len(columns)))


# ---- memory


def _kept(tab: Tab, changes: Changes, present: XlsxPresent, layout: Layout) -> Iterator[KeptColumn]:
    """The managed columns, each with the label that genesis wrote and the header that is there."""
    written = {column.name: column.label for column in present.columns}
    written |= {relabel.column: relabel.label for relabel in changes.relabels}
    for column in changes.columns:
        header = str(tab.value(layout.header_row, layout.columns[column.name]) or "")
        yield KeptColumn(column.name, written.get(column.name, column.label), header)
