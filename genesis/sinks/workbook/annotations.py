"""Annotation columns of a tab: made once with a rule of what fits, remembered, never written over.

A hidden name of the workbook points to each, so that it is found again wherever people move it and
whatever they call it. The surprise: a list of values that a rule cannot hold, being longer than 255
characters or with a comma in one, is checked when it is read back only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from xml.etree.ElementTree import Element

from openpyxl.utils import get_column_letter

from genesis.sinks.workbook.book import Book, KeptColumn, place_in_sheet
from genesis.sinks.workbook.find import XlsxPresent
from genesis.sinks.workbook.layout import Layout, stretch_of
from genesis.sinks.workbook.patterns import excel_pattern
from genesis.sinks.workbook.references import ROWS
from genesis.sinks.workbook.tab import Tab
from genesis.spec.values import Scalar
from genesis.sync.changes import Annotation, Changes

_OURS = "genesis"  # the title of what people read when a value does not fit
_TEXT = "@"  # or Excel makes a date of 3/5
_WIDTH = 16
_LONGEST_LIST = 255

_RULES: Mapping[str, tuple[str, str, str, str]] = {
    "integer": ("whole", "between", "-999999999999999", "999999999999999"),
    "decimal": ("decimal", "between", "-999999999999999", "999999999999999"),
    "float": ("decimal", "between", "-1E+300", "1E+300"),
    "date": ("date", "greaterThanOrEqual", "61", ""),
    "timestamp": ("date", "greaterThanOrEqual", "61", ""),
    "timestamptz": ("date", "greaterThanOrEqual", "61", ""),
    "time": ("time", "between", "0", "0.999988425925926"),
}


def dress_annotations(
    book: Book, tab: Tab, changes: Changes, layout: Layout, annotations: Sequence[Annotation]
) -> None:
    """Let new columns show and take what their type asks for, and rules follow their definition."""
    for each in changes.new_annotations:
        _set_style(book, tab, each, layout.annotations[each.name])
    made = {each.name for each in changes.new_annotations}
    found = tab.root.iterfind("dataValidations/dataValidation")
    ours = {_column_of(rule): rule for rule in found if rule.get("errorTitle") == _OURS}
    for each in annotations:
        at = layout.annotations[each.name]
        rule, old = _rule(each, at, layout.header_row), ours.get(get_column_letter(at))
        # A rule that a person took away stays away.
        if rule is not None and (old is not None or each.name in made):
            _set_rule(tab, rule, old)


def _set_style(book: Book, tab: Tab, each: Annotation, column: int) -> None:
    pattern = _TEXT if each.column.type.name == "string" else excel_pattern(each.column)
    style = book.styles.with_pattern(0, pattern) if pattern else 0
    width = str(max(_WIDTH, len(each.label) + 4))
    columns = place_in_sheet(tab.root, "cols")
    columns.append(stretch_of(column, width=width, style=str(style), customWidth="1"))
    columns[:] = sorted(columns, key=lambda stretch: int(stretch.get("min", 1)))


def _set_rule(tab: Tab, rule: Element, old: Element | None) -> None:
    rules = place_in_sheet(tab.root, "dataValidations")
    if old is not None:
        rule.set("sqref", old.get("sqref", ""))
        rules.remove(old)
    rules.append(rule)
    rules.set("count", str(len(rules)))


def _column_of(rule: Element) -> str:
    return rule.get("sqref", "").split(":")[0].rstrip("0123456789")


def _rule(each: Annotation, column: int, header_row: int) -> Element | None:
    """The rule that refuses what does not fit, or `None` where everything does."""
    letter = get_column_letter(column)
    attributes = {
        "allowBlank": "1",
        "showErrorMessage": "1",
        "errorTitle": _OURS,
        "sqref": f"{letter}{header_row + 1}:{letter}{ROWS}",
    }
    if (choices := _choices(each)) is not None:
        error = "One of: " + ", ".join(choices)
        rule = Element("dataValidation", {"type": "list", "error": error[:225], **attributes})
        rule.append(Element("formula1"))
        rule[0].text = '"' + ",".join(choices).replace('"', '""') + '"'
        return rule
    known = _RULES.get(each.column.type.name)
    if known is None or each.values:
        return None
    kind, operator, low, high = known
    error = f"Should be of type {each.column.type}"
    rule = Element(
        "dataValidation", {"type": kind, "operator": operator, "error": error, **attributes}
    )
    for number, bound in enumerate((low, high), 1):
        if bound:
            rule.append(Element(f"formula{number}"))
            rule[-1].text = bound
    return rule


def _choices(each: Annotation) -> list[str] | None:
    if each.column.type.name == "boolean" and not each.values:
        return ["TRUE", "FALSE"]
    choices = [_shown(value) for value in each.values]
    fits = choices and len(",".join(choices)) <= _LONGEST_LIST
    is_plain = not any("," in choice or choice != choice.strip() for choice in choices)
    return choices if fits and is_plain else None


def _shown(value: Scalar) -> str:
    return str(value).upper() if isinstance(value, bool) else str(value)


def keep_annotations(
    book: Book,
    tab: Tab,
    changes: Changes,
    present: XlsxPresent,
    layout: Layout,
    annotations: Sequence[Annotation],
    *,
    place: str,
) -> None:
    """Remember the columns, and where they are."""
    kept = list(_kept(tab, changes, present, layout, annotations))
    book.keep_columns(place, kept, "genesis-annotation")
    if not annotations and not book.pointers(present.tab):
        return
    quoted = present.tab.replace("'", "''")
    book.point(
        present.tab,
        {
            name: f"'{quoted}'!${get_column_letter(at)}${layout.header_row}"
            for name, at in layout.annotations.items()
        },
    )


def _kept(
    tab: Tab,
    changes: Changes,
    present: XlsxPresent,
    layout: Layout,
    annotations: Sequence[Annotation],
) -> Iterator[KeptColumn]:
    written = {column.name: column.label for column in present.annotations}
    written |= {relabel.column: relabel.label for relabel in changes.relabels}
    for each in annotations:
        header = str(tab.value(layout.header_row, layout.annotations[each.name]) or "")
        yield KeptColumn(each.name, written.get(each.name, each.label), header)
