"""What a data source says of its data: keys, fields that are never NULL, values, to-one joins. PURE.

`proofs` writes the SQL that finds where a claim does not hold; what is told of it is here. A join
by a declared key needs no claim of its own where that key is proven, so one mistake is told once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from genesis.compile.compare import typed_literal
from genesis.compile.joins import covers_a_key, fans_out, key_pairs, target_name
from genesis.errors import Location, Problem, Severity
from genesis.spec.data_source import DataSource
from genesis.spec.project import Project
from genesis.spec.types import Type


@dataclass(frozen=True, eq=False)
class Unique:
    """No two records share a key; a key with a NULL in it is none."""

    source: DataSource
    key: tuple[str, ...]
    at: Location


@dataclass(frozen=True, eq=False)
class NotNull:
    """A field is never NULL."""

    source: DataSource
    field: str
    at: Location


@dataclass(frozen=True, eq=False)
class Among:
    """A field has its declared values only."""

    source: DataSource
    field: str
    at: Location


@dataclass(frozen=True, eq=False)
class ToOne:
    """A record has one related row at most; `backward`, a related row belongs to one record at most."""

    source: DataSource
    join: str
    target: DataSource
    at: Location
    backward: bool = False


@dataclass(frozen=True, eq=False)
class Apart:
    """The intervals of one key, among which an `as_of` join chooses, do not overlap."""

    source: DataSource
    join: str
    target: DataSource
    at: Location


Counted = Unique | NotNull | Among
Listed = ToOne | Apart
Claim = Counted | Listed


def claims_of(project: Project, source: DataSource, proven: Collection[str]) -> Iterator[Claim]:
    """What a data source says of its data; `proven` are those whose keys are proven too."""
    yield from _keys(source)
    yield from _fields(source)
    for name in source.joins:
        target = project.data_sources.get(target_name(source, name))
        if target is not None:
            yield from _join(source, name, target, proven)


def _keys(source: DataSource) -> Iterator[Claim]:
    at = source.locate("primary_key")
    # The newest record of each key is one record.
    if source.latest is None or any(source.fields[name].sql for name in source.primary_key):
        yield Unique(source, source.primary_key, at)
    for position, key in enumerate(source.unique_keys):
        yield Unique(source, key, source.locate("unique_keys", position))
    for name in source.primary_key:
        yield NotNull(source, name, at)


def _fields(source: DataSource) -> Iterator[Claim]:
    for name, field in source.fields.items():
        if not field.nullable and name not in source.primary_key:
            yield NotNull(source, name, source.locate("fields", name, "nullable"))
        if field.values and all(_is_value(one, field.type) for one in field.values):
            yield Among(source, name, source.locate("fields", name, "values"))


def _is_value(value: Any, type_: Type) -> bool:
    try:
        typed_literal(value, type_)
    except ValueError:
        return False
    return True


def _join(
    source: DataSource, name: str, target: DataSource, proven: Collection[str]
) -> Iterator[Claim]:
    join = source.joins[name]
    if join.as_of is not None:
        yield Apart(source, name, target, source.locate_key("joins", name, "as_of"))
        return
    if join.pick is not None:
        return
    stated = join.relationship
    at = (
        source.locate("joins", name, "relationship") if stated else source.locate_key("joins", name)
    )
    here, there = ({pair[side] for pair in key_pairs(join)} for side in (0, 1))
    is_by_proven_key = covers_a_key(target, there) and target.name in proven
    if not fans_out(source, name, target) and not is_by_proven_key:
        yield ToOne(source, name, target, at)
    if stated is not None and stated.startswith("one_") and not covers_a_key(source, here):
        yield ToOne(source, name, target, at, backward=True)


def named_fields(claim: Claim) -> list[tuple[DataSource, str]]:
    """The fields whose values say for what a claim does not hold."""
    match claim:
        case Unique(source, key):
            return [(source, name) for name in key]
        case Among(source, field):
            return [(source, field)]
        case ToOne(target=target, backward=True):
            return [(target, name) for name in target.primary_key]
        case Apart(source, join, target):
            return [(target, there) for _, there in key_pairs(source.joins[join])]
    return [(claim.source, name) for name in claim.source.primary_key]


# --- what is told ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Offenders:
    """For what a claim does not hold: a few by the values of `named_fields`, with their number of rows."""

    few: tuple[tuple[tuple[Any, ...], int], ...]
    total: int


def broken_claim(claim: Claim, found: Offenders, masked: Mapping[tuple[str, str], bool]) -> Problem:
    """What is told of a claim that does not hold. Values of `masked` fields are not shown."""
    fields = named_fields(claim)
    hidden = [masked[source.name, name] for source, name in fields]
    named = f"`{', '.join(name for _, name in fields)}`"
    listed = _listed(found, hidden)
    owner = f"data source `{claim.source.name}`"
    match claim:
        case Unique():
            message = f"the key {named} of {owner} is not unique: {listed}"
            return Problem("data-not-unique", message, claim.at, _key_hint(claim))
        case NotNull(field=field):
            is_all_of_key = claim.source.primary_key == (field,)
            where = _rows(found.few[0][1]) if is_all_of_key else f"where {named} is {listed}"
            message = f"`{field}` of {owner} is NULL: {where}"
            hint = "reports of it are wrong: mend the data, or let a `where` leave such records out"
            if field not in claim.source.primary_key:
                hint = "mend the data, or take `nullable: false` away"
            return Problem("data-null", message, claim.at, hint)
        case Among(field=field):
            message = f"`{field}` of {owner} has values that are not declared: {listed}"
            hint = "add them to `values`, or mend the data"
            return Problem("data-wrong-value", message, claim.at, hint, _WARNING)
        case ToOne(join=join, target=target, backward=False):
            message = f"join `{join}` leads to more than one `{target.name}`: from {named} {listed}"
            hint = "`pick` chooses one of many; a join to many is `one_to_many`"
            return Problem("data-not-to-one", message, claim.at, hint)
        case ToOne(join=join, target=target):
            message = f"join `{join}` leads from more than one record of {owner} to one `{target.name}`: to {named} {listed}"
            stated = str(claim.source.joins[join].relationship)
            hint = f"`{stated.replace('one_to', 'many_to', 1)}` says that records share it"
            return Problem("data-not-to-one", message, claim.at, hint)
        case Apart(join=join, target=target):
            # A join by `sql` has no fields to name them by.
            among = f": for {named} {listed}" if fields else ""
            message = (
                f"intervals of `{target.name}` that join `{join}` chooses among overlap{among}"
            )
            hint = "of those that overlap, the one with the latest `from` wins"
            return Problem("data-overlap", message, claim.at, hint, _WARNING)


_WARNING: Severity = "warning"


def _key_hint(claim: Unique) -> str:
    if claim.key != claim.source.primary_key:
        return "mend the data, or take the key out of `unique_keys`"
    if claim.source.latest is None and claim.source.table is not None:
        return "a key of more fields tells them apart; of a change log, `latest: true` keeps the newest"
    return "a key of more fields tells them apart"


def _listed(found: Offenders, hidden: Sequence[bool]) -> str:
    """`7` (3 records), `9` (2 records) and 12 more."""
    shown = [
        f"`{', '.join('***' if hide else _text(value) for value, hide in zip(key, hidden, strict=True))}`"
        + (f" ({_rows(rows)})" if rows > 1 else "")
        for key, rows in found.few
    ]
    more = found.total - len(shown)
    if more:
        return f"{', '.join(shown)} and {more:,} more"
    return " and ".join([*([", ".join(shown[:-1])] if shown[1:] else []), shown[-1]])


def _rows(number: int) -> str:
    return f"{number:,} record{'' if number == 1 else 's'}"


def _text(value: object) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).lower()
        case datetime():
            return value.isoformat(sep=" ")
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


_LONGEST = 40  # characters of a value
