"""How each dialect writes our own functions, and what it would mean differently.

The tree of a plan is of no dialect: `duckdb` and `trino` know how the engines differ, beyond
their spelling, which is sqlglot's.
"""

from __future__ import annotations

from sqlglot import exp

from genesis.compile.dialects import duckdb, trino
from genesis.compile.functions.calls import own_name
from genesis.compile.infer import type_of, typed


def to_dialect(node: exp.Expr, dialect: str) -> exp.Expr:
    """The tree with our own functions, and what dialects mean differently, in a dialect's words.

    Parts that are the same in all dialects are taken over, not copied: the tree before is used up.
    """
    if type(node) in _LEAVES:
        return node
    call = node.this if isinstance(node, exp.Filter) else node
    if isinstance(call, exp.Anonymous) and (name := own_name(call)):
        arguments = [to_dialect(argument, dialect) for argument in call.expressions]
        condition = None if call is node else to_dialect(node.args["expression"], dialect)
        return typed(_WORDS[dialect][name](arguments, condition), type_of(node))
    changed = _changed_parts(node, dialect)
    rewrite = _REWRITES[dialect].get(type(node))
    if not changed and rewrite is None:
        return node
    copy = node.__class__(**{**node.args, **changed})
    return typed(rewrite(copy) if rewrite else copy, type_of(node))


_LEAVES = frozenset([exp.Column, exp.Identifier, exp.Literal, exp.DataType, exp.TableAlias, exp.Null, exp.Boolean, exp.Star])  # fmt: skip


def _changed_parts(node: exp.Expr, dialect: str) -> dict[str, object]:
    changed: dict[str, object] = {}
    for key, value in node.args.items():
        if isinstance(value, exp.Expr):
            if (part := to_dialect(value, dialect)) is not value:
                changed[key] = part
        elif isinstance(value, list) and value:
            parts = [
                to_dialect(item, dialect) if isinstance(item, exp.Expr) else item for item in value
            ]
            if any(part is not item for part, item in zip(parts, value, strict=True)):
                changed[key] = parts
    return changed


_WORDS = {"duckdb": duckdb.WORDS, "trino": trino.WORDS}
_REWRITES = {"duckdb": duckdb.REWRITES, "trino": trino.REWRITES}
