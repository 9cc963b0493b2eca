"""Cells from JSON and to JSON: what a request may set, and what an answer shows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any, assert_never

from genesis.testing.sheets.answers import Json, bad, unimplemented
from genesis.testing.sheets.formulas import Error, Formula, Plain, parse_formula
from genesis.testing.sheets.grid import Book, Calculator, Cell, Tab, check_number, check_text
from genesis.testing.sheets.masks import Mask, all_of, put
from genesis.testing.sheets.values import Value, is_date, shown, typed

SETTABLE = {"userEnteredValue", "userEnteredFormat", "note", "dataValidation"}
_READ_ONLY = {"effectiveValue", "effectiveFormat", "formattedValue", "hyperlink"}


def check_cell_mask(mask: Mask, given: Json) -> Mask:
    """The mask without its star. Raises `ApiError` for what cannot be set, here or anywhere."""
    if "*" in mask:
        mask = all_of(SETTABLE | (set(given) - _READ_ONLY))
    for name in mask:
        if name in _READ_ONLY:
            raise bad(f"The field `{name}` is read-only.")
        if name not in SETTABLE:
            raise unimplemented(f"`{name}` of a cell")
    return mask


def changed(book: Book, tab: Tab, cell: Cell, given: Json, mask: Mask) -> Cell:
    """A cell with what the mask names taken from `given`; what `given` lacks is cleared."""
    for name, deeper in mask.items():
        match name:
            case "userEnteredValue":
                cell = cell.holding(entered(book, tab, given.get("userEnteredValue") or {}))
            case "userEnteredFormat":
                new = put(deeper, cell.format, given.get("userEnteredFormat"))
                cell = replace(cell, format=new)
            case "note":
                cell = replace(cell, note=given.get("note") or None)
            case "dataValidation":
                new = put(deeper, cell.validation, given.get("dataValidation"))
                cell = replace(cell, validation=new)
    return cell


def entered(book: Book, tab: Tab, given: Json) -> Value:
    """The value of an ExtendedValue. Raises `ApiError` for what a cell cannot hold."""
    if len(given) > 1:
        raise bad("Only one of the fields of an ExtendedValue may be set.")
    match given:
        case {"numberValue": number}:
            return check_number(number)
        case {"boolValue": bool(truth)}:
            return truth
        case {"stringValue": str(text)}:
            return check_text(text, book.limits) or None
        case {"formulaValue": str(text)}:
            return formula(book, tab, text)
        case {"errorValue": _}:
            raise bad("The field `errorValue` is read-only.")
    return None


def formula(book: Book, tab: Tab, text: str) -> Formula:
    """A formula bound to the cells of a tab."""
    if not text.startswith("="):
        raise bad(f"A formula must start with =: {text}")
    check_text(text, book.limits)
    return parse_formula(text, [row.id for row in tab.rows], [column.id for column in tab.columns])


def raw(book: Book, given: Any) -> Value:
    """A JSON value as `RAW` stores it: never read as a formula or a date."""
    match given:
        case bool():
            return given
        case int() | float():
            return check_number(float(given))
        case str():
            return check_text(given, book.limits) or None
    raise bad(f"Invalid values: a cell cannot hold {type(given).__name__}.")


def as_typed(book: Book, tab: Tab, cell: Cell, text: str) -> Cell:
    """A cell after a person typed a text into it, or `USER_ENTERED` sent it."""
    number_format = (cell.format or {}).get("numberFormat") or {}
    is_text = number_format.get("type") == "TEXT"
    result = typed(check_text(text, book.limits), book.locale, as_text=is_text)
    if result.formula:
        return replace(cell, value=formula(book, tab, text))
    if result.number_format and not number_format:
        new = (cell.format or {}) | {"numberFormat": result.number_format}
        return replace(cell, value=result.value, format=new)
    return replace(cell, value=result.value)


SHOWN = SETTABLE | {"effectiveValue", "formattedValue", "effectiveFormat"}


def described(book: Book, calculator: Calculator, cell: Cell, wanted: Collection[str]) -> Json:
    """A cell as answers hold it: what was entered, what it counts as, what people see.

    Only what is wanted is worked out: sheets have millions of cells.
    """
    result: Json = {}
    if cell.value is not None:
        if "userEnteredValue" in wanted:
            result["userEnteredValue"] = extended(calculator, cell.value)
        if "effectiveValue" in wanted:
            result["effectiveValue"] = extended(calculator, calculator.effective(cell.value))
        if "formattedValue" in wanted:
            result["formattedValue"] = visible(book, cell, calculator.effective(cell.value))
    if not cell.is_plain:
        kept = {
            "userEnteredFormat": cell.format,
            "effectiveFormat": cell.format,
            "note": cell.note,
            "dataValidation": cell.validation,
        }
        result |= {name: what for name, what in kept.items() if what is not None and name in wanted}
    return result


def visible(book: Book, cell: Cell, effective: Plain | Error | None) -> str:
    """What people see in a cell."""
    return shown(effective, (cell.format or {}).get("numberFormat"), book.locale)


def extended(calculator: Calculator, value: Value | Error) -> Json:
    """A value as an ExtendedValue."""
    match value:
        case None:
            return {}
        case bool():
            return {"boolValue": value}
        case float():
            return {"numberValue": tidy(value)}
        case str():
            return {"stringValue": value}
        case Formula():
            return {"formulaValue": calculator.text(value)}
        case Error():
            return {"errorValue": {"type": value.kind, "message": value.message}}
        case _:
            assert_never(value)


def tidy(number: float) -> float | int:
    """A whole number without a fraction, as Google's JSON has it."""
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def rendered(book: Book, calculator: Calculator, cell: Cell, how: str, dates: str) -> Any:
    """A cell's value as `values.get` gives it: `how` and `dates` are Google's render options."""
    if cell.value is None:
        return ""
    if how == "FORMULA" and isinstance(cell.value, Formula):
        return calculator.text(cell.value)
    effective = calculator.effective(cell.value)
    number_format = (cell.format or {}).get("numberFormat")
    as_text = how == "FORMATTED_VALUE" or (dates == "FORMATTED_STRING" and is_date(number_format))
    if as_text or isinstance(effective, Error):
        return visible(book, cell, effective)
    return tidy(effective) if isinstance(effective, float) else effective
