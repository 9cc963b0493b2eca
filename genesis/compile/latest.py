"""The newest record of every key of a change log, as SQL. PURE.

Two plans with the same rows: `newest_by_rank` is for every engine and the one to read,
`newest_in_phases` is for DuckDB, at a third of the cost, and spares it what a compaction has ranked
already. Both rank before anything else touches the rows and drop deleted keys after it: a delete
dropped before would let an older record win. The surprise: phases are statements of their own, because
in one DuckDB hashes all events where it should hash the winners, at five times the memory.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

import sqlglot
from sqlglot import exp

from genesis.compile.identifiers import Names, identifier, table_parts
from genesis.spec.data_source import Latest

POSITION_ORDER = ("_ts", "_pos")

# What `newest_in_phases` reads is a change log with a column more: whether a compaction has left this
# event as the only one of its key. It is NULL in all of a log that has no such events.
BASE = "_genesis_base"


def with_base(name: str) -> str:
    """What a log is called where it has that column."""
    return f"{name}$base"


def view_of(table: str) -> str:
    """What the view of a log's newest records is called, as definitions name tables."""
    *schema, name = table_parts(table)
    return ".".join(identifier(part).sql() for part in (*schema, f"{name}_latest"))


def has_positions(latest: Latest) -> bool:
    """Whether two phases can find the newest records: `_pos` then tells every event from all others."""
    return latest.order_by == POSITION_ORDER


def drops_heartbeats(latest: Latest, *, dialect: str = "trino") -> bool:
    """Whether events of kind `h` are left out before records are ranked."""
    return bool(list(_heartbeat(latest, _deleted(latest.deleted, dialect))))


def log_columns(
    columns: Sequence[str], key: Sequence[str], latest: Latest, *, dialect: str = "trino"
) -> frozenset[str]:
    """The raw columns that either plan reads to give `columns`."""
    return frozenset([*columns, *key, *latest.order_by, *_named_in_conditions(latest, dialect)])


@functools.lru_cache(maxsize=256)
def _named_in_conditions(latest: Latest, dialect: str) -> frozenset[str]:
    deleted = _deleted(latest.deleted, dialect)
    conditions = [*_ranked_events(latest, deleted, None), *_not_deleted(deleted)]
    return frozenset(name for condition in conditions for name in _columns_in(condition))


def newest_by_rank(
    table: exp.Table,
    columns: Sequence[str],
    key: Sequence[str],
    latest: Latest,
    as_of: datetime | None = None,
    *,
    dialect: str = "trino",
) -> exp.Select:
    """The `columns` of each key's newest record, of those up to and including `as_of`.

    `dialect` is the one that `latest.deleted` is written in.
    """
    deleted = _deleted(latest.deleted, dialect)
    read = list(dict.fromkeys([*columns, *_columns_in(deleted)]))
    rank = Names(frozenset(name.lower() for name in read)).take("_rank")
    numbered = exp.Alias(
        this=_rank(list(map(_column, key)), latest.order_by), alias=identifier(rank)
    )
    events = _select(
        [*map(_column, read), numbered], table.copy(), _ranked_events(latest, deleted, as_of)
    )
    newest = exp.Subquery(this=events, alias=exp.TableAlias(this=identifier("_ranked")))
    return _select(
        list(map(_column, columns)), newest, [_is_first(_column(rank)), *_not_deleted(deleted)]
    )


def newest_in_phases(
    table: exp.Table,
    columns: Sequence[str],
    key: Sequence[str],
    latest: Latest,
    as_of: datetime | None = None,
    *,
    winners: str,
    repeats: bool = False,
    dialect: str = "trino",
) -> tuple[tuple[exp.Create, ...], exp.Query]:
    """The same for DuckDB and a log that `has_positions`: what to run first, then the query.

    The log says with `BASE` what a compaction by the same rules has left alone; only keys of which something
    has landed since are ranked, and no part of their `key` may be NULL. Without a base DuckDB sees that it need not
    look for one. `winners` is the temporary table of the newest events, `winners` and `_touched` that of those keys.
    Where nothing but keys is asked for, only those with a delete among their events, `winners` and `_doubtful`, are ranked;
    with `repeats` the others come as often as there are events, since to tell a million keys apart takes five times as long as to read them.
    """
    deleted = _deleted(latest.deleted, dialect)
    events = list(_ranked_events(latest, deleted, as_of))
    is_of_keys = set(columns) <= set(key)
    conditions = [*events, *(_not_deleted(deleted) if is_of_keys else ())]
    read = list(
        dict.fromkeys([*key, *POSITION_ORDER, *(n for c in conditions for n in _columns_in(c))])
    )
    touched = f"{winners}_touched"
    in_base = _column(BASE)
    landed_since = _select(list(map(_column, key)), table.copy(), [exp.Not(this=in_base)])
    landed_since.set("distinct", exp.Distinct())
    tail = _select(list(map(_column, read)), table.copy(), [exp.Not(this=_is_true(in_base))])
    again = _select(list(map(_column, read)), table.copy(), [in_base.copy()])
    again.append("joins", _by_key("SEMI", touched, key))
    ranked = exp.Subquery(
        this=_all_of(tail, again), alias=exp.TableAlias(this=identifier("_ranked"))
    )
    shown: list[exp.Expr] = list(map(_column, columns))
    alone = _select(
        [column.copy() for column in shown],
        table.copy(),
        [in_base.copy(), *_ranked_events(latest, deleted, as_of), *_not_deleted(deleted)],
    )
    alone.append("joins", _by_key("ANTI", touched, key))
    touched_keys = _temporary(touched, landed_since)
    groups = exp.Group(expressions=list(map(_column, key)))
    if is_of_keys:
        every = _select(shown, ranked, events)
        won = every.copy()
        won.set("group", groups)
        never_deleted = every if repeats else won.copy()
        if deleted is None:
            return (touched_keys,), _all_of(never_deleted, alone)
        doubtful = f"{winners}_doubtful"
        ever_deleted = _select(list(map(_column, key)), table.copy(), [deleted.copy()])
        ever_deleted.set("distinct", exp.Distinct())
        never_deleted.append("joins", _by_key("ANTI", doubtful, key))
        won.append("joins", _by_key("SEMI", doubtful, key))
        won.set("having", exp.Having(this=_newest_is_kept(deleted)))
        setup = (touched_keys, _temporary(doubtful, ever_deleted))
        return setup, _all_of(_all_of(never_deleted, won), alone)
    newest = _select([exp.alias_(_newest_position(), identifier("_pos"))], ranked, events)
    newest.set("group", groups)
    won = _select(shown, table.copy(), [_is_among(winners), *_not_deleted(deleted)])
    return (touched_keys, _temporary(winners, newest)), _all_of(won, alone)


def surviving_events(
    table: exp.Table,
    key: Sequence[str],
    latest: Latest,
    *,
    locator: str,
    dialect: str = "trino",
) -> exp.Select:
    """The `locator` of each event that a compaction of the log keeps.

    That is the newest of every key, a delete too, and its newest heartbeat. No two events share a locator.
    """
    groups = _survivors_of(key, latest, dialect)
    if locator == "_pos" and has_positions(latest):
        position = exp.alias_(_newest_position(), identifier(locator))
        newest = _select([position], table.copy(), [])
        newest.set("group", exp.Group(expressions=groups))
        return newest
    survivors = _select([_column(locator)], table.copy(), [])
    ranked = _rank(groups, (*latest.order_by, locator))
    survivors.set("qualify", exp.Qualify(this=_is_first(ranked)))
    return survivors


def survivors_by_rank(
    source: exp.Expr,
    columns: Sequence[str],
    key: Sequence[str],
    latest: Latest,
    *,
    dialect: str = "trino",
) -> exp.Select:
    """The `columns` of the same events for any engine; of two that nothing tells apart, one of them."""
    rank = Names(frozenset(name.lower() for name in columns)).take("_rank")
    ranked = _rank(_survivors_of(key, latest, dialect), latest.order_by)
    shown: list[exp.Expr] = list(map(_column, columns))
    events = _select([*shown, exp.alias_(ranked, identifier(rank))], source, [])
    newest = exp.Subquery(this=events, alias=exp.TableAlias(this=identifier("_ranked")))
    return _select([column.copy() for column in shown], newest, [_is_first(_column(rank))])


def _survivors_of(key: Sequence[str], latest: Latest, dialect: str) -> list[exp.Expr]:
    """What a compaction keeps one event of each of."""
    return [*map(_column, key), *_heartbeat(latest, _deleted(latest.deleted, dialect))]


def _rank(groups: list[exp.Expr], order_by: Iterable[str]) -> exp.Window:
    """The place of an event in its group, the newest first."""
    newest_first = [
        exp.Ordered(this=_column(name), desc=True, nulls_first=False) for name in order_by
    ]
    return exp.Window(
        this=exp.RowNumber(),
        partition_by=groups,
        order=exp.Order(expressions=newest_first),
        over="OVER",
    )


def _is_first(rank: exp.Expr) -> exp.Expr:
    return exp.EQ(this=rank, expression=exp.Literal.number(1))


def rules_text(key: Sequence[str], latest: Latest) -> str:
    """By what rules the newest records are told, as text: equal ones give equal records."""
    return json.dumps([list(key), list(latest.order_by), latest.deleted], ensure_ascii=False)


def is_delete(latest: Latest, *, dialect: str = "trino") -> exp.Expr | None:
    """The condition that an event deletes its key, never NULL; nothing where no event does."""
    deleted = _deleted(latest.deleted, dialect)
    if deleted is None:
        return None
    return exp.Coalesce(this=deleted.copy(), expressions=[exp.false()])


def _select(
    columns: list[exp.Expr], source: exp.Expr, conditions: Iterable[exp.Expr]
) -> exp.Select:
    """One SELECT, node by node: the builders of sqlglot copy what they are given."""
    select = exp.Select(expressions=columns)
    select.set("from_", exp.From(this=source))
    if where := list(conditions):
        select.set("where", exp.Where(this=exp.and_(*where, copy=False)))
    return select


def _temporary(name: str, query: exp.Query) -> exp.Create:
    return exp.Create(
        this=exp.Table(this=identifier(name)),
        kind="TABLE",
        expression=query,
        properties=exp.Properties(expressions=[exp.TemporaryProperty()]),
    )


def _is_among(winners: str) -> exp.Expr:
    won = _select([_column("_pos")], exp.Table(this=identifier(winners)), [])
    return exp.In(this=_column("_pos"), query=exp.Subquery(this=won))


def _is_true(condition: exp.Expr) -> exp.Expr:
    return exp.Coalesce(this=condition.copy(), expressions=[exp.false()])


def _by_key(kind: str, name: str, key: Sequence[str]) -> exp.Join:
    using = [identifier(column) for column in key]
    return exp.Join(this=exp.Table(this=identifier(name)), kind=kind, using=using)


def _all_of(first: exp.Query, second: exp.Query) -> exp.Union:
    return exp.Union(this=first, expression=second, distinct=False)


def _newest_position() -> exp.Expr:
    """The `_pos` of a group's newest event, by way of one number that sorts as time and position do.

    `_pos` has 63 bits, the time comes above them. It is multiplied, not shifted, because times
    before 1970 are negative and DuckDB shifts no such number; the mask takes them off all the same.
    """
    mask = exp.Literal.number(2**63 - 1)
    newest = exp.Max(this=_packed())
    return exp.cast(exp.BitwiseAnd(this=newest, expression=mask), "bigint")


def _newest_is_kept(deleted: exp.Expr) -> exp.Expr:
    """The condition that a group's newest event deletes nothing: it is the last bit of such a number."""
    is_delete = exp.Coalesce(this=deleted.copy(), expressions=[exp.false()])
    one, none = exp.Literal.number(1), exp.Literal.number(0)
    bit = exp.Case(ifs=[exp.If(this=is_delete, true=one)], default=none)
    doubled = exp.Mul(this=exp.Paren(this=_packed()), expression=exp.Literal.number(2))
    newest = exp.Max(this=exp.Add(this=doubled, expression=bit))
    last = exp.Paren(this=exp.BitwiseAnd(this=newest, expression=one.copy()))
    return exp.EQ(this=last, expression=none.copy())


def _packed() -> exp.Expr:
    time = exp.Cast(
        this=exp.Anonymous(this="EPOCH_US", expressions=[_column("_ts")]),
        to=exp.DataType(this=exp.DType.INT128),
    )
    above = exp.Mul(this=time, expression=exp.Literal.number(2**63))
    return exp.Add(this=above, expression=_column("_pos"))


def _ranked_events(
    latest: Latest, deleted: exp.Expr | None, as_of: datetime | None
) -> Iterator[exp.Expr]:
    """Which events are ranked at all: no heartbeats, and nothing that came after `as_of`."""
    for heartbeat in _heartbeat(latest, deleted):
        yield exp.NullSafeNEQ(this=heartbeat.this, expression=heartbeat.expression)
    if as_of is not None:
        yield exp.LTE(this=_column(latest.order_by[0]), expression=instant(as_of))


def _heartbeat(latest: Latest, deleted: exp.Expr | None) -> Iterator[exp.NullSafeEQ]:
    """The condition that an event is a heartbeat, in a log that may have some."""
    if "_pos" in latest.order_by or "_op" in _columns_in(deleted):
        yield exp.NullSafeEQ(this=_column("_op"), expression=exp.Literal.string("h"))


@functools.lru_cache(maxsize=256)
def _deleted(condition: str | None, dialect: str) -> exp.Expr | None:
    """The condition that says of a newest record that its key is gone; not to be changed."""
    if condition is None:
        return None
    tree = sqlglot.parse_one(condition, dialect=dialect)
    return tree.transform(lambda node: _column(node.name) if isinstance(node, exp.Column) else node)


def _not_deleted(deleted: exp.Expr | None) -> Iterator[exp.Expr]:
    if deleted is not None:  # NULL is no word for deleted
        unknown_is_not = exp.Coalesce(this=deleted.copy(), expressions=[exp.false()])
        yield exp.Not(this=unknown_is_not)


def _columns_in(condition: exp.Expr | None) -> list[str]:
    return [] if condition is None else [column.name for column in condition.find_all(exp.Column)]


def _column(name: str) -> exp.Column:
    return exp.Column(this=identifier(name))


def instant(moment: datetime) -> exp.Expr:
    """A moment as SQL; without a zone it is in UTC. Trino would round it to milliseconds if let."""
    known = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return exp.Cast(
        this=exp.Literal.string(known.isoformat(sep=" ")),
        to=exp.DataType.build("timestamptz(6)"),
    )
