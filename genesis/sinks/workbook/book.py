"""What the parts of a workbook share: its tabs, texts, styles and properties.

genesis remembers the columns it keeps in the workbook's own custom properties: they are invisible
among the tabs and survive other programs. The surprise: a property holds 255 characters, so each
column is one, `["name", "label", "header"]` as JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import Literal
from xml.etree.ElementTree import Element

from openpyxl import Workbook

from genesis.sinks.workbook.package import MAIN, RELATIONS, NotAWorkbook, Package, child_of, local
from genesis.sinks.workbook.references import bounds
from genesis.sinks.workbook.tab import Tab, text_of

_WORKSHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"
_CUSTOM = "application/vnd.openxmlformats-officedocument.custom-properties+xml"
_DOCUMENT = "http://schemas.openxmlformats.org/officeDocument/2006"
_FMTID = "{D5CDD505-2E9C-101B-9397-08002B2CF9AE}"  # of properties that users define
_PROPERTY_LENGTH = 255

_POINTER = "_genesis."

Kind = Literal["genesis", "genesis-annotation", "genesis-archive"]

# The order that the format wants; a part with another is called corrupt.
_WORKBOOK_ORDER = """
    fileVersion fileSharing workbookPr workbookProtection bookViews sheets functionGroups
    externalReferences definedNames calcPr oleSize customWorkbookViews pivotCaches
"""
_SHEET_ORDER = """
    sheetPr dimension sheetViews sheetFormatPr cols sheetData sheetCalcPr sheetProtection
    protectedRanges scenarios autoFilter sortState dataConsolidate customSheetViews mergeCells
    phoneticPr conditionalFormatting dataValidations hyperlinks printOptions pageMargins pageSetup
    headerFooter rowBreaks colBreaks customProperties cellWatches ignoredErrors smartTags drawing
    legacyDrawing legacyDrawingHF drawingHF picture oleObjects controls webPublishItems tableParts
    extLst
"""


@dataclass(frozen=True, slots=True)
class KeptColumn:
    """A column that genesis keeps: its name, the label it wrote, the header it saw last."""

    name: str
    label: str
    header: str


class Book:
    """A workbook, its parts edited in place."""

    def __init__(self, data: bytes) -> None:
        self.package = Package(data)
        parts = self.package.related("", "officeDocument")
        if not parts:
            raise NotAWorkbook("it has no workbook part")
        self.part = parts[0]
        root = self.package.read(self.part)
        if root.tag != "workbook" or root.get("xmlns") != MAIN:
            raise NotAWorkbook("its workbook part is of another kind")
        self.styles = Styles(self)

    @classmethod
    def new(cls, tab: str) -> Book:
        """A workbook with one empty tab."""
        book = Workbook()
        book.properties.creator = "genesis"
        for sheet in book.worksheets:
            sheet.title = tab
        buffer = BytesIO()
        book.save(buffer)
        return cls(buffer.getvalue())

    def save(self) -> bytes:
        return self.package.save()

    # ---- tabs

    @property
    def tabs(self) -> list[str]:
        """The names of the worksheets, in order."""
        return list(self._sheets)

    @cached_property
    def _sheets(self) -> dict[str, str]:
        targets = {relation.id: relation for relation in self.package.relations(self.part)}
        sheets = {}
        for sheet in self.package.read(self.part).iterfind("sheets/sheet"):
            relation = targets.get(relation_id(sheet))
            if relation and relation.kind == "worksheet" and relation.target in self.package:
                sheets[sheet.get("name", "")] = relation.target
        return sheets

    def part_of(self, tab: str) -> str:
        return self._sheets[tab]

    def tab(self, name: str) -> Tab:
        """A tab to look at."""
        return Tab(self.package.read(self._sheets[name]), self._text, is_1904=self._is_1904)

    def edit_tab(self, name: str) -> Tab:
        """A tab to change."""
        self.package.edit(self._sheets[name])
        return self.tab(name)

    def add_tab(self, name: str) -> None:
        """A new, empty tab behind the others."""
        part = self.package.free("xl/worksheets/sheet{}.xml")
        sheet = f'<worksheet xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheetData/></worksheet>'
        self.package.add(part, sheet.encode(), _WORKSHEET)
        root = self.package.edit(self.part)
        sheets = root.find("sheets")
        if sheets is None:
            raise NotAWorkbook("it has no tabs")
        ids = [int(sheet.get("sheetId", 0)) for sheet in sheets]
        id_ = self.package.relate(self.part, "worksheet", part)
        attributes = {"name": name, "sheetId": str(max(ids, default=0) + 1)}
        attributes[f"{relation_prefix(root)}:id"] = id_
        sheets.append(Element("sheet", attributes))
        self._sheets[name] = part

    # ---- texts

    @property
    def _is_1904(self) -> bool:
        properties = self.package.read(self.part).find("workbookPr")
        return properties is not None and properties.get("date1904") in ("1", "true")

    @cached_property
    def _texts(self) -> list[str]:
        parts = self.package.related(self.part, "sharedStrings")
        return [text_of(item) for item in self.package.read(parts[0])] if parts else []

    def _text(self, number: int) -> str:
        try:
            return self._texts[number]
        except IndexError:
            raise NotAWorkbook("a cell's text is missing") from None

    # ---- results of formulas

    def recalculate(self) -> None:
        """Let the next program that opens the workbook compute all formulas anew."""
        for chain in self.package.related(self.part, "calcChain"):
            self.package.remove(chain, by=self.part)
        if any(b"<f" in self.package.data(part) for part in self._sheets.values()):
            root = self.package.edit(self.part)
            place(root, "calcPr", _WORKBOOK_ORDER).set("fullCalcOnLoad", "1")

    def filter_name(self, tab: str) -> Element:
        """The hidden name by which programs know the area of a tab's filter; made if need be."""
        root = self.package.edit(self.part)
        names = place(root, "definedNames", _WORKBOOK_ORDER)
        local_id = self._number_of(tab)
        for name in names:
            if name.get("name") == "_xlnm._FilterDatabase" and name.get("localSheetId") == local_id:
                return name
        attributes = {"name": "_xlnm._FilterDatabase", "localSheetId": local_id, "hidden": "1"}
        names.append(Element("definedName", attributes))
        return names[-1]

    # ---- names of columns, which follow their column in any program

    def pointers(self, tab: str) -> dict[str, int]:
        """The annotation columns of a tab: where the hidden names that genesis gave them point."""
        found = {}
        for name in self.package.read(self.part).iterfind("definedNames/definedName"):
            if match := self._pointer(name, tab):
                area = bounds((name.text or "").rpartition("!")[2].replace("$", ""))
                if area:
                    found[match] = area[1]
        return found

    def point(self, tab: str, columns: Mapping[str, str]) -> None:
        """Give annotation columns their hidden names, each with the reference of its header."""
        root = self.package.edit(self.part)
        names = place(root, "definedNames", _WORKBOOK_ORDER)
        names[:] = [name for name in names if self._pointer(name, tab) is None]
        for column, reference in columns.items():
            attributes = {"name": f"{_POINTER}{column}", "localSheetId": self._number_of(tab)}
            names.append(Element("definedName", attributes | {"hidden": "1"}))
            names[-1].text = reference
        if not len(names):
            root.remove(names)

    def _pointer(self, name: Element, tab: str) -> str | None:
        text = name.get("name", "")
        is_here = name.get("localSheetId") == self._number_of(tab)
        return text.removeprefix(_POINTER) if is_here and text.startswith(_POINTER) else None

    def _number_of(self, tab: str) -> str:
        sheets = self.package.read(self.part).iterfind("sheets/sheet")
        return str([sheet.get("name") for sheet in sheets].index(tab))

    # ---- properties

    def kept_columns(self, tab: str, kind: Kind = "genesis") -> list[KeptColumn]:
        """The columns that genesis keeps in a tab, in the order of its stamps; or its annotations."""
        prefix, found = f"{kind}.{tab}.", {}
        for item in self._properties():
            number = item.get("name", "").removeprefix(prefix)
            if item.get("name", "").startswith(prefix) and number.isdigit():
                found[int(number)] = _kept("".join(item.itertext()))
        return [found[number] for number in sorted(found)]

    @property
    def kept_tabs(self) -> set[str]:
        """The tabs, by the name they had, in which genesis keeps columns."""
        matches = (_PROPERTY.fullmatch(item.get("name", "")) for item in self._properties())
        return {match[1] for match in matches if match}

    def keep_columns(self, tab: str, columns: Sequence[KeptColumn], kind: Kind = "genesis") -> None:
        """Remember the columns of a tab."""
        if columns == self.kept_columns(tab, kind):
            return
        root = self._edit_properties()
        prefix = f"{kind}.{tab}."
        root[:] = [item for item in root if not item.get("name", "").startswith(prefix)]
        free = max((int(item.get("pid", 1)) for item in root), default=1) + 1
        for number, column in enumerate(columns):
            attributes = {
                "fmtid": _FMTID,
                "pid": str(free + number),
                "name": f"{prefix}{number + 1}",
            }
            item = Element("property", attributes)
            value = Element("vt:lpwstr")
            value.text = _property(column)
            item.append(value)
            root.append(item)

    def _properties(self) -> Iterator[Element]:
        for part in self.package.related("", "custom-properties"):
            yield from self.package.read(part)

    def _edit_properties(self) -> Element:
        parts = self.package.related("", "custom-properties")
        if not parts:
            part = "docProps/custom.xml"
            empty = f'<Properties xmlns="{_DOCUMENT}/custom-properties"/>'
            self.package.add(part, empty.encode(), _CUSTOM)
            self.package.relate("", "custom-properties", part)
            parts = [part]
        root = self.package.edit(parts[0])
        root.set("xmlns:vt", f"{_DOCUMENT}/docPropsVTypes")
        return root


class Styles:
    """The formats of cells: a cell names one by number."""

    def __init__(self, book: Book) -> None:
        self._book = book

    @cached_property
    def _root(self) -> Element:
        parts = self._book.package.related(self._book.part, "styles")
        if not parts:
            raise NotAWorkbook("it has no styles")
        return self._book.package.edit(parts[0])

    def is_general(self, style: int) -> bool:
        """Whether a style says nothing of how numbers are shown."""
        id_ = self._format(style).get("numFmtId", "0")
        return id_ == "0" or any(
            known.get("numFmtId") == id_ and known.get("formatCode") == "General"
            for known in self._root.iterfind("numFmts/numFmt")  # as LibreOffice says it
        )

    def with_pattern(self, style: int, pattern: str) -> int:
        """The style, showing numbers in this way."""
        wanted = deepcopy(self._format(style))
        wanted.set("numFmtId", self._pattern_id(pattern))
        wanted.set("applyNumberFormat", "1")
        return self._number(wanted)

    def bold(self) -> int:
        """The default style in bold."""
        fonts = self._child("fonts")
        font = deepcopy(fonts[0]) if len(fonts) else Element("font")
        if font.find("b") is None:
            font.insert(0, Element("b"))
        wanted = deepcopy(self._format(0))
        wanted.set("fontId", str(_index(fonts, font)))
        wanted.set("applyFont", "1")
        return self._number(wanted)

    def _format(self, style: int) -> Element:
        formats = self._child("cellXfs")
        return formats[style] if style < len(formats) else Element("xf")

    def _number(self, wanted: Element) -> int:
        return _index(self._child("cellXfs"), wanted)

    def _pattern_id(self, pattern: str) -> str:
        patterns = self._root.find("numFmts")
        if patterns is None:
            patterns = Element("numFmts")
            self._root.insert(0, patterns)
        for known in patterns:
            if known.get("formatCode") == pattern:
                return known.get("numFmtId", "0")
        taken = [int(known.get("numFmtId", 0)) for known in patterns]
        id_ = str(max([163, *taken]) + 1)  # the first 164 are built in
        patterns.append(Element("numFmt", {"numFmtId": id_, "formatCode": pattern}))
        patterns.set("count", str(len(patterns)))
        return id_

    def _child(self, tag: str) -> Element:
        child = self._root.find(tag)
        if child is None:
            raise NotAWorkbook(f"its styles have no {tag}")
        return child


def _index(parent: Element, wanted: Element) -> int:
    """The place of a child that is just so, added if there is none."""
    for index, child in enumerate(parent):
        if _equal(child, wanted):
            return index
    parent.append(wanted)
    parent.set("count", str(len(parent)))
    return len(parent) - 1


def _equal(one: Element, other: Element) -> bool:
    return (
        one.tag == other.tag
        and one.attrib == other.attrib
        and len(one) == len(other)
        and all(map(_equal, one, other))
    )


_PROPERTY = re.compile(r"genesis\.(.+)\.\d+", re.DOTALL)


def _property(column: KeptColumn) -> str:
    parts = [column.name, column.label]
    for values in ([*parts, column.header], parts):
        text = json.dumps(values, ensure_ascii=False)
        if len(text) <= _PROPERTY_LENGTH:
            return text
    return json.dumps([column.name])


def _kept(text: str) -> KeptColumn:
    try:
        name, *labels = json.loads(text)
    except ValueError:
        name, labels = "", []
    label = labels[0] if labels else ""
    return KeptColumn(name, label, labels[1] if len(labels) > 1 else label)


def place(root: Element, tag: str, order: str) -> Element:
    """The child with this tag, made where the format's order wants it."""
    found = root.find(tag)
    if found is not None:
        return found
    names = order.split()
    before = set(names[: names.index(tag)])
    index = max((at + 1 for at, child in enumerate(root) if child.tag in before), default=0)
    child = Element(tag)
    root.insert(index, child)
    return child


def place_in_sheet(root: Element, tag: str) -> Element:
    """A worksheet's child with this tag, made where it belongs."""
    return place(root, tag, _SHEET_ORDER)


def freeze_header(tab: Tab) -> None:
    """Keep the header in sight while people scroll."""
    view = child_of(place_in_sheet(tab.root, "sheetViews"), "sheetView")
    view.attrib.setdefault("workbookViewId", "0")
    if view.find("pane") is None:
        pane = {"ySplit": "1", "topLeftCell": "A2", "activePane": "bottomLeft", "state": "frozen"}
        view.insert(0, Element("pane", pane))
        view[1:] = [Element("selection", {"pane": "bottomLeft"})]


def relation_prefix(root: Element) -> str:
    """The prefix of relation ids in a part, declared if need be."""
    for name, value in root.attrib.items():
        if value == RELATIONS and name.startswith("xmlns:"):
            return name.removeprefix("xmlns:")
    root.set("xmlns:r", RELATIONS)
    return "r"


def relation_id(element: Element) -> str:
    """The id by which an element names another part."""
    ids = (value for name, value in element.attrib.items() if ":" in name and local(name) == "id")
    return next(ids, "")
