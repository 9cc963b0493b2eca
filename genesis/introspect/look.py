"""Keys and joins that nobody declared, from the data: a sample refutes, only what is left is proven on whole tables.

What is not unique in a sample is not unique. What is, and is called like a key, is counted once in the whole
table. A join needs names that speak for it and rows that bear it out; whatever else looks like one
is told as a remark. Where `quick`, no table is counted whole, and the evidence says so.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations, islice

from sqlglot import exp

from genesis.errors import EngineBusy, EngineError
from genesis.introspect.facts import Column, ForeignKey, Parts, Place, Table
from genesis.introspect.names import evidence, is_key_like, key_rank, says
from genesis.spec.types import STRING

MOST_KEY_COLUMNS = 8  # that are combined
MOST_PARTS = 3  # of a combined key
MOST_PROOFS = 8  # of keys of one table: each reads all of it
SURE = 5  # of the evidence of names
BORNE_OUT = 0.9  # of the rows find one, else it is no join

_KEY_TYPES = frozenset({"string", "integer", "date", "timestamp", "timestamptz", "decimal"})


@dataclass(frozen=True)
class Key:
    """Columns that tell a table's rows apart, and why we think so; a guess was not borne out."""

    columns: tuple[str, ...]
    why: str
    is_guess: bool = False


@dataclass(frozen=True)
class Link:
    """Columns that name a row of another table, and why we think so."""

    table: Parts
    columns: tuple[str, ...]
    target: Parts
    there: tuple[str, ...]
    why: str
    to_one_back: bool = False


@dataclass(frozen=True)
class Found:
    """What is known of tables, and what was refused, by table."""

    keys: dict[Parts, Key]
    links: tuple[Link, ...]
    remarks: dict[Parts, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """What the first rows of a table say: how many they are, and which columns are unique in them."""

    rows: int
    is_all: bool
    values: dict[str, int]
    different: dict[str, int]

    def is_unique(self, column: str) -> bool:
        """Whether a column tells these rows apart."""
        return self.different[column] == self.rows > 0


def look(place: Place, tables: Sequence[Table], *, sample: int, quick: bool) -> Found:
    """The keys and joins of tables, declared or found."""
    return _Look(place, tables, sample, quick).found()


class _Look:
    def __init__(self, place: Place, tables: Sequence[Table], sample: int, quick: bool) -> None:
        self._place, self._tables = place, {table.parts: table for table in tables}
        self._most, self._quick = sample, quick
        self._samples: dict[Parts, Sample] = {}
        self._remarks: dict[Parts, list[str]] = {table.parts: [] for table in tables}

    def found(self) -> Found:
        keys = {}
        for parts, table in list(self._tables.items()):
            try:
                keys[parts] = self._key(table)
            except EngineBusy:
                raise
            except (
                EngineError
            ) as error:  # what is wrong with one table keeps no other from its draft
                keys[parts] = Key((), error.problems[0].message, is_guess=True)
                del self._tables[parts]
        links = [link for table in self._tables.values() for link in self._links(table, keys)]
        return Found(keys, tuple(links), self._remarks)

    # --- keys ---------------------------------------------------------------------------------------

    def _key(self, table: Table) -> Key:
        if table.primary_key:
            return Key(table.primary_key, "declared")
        for unique in sorted(table.unique_keys, key=len):
            if not any(table.column(name).nullable for name in unique):
                return Key(unique, "declared to be unique")
        candidates = [column.name for column in table.columns if _may_be_key(column)]
        likeliest = min(candidates, key=lambda name: key_rank(table, name), default="")
        if table.is_log:
            is_named = bool(likeliest) and key_rank(table, likeliest) == 0
            return Key((likeliest,), "by its name, since rows are events", is_guess=not is_named)
        sample = self._sample(table, candidates)
        if not sample.rows:
            return Key((likeliest,), "the table is empty", is_guess=True)
        differing = [name for name in candidates if sample.is_unique(name)]
        anothers = {name for name in differing if self._is_anothers(table, name)}
        ranked = sorted(differing, key=lambda name: (name in anothers, key_rank(table, name)))
        if self._quick and not sample.is_all:  # what names another table's row may come again
            ranked = [name for name in ranked if name not in anothers]
        for columns in islice(self._by_rank(table, sample, ranked), MOST_PROOFS):
            if why := self._unique(table, columns, sample):
                self._tell_others(table, columns, ranked)
                return Key(columns, why)
        most = max(candidates, key=lambda name: sample.different[name], default="")
        why = f"nothing is unique in {sample.rows:,} rows"
        return Key((most,), why, is_guess=True)

    def _is_anothers(self, table: Table, column: str) -> bool:
        """Whether a column's name is that of another table's key, rather than of this one's."""
        others = (each for each in self._tables.values() if each is not table)
        own = says(table, column, table)
        return any(says(table, column, other) > own for other in others)

    def _by_rank(
        self, table: Table, sample: Sample, unique: Sequence[str]
    ) -> Iterator[tuple[str, ...]]:
        """What may be the key, the likeliest first: names before numbers that happen to differ."""
        yield from ((name,) for name in unique if is_key_like(table, name))
        combined = list(self._combined(table, sample))
        by_name = [each for each in combined if all(is_key_like(table, name) for name in each)]
        yield from by_name
        yield from ((name,) for name in unique if not is_key_like(table, name))
        yield from (each for each in combined if each not in by_name)

    def _tell_others(self, table: Table, key: tuple[str, ...], ranked: Sequence[str]) -> None:
        others = [f"`{name}`" for name in ranked if name not in key and len(key) == 1]
        if others:
            self._remarks[table.parts].append(f"unique in the rows seen, too: {', '.join(others)}")

    def _combined(self, table: Table, sample: Sample) -> Iterator[tuple[str, ...]]:
        """Combinations of columns that are unique in the sample: the fewest, the tightest first.

        A number that happens to differ has many values; what counts the rows of a parent has few.
        """
        order = [column.name for column in table.columns]
        wanted = [
            name
            for name in sample.values
            if sample.values[name] == sample.rows and not (sample.is_all and sample.is_unique(name))
        ]
        wanted.sort(key=lambda name: (not is_key_like(table, name), order.index(name)))
        wanted = wanted[:MOST_KEY_COLUMNS]
        for size in range(2, MOST_PARTS + 1):
            sets = list(combinations(wanted, size))
            distinct = self._distinct(table, sets)
            found = [each for each, n in zip(sets, distinct, strict=True) if n == sample.rows]
            found.sort(key=lambda names: math.prod(sample.different[name] for name in names))
            yield from (tuple(sorted(each, key=order.index)) for each in found)
            if found:
                return

    def _distinct(self, table: Table, sets: Sequence[tuple[str, ...]]) -> list[int]:
        if not sets:
            return []
        names = sorted({name for each in sets for name in each})
        counts = [_count_distinct(each) for each in sets]
        [row] = self._place.ask(_select(counts, self._rows(table, names, whole=False)))
        return [int(n) for n in row]

    def _unique(self, table: Table, columns: tuple[str, ...], sample: Sample) -> str | None:
        """The evidence that columns tell all rows apart, or nothing."""
        if sample.is_all:
            return f"unique in {sample.rows:,} of {sample.rows:,} rows"
        if self._quick:
            return f"unique in the first {sample.rows:,} rows"
        counted: list[exp.Expr] = [exp.Count(this=exp.Star()), _count_distinct(columns)]
        [(rows, different)] = self._place.ask(
            _select(counted, self._rows(table, columns, whole=True))
        )
        return f"unique in {rows:,} of {rows:,} rows" if rows == different else None

    def _sample(self, table: Table, names: Sequence[str]) -> Sample:
        if table.parts not in self._samples:
            counts: list[exp.Expr] = [exp.Count(this=exp.Star())]
            counts += [exp.Count(this=_column(name)) for name in names]
            counts += [_count_distinct((name,)) for name in names]
            [row] = self._place.ask(_select(counts, self._rows(table, names, whole=False)))
            rows, *numbers = map(int, row)
            values = dict(zip(names, numbers, strict=False))
            different = dict(zip(names, numbers[len(names) :], strict=True))
            self._samples[table.parts] = Sample(rows, rows < self._most, values, different)
        return self._samples[table.parts]

    # --- joins --------------------------------------------------------------------------------------

    def _links(self, table: Table, keys: dict[Parts, Key]) -> Iterator[Link]:
        declared = [key for key in table.foreign_keys if self._is_readable(table, key)]
        for key in declared:
            yield self._link(table, key.columns, key.table, key.there, "declared", keys)
        said = {key.columns for key in declared}
        for columns, targets in self._guesses(table, keys).items():
            if columns in said:
                continue
            for target in targets:
                there = keys[target].columns
                seen, borne = self._borne_out(table, columns, self._tables[target], there)
                counted = f"{borne:,} of {seen:,} rows find one"
                if seen and borne >= BORNE_OUT * seen:
                    yield self._link(table, columns, target, there, counted, keys)
                    break
                named = f"`{'`, `'.join(columns)}` looks like a key of `{target[-1]}`"
                why = f"but only {counted}" if seen else "but no row has a value"
                self._remarks[table.parts].append(f"no join: {named}, {why}")

    def _is_readable(self, table: Table, key: ForeignKey) -> bool:
        """Whether both sides are looked at, and of types that the language has."""
        target = self._tables.get(key.table)
        if target is None:
            return False
        columns = [*map(table.column, key.columns), *map(target.column, key.there)]
        return all(column.type is not None for column in columns)

    def _link(
        self,
        table: Table,
        columns: tuple[str, ...],
        target: Parts,
        there: tuple[str, ...],
        why: str,
        keys: dict[Parts, Key],
    ) -> Link:
        is_key = set(columns) >= set(keys[table.parts].columns)
        return Link(table.parts, columns, target, there, why, to_one_back=is_key)

    def _guesses(self, table: Table, keys: dict[Parts, Key]) -> dict[tuple[str, ...], list[Parts]]:
        """The tables that columns may name rows of, those first whose names say so most."""
        found: dict[tuple[str, ...], list[tuple[int, Parts]]] = {}
        for parts, target in self._tables.items():
            key = keys[parts]
            if key.is_guess:
                continue
            for columns, weight in _matches(table, target, key.columns):
                is_itself = parts == table.parts and set(columns) & set(key.columns)
                # One key of two tables: the one that is called so is the one that is named.
                is_own = set(columns) >= set(keys[table.parts].columns) and len(columns) == 1
                if not is_itself and (weight == SURE or not is_own):
                    found.setdefault(columns, []).append((-weight, parts))
        return {columns: [parts for _, parts in sorted(each)] for columns, each in found.items()}

    def _borne_out(
        self, table: Table, columns: tuple[str, ...], target: Table, there: tuple[str, ...]
    ) -> tuple[int, int]:
        """Of how many rows that have a value, and how many of them find one: of the sample, then of all."""
        seen, borne = self._inclusion(table, columns, target, there, whole=False)
        is_all = self._quick or seen == 0 or borne < BORNE_OUT * seen
        sample = self._samples.get(table.parts)
        if is_all or (sample is not None and sample.is_all):
            return seen, borne
        return self._inclusion(table, columns, target, there, whole=True)

    def _inclusion(
        self,
        table: Table,
        columns: tuple[str, ...],
        target: Table,
        there: tuple[str, ...],
        *,
        whole: bool,
    ) -> tuple[int, int]:
        values: list[exp.Expr] = [
            exp.alias_(_column(name), f"h{n}") for n, name in enumerate(columns)
        ]
        counted = exp.alias_(exp.Count(this=exp.Star()), "n")
        grouped = _select([*values, counted], self._rows(table, columns, whole=whole))
        grouped = grouped.where(*(_column(name).is_(exp.null()).not_() for name in columns))
        grouped = grouped.group_by(*(_column(name) for name in columns))
        others = [exp.alias_(_column(name), f"t{n}") for n, name in enumerate(there)]
        keys = _select(list(others), self._rows(target, there, whole=True))
        if target.is_log:
            keys = keys.distinct()
        on = [exp.column(f"h{n}", "h").eq(exp.column(f"t{n}", "t")) for n in range(len(columns))]
        has_one = exp.Not(this=exp.Is(this=exp.column("t0", "t"), expression=exp.null()))
        found = exp.Case(ifs=[exp.If(this=has_one, true=exp.column("n", "h"))])
        query = (
            exp.select(
                exp.func("COALESCE", exp.Sum(this=exp.column("n", "h")), exp.Literal.number(0)),
                exp.func("COALESCE", exp.Sum(this=found), exp.Literal.number(0)),
            )
            .from_(grouped.subquery("h"))
            .join(keys.subquery("t"), on=exp.and_(*on), join_type="left")
        )
        [(seen, borne)] = self._place.ask(query)
        return int(seen), int(borne)

    def _rows(self, table: Table, names: Sequence[str], *, whole: bool) -> exp.Expr:
        """A table's columns, of all rows or of the first ones."""
        source = table.source or exp.Table(
            **dict(
                zip(("this", "db", "catalog"), map(_quoted, reversed(table.parts)), strict=False)
            )
        )
        if whole:
            return source.copy()
        shown: list[exp.Expr] = [_column(name) for name in names] or [exp.Literal.number(1)]
        return _select(shown, source.copy()).limit(self._most).subquery("first_rows")


def _may_be_key(column: Column) -> bool:
    type_ = column.type
    return type_ is not None and type_.name in _KEY_TYPES and type_.scale == 0


def _matches(
    table: Table, target: Table, key: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], int]]:
    """Columns that may be a key of another table, by name and type, and how much speaks for it."""
    if len(key) == 1:
        for column in table.columns:
            weight = evidence(table, column.name, target, key[0])
            if weight and _fits(column, target.column(key[0])):
                yield (column.name,), weight
        return
    if table.parts == target.parts:
        return
    chosen: list[str] = []
    for part in key:
        fitting = [
            column.name
            for column in table.columns
            if column.name not in chosen
            and _fits(column, target.column(part))
            and (evidence(table, column.name, target, part) >= 3 or column.name == part)
        ]
        if not fitting:
            return
        chosen.append(fitting[0])
    yield tuple(chosen), SURE


def _fits(column: Column, other: Column) -> bool:
    """Whether two columns can be compared: texts of any kind, but a UUID only with another."""
    if column.type is None or column.type != other.type:
        return False
    one, two = (re.sub(r"\(.*", "", each.declared).lower().strip() for each in (column, other))
    return column.type != STRING or one == two or {one, two} <= _TEXTS


_TEXTS = {"varchar", "text", "char", "character varying", "character", "bpchar", "string"}


# --- SQL ----------------------------------------------------------------------------------------------


def _quoted(name: str) -> exp.Identifier:
    return exp.to_identifier(name, quoted=True)


def _column(name: str) -> exp.Column:
    return exp.Column(this=_quoted(name))


def _select(columns: list[exp.Expr], source: exp.Expr) -> exp.Select:
    return exp.select(*columns).from_(source)


def _count_distinct(names: Sequence[str]) -> exp.Expr:
    values = [_column(name) for name in names]
    if len(values) == 1:
        return exp.Count(this=exp.Distinct(expressions=list(values)))
    return exp.Count(this=exp.Distinct(expressions=[exp.Tuple(expressions=list(values))]))
