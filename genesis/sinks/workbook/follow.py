"""Everything outside the cells that refers to a tab follows its rows and columns.

Filters, merged cells, rules, links, page breaks and tables of the tab itself; its notes, threads of
comments, pictures and charts; names, pivot tables and formulas all over the workbook. The surprise:
what loses all its cells must be taken out, for a rule without a range makes a workbook corrupt.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from xml.etree.ElementTree import Element

from genesis.sinks.workbook.book import Book
from genesis.sinks.workbook.note import drawing_of_notes
from genesis.sinks.workbook.package import child_of, local
from genesis.sinks.workbook.references import Axis, References, bounds, corner
from genesis.sinks.workbook.tab import Tab, expand_shared

# Which attribute of an element is a reference into its tab.
_AREA = {
    "autoFilter": "ref",
    "cellWatch": "r",
    "hyperlink": "ref",
    "inputCells": "r",
    "location": "ref",
    "sortCondition": "ref",
    "sortState": "ref",
    "table": "ref",
    "comment": "ref",
    "threadedComment": "ref",
}
_AREAS = {
    "conditionalFormatting": "sqref",
    "dataValidation": "sqref",
    "ignoredError": "sqref",
    "protectedRange": "sqref",
}
_FORMULAS = (
    "f",
    "formula",
    "formula1",
    "formula2",
    "calculatedColumnFormula",
    "totalsRowFormula",
)


def follow(book: Book, tab_name: str, tab: Tab, references: References) -> None:
    """Bring all that refers to the tab in line with where its rows and columns will go."""
    if references.stay:
        return
    _cells(tab, references)
    _rest_of_sheet(tab.root, references)
    _columns(tab.root, references.columns)
    sheet = book.part_of(tab_name)
    for part in book.package.related(sheet, "comments"):
        _keep_following(child_of(book.package.edit(part), "commentList"), references)
    for part in book.package.related(sheet, "threadedComment"):
        _keep_following(book.package.edit(part), references)
    for kind in ("table", "pivotTable"):
        for part in book.package.related(sheet, kind):
            _follows(book.package.edit(part), references)
    notes = drawing_of_notes(book, tab_name)
    if notes:
        vml = book.package.data(notes).decode("utf-8", "surrogateescape")
        book.package.replace(notes, _boxes(vml, references).encode("utf-8", "surrogateescape"))
    for part in book.package.related(sheet, "drawing"):
        for anchor in book.package.edit(part):
            _anchor(anchor, references)
    _elsewhere(book, sheet, references)


def _cells(tab: Tab, references: References) -> None:
    for row, formula in tab.formulas():
        if formula.text:
            formula.text = references.formula(formula.text, inside=True, row=row)
        for attribute in ("ref", "r1", "r2"):  # of array formulas and data tables
            if area := formula.get(attribute):
                formula.set(attribute, references.area(area) or "#REF!")


def _rest_of_sheet(root: Element, references: References) -> None:
    for child in list(root):
        match child.tag:
            case "sheetData" | "cols" | "sheetViews":
                pass
            case "mergeCells":
                _merged(child, references)
            case "rowBreaks" | "colBreaks":
                _breaks(child, references.rows if child.tag == "rowBreaks" else references.columns)
            case _ if not _follows(child, references):
                root.remove(child)
        if child.tag in ("mergeCells", "rowBreaks", "colBreaks") and not len(child):
            root.remove(child)


def _keep_following(items: Element, references: References) -> None:
    items[:] = [item for item in items if _follows(item, references)]


def _follows(element: Element, references: References) -> bool:
    """Let an element and all below it follow; whether anything of it is left."""
    name = local(element.tag)
    if name == "autoFilter":
        _filtered_columns(element, references.columns)
    if name == "anchor":
        _anchor(element, references)
    if attribute := _AREA.get(name):
        area = element.get(attribute)
        if area and _set(element, attribute, references.area(area)) is None:
            return False
    if name in _AREAS or any(local(child.tag) == "sqref" for child in element):
        return _rule(element, references)
    children = list(element)
    for child in children:
        if not _follows(child, references):
            element.remove(child)
    if name in _FORMULAS and element.text:
        element.text = references.formula(element.text, inside=True)
    if children and element.get("count") == str(len(children)):
        element.set("count", str(len(element)))
    return bool(len(element)) or not children


def _set(element: Element, attribute: str, value: str | None) -> str | None:
    if value is not None:
        element.set(attribute, value)
    return value


def _rule(element: Element, references: References) -> bool:
    """A rule over some cells, in either of the format's two spellings."""
    holder = next((child for child in element if local(child.tag) == "sqref"), None)
    old = (element.get("sqref") if holder is None else holder.text) or ""
    is_drawn = local(element.tag) == "sparkline"  # in one cell, from just these
    new = references.areas(old, grow=not is_drawn)
    home, new_home = corner(old.split()), corner(new)
    if not home or not new_home:
        return False
    if holder is None:
        element.set("sqref", " ".join(new))
    else:
        holder.text = " ".join(new)
    for formula in element.iter():
        if local(formula.tag) in _FORMULAS and formula.text:
            formula.text = (
                references.formula(formula.text, inside=True)
                if is_drawn
                else references.rule(formula.text, distance=new_home[0] - home[0])
            )
    return True


def _filtered_columns(element: Element, axis: Axis) -> None:
    """A filter counts its columns from its own left edge."""
    area = bounds(element.get("ref", ""))
    if area is None:
        return
    edge = axis.span(area[1], area[3])
    for item in list(element):
        if item.tag == "filterColumn":
            new = axis.of(area[1] + int(item.get("colId", 0)))
            if new is None or edge is None:
                element.remove(item)
            else:
                item.set("colId", str(new - edge[0]))


def _merged(merges: Element, references: References) -> None:
    pieces = [
        area for merge in merges for area in references.areas(merge.get("ref", "")) if _wide(area)
    ]
    merges[:] = [Element("mergeCell", {"ref": area}) for area in pieces]
    merges.set("count", str(len(pieces)))


def _wide(area: str) -> bool:
    block = bounds(area)
    return block is not None and block[:2] != block[2:]


def _breaks(breaks: Element, axis: Axis) -> None:
    for item in list(breaks):
        new = axis.of(int(item.get("id", 0)))
        if new is None:
            breaks.remove(item)
        else:
            item.set("id", str(new))
    for attribute in ("count", "manualBreakCount"):
        if attribute in breaks.attrib:
            breaks.set(attribute, str(len(breaks)))


def _columns(root: Element, axis: Axis) -> None:
    """Widths and formats of columns, which the format tells by stretches."""
    columns = root.find("cols")
    if columns is None or axis.stays:
        return
    moved: list[Element] = []
    for stretch in columns:
        start, end = int(stretch.get("min", 1)), int(stretch.get("max", 1))
        kept = map(axis.of, range(start, min(end, axis.last) + 1))
        moved += [_stretch(stretch, new, new) for new in kept if new is not None]
        if end > axis.last:
            rest = axis.span(max(start, axis.last + 1), end)
            moved += [_stretch(stretch, *rest)] if rest else []
    columns[:] = sorted(moved, key=lambda stretch: int(stretch.get("min", 1)))
    if not moved:
        root.remove(columns)


def _stretch(like: Element, start: int, end: int) -> Element:
    return Element("col", {**like.attrib, "min": str(start), "max": str(end)})


# ---- notes and pictures

_BOX = re.compile(r"<((?:\w+:)?)shape\b.*?</\1shape>", re.DOTALL)
_BOX_ROW = re.compile(r"(<(?:\w+:)?Row>\s*)(\d+)(\s*</)")
_BOX_COLUMN = re.compile(r"(<(?:\w+:)?Column>\s*)(\d+)(\s*</)")
_BOX_ANCHOR = re.compile(r"(<(?:\w+:)?Anchor>)([^<]*)(</)")


def _boxes(vml: str, references: References) -> str:
    """The drawing of notes, each beside its cell; those of cells that are gone go too."""

    def moved(match: re.Match[str]) -> str:
        box = match.group()
        row, column = _BOX_ROW.search(box), _BOX_COLUMN.search(box)
        if not row or not column:
            return box  # a button or another shape
        new_row = references.rows.of(int(row[2]) + 1)
        new_column = references.columns.of(int(column[2]) + 1)
        if new_row is None or new_column is None:
            return ""
        down, right = new_row - 1 - int(row[2]), new_column - 1 - int(column[2])
        box = _BOX_ROW.sub(rf"\g<1>{new_row - 1}\g<3>", box)
        box = _BOX_COLUMN.sub(rf"\g<1>{new_column - 1}\g<3>", box)
        return _BOX_ANCHOR.sub(lambda anchor: _shifted(anchor, right, down), box)

    return _BOX.sub(moved, vml)


def _shifted(anchor: re.Match[str], right: int, down: int) -> str:
    """An anchor holds left column, offset, top row, offset, right column, offset, ..."""
    numbers = [int(number) for number in re.findall(r"-?\d+", anchor[2])]
    if len(numbers) == 8:
        for at, distance in ((0, right), (2, down), (4, right), (6, down)):
            numbers[at] = max(numbers[at] + distance, 0)
    return f"{anchor[1]}{', '.join(map(str, numbers))}{anchor[3]}"


def _anchor(anchor: Element, references: References) -> None:
    """A picture, chart or button keeps its size and stays beside the cell of its upper left corner."""
    corners = [child for child in anchor if local(child.tag) in ("from", "to")]
    for name, axis in (("row", references.rows), ("col", references.columns)):
        lines = [line for one in corners for line in one if local(line.tag) == name]
        if lines:
            start = int(lines[0].text or 0)
            distance = axis.near(start + 1) - 1 - start
            for line in lines:
                line.text = str(int(line.text or 0) + distance)


# ---- the rest of the workbook


def _elsewhere(book: Book, sheet: str, references: References) -> None:
    names = book.package.read(book.part).find("definedNames")
    if names is not None:
        book.package.edit(book.part)
        for name in names:
            name.text = references.formula(name.text or "", inside=False)
    mention = _mention(references.tab)
    for part in book.package:
        if part == sheet or not part.endswith(".xml") or not mention(book.package.data(part)):
            continue
        if part.startswith(("xl/worksheets/", "xl/charts/", "xl/tables/")):
            _formulas(book, part, references)
        elif part.startswith("xl/pivotCache/"):
            _pivot_source(book.package.edit(part), references)


def _mention(tab: str) -> Callable[[bytes], bool]:
    """Whether a part may name the tab: a look at its bytes, so that few parts are parsed."""
    words = [word.lower() for word in re.findall(rb"[A-Za-z0-9]+", tab.encode())]

    def mentions(data: bytes) -> bool:
        lowered = data.lower()
        return all(word in lowered for word in words)

    return mentions


def _formulas(book: Book, part: str, references: References) -> None:
    """Formulas elsewhere; a part in which none refers to what moved is not touched."""

    def follows(formula: Element) -> bool:
        return references.formula(formula.text or "", inside=False) != formula.text

    root = book.package.read(part)
    if any(follows(formula) for formula in _formulas_in(root)):
        book.package.edit(part)
        expand_shared(root)
        for formula in _formulas_in(root):
            formula.text = references.formula(formula.text or "", inside=False)


def _formulas_in(root: Element) -> Iterator[Element]:
    return (item for item in root.iter() if local(item.tag) in _FORMULAS and item.text)


def _pivot_source(root: Element, references: References) -> None:
    for source in root.iter("worksheetSource"):
        area = source.get("ref")
        if area and source.get("sheet", "").casefold() == references.tab.casefold():
            _set(source, "ref", references.area(area))
