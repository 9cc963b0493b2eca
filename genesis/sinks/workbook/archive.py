"""The tab `... archive`: rows that left the report, with all that people put on them.

Values, styles, notes and people's columns go along; a formula leaves the result it had last, since
what it points to is not there. A tab of that name that genesis did not make is refused. The surprise:
a record that comes back is a new row of the tracker, and stays in the archive too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from openpyxl.utils import get_column_letter

from genesis.errors import Problem, SinkError
from genesis.sinks.workbook.book import Book, KeptColumn, Kind, freeze_header
from genesis.sinks.workbook.find import XlsxPresent, has_content
from genesis.sinks.workbook.note import copy_notes
from genesis.sinks.workbook.package import child_of
from genesis.sinks.workbook.tab import Line, Tab
from genesis.sync.changes import Changes, Formula, plain

_KIND: Kind = "genesis-archive"
_LONGEST_NAME = 31
_SUFFIX = " archive"


@dataclass(frozen=True, slots=True)
class _Source:
    """A column of the tracker: its name where genesis knows it, its header, its place."""

    name: str
    header: str
    position: int


def archive_tab(place: str) -> str:
    """The archive's name; Excel takes 31 characters."""
    return place[: _LONGEST_NAME - len(_SUFFIX)].rstrip() + _SUFFIX


def archive_rows(
    book: Book, tab: Tab, changes: Changes, present: XlsxPresent, *, place: str
) -> None:
    """Copy the rows that leave to the archive, before they go."""
    if not changes.archived:
        return
    name = archive_tab(place)
    archive = _open(book, name, changes.tracker)
    leaving = set(changes.archived)
    rows = [row.position for row in changes.rows if row.key in leaving]
    sources = list(_sources(tab, present, rows))
    columns = _columns(book, archive, name, tab, sources, present.header_row)
    notes = {}
    for at, row in enumerate(rows, max(archive.last_row, 1) + 1):
        line = archive.rows[at] = _line(tab.rows[row])
        for source, column in zip(sources, columns, strict=True):
            element = tab.cell(row, source.position)
            if element is not None:
                line.cells[column] = _copied(tab, element)
                notes[row, source.position] = at, column
    archive.write_back()
    copy_notes(book, present.tab, name, notes)


def _open(book: Book, name: str, tracker: str) -> Tab:
    if name not in book.tabs:
        book.add_tab(name)
        archive = book.edit_tab(name)
        freeze_header(archive)
        return archive
    archive = book.edit_tab(name)
    if not book.kept_columns(name, _KIND) and has_content(archive):
        raise SinkError(
            Problem(
                "tracker-not-ours",
                f"tab `{name}`, the archive of tracker `{tracker}`, has content that genesis did"
                " not write",
                hint="rename that tab: the next refresh makes one",
            )
        )
    return archive


def _sources(tab: Tab, present: XlsxPresent, rows: Sequence[int]) -> Iterable[_Source]:
    known = {column.position: column.name for column in (*present.columns, *present.annotations)}
    for column in range(1, tab.last_column + 1):
        header = plain(tab.value(present.header_row, column))
        is_used = any(tab.value(row, column) is not None for row in rows)
        if column != present.key_column and (header is not None or is_used):
            label = f"Column {get_column_letter(column)}" if header is None else str(header)
            yield _Source(known.get(column, ""), label, column)


def _columns(
    book: Book,
    archive: Tab,
    name: str,
    tab: Tab,
    sources: Sequence[_Source],
    header_row: int,
) -> list[int]:
    """Where each column of the tracker stands in the archive; one that it lacks is made."""
    kept = book.kept_columns(name, _KIND)
    headers = {column.name: column.header for column in kept if column.name}
    free = {at: archive.value(1, at) for at in range(1, archive.last_column + 1)}
    columns = []
    for source in sources:
        wanted = headers.get(source.name, source.header)
        at = next((at for at, header in free.items() if header == wanted), None)
        if at is None:
            at = archive.last_column + 1
            archive.put(1, at, source.header)
            _style_like(archive.cell(1, at), tab.cell(header_row, source.position))
            kept.append(KeptColumn(source.name, source.header, source.header))
        free.pop(at, None)
        columns.append(at)
    book.keep_columns(name, kept, _KIND)
    return columns


def _style_like(element: Element | None, like: Element | None) -> None:
    if element is not None and like is not None and (style := like.get("s")):
        element.set("s", style)


def _line(like: Line) -> Line:
    """A row that looks like another, without its cells."""
    attributes = {
        n: v for n in ("s", "customFormat", "ht", "customHeight") if (v := like.element.get(n))
    }
    return Line(Element("row", attributes), {})


def _copied(tab: Tab, element: Element) -> Element:
    """A cell as it looks now."""
    copy = deepcopy(element)
    for attribute in ("cm", "vm"):  # of a formula that spilled, a picture in the cell
        copy.attrib.pop(attribute, None)
    formula = copy.find("f")
    if formula is None:
        return copy
    copy.remove(formula)
    text = tab.value_of(element)
    if not copy.findtext("v") and isinstance(text, Formula):  # nobody has computed it yet
        copy.set("t", "str")
        child_of(copy, "v").text = text.text
    return copy
