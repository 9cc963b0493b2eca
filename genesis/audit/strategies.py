"""Three ways to find where two sides differ, which find the same.

`keys` reads all keys, `rows` all rows; `checksums` has both sides sum up hashes of their own rows and
reads only the segments whose sums differ, for a source that is far away. The comparison itself is
one join, here. The surprise: whatever is found, only the first ten thousand keys are listed; what is
remembered of earlier runs is listed always, or it would seem to have healed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from typing import Any, Literal, TypeVar

import duckdb
import pyarrow as pa
from sqlglot import exp

from genesis.audit.decide import KINDS, Finding, Findings, Key, Kind, Strategy
from genesis.audit.sets import Keys, differing
from genesis.audit.sides import Side, segments_for
from genesis.lake.duck import in_memory, lock_down
from genesis.spec.types import Type

T = TypeVar("T")
Shown = Literal["text", "float", "date", "timestamp", "hidden"]

# How a part of a key, `{x}` as the sides write it, is shown to people.
_SHOWN: dict[Shown, str] = {
    "text": "CAST({x} AS VARCHAR)",
    "float": "COALESCE(CAST(CAST(CAST(TRY_CAST({x} AS BIGINT) AS BIT) AS DOUBLE) AS VARCHAR), {x})",
    "date": "COALESCE(CAST(DATE '1970-01-01' + TRY_CAST({x} AS INTEGER) AS VARCHAR), {x})",
    "timestamp": "COALESCE(CAST(MAKE_TIMESTAMP(TRY_CAST({x} AS BIGINT)) AS VARCHAR), {x})",
    "hidden": "'#' || LEFT(MD5(CAST({x} AS VARCHAR)), 12)",
}

LISTED = 10_000  # keys of one audit that are told and remembered


def find_differences(
    here: Side,
    there: Side,
    strategy: Strategy,
    *,
    columns: tuple[str, ...] = (),
    shown: tuple[Shown, ...] = (),
    remembered: Collection[Key] = (),
    since: datetime | None = None,
) -> Findings:
    """Where the records here are not those of the source. Raises what its sides raise.

    `columns` name the values of `rows`; `remembered` are keys that are listed whatever comes before.
    What changed in the source `since` a moment is left out.
    """
    with ThreadPoolExecutor(max_workers=1) as aside:

        def both(ask: Callable[[Side], T]) -> tuple[T, T]:
            """What both sides answer, asked at once."""
            waiting = aside.submit(ask, there)
            found = ask(here)
            return found, waiting.result()

        match strategy:
            case "keys":
                ours, theirs = differing(*both(lambda side: Keys.of(side.keys())))
                if not len(ours) and not len(theirs):
                    return Findings.of()
            case "rows":
                ours, theirs = both(lambda side: side.rows())
            case "checksums":
                segments = segments_for(max(both(lambda side: side.count())))
                which = _differing_segments(*both(lambda side: side.sums(segments)))
                if not which:
                    return Findings.of()
                ours, theirs = both(lambda side: side.hashes(segments, which))
    named = columns if strategy == "rows" else ()
    with closing(in_memory()) as duck:
        young = theirs.slice(0, 0) if since is None else there.young(since)
        return _Comparison(duck, ours, theirs, young, named, shown).findings(remembered)


def _differing_segments(ours: pa.Table, theirs: pa.Table) -> list[int]:
    """The segments whose number of records or sum of hashes is not the same."""
    mine, other = (
        {segment: sums for segment, *sums in zip(*table.to_pydict().values(), strict=True)}
        for table in (ours, theirs)
    )
    segments = sorted({*mine, *other})
    return [segment for segment in segments if mine.get(segment) != other.get(segment)]


class _Comparison:
    """Two tables of keys and values in a DuckDB, joined by key."""

    def __init__(
        self,
        duck: duckdb.DuckDBPyConnection,
        ours: pa.Table,
        theirs: pa.Table,
        young: pa.Table,
        columns: tuple[str, ...],
        shown: tuple[Shown, ...],
    ) -> None:
        self._duck = duck
        self._columns = columns
        self._keys = [name for name in ours.column_names if name.startswith("k")]
        kinds: Sequence[Shown] = shown or ["text" for _ in self._keys]
        shown_keys = (_SHOWN[kind].format(x=x) for kind, x in zip(kinds, self._keys, strict=True))
        self._shown = tuple(shown_keys)
        self._values = [name for name in ours.column_names if name.startswith("v")]
        self._is_text = ours.schema.types != theirs.schema.types
        for name, table in (("ours", ours), ("theirs", theirs), ("young", young)):
            duck.register(f"{name}_raw", table)
        lock_down(duck, [])

    def findings(self, remembered: Collection[Key]) -> Findings:
        self._create("TABLE", "found", self._join())
        is_old = exp.not_(exp.column("is_young"))
        counted = exp.select("kind", "COUNT(*)").from_("found").where(is_old).group_by("kind")
        counts: dict[Kind, int] = {**dict.fromkeys(KINDS, 0), **dict(self._fetch(counted))}
        listed = list(self._listed(is_old, LISTED))
        known = set(remembered)
        if sum(counts.values()) > len(listed):
            first = {found.key for found in listed}
            listed += [f for f in self._listed(is_old) if f.key in known and f.key not in first]
        young = {found.key for found in self._listed(exp.column("is_young"))}
        return Findings(tuple(listed), counts, frozenset(young))

    def _listed(self, condition: exp.Expr, limit: int | None = None) -> Iterator[Finding]:
        width = len(self._keys)
        others = f"* EXCLUDE ({', '.join(self._keys)}, is_young)"
        rows = self._select(*self._shown, others).from_("found").where(condition)
        rows = rows.order_by(*self._keys)
        for row in self._fetch(rows.limit(limit) if limit else rows):
            key, (kind, theirs, ours, *flags) = row[:width], row[width:]
            named = zip(self._columns, flags, strict=True)
            yield Finding(
                key, kind, theirs, ours, tuple(name for name, differs in named if differs)
            )

    def _join(self) -> exp.Select:
        """Keys that are on one side only, or whose values differ."""
        keys, values = self._keys, self._values
        differs = [f"ours.{value} IS DISTINCT FROM theirs.{value}" for value in values]
        young = self._select("1").from_(self._side("young", keys))
        same = [f"young.{key} = COALESCE(theirs.{key}, ours.{key})" for key in keys]
        is_young = exp.Exists(this=young.where(*same, dialect="duckdb"))
        either = exp.or_("ours.here IS NULL", "theirs.here IS NULL", *differs, dialect="duckdb")
        return (
            self._select(
                *(f"COALESCE(theirs.{key}, ours.{key}) AS {key}" for key in keys),
                "CASE WHEN ours.here IS NULL THEN 'missing'"
                " WHEN theirs.here IS NULL THEN 'extra' ELSE 'differs' END AS kind",
                *(f"{self._hash(side)} AS {side}_hash" for side in ("theirs", "ours")),
                *(
                    f"COALESCE(ours.here AND theirs.here AND {is_other}, FALSE) AS d{n}"
                    for n, is_other in enumerate(differs if self._columns else ())
                ),
            )
            .select(exp.alias_(is_young, "is_young"))
            .from_(self._side("ours", (*keys, *values)))
            .join(
                self._side("theirs", (*keys, *values)),
                on=[f"ours.{key} = theirs.{key}" for key in keys],
                join_type="full",
                dialect="duckdb",
            )
            .where(either)
        )

    def _side(self, name: str, columns: Sequence[str]) -> exp.Subquery:
        """A side's keys and values; as text where the other side's are."""
        cells = [f"CAST({c} AS VARCHAR) AS {c}" if self._is_text else c for c in columns]
        return self._select(*cells, "TRUE AS here").from_(f"{name}_raw").subquery(name)

    def _hash(self, side: str) -> str:
        """What tells whether a record has moved on."""
        if not self._values:
            return "CAST(NULL AS VARCHAR)"
        texts = (f"CAST({side}.{value} AS VARCHAR)" for value in self._values)
        marked = ", ".join(f"COALESCE(REPLACE({text}, '~', '~0'), '~')" for text in texts)
        return f"CASE WHEN {side}.here THEN MD5(CONCAT_WS('~1', {marked})) END"

    def _select(self, *columns: str) -> exp.Select:
        return exp.select(*columns, dialect="duckdb")

    def _create(self, kind: str, name: str, query: exp.Select) -> None:
        create = exp.Create(this=exp.to_table(name), kind=kind, expression=query)
        self._duck.execute(create.sql("duckdb"))

    def _fetch(self, query: exp.Select) -> list[tuple[Any, ...]]:
        return self._duck.execute(query.sql("duckdb")).fetchall()


def shown_as(type_: Type) -> Shown:
    """How a key of a type is shown."""
    if type_.name in ("date", "float"):
        return "date" if type_.name == "date" else "float"
    return "timestamp" if type_.is_time else "text"
