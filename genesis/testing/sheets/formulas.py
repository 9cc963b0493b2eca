"""Formulas of people: kept as text that follows the cells it names, with a value where that is easy.

Understood are numbers, texts, TRUE and FALSE, + - * / &, brackets, cells and ranges of the same
tab, SUM, COUNTA and HYPERLINK. Any other formula is refused with 501. References hold the identity of a row
and a column, so a formula still means the same cells after rows were moved.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from genesis.testing.sheets.a1 import column_index, column_letters
from genesis.testing.sheets.answers import unimplemented


@dataclass(frozen=True, slots=True)
class Error:
    """A value that could not be had, such as #REF!."""

    kind: str
    text: str
    message: str = ""


Plain = bool | float | str
REF = Error("REF", "#REF!", "Reference does not exist.")
DIVIDED = Error("DIVIDE_BY_ZERO", "#DIV/0!", "Function DIVIDE parameter 2 cannot be zero.")
NOT_A_NUMBER = Error("VALUE", "#VALUE!", "A number was expected.")
LOOP = Error("REF", "#REF!", "Circular dependency detected.")


@dataclass(frozen=True, slots=True)
class Reference:
    """A cell that a formula names, by the identities of its row and column."""

    row: int
    column: int
    fixed_row: str
    fixed_column: str


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula in pieces: text as it was entered, and the cells it names."""

    pieces: tuple[str | Reference, ...]

    @property
    def names_cells(self) -> bool:
        """Whether any cell is named, so that a copy elsewhere would mean other cells."""
        return any(isinstance(piece, Reference) for piece in self.pieces)

    def text(self, rows: dict[int, int], columns: dict[int, int]) -> str:
        """The formula as it reads where rows and columns are now."""
        return "".join(
            piece if isinstance(piece, str) else _named(piece, rows, columns)
            for piece in self.pieces
        )


def _named(cell: Reference, rows: dict[int, int], columns: dict[int, int]) -> str:
    if cell.row not in rows or cell.column not in columns:
        return "#REF!"
    letters = column_letters(columns[cell.column])
    return f"{cell.fixed_column}{letters}{cell.fixed_row}{rows[cell.row] + 1}"


_PIECE = re.compile(r'"(?:[^"]|"")*"|(\$?)([A-Za-z]{1,3})(\$?)([1-9]\d*)(?![\w(!])')
_TOKEN = re.compile(
    r'\s*(?:(?P<text>"(?:[^"]|"")*")|(?P<number>\d+(?:\.\d*)?|\.\d+)|(?P<cell>\x00\d+\x00)'
    r"|(?P<word>[A-Za-z][\w.]*)|(?P<mark>[-+*/&(),:;]))\s*"
)

Look = Callable[[Reference], "Plain | Error | None"]
Span = Callable[[Reference, Reference], "Iterator[Plain | Error | None]"]


def parse_formula(text: str, rows: list[int], columns: list[int]) -> Formula:
    """A formula, its cells bound to rows and columns. Raises `ApiError` 501 for what is not understood."""
    pieces: list[str | Reference] = []
    end = 0
    for match in _PIECE.finditer(text):
        fixed_column, letters, fixed_row, number = match.groups()
        if letters is None:
            continue
        row, column = int(number) - 1, column_index(letters)
        if row >= len(rows) or column >= len(columns):
            raise unimplemented(f"the formula `{text}`, which names a cell outside the grid")
        pieces += [text[end : match.start()]]
        pieces += [Reference(rows[row], columns[column], fixed_row, fixed_column)]
        end = match.end()
    formula = Formula((*pieces, text[end:]))
    evaluate(formula, lambda _: None, lambda _, __: iter(()))
    return formula


def evaluate(formula: Formula, look: Look, span: Span) -> Plain | Error | None:
    """A formula's value, given the cells' values. Raises `ApiError` 501 for what is not understood."""
    reading = _Reading(formula, look, span)
    try:
        value = reading.joined()
        reading.expect_end()
    except _Failed as failed:
        return failed.error
    return 0.0 if value is None else value


class _Failed(Exception):
    def __init__(self, error: Error) -> None:
        super().__init__(error.text)
        self.error = error


class _Reading:
    """One formula being read from left to right; `tokens` holds what is left, backwards."""

    def __init__(self, formula: Formula, look: Look, span: Span) -> None:
        self._shown = "".join(p if isinstance(p, str) else "?" for p in formula.pieces)
        self._cells = [piece for piece in formula.pieces if isinstance(piece, Reference)]
        self._look, self._span = look, span
        self._tokens = self._split(formula)

    def _split(self, formula: Formula) -> list[tuple[str, str]]:
        count = iter(range(len(self._cells)))
        text = "".join(
            piece if isinstance(piece, str) else f"\0{next(count)}\0" for piece in formula.pieces
        ).removeprefix("=")
        tokens, position = [], 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if not match:
                raise self._not_understood()
            tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
            position = match.end()
        return tokens[::-1]

    def _not_understood(self) -> Exception:
        return unimplemented(f"the formula `{self._shown}`")

    def _take(self, *marks: str) -> str | None:
        if self._tokens and self._tokens[-1][0] == "mark" and self._tokens[-1][1] in marks:
            return self._tokens.pop()[1]
        return None

    def expect_end(self) -> None:
        if self._tokens:
            raise self._not_understood()

    def joined(self) -> Plain | Error | None:
        value = self._sum()
        while self._take("&"):
            value = _text(value) + _text(self._sum())
        return value

    def _sum(self) -> Plain | Error | None:
        value = self._product()
        while mark := self._take("+", "-"):
            right = _number(self._product())
            value = _number(value) + (right if mark == "+" else -right)
        return value

    def _product(self) -> Plain | Error | None:
        value = self._one()
        while mark := self._take("*", "/"):
            right = _number(self._one())
            if mark == "/" and right == 0:
                raise _Failed(DIVIDED)
            value = _number(value) * (right if mark == "*" else 1 / (right or 1))
        return value

    def _one(self) -> Plain | Error | None:
        if mark := self._take("-", "+"):
            number = _number(self._one())
            return -number if mark == "-" else number
        if self._take("("):
            value = self.joined()
            if not self._take(")"):
                raise self._not_understood()
            return value
        if not self._tokens:
            raise self._not_understood()
        kind, token = self._tokens.pop()
        match kind:
            case "number":
                return float(token)
            case "text":
                return token[1:-1].replace('""', '"')
            case "cell":
                return _good(self._look(self._cell(token)))
            case "word":
                return self._word(token.upper())
        raise self._not_understood()

    def _cell(self, token: str) -> Reference:
        return self._cells[int(token.strip("\0"))]

    def _word(self, word: str) -> Plain | Error | None:
        if word in ("TRUE", "FALSE") and not self._take("("):
            return word == "TRUE"
        if word not in ("SUM", "COUNTA", "HYPERLINK") or not self._take("("):
            raise self._not_understood()
        values = self._arguments()
        match word:
            case "SUM":
                return sum((float(v) for v in values if type(v) is float), 0.0)
            case "COUNTA":
                return float(sum(value is not None for value in values))
        return values[-1] if values else None

    def _arguments(self) -> list[Plain | Error | None]:
        values: list[Plain | Error | None] = []
        while True:
            values += self._argument()
            if self._take(")"):
                return values
            if not self._take(",", ";"):
                raise self._not_understood()

    def _argument(self) -> list[Plain | Error | None]:
        ahead = self._tokens[-3:][::-1]
        if [kind for kind, _ in ahead] == ["cell", "mark", "cell"] and ahead[1][1] == ":":
            del self._tokens[-3:]
            cells = self._span(self._cell(ahead[0][1]), self._cell(ahead[2][1]))
            return [_good(value) for value in cells]
        return [self.joined()]


def _good(value: Plain | Error | None) -> Plain | None:
    if isinstance(value, Error):
        raise _Failed(value)
    return value


def _number(value: Plain | Error | None) -> float:
    match value:
        case None:
            return 0.0
        case bool() | float():
            return float(value)
    raise _Failed(NOT_A_NUMBER)


def _text(value: Plain | Error | None) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "TRUE" if value else "FALSE"
        case float():
            return str(int(value)) if value.is_integer() else repr(value)
    return str(value)
