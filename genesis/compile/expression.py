"""SQL fragments -> syntax trees, every identifier with its place in the YAML.

A fragment is one expression of the project's dialect: no statement, no subquery, no window.
The surprise: a fragment that is nothing but a dotted path never meets the SQL parser, so that
fields may be called `order` or `user`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError, TokenError
from sqlglot.tokenizer_core import TokenType

from genesis.document import Path
from genesis.errors import Location, Problems
from genesis.spec.model import Located


@dataclass(frozen=True, eq=False)
class Fragment:
    """A piece of SQL, and the definition it is written in."""

    text: str
    owner: Located
    path: Path

    def at(self, offset: int = 0, length: int | None = None) -> Location:
        """The place of some of its characters; of the whole fragment without an offset."""
        if length is None:
            return self.owner.locate(*self.path)
        return self.owner.locate(*self.path, offset=offset, length=length)

    def place(self, node: exp.Expr) -> Location:
        """The place of a node: of its own token, or of the first one in it that has a place."""
        for part in (
            node,
            *sorted(node.find_all(exp.Identifier, exp.Literal, exp.Func), key=_start),
        ):
            if "start" in part.meta:
                start = part.meta["start"]
                return self.at(start, part.meta["end"] - start + 1)
        return self.at()


def _start(node: exp.Expr) -> int:
    return int(node.meta.get("start", 1 << 30))


@dataclass(frozen=True, slots=True)
class Step:
    """One name of a dotted path, with its place in the fragment."""

    name: str
    offset: int
    length: int


def parse_expression(fragment: Fragment, dialect: str, problems: Problems) -> exp.Expr | None:
    """The tree of a fragment, or `None` with its problem told."""
    text = fragment.text
    if path := _bare_path(text):
        return path
    if not text.strip():
        problems.add("invalid-sql", "an expression is empty", fragment.at())
        return None
    try:
        return _refuse(_parse(text, dialect), fragment, problems)
    except ParseError as error:
        _tell_parse_error(error, fragment, problems)
    except (TokenError, SqlglotError, RecursionError) as error:
        unclosed = isinstance(error, TokenError)
        message = "a quote or comment is not closed" if unclosed else "it is nested too deeply"
        problems.add("invalid-sql", f"the expression cannot be read: {message}", fragment.at())
    return None


def _parse(text: str, dialect: str) -> exp.Expr:
    parser = sqlglot.Dialect.get_or_raise(dialect)
    tokens = parser.tokenize(text)
    for left, right in itertools.pairwise(tokens):
        # `a > > b` is read as a shift to the right.
        if left.token_type == right.token_type and left.token_type in (TokenType.GT, TokenType.LT):
            raise ParseError("two operators in a row", [_error_at(right, "two operators in a row")])
        if right.token_type == TokenType.SEMICOLON:
            raise ParseError("`;`", [_error_at(right, "an expression holds no `;`")])
    tree: exp.Expr = sqlglot.parse_one(text, into=exp.Condition, dialect=dialect)
    return tree


def _error_at(token: sqlglot.Token, description: str) -> dict[str, object]:
    return {"description": description, "start": token.start, "highlight": token.text}


_PATH = re.compile(r"\s*([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\s*")
_WORDS = frozenset(
    {
        "true",
        "false",
        "null",
        "current_date",
        "current_timestamp",
        "localtimestamp",
        "current_time",
        "localtime",
        "current_user",
    }
)


def _bare_path(text: str) -> exp.Expr | None:
    match = _PATH.fullmatch(text)
    if match is None or match[1].lower() in _WORDS:
        return None
    parts = []
    offset = match.start(1)
    for name in match[1].split("."):
        part = exp.to_identifier(name, quoted=False)
        part.update_positions(
            line=1, col=offset + len(name), start=offset, end=offset + len(name) - 1
        )
        parts.append(part)
        offset += len(name) + 1
    return _column(parts)


def _column(parts: list[exp.Identifier]) -> exp.Expr:
    head: exp.Expr = exp.Column(
        **dict(zip(("this", "table", "db", "catalog"), reversed(parts[:4]), strict=False))
    )
    for part in parts[4:]:
        head = exp.Dot(this=head, expression=part)
    return head


def _refuse(tree: exp.Expr, fragment: Fragment, problems: Problems) -> exp.Expr | None:
    """The tree again, unless it is more than an expression over one record's fields."""
    for node in tree.walk():
        if isinstance(
            node,
            exp.Query | exp.Subquery | exp.Exists | exp.DDL | exp.DML | exp.Block | exp.Command,
        ):
            message = "a fragment is an expression: no `select`, no subquery, no statement"
            problems.add(
                "not-an-expression",
                message,
                fragment.place(node),
                hint="join the other data source and name its field by path",
            )
            return None
        if isinstance(node, exp.Window):
            message = "a window function sees other rows of the report"
            problems.add(
                "not-an-expression",
                message,
                fragment.place(node),
                hint="`pick` chooses one of many related rows; aggregates take `where`",
            )
            return None
        if isinstance(node, exp.Filter | exp.WithinGroup):
            message = "`filter (where ...)` and `within group` are not read"
            problems.add(
                "wrong-aggregate",
                message,
                fragment.place(node),
                hint="write `where:` and `sort:` beside the field",
            )
            return None
        if isinstance(node, exp.Alias | exp.Aliases):
            problems.add(
                "not-an-expression",
                "an expression has no `as`",
                fragment.place(node),
                hint="write `name:` beside the field",
            )
            return None
    return tree


def _tell_parse_error(error: ParseError, fragment: Fragment, problems: Problems) -> None:
    first = error.errors[0] if error.errors else {}
    text = fragment.text
    highlight = str(first.get("highlight") or "")
    if "start" in first:
        offset = int(first["start"])
    else:
        # sqlglot's column is where the token ends, its line counts within the fragment.
        lines = text.split("\n")
        line = min(int(first.get("line") or 1), len(lines))
        end = sum(len(before) + 1 for before in lines[: line - 1]) + int(first.get("col") or 0)
        offset = max(0, end - len(highlight))
    description = str(first.get("description") or "it cannot be read").rstrip(".")
    at = fragment.at(offset, max(1, len(highlight))) if offset < len(text) else fragment.at()
    statement = re.match(
        r"\s*(select|with|insert|update|delete|create|drop|alter|merge|copy|attach|pragma|set|call)\b",
        text,
        re.IGNORECASE,
    )
    if statement:
        message = f"a fragment is an expression, not a statement (`{statement[1].lower()}`)"
        problems.add(
            "not-an-expression", message, fragment.at(statement.start(1), len(statement[1]))
        )
        return
    if ";" in highlight:
        problems.add("not-an-expression", "a fragment is one expression: it holds no `;`", at)
        return
    near = f" near `{highlight}`" if highlight else ""
    problems.add("invalid-sql", f"the expression does not parse{near}: {_plainly(description)}", at)


def _plainly(description: str) -> str:
    """A parser's words, in the analyst's."""
    if description.startswith("Required keyword"):
        return "something is missing beside it"
    if description.startswith("Expecting"):
        return f"`{description.removeprefix('Expecting').strip()}` is missing"
    if description.startswith("Invalid expression"):
        return "this word was not expected here"
    return description[:1].lower() + description[1:]


def path_of(node: exp.Expr) -> tuple[Step, ...] | None:
    """The steps of a dotted path, or `None` where the node is none."""
    parts: list[exp.Expr] = []
    while isinstance(node, exp.Dot):
        parts.insert(0, node.expression)
        node = node.this
    if not isinstance(node, exp.Column):
        return None
    parts = [*node.parts, *parts]
    if not all(isinstance(part, exp.Identifier) for part in parts):
        return None
    return tuple(_step(part) for part in parts)


def _step(part: exp.Expr) -> Step:
    name = part.name if part.args.get("quoted") else part.name.lower()
    start = int(part.meta.get("start", 0))
    return Step(name, start, int(part.meta.get("end", start)) - start + 1)


def paths_in(tree: exp.Expr) -> Iterator[tuple[exp.Expr, tuple[Step, ...]]]:
    """Every path of a tree, outermost first."""
    path = path_of(tree)
    if path is not None:
        yield tree, path
        return
    for child in tree.iter_expressions():
        yield from paths_in(child)
