"""Workflows that have another name now: what the state database has of them goes on under it.

A workflow says `renamed_from: A`; as long as nothing else is called `A`, all that stands under `A` or
under a job of it, `A.job`, is the workflow's. The keys of its runs are renamed too, so that no slot is
done twice. It happens in one transaction, and once: afterwards nothing is called `A`, so that every
scheduler may ask for it at each load. The surprise: where both names have something, the new one's stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

import genesis.run.triggers  # noqa: F401  # its tables are among those below
from genesis.compile.trackers import renamed
from genesis.run.ledger import runs
from genesis.run.state import State, metadata
from genesis.spec.project import Project

# What is known by the name of a workflow or a job, besides runs.
_NAMED = (
    ("trigger", "workflow"),
    ("pause", "name"),
    ("held", "job"),
    ("shape", "job"),
    ("alert", "subject"),
    ("mute", "subject"),
)
_LOCK = 4_915_006_001  # any number that is nobody else's: an advisory lock of PostgreSQL


def follow_renames(state: State, project: Project) -> tuple[str, ...]:
    """Let what stands under old names go on under the new ones; the old names of which there was something."""
    names = renamed(project)
    if not names:
        return ()
    with state.transaction() as connection:
        if connection.dialect.name == "postgresql":  # two nodes load a project at once
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        return tuple(old for old, new in names.items() if _rename(connection, old, new))


def _rename(connection: sa.Connection, old: str, new: str) -> bool:
    moved = _rename_runs(connection, old, new)
    for table, column in _NAMED:
        moved |= _rename_rows(connection, metadata.tables[table], column, old, new)
    return moved


def _rename_runs(connection: sa.Connection, old: str, new: str) -> bool:
    """Keys and slots begin with the name; `needs` is a list of keys."""
    other = runs.alias()
    taken = sa.exists().where(other.c.run_key == _with_name(runs.c.run_key, old, new))
    values = {column.name: _with_name(column, old, new) for column in (runs.c.run_key, runs.c.job)}
    values["slot"] = sa.case(
        (_is_of(runs.c.slot, old, "|."), _with_name(runs.c.slot, old, new)), else_=runs.c.slot
    )
    values["needs"] = sa.func.replace(runs.c.needs, f'"{old}.', f'"{new}.')
    moves = runs.update().where(_is_of(runs.c.job, old, "."), ~taken).values(values)
    return bool(connection.execute(moves).rowcount)


def _rename_rows(
    connection: sa.Connection, table: sa.Table, column: str, old: str, new: str
) -> bool:
    """Few rows, whose name is their key or a part of it."""
    is_named = sa.or_(table.c[column] == old, _is_of(table.c[column], old, "."))
    keys = sa.select(*table.primary_key).where(is_named)
    rows = [dict(row) for row in connection.execute(keys).mappings()]
    for row in rows:
        now = {**row, column: new + row[column].removeprefix(old)}
        if connection.execute(sa.select(table).where(*_is_row(table, now))).first():
            connection.execute(table.delete().where(*_is_row(table, row)))
        else:
            connection.execute(table.update().where(*_is_row(table, row)).values(now))
    return bool(rows)


def _is_row(table: sa.Table, key: Mapping[str, Any]) -> Iterator[sa.ColumnElement[bool]]:
    return (table.c[name] == value for name, value in key.items())


def _is_of(column: sa.ColumnElement[Any], name: str, ends: str) -> sa.ColumnElement[bool]:
    """Whether it begins with the name, and with one of the characters that end it."""
    return sa.or_(*(column.startswith(f"{name}{end}", autoescape=True) for end in ends))


def _with_name(column: sa.ColumnElement[Any], old: str, new: str) -> sa.ColumnElement[str]:
    return sa.literal(new).concat(sa.func.substr(column, len(old) + 1))
