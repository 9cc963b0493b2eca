"""Where the names of a fragment lead, and what stands where a mistake was told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sqlglot import exp

from genesis.compile.expression import Fragment
from genesis.compile.query import Branch, Node
from genesis.compile.summary import Summary
from genesis.document import Path
from genesis.errors import Location
from genesis.spec.data_source import Aggregated, DataSource

_BROKEN = "genesis_broken"
NO_OPTIONS = Aggregated.model_construct()  # nothing is validated, so nothing built for it


def broken() -> exp.Expr:
    """What stands where a mistake was told: a NULL, so that what follows from it is not told again."""
    node = exp.Null()
    node.meta[_BROKEN] = True
    return node


def is_broken(tree: exp.Expr | None) -> bool:
    """Whether a mistake in the expression, or below it, was told already."""
    if tree is None or isinstance(tree, exp.Column):  # most are columns
        return tree is None
    return any(_BROKEN in node.meta for node in tree.find_all(exp.Null))


class Scope(NamedTuple):
    """What the names of a fragment mean.

    `places` maps paths of joins to nodes: `()` is the record itself, longer ones are steps already
    taken. `source` is the record's. `options` are the `where`, `sort` and so on that stand beside the
    fragment. `own_field` is the field whose name means its raw column, `value` what a formatter
    formats, `columns` what a summary's `having` compares. In a measure, `rows` are those that
    aggregates see, and `among` says which of them. In a column that aggregates a `summary`, aggregates
    see the rows of a group; `is_paired` says that the rows are pairs with its records.
    """

    fragment: Fragment
    places: Mapping[tuple[str, ...], Node]
    source: DataSource
    options: Aggregated = NO_OPTIONS
    own_field: str | None = None
    is_condition: bool = False
    value: exp.Expr | None = None
    rows: Branch | None = None
    among: tuple[exp.Expr, ...] = ()
    columns: Mapping[str, exp.Expr] | None = None
    summary: Summary | None = None
    is_paired: bool = False

    def beside(self, text: str, *keys: str | int) -> Fragment:
        """A fragment that stands beside this one, as `where` does."""
        return Fragment(text, self.fragment.owner, (*_holder(self.fragment.path), *keys))

    def locate_beside(self, *keys: str | int) -> Location:
        """The place of a value that stands beside this fragment."""
        return self.fragment.owner.locate(*_holder(self.fragment.path), *keys)

    def locate_key_beside(self, key: str) -> Location:
        """The place of a key that stands beside this fragment."""
        return self.fragment.owner.locate_key(*_holder(self.fragment.path), key)

    def longest_place(self, names: tuple[str, ...]) -> int:
        """How many of these steps are taken already."""
        return next((n for n in range(len(names), 0, -1) if names[:n] in self.places), 0)


def _holder(path: Path) -> Path:
    return path[:-1] if path and path[-1] in ("sql", "field") else path


def split_direction(text: str) -> tuple[str, bool]:
    """A sort key's expression, and whether it is descending."""
    head, _, last = text.rstrip().rpartition(" ")
    if last.lower() in ("asc", "desc") and head.strip():
        return head.rstrip(), last.lower() == "desc"
    return text, False
