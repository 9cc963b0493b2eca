"""The data sources that lifted reports rest on: those of the project, and what is drafted.

One table is one data source, however many reports read it. A data source of the project is used
where it means what the report does with its table: the same newest rows, and its `where` among the
report's conditions. The surprise: what it lacks is added to a copy of its file, never to the file.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import sqlglot
from sqlglot import exp

from genesis.lift.block import Ranked, Use
from genesis.lift.facts import ByHand, Evidence, Facts
from genesis.spec.data_source import DataSource
from genesis.spec.project import Project

MOST_GUESSES = 12


@dataclass
class Draft:
    """A data source as reports need it; `known` is the project's own, which it adds to."""

    name: str
    table: str
    known: DataSource | None
    primary_key: list[str] = field(default_factory=list)
    evidence: str = ""
    is_sure: bool = True
    latest: list[str] | None = None
    sql: str | None = None
    unique_keys: dict[tuple[str, ...], Evidence] = field(default_factory=dict)
    fields: dict[str, dict[str, Any]] = field(default_factory=dict)
    joins: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def is_changed(self) -> bool:
        """Whether there is something that the project does not have."""
        return self.known is None or bool(self.fields or self.joins or self.unique_keys)

    def column_of(self, name: str) -> str:
        """The table's column that a field shows."""
        known = self.known.fields.get(name) if self.known else None
        found: str = (known.column if known else self.fields.get(name, {}).get("column")) or name
        return found


def slug(text: str) -> str:
    """A name as the language has it."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") or "column"
    return name if name[0].isalpha() else f"n_{name}"


class Sources:
    """Every data source that the lifted reports use; reports that come later find what earlier ones added."""

    def __init__(self, project: Project, facts: Facts) -> None:
        self.project = project
        self._facts = facts
        self.drafts: dict[str, Draft] = {}

    # --- which data source ------------------------------------------------------------------------

    def source_of(self, use: Use, conditions: list[exp.Expr]) -> Draft:
        """The data source that a use of a table is; conditions that it implies are taken away."""
        for known in self.project.data_sources.values():
            taken = self._fits(known, use, conditions)
            if taken is not None:
                conditions[:] = [one for one in conditions if one not in taken]
                return self._known(known)
        latest = (
            _latest_of(use.ranked) if use.ranked and use.ranked.keys and use.is_picked else None
        )
        for draft in self.drafts.values():
            if draft.known is None and _same(draft.table, use.table) and draft.latest == latest:
                return draft
        return self._new(use, latest)

    def is_known(self, use: Use, conditions: list[exp.Expr]) -> bool:
        """Whether a data source of the project is what a use reads."""
        known = self.project.data_sources.values()
        return any(self._fits(one, use, conditions) is not None for one in known)

    def is_key(self, table: str, column: str) -> bool:
        """Whether a column tells the rows of a table apart, and is never NULL."""
        return self._facts.key(table, [column]).holds

    @contextmanager
    def tried(self) -> Iterator[None]:
        """What is made within is forgotten again."""
        before = self._state()
        try:
            yield
        finally:
            self._return_to(before)

    @contextmanager
    def unless_refused(self) -> Iterator[None]:
        """What is made within is forgotten where it ends in a refusal."""
        before = self._state()
        try:
            yield
        except Exception:
            self._return_to(before)
            raise

    def _state(self) -> dict[str, tuple[Draft, Draft]]:
        return {
            name: (
                draft,
                replace(
                    draft,
                    fields=dict(draft.fields),
                    joins=dict(draft.joins),
                    unique_keys=dict(draft.unique_keys),
                ),
            )
            for name, draft in self.drafts.items()
        }

    def _return_to(self, before: Mapping[str, tuple[Draft, Draft]]) -> None:
        self.drafts = {name: draft for name, (draft, _) in before.items()}
        for draft, was in before.values():
            draft.fields, draft.joins, draft.unique_keys = was.fields, was.joins, was.unique_keys

    def _fits(
        self, known: DataSource, use: Use, conditions: list[exp.Expr]
    ) -> list[exp.Expr] | None:
        if known.table is None or not _same(known.table, use.table) or known.sql is not None:
            return None
        draft = self._known(known, keep=False)
        wanted = [self._condition(known.where)] if known.where else []
        if known.latest is not None:
            order = [*known.latest.order_by]
            keys = {draft.column_of(name) for name in known.primary_key}
            if not use.ranked or not use.is_picked or use.ranked.where:
                return None
            if _latest_of(use.ranked) != order or set(use.ranked.keys) != keys:
                return None
            if known.latest.deleted:
                wanted.append(exp.Not(this=self._condition(known.latest.deleted)))
        elif use.ranked is not None:
            return None
        columns = {name: draft.column_of(name) for name in known.fields}
        taken = []
        for one in wanted:
            like = {_plain(one, columns), _plain(_opposite(one), columns)}
            found = next((c for c in conditions if _reads_only(c, use) and _plain(c) in like), None)
            if found is None:
                return None
            taken.append(found)
        return taken

    def _condition(self, text: str) -> exp.Expr:
        return sqlglot.parse_one(text, dialect=self.project.settings.dialect)

    def _known(self, known: DataSource, *, keep: bool = True) -> Draft:
        draft = self.drafts.get(known.name) or Draft(
            known.name, str(known.table), known, primary_key=list(known.primary_key)
        )
        if keep:
            self.drafts[known.name] = draft
        return draft

    def _new(self, use: Use, latest: list[str] | None) -> Draft:
        base = slug(use.table.rpartition(".")[2])
        if latest is not None:
            base = _LOG.sub("", base)
        taken = self.project.data_sources.keys() | self.drafts.keys()
        name = (
            base if base not in taken else _free(f"{base}_{'newest' if latest else 'all'}", taken)
        )
        draft = Draft(name, use.table, None, latest=latest)
        self.drafts[name] = draft
        if latest is not None and use.ranked is not None:
            keys, evidence, is_sure = list(use.ranked.keys), "one newest row is kept for each", True
        else:
            keys, evidence, is_sure = self._primary_key(use.table)
        draft.evidence, draft.is_sure = evidence, is_sure
        draft.primary_key = [self.field(draft, column) for column in keys]
        return draft

    def _primary_key(self, table: str) -> tuple[list[str], str, bool]:
        """The columns that tell rows apart, how that is known, and whether it is."""
        columns = list(self._facts.columns(table))
        name = slug(table.rpartition(".")[2])
        likely = sorted(columns, key=lambda column: _unlikeness(column.lower(), name))
        guesses: list[tuple[str, ...]] = [(column,) for column in likely[:4]]
        guesses += itertools.combinations(
            [c for c in columns if _is_keylike(c)][:4] or likely[:3], 2
        )
        guesses += itertools.combinations(columns[:4], 2)
        guesses += itertools.combinations(columns[:4], 3)
        for guess in list(dict.fromkeys(guesses))[:MOST_GUESSES]:
            evidence = self._facts.key(table, guess)
            if evidence.holds:
                return list(guess), str(evidence), evidence.rows is not None and evidence.rows > 0
        return likely[:1] or ["id"], "nothing was found that tells its rows apart", False

    def constant(self, here: Draft, query: exp.Expr, like: str) -> str:
        """The join to a value of a whole table: a data source that is a query of one row."""
        text = f"SELECT 1 AS one, ({query.sql(self.project.settings.dialect)}) AS value"
        found = next((one for one in self.drafts.values() if one.sql == text), None)
        if found is None:
            name = _free(like, self.project.data_sources.keys() | self.drafts.keys())
            type_ = self._facts.result_type(query)
            fields: dict[str, dict[str, Any]] = {
                "one": {"type": "integer"},
                "value": {"type": type_ or "float"},
            }
            if type_ is None:
                fields["value"]["todo"] = "its type is guessed"
            found = Draft(name, "", None, ["one"], "there is one row", sql=text, fields=fields)
            self.drafts[name] = found
        for name, made in here.joins.items():
            if made["data_source"] == found.name:
                return name
        name = _free(found.name, self._names(here))
        more = {"sql": f"{name}.one = 1", "relationship": "many_to_one"}
        here.joins[name] = {"data_source": found.name, "by": (), "more": more}
        return name

    # --- keys, fields and joins -------------------------------------------------------------------

    def key_within(self, draft: Draft, columns: Sequence[str]) -> tuple[str, ...] | None:
        """Those of the columns that make a key of the data source; `None` where they do not tell its rows apart."""
        there = {column.lower() for column in columns}
        keys = [tuple(draft.primary_key)]
        keys += [tuple(key) for key in draft.known.unique_keys] if draft.known else []
        keys += list(draft.unique_keys)
        for key in keys:
            found = [draft.column_of(name).lower() for name in key]
            if found and set(found) <= there:
                return tuple(found)
        if draft.latest or (draft.known and draft.known.latest) or not columns:
            return None
        evidence = self._facts.key(draft.table, sorted(there))
        if not evidence.holds or not evidence.rows:
            return None
        draft.unique_keys[tuple(self.field(draft, column) for column in sorted(there))] = evidence
        return tuple(sorted(there))

    def type_of(self, draft: Draft, column: str) -> str | None:
        """The type of a column, in words."""
        name = self.field(draft, column)
        if draft.known and name in draft.known.fields:
            return str(draft.known.fields[name].type)
        return {c.lower(): t for c, t in self._facts.columns(draft.table).items()}.get(
            column.lower()
        )

    def field(self, draft: Draft, column: str) -> str:
        """The field that a column of the table is, made where there is none."""
        for name, known in draft.known.fields.items() if draft.known else ():
            if known.sql is None and (known.column or name).lower() == column.lower():
                return name
        for name, made in draft.fields.items():
            if "sql" not in made and (made.get("column") or name).lower() == column.lower():
                return name
        types = {c.lower(): (c, t) for c, t in self._facts.columns(draft.table).items()}
        written, type_ = types.get(column.lower(), (column, None))
        if types and column.lower() not in types:
            raise ByHand(f"the table `{draft.table}` has no column `{column}`")
        name = _free(slug(column), self._names(draft))
        draft.fields[name] = {"type": type_ or "string"}
        if name != written:
            draft.fields[name]["column"] = written
        if type_ is None:
            draft.fields[name]["todo"] = "its type is guessed"
        return name

    def is_shown_otherwise(self, draft: Draft, name: str) -> bool:
        """Whether a formatter of the field makes another value of it."""
        known = draft.known.fields.get(name) if draft.known else None
        if known is None:
            return False
        formatter = self.project.formatters.get(known.format) if known.format else None
        return bool(known.labels) or (
            formatter is not None and formatter.date is None and formatter.number is None
        )

    def is_required(self, draft: Draft, name: str) -> bool:
        """Whether a field is known never to be NULL."""
        known = draft.known.fields.get(name) if draft.known else None
        return name in draft.primary_key or (known is not None and not known.nullable)

    def join(
        self,
        here: Draft,
        there: Draft,
        pairs: Sequence[tuple[str, str]],
        *,
        to_many: bool,
        more: Mapping[str, Any],
        like: str,
    ) -> str:
        """The join that leads from one to the other, made where there is none.

        `more` are its other keys, in which `{join}` stands for its name.
        """
        by = tuple(sorted((self.field(here, a), self.field(there, b)) for a, b in pairs))
        for name, known in here.known.joins.items() if here.known else ():
            target = known.data_source or name
            is_plain = not (known.where or known.pick or known.as_of or known.sql or known.required)
            pick = (
                {"pick": {"sort": list(known.pick.sort)}}
                if known.pick and not known.where
                else None
            )
            wanted = {key: _named(value, name) for key, value in more.items()}
            if (
                target == there.name
                and tuple(sorted(known.by or ())) == by
                and wanted == ({} if is_plain else pick)
            ):
                return name
        for name, made in here.joins.items():
            wanted = {key: _named(value, name) for key, value in more.items()}
            if made["data_source"] == there.name and made["by"] == by and made["more"] == wanted:
                return name
        name = _free(self._join_name(there, by, to_many, more, like), self._names(here))
        wanted = {key: _named(value, name) for key, value in more.items()}
        here.joins[name] = {"data_source": there.name, "by": by, "more": wanted}
        return name

    def _join_name(
        self,
        there: Draft,
        by: Sequence[tuple[str, str]],
        to_many: bool,
        more: Mapping[str, Any],
        like: str,
    ) -> str:
        if "pick" in more:
            return slug(like) if len(like) > 3 and like != there.name else f"last_{there.name}"
        if more and len(like) > 3:
            return slug(like)
        if to_many:
            return there.name if there.name.endswith("s") else f"{there.name}s"
        if len(by) == 1:
            stem = re.sub(r"_?(id|key|code|fk)$", "", by[0][0])
            if by[0][0] != by[0][1] and "_" in by[0][0] and stem:
                return stem
        return there.name

    def _names(self, draft: Draft) -> set[str]:
        known = draft.known
        names = {*draft.fields, *draft.joins}
        return names | {*known.fields, *known.joins, *known.measures} if known else names


def _named(value: Any, name: str) -> Any:
    return value.replace("{join}", name) if isinstance(value, str) else value


def _free(name: str, taken: set[str]) -> str:
    numbered = (f"{name}_{number}" for number in itertools.count(2))
    return name if name not in taken else next(one for one in numbered if one not in taken)


def _same(table: str, other: str) -> bool:
    return table.replace('"', "").lower() == other.replace('"', "").lower()


def _latest_of(ranked: Ranked) -> list[str] | None:
    """The `order_by` that a rank means: newest last; `None` where it does not rank by what is newest."""
    if ranked.where or not all(descending for _, descending in ranked.order):
        return None
    return [column for column, _ in ranked.order]


_LOG = re.compile(r"_(events|log|history|changes)$")


def is_named_for(columns: Iterable[str], table: str) -> bool:
    """Whether one column carries the table's name, as the key of what the table is a log of does."""
    name = _LOG.sub("", slug(table.rpartition(".")[2]))
    return [_unlikeness(column.lower(), name) for column in columns] == [0]


def _unlikeness(column: str, table: str) -> int:
    singular = table.removesuffix("s")
    if column in ("id", f"{table}_id", f"{singular}_id", f"{table}_key", f"{singular}_key"):
        return 0
    if re.sub(r"^[a-z]{1,2}_", "", column) in (f"{table}key", f"{singular}key", "id"):
        return 0
    return 1 if _is_keylike(column) else 2


def _is_keylike(column: str) -> bool:
    return re.search(r"(id|key|code|number|no)$", column.lower()) is not None


def _reads_only(condition: exp.Expr, use: Use) -> bool:
    return {column.table for column in condition.find_all(exp.Column)} == {use.id}


def _plain(condition: exp.Expr, columns: Mapping[str, str] | None = None) -> str:
    """A condition without its tables, as text; `columns` are those of fields."""

    def bare(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column):
            return exp.column((columns or {}).get(node.name.lower(), node.name).lower())
        if isinstance(node, exp.EQ) and isinstance(node.expression, exp.Boolean):
            return node.this if node.expression.this else exp.Not(this=node.this)
        return node

    copied = condition.copy().transform(bare).transform(bare)
    return str(copied.sql(normalize_functions="lower"))


def _opposite(condition: exp.Expr) -> exp.Expr:
    """`not a = b` as `a <> b`."""
    inside = condition.this.unnest() if isinstance(condition, exp.Not) else condition
    if isinstance(condition, exp.Not) and isinstance(inside, exp.EQ):
        return exp.NEQ(this=inside.this.copy(), expression=inside.expression.copy())
    return condition
