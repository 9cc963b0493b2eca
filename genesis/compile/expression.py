"""SQL fragments -> syntax trees, every identifier with its place in the YAML.

A fragment is one expression of the project's dialect: no statement, no subquery, no window.
The surprise: a fragment that is nothing but a dotted path never meets the SQL parser, so that
fields may be called `order` or `user`. In a larger expression such a word is a name where a field or
join of the project has it, and where it follows a dot.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError, TokenError
from sqlglot.tokenizer_core import TokenType

from genesis.compile.functions.calls import (
    AGGREGATES,
    aggregate_name,
    function_name,
    is_foreign_aggregate,
    own_name,
)
from genesis.compile.trees import is_deeper
from genesis.document import Path
from genesis.errors import Location, Problems
from genesis.spec.model import Definition, Located

_STEPS = "genesis_steps"
_NO_ALIAS, _NAME_BESIDE = "an expression has no `as`", "write `name:` beside the field"
_WRITTEN = "genesis_written"
MAX_CHARACTERS = 10_000
MAX_DEPTH = 100


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

    def owner_has_unread(self, name: str) -> bool:
        """Whether what it is written in has an entry of that name that could not be read."""
        return isinstance(self.owner, Definition) and self.owner.has_unread(name)

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

    def __deepcopy__(self, memo: object) -> Fragment:
        """Itself: trees that remember it are copied often, and it never changes."""
        return self


def written_in(bound: exp.Expr, fragment: Fragment) -> exp.Expr:
    """The bound tree, remembering the fragment that it was written in."""
    bound.meta[_WRITTEN] = (*fragments_of(bound), fragment)
    return bound


def fragments_of(bound: exp.Expr) -> tuple[Fragment, ...]:
    """The fragments that a bound node is the whole of, innermost first."""
    known: tuple[Fragment, ...] = bound.meta.get(_WRITTEN, ())
    return known


def _start(node: exp.Expr) -> int:
    return int(node.meta.get("start", 1 << 30))


class Step(NamedTuple):
    """One name of a dotted path, with its place in the fragment."""

    name: str
    offset: int
    length: int
    is_quoted: bool = False


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why a tree that parses is no expression over one record's fields, and the node that shows it."""

    node: exp.Expr
    code: str
    message: str
    hint: str | None = None


def words_of_sql(names: Iterable[str], dialect: str) -> frozenset[str]:
    """Those of the names that are words of a dialect too."""
    words = sqlglot.Dialect.get_or_raise(dialect).tokenizer_class.KEYWORDS
    return frozenset(name for name in names if name.upper() in words)


def parse_expression(
    fragment: Fragment, dialect: str, names: frozenset[str], problems: Problems
) -> exp.Expr | None:
    """The tree of a fragment, or `None` with its problem told. The tree is not to be changed.

    `names` are the words of SQL that the project calls fields or joins.
    """
    text = fragment.text
    if not text.strip():
        problems.add("invalid-sql", "an expression is empty", fragment.at())
        return None
    if len(text) > MAX_CHARACTERS:
        message = f"the expression has {len(text):,} characters, more than {MAX_CHARACTERS:,}"
        problems.add("invalid-sql", message, fragment.at())
        return None
    try:
        found = _read(text, dialect, names)
        if isinstance(found, Exception):
            raise found.with_traceback(None)
        tree, refusal = found
    except ParseError as error:
        _tell_parse_error(error, fragment, names, problems)
        return None
    except (TokenError, SqlglotError, RecursionError) as error:
        unclosed = isinstance(error, TokenError)
        message = "a quote or comment is not closed" if unclosed else "it is nested too deeply"
        start = _unclosed(text) if unclosed else 0
        at = fragment.at(start, len(text) - start)
        problems.add("invalid-sql", f"the expression cannot be read: {message}", at)
        return None
    if refusal is not None:
        at = fragment.place(refusal.node)
        if isinstance(refusal.node, _QUERIES):
            at = _place_of_query(fragment, dialect) or at
        problems.add(refusal.code, refusal.message, at, hint=refusal.hint)
        return None
    return tree


_QUERIES = (exp.Query, exp.Subquery, exp.Exists)
_CLOSED = re.compile(r"'(?:[^']|\'\')*'|\"(?:[^\"]|\"\")*\"|/\*.*?\*/|--[^\n]*", re.DOTALL)


def _place_of_query(fragment: Fragment, dialect: str) -> Location | None:
    """The `select` of a subquery: sqlglot keeps no place for it."""
    for token in sqlglot.Dialect.get_or_raise(dialect).tokenize(fragment.text):
        if token.token_type in (TokenType.SELECT, TokenType.WITH, TokenType.VALUES):
            return fragment.at(token.start, len(token.text))
    return None


def _unclosed(text: str) -> int:
    """Where a quote or comment begins that has no end."""
    rest = _CLOSED.sub(lambda closed: " " * len(closed[0]), text)
    starts = [at for at in map(rest.find, ("'", '"', "/*")) if at >= 0]
    return min(starts, default=0)


# The reports of a project share their fragments: parsing is most of the time of compiling one.
@functools.lru_cache(maxsize=4096)
def _read(
    text: str, dialect: str, names: frozenset[str]
) -> tuple[exp.Expr, _Refusal | None] | Exception:
    """A tree and why it is refused, or why there is none: what does not parse is not parsed again."""
    try:
        return _parsed(text, dialect, names)
    except (SqlglotError, RecursionError) as error:
        return error.with_traceback(None)


def _parsed(text: str, dialect: str, names: frozenset[str]) -> tuple[exp.Expr, _Refusal | None]:
    if path := _bare_path(text):
        return path, None
    parser = sqlglot.Dialect.get_or_raise(dialect)
    tokens = parser.tokenize(text)
    if tokens and tokens[0].token_type == TokenType.COMMAND and tokens[0].text.lower() in names:
        # A word such as `call` or `explain` makes text of all that follows, unless it is another word.
        start, end = tokens[0].start, tokens[0].end + 1
        masked = parser.tokenize(text[:start] + "x" * (end - start) + text[end:])
        tokens = [_as_name(masked[0], tokens[0].text), *masked[1:]]
    if not tokens:
        raise ParseError("nothing but a comment", [{"description": "it holds no value"}])
    _refuse_tokens(tokens)
    tokens = [
        _as_name(token, token.text) if _is_name(token, before, after, names) else token
        for before, token, after in zip([None, *tokens], tokens, [*tokens[1:], None], strict=False)
    ]
    tree = next(iter(parser.parser().parse_into(exp.Condition, tokens, text)), None)
    if tree is None:
        raise ParseError("no value", [_error_at(tokens[0], "it holds no value")])
    if is_deeper(tree, MAX_DEPTH):
        raise RecursionError
    return tree, next(filter(None, map(_refusal, tree.walk())), None)


_NUMBER = re.compile(r"(\d[\d_]*\.?\d*|\.\d+)([eE][+-]?\d+)?")  # sqlglot's `1e` is one too


def _refuse_tokens(tokens: list[sqlglot.Token]) -> None:
    for left, right in itertools.pairwise(tokens):
        # `a > > b` is read as a shift to the right.
        if left.token_type == right.token_type and left.token_type in (TokenType.GT, TokenType.LT):
            raise ParseError("two operators in a row", [_error_at(right, "two operators in a row")])
    for token in tokens:
        if token.token_type == TokenType.SEMICOLON:
            raise ParseError("`;`", [_error_at(token, "an expression holds no `;`")])
        if token.token_type == TokenType.NUMBER and not _NUMBER.fullmatch(token.text):
            raise ParseError("no number", [_error_at(token, "digits are missing behind `e`")])
    # Subscripts take the parser a time that grows with the square of their number.
    if sum(token.token_type == TokenType.L_BRACKET for token in tokens) > MAX_DEPTH:
        raise RecursionError


# What these mean in an expression, they mean also where a field has their name.
_GRAMMAR = frozenset(
    [
        "and", "as", "between", "case", "cast", "distinct", "else", "end", "escape", "false", "for", "from", "glob",
        "ilike", "in", "is", "isnull", "like", "not", "notnull", "null", "or", "then", "true", "when",
    ]
)  # fmt: skip


def _is_name(
    token: sqlglot.Token,
    before: sqlglot.Token | None,
    after: sqlglot.Token | None,
    names: frozenset[str],
) -> bool:
    """Whether a word stands for a field or join that is called like a word of SQL."""
    if token.token_type in (TokenType.IDENTIFIER, TokenType.STRING, TokenType.NUMBER):
        return False
    if before is not None and before.token_type == TokenType.DOT:
        return re.fullmatch(r"[A-Za-z_]\w*", token.text) is not None
    word = token.text.lower()
    if word not in names or word in _GRAMMAR:
        return False
    # `left(...)` is a function, `date '2026-11-23'` a literal, `all(...)` a quantifier.
    return after is None or after.token_type not in (TokenType.L_PAREN, TokenType.STRING)


def _as_name(token: sqlglot.Token, text: str) -> sqlglot.Token:
    return sqlglot.Token(
        TokenType.VAR, text, token.line, token.col, token.start, token.end, token.comments
    )


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


def _refusal(node: exp.Expr) -> _Refusal | None:
    """What makes a node more than an expression over one record's fields, or less."""
    match node:
        case (
            exp.Query()
            | exp.Subquery()
            | exp.Exists()
            | exp.DDL()
            | exp.DML()
            | exp.Block()
            | exp.Command()
        ):
            return _Refusal(
                node,
                "not-an-expression",
                "a fragment is an expression: no `select`, no subquery, no statement",
                "join the other data source and name its field by path",
            )
        case exp.Window():
            return _Refusal(
                node,
                "not-an-expression",
                "a window function sees other rows of the report",
                "`pick` chooses one of many related rows; aggregates take `where`",
            )
        case exp.UDTF():
            return _Refusal(
                node,
                "not-an-expression",
                f"`{function_name(node)}` makes rows, and a record has one value",
                "a data source with `sql:` makes rows of arrays; join it",
            )
        case exp.Filter() | exp.WithinGroup():
            return _Refusal(
                node,
                "wrong-aggregate",
                "`filter (where ...)` and `within group` are not read",
                "write `where:` and `sort:` beside the field",
            )
        case exp.Anonymous() if own_name(node) is not None:
            return _Refusal(node, "invalid-sql", f"no engine has a function `{node.name}`")
        case exp.Func() if is_foreign_aggregate(node):
            return _Refusal(
                node,
                "wrong-aggregate",
                f"`{function_name(node)}` is no aggregate of the language",
                "the aggregates are " + ", ".join(f"`{name}`" for name in AGGREGATES),
            )
        case exp.Alias() | exp.Aliases():
            return _Refusal(
                node,
                "not-an-expression",
                _NO_ALIAS,
                _NAME_BESIDE,
            )
        case exp.Tuple() if isinstance(node.parent, exp.Any):
            return _Refusal(node, "wrong-aggregate", "`any` takes one condition")
        case exp.Tuple():
            return _Refusal(node, "invalid-sql", "several values in parentheses are no value")
        case exp.In() if node.args.get("field") is not None:
            return _Refusal(node, "invalid-sql", "`in` takes a list: `in (1, 2)`")
        case exp.In() if not node.expressions and not node.args.get("query"):
            return _Refusal(node, "invalid-sql", "`in ()` lists no value: nothing is in it")
        case exp.Star() if aggregate_name(node.parent or node) is None:
            return _Refusal(node, "invalid-sql", "`*` means rows, and only `count` counts them")
        case exp.Placeholder() if not node.this:
            return _Refusal(node, "invalid-sql", "a parameter is written `:name`")
        case exp.Parameter() | exp.SessionParameter():
            return _Refusal(node, "invalid-sql", "a parameter is written `:name`")
    return None


def _tell_parse_error(
    error: ParseError, fragment: Fragment, names: frozenset[str], problems: Problems
) -> None:
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
    before = text[:offset]
    if highlight.lower() == "as" and before.count("(") == before.count(")"):
        problems.add("not-an-expression", _NO_ALIAS, at, hint=_NAME_BESIDE)
        return
    near = f" near `{highlight}`" if highlight else ""
    message = f"the expression does not parse{near}: {_plainly(description)}"
    hint = _quoting(text, names)
    if "not expected" in message or highlight == "=":
        hint = hint or _INSTEAD.get(highlight.lower())
    elif "CASE" in description:
        hint = "a `case` is written `case when ... then ... else ... end`"
    elif "CAST" in description:
        hint = "it is written `cast(... as ...)`, with a type of SQL: `varchar`, `bigint`, `date`"
    problems.add("invalid-sql", message, at, hint=hint)


_INSTEAD = {
    "&&": "`and` joins conditions",
    "!": "`not` turns a condition round",
    "`": "a name stands in double quotes, or in none",
    "where": "`where:` and `filters:` are keys of the YAML",
    "order by": "`sort:` is a key of the YAML",
    "limit": "`limit:` is a key of the YAML",
    "from": "a dotted path says where a field is from",
    "nulls": "every `sort` puts NULLs last",
    "distinct": "`distinct: true` stands beside the field",
    "=": "`=` compares; two of them are one too many",
}


def _quoting(text: str, names: frozenset[str]) -> str | None:
    """The hint that a name which is a word of expressions too stands in double quotes."""
    words = [word for word in re.findall(r"\w+", text.lower()) if word in names & _GRAMMAR]
    return f'a field called `{words[0]}` is written `"{words[0]}"` here' if words else None


def _plainly(description: str) -> str:
    """A parser's words, in the analyst's."""
    if description.startswith("Required keyword"):
        return "something is missing beside it"
    if description.startswith("Expecting"):
        return f"`{description.removeprefix('Expecting').strip()}` is missing"
    if description.startswith("Invalid expression"):
        return "this was not expected here"
    if match := re.match(r"Expected (\S+)", description):
        return "a type is missing" if match[1] == "TYPE" else f"`{match[1].lower()}` is missing"
    return _OUR_WORDS.get(description, "it cannot be read")


_OUR_WORDS = {
    text: text
    for text in (
        "two operators in a row",
        "an expression holds no `;`",
        "it holds no value",
        "digits are missing behind `e`",
    )
}


def path_of(node: exp.Expr) -> tuple[Step, ...] | None:
    """The steps of a dotted path, or `None` where the node is none."""
    if not isinstance(node, exp.Column | exp.Dot):
        return None
    known: tuple[Step, ...] | None = node.meta.get(_STEPS)
    if known is None:
        parts: list[exp.Expr] = []
        head: exp.Expr = node
        while isinstance(head, exp.Dot):
            parts.insert(0, head.expression)
            head = head.this
        parts = [*(head.parts if isinstance(head, exp.Column) else [head]), *parts]
        if not all(isinstance(part, exp.Identifier) for part in parts):
            return None
        known = node.meta[_STEPS] = tuple(map(_step, parts))
    return known


def _step(part: exp.Expr) -> Step:
    is_quoted = bool(part.args.get("quoted"))
    name = part.name if is_quoted else part.name.lower()
    start = int(part.meta.get("start", 0))
    return Step(name, start, int(part.meta.get("end", start)) - start + 1, is_quoted)


def paths_in(tree: exp.Expr) -> Iterator[tuple[exp.Expr, tuple[Step, ...]]]:
    """Every path of a tree, outermost first."""
    path = path_of(tree)
    if path is not None:
        yield tree, path
        return
    for child in tree.iter_expressions():
        yield from paths_in(child)
