"""The note on a header cell by which a tracker says what it is and when its data changed.

A note is two parts: its text among the tab's comments, and a yellow box in a drawing of its own
old kind, VML. The surprise: some programs write VML that is no XML, so it is edited as text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from xml.etree.ElementTree import Element

from openpyxl.utils import get_column_letter

from genesis.sinks.workbook.book import Book, place_in_sheet, relation_id, relation_prefix
from genesis.sinks.workbook.package import MAIN, child_of
from genesis.sinks.workbook.references import bounds
from genesis.sinks.workbook.tab import escape

_AUTHOR = "genesis"
_COMMENTS = "application/vnd.openxmlformats-officedocument.spreadsheetml.comments+xml"
_DRAWING = "application/vnd.openxmlformats-officedocument.vmlDrawing"

_EMPTY_DRAWING = (
    '<xml xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office"'
    ' xmlns:x="urn:schemas-microsoft-com:office:excel"><o:shapelayout v:ext="edit"><o:idmap'
    ' v:ext="edit" data="1"/></o:shapelayout><v:shapetype id="_x0000_t202" coordsize="21600,21600"'
    ' o:spt="202" path="m,l,21600r21600,l21600,xe"><v:stroke joinstyle="miter"/><v:path'
    ' gradientshapeok="t" o:connecttype="rect"/></v:shapetype></xml>'
)
# It declares its prefixes, since another program's drawing may have other ones.
_BOX = (
    '<v:shape xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:'
    'office" xmlns:x="urn:schemas-microsoft-com:office:excel" id="_x0000_s{id}"'
    ' type="#_x0000_t202" style="position:absolute;margin-left:60pt;margin-top:2pt;width:280px;'
    'height:110px;z-index:1;visibility:hidden" fillcolor="#ffffe1" o:insetmode="auto"><v:fill'
    ' color2="#ffffe1"/><v:shadow color="black" obscured="t"/><v:path o:connecttype="none"/>'
    '<v:textbox style="mso-direction-alt:auto"><div style="text-align:left"></div></v:textbox>'
    '<x:ClientData ObjectType="Note"><x:MoveWithCells/><x:SizeWithCells/><x:AutoFill>False'
    "</x:AutoFill><x:Row>{row}</x:Row><x:Column>{column}</x:Column></x:ClientData></v:shape>"
)


def set_note(book: Book, tab: str, text: str, *, row: int, columns: Sequence[int]) -> None:
    """Write genesis's note: where it stands in the row already, or on the first cell without one.

    LibreOffice forgets who wrote a note, so the first line tells ours as well.
    """
    comments = _comments(book, tab)
    author = _author(comments)
    items = child_of(comments, "commentList")
    noted = {item.get("ref"): item for item in items}
    for reference, item in noted.items():
        area = bounds(reference or "")
        first_line = "".join(item.itertext()).strip().split("\n")[0]
        is_ours = item.get("authorId") == author or first_line == text.split("\n")[0]
        if is_ours and area and area[0] == row:
            _write(item, text)
            return
    free = [column for column in columns if f"{get_column_letter(column)}{row}" not in noted]
    for column in free[:1]:
        reference = f"{get_column_letter(column)}{row}"
        item = Element("comment", {"ref": reference, "authorId": author, "shapeId": "0"})
        _write(item, text)
        items.append(item)
        _add_box(book, tab, row=row, column=column)


def copy_notes(
    book: Book, tab: str, other: str, places: Mapping[tuple[int, int], tuple[int, int]]
) -> None:
    """Bring the notes of some cells, row and column, to cells of another tab; each keeps its author."""
    for part in book.package.related(book.part_of(tab), "comments"):
        comments = book.package.read(part)
        authors = [author.text or "" for author in comments.iterfind("authors/author")]
        for item in comments.iterfind("commentList/comment"):
            area = bounds(item.get("ref", ""))
            if area and (place := places.get(area[:2])):
                author = authors[int(item.get("authorId", 0))] if authors else ""
                _add_copy(book, other, item, author, *place)


def _add_copy(book: Book, tab: str, item: Element, author: str, row: int, column: int) -> None:
    comments = _comments(book, tab)
    reference = f"{get_column_letter(column)}{row}"
    attributes = {"ref": reference, "authorId": _author(comments, author), "shapeId": "0"}
    copy = Element("comment", attributes)
    copy[:] = [deepcopy(child) for child in item.iterfind("text")]
    child_of(comments, "commentList").append(copy)
    _add_box(book, tab, row=row, column=column)


def _comments(book: Book, tab: str) -> Element:
    sheet = book.part_of(tab)
    parts = book.package.related(sheet, "comments")
    if not parts:
        part = book.package.free("xl/comments{}.xml")
        empty = f'<comments xmlns="{MAIN}"><authors/><commentList/></comments>'
        book.package.add(part, empty.encode(), _COMMENTS)
        book.package.relate(sheet, "comments", part)
        parts = [part]
    return book.package.edit(parts[0])


def _author(comments: Element, name: str = _AUTHOR) -> str:
    """The number of an author, who is made known if need be."""
    authors = child_of(comments, "authors")
    names = [author.text or "" for author in authors]
    if name not in names:
        authors.append(Element("author"))
        authors[-1].text = name
        names.append(name)
    return str(names.index(name))


def _write(item: Element, text: str) -> None:
    holder = child_of(item, "text")
    holder[:] = []
    run = child_of(holder, "t")
    run.text = escape(text)
    run.set("xml:space", "preserve")


def _add_box(book: Book, tab: str, *, row: int, column: int) -> None:
    sheet = book.part_of(tab)
    part = drawing_of_notes(book, tab)
    if part is None:
        part = book.package.free("xl/drawings/vmlDrawing{}.vml")
        book.package.add(part, _EMPTY_DRAWING.encode(), _DRAWING)
        root = book.package.edit(sheet)
        drawing = place_in_sheet(root, "legacyDrawing")
        drawing.set(f"{relation_prefix(root)}:id", book.package.relate(sheet, "vmlDrawing", part))
    vml = book.package.data(part).decode("utf-8", "surrogateescape")
    ids = [int(found) for found in re.findall(r"_x0000_s(\d+)", vml)]
    box = _BOX.format(id=max([1024, *ids]) + 1, row=row - 1, column=column - 1)
    drawn = vml.replace("</xml>", f"{box}</xml>")
    book.package.replace(part, drawn.encode("utf-8", "surrogateescape"))


def drawing_of_notes(book: Book, tab: str) -> str | None:
    """The part that draws a tab's notes; pictures in its page header are drawn by another."""
    sheet = book.part_of(tab)
    drawing = book.package.read(sheet).find("legacyDrawing")
    if drawing is None:
        return None
    id_ = relation_id(drawing)
    parts = (r.target for r in book.package.relations(sheet) if r.id == id_)
    return next((part for part in parts if part in book.package), None)
