"""Formatters: `labels`, `link` and `sql` make another value; `date` and `number` are patterns.

A pattern travels beside the value, which stays typed; `texts` writes what it means where text is wanted.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from pydantic import PrivateAttr
from sqlglot import exp

from genesis.compile.bind import Binder
from genesis.compile.compare import typed_literal
from genesis.compile.expression import Fragment
from genesis.compile.functions.calls import operand, own
from genesis.compile.infer import differs_as_text, to_sql, type_of, typed
from genesis.compile.query import Node
from genesis.compile.scope import Scope, is_broken
from genesis.compile.texts import Shown, joined
from genesis.errors import Location, Problems, suggest
from genesis.spec.data_source import DataSource
from genesis.spec.formatter import Formatter
from genesis.spec.types import STRING, Type


def find_formatter(binder: Binder, name: str, at: Location) -> Formatter | None:
    """The formatter of a name, or `None` with the problem told."""
    found = binder.project.formatters.get(name)
    if ("formatters", name) in binder.project.broken:
        binder.problems.passes_over = True
    elif found is None:
        hint = suggest(name, binder.project.formatters)
        binder.problems.add("unknown-formatter", f"unknown formatter `{name}`", at, hint=hint)
    return found


class OwnLabels(Formatter):
    """The `labels` of one field; a shared formatter's mistake is told where it is used, theirs where they stand."""

    _locate: Callable[[str], Location] = PrivateAttr()

    def locate_label(self, key: str) -> Location:
        """The place of a label's key."""
        return self._locate(key)


def inline_labels(source: DataSource, name: str) -> Formatter | None:
    """The formatter that a field's own `labels` are."""
    field = source.fields[name]
    if not field.labels:
        return None
    own = OwnLabels.model_construct(labels=field.labels, otherwise=field.otherwise)
    own._locate = lambda key: source.locate_key("fields", name, "labels", key)
    return own


def apply_formatter(
    formatter: Formatter,
    value: exp.Expr,
    type_: Type,
    binder: Binder,
    *,
    node: Node | None,
    at: Location,
) -> Shown | None:
    """The value as the formatter shows it, or `None` with the problem told at `at`.

    `node` is the record whose fields a `link` may name.
    """
    if formatter.date is not None or formatter.number is not None:
        fits = type_.is_time if formatter.date is not None else type_.is_number
        if not fits:
            wanted = "dates and timestamps" if formatter.date is not None else "numbers"
            binder.problems.add(
                "wrong-format", f"the format is for {wanted}, the column is {type_}", at
            )
            return None
        return Shown(value, type_, formatter.date or formatter.number)
    if formatter.labels is not None:
        labelled = _labelled(formatter, value, type_, binder.problems, at)
        return Shown(labelled, STRING) if labelled is not None else None
    if formatter.link is not None:
        link = _link(formatter, binder, node, at)
        return Shown(link, STRING) if link is not None else None
    return _computed(formatter, value, type_, binder, node=node, at=at)


def _computed(
    formatter: Formatter,
    value: exp.Expr,
    type_: Type,
    binder: Binder,
    *,
    node: Node | None,
    at: Location,
) -> Shown | None:
    text = formatter.sql or ""
    if text in _BUILT_IN_SQL:
        function, wanted = _BUILT_IN_SQL[text]
        if wanted != ("number" if type_.is_number else type_.name):
            binder.problems.add(
                "wrong-format", f"the format is for a {wanted}, the column is {type_}", at
            )
            return None
        shown: exp.Expr = function(this=value)
    elif node is None:
        return None
    else:
        given = typed(operand(value), type_)
        scope = Scope(Fragment(text, formatter, ("sql",)), {(): node}, node.source, value=given)
        shown = binder.bind(scope)
    if is_broken(shown):
        return None
    return Shown(shown, formatter.type or type_of(shown) or type_)


# What is built in has no file to be parsed from.
_BUILT_IN_SQL: dict[str, tuple[Callable[..., exp.Expr], str]] = {
    "round(value)": (exp.Round, "number"),
    "upper(value)": (exp.Upper, "string"),
    "lower(value)": (exp.Lower, "string"),
    "trim(value)": (exp.Trim, "string"),
}


def _labelled(
    formatter: Formatter, value: exp.Expr, type_: Type, problems: Problems, at: Location
) -> exp.Expr | None:
    cases = []
    for key, label in (formatter.labels or {}).items():
        try:
            literal = typed_literal(key, type_)
        except ValueError:
            if isinstance(formatter, OwnLabels):
                at = formatter.locate_label(key)
            problems.add("wrong-format", f"the label for `{key}` is for no {type_}", at)
            return None
        cases.append(exp.If(this=literal, true=exp.Literal.string(label)))
    rest: exp.Expr
    if formatter.otherwise is not None:
        rest = exp.Literal.string(formatter.otherwise)
    elif differs_as_text(type_):
        message, hint = (
            f"engines write a {type_} differently as text",
            "`otherwise` says what to write",
        )
        problems.add("not-supported", message, at, hint=hint)
        return None
    else:
        rest = value.copy() if type_ == STRING else exp.Cast(this=value.copy(), to=to_sql(STRING))
    return typed(exp.Case(this=value, ifs=cases, default=rest), STRING)


_LINK = re.compile(r"([^{}]+)|\{([^{}]*)\}")


def _link(formatter: Formatter, binder: Binder, node: Node | None, at: Location) -> exp.Expr | None:
    link = formatter.link or ""
    if node is None:
        message = "a link is for a field of one record, not for an expression"
        binder.problems.add("wrong-format", message, at)
        return None
    if not link or _LINK.sub("", link):
        message = f"the link `{link}` is no address with `{{field}}` in it"
        binder.problems.add("wrong-format", message, at)
        return None
    parts: list[exp.Expr] = []
    for text, field in _LINK.findall(link):
        part = exp.Literal.string(text) if text else _link_part(field, binder, node, at)
        if part is None:
            return None
        parts.append(part)
    return typed(functools.reduce(joined, parts), STRING)


def _link_part(field: str, binder: Binder, node: Node, at: Location) -> exp.Expr | None:
    spec = node.source.fields.get(field)
    if spec is None and node.source.has_unread(field):
        binder.problems.passes_over = True
        return None
    if spec is None:
        hint = suggest(field, node.source.fields)
        message = f"the link names `{{{field}}}`, no field of data source `{node.source.name}`"
        binder.problems.add("wrong-format", message, at, hint=hint)
        return None
    if differs_as_text(spec.type):
        message = f"the link names `{{{field}}}`: engines write a {spec.type} differently as text"
        binder.problems.add("not-supported", message, at)
        return None
    value = binder.field(node, field)
    return None if is_broken(value) else own("url_encode", value)
