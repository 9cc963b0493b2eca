"""Syntax trees taken over whole or in part, with what is known of their nodes."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp


def copied(tree: exp.Expr) -> exp.Expr:
    """A tree of its own, equal to this one: half the time that sqlglot's own copies take."""
    return rebuilt(tree, _nothing)


def rebuilt(tree: exp.Expr, replacement: Callable[[exp.Expr], exp.Expr | None]) -> exp.Expr:
    """A copy of a tree in which parts are replaced, the outermost first."""
    found = replacement(tree)
    if found is not None:
        return found
    copy = tree.__class__(**{key: _part(part, replacement) for key, part in tree.args.items()})
    if tree._meta:
        copy._meta = dict(tree._meta)
    return copy


def is_deeper(tree: exp.Expr, levels: int) -> bool:
    """Whether a node stands below more levels than these. Most of what walks a tree calls itself."""
    level = [tree]
    for _ in range(levels):
        level = [child for node in level for child in node.iter_expressions()]
        if not level:
            return False
    return True


def _part(part: object, replacement: Callable[[exp.Expr], exp.Expr | None]) -> object:
    if isinstance(part, exp.Expr):
        return rebuilt(part, replacement)
    return [_part(one, replacement) for one in part] if isinstance(part, list) else part


def _nothing(_: exp.Expr) -> None:
    return None
