"""What compiling gives: SQL text, the columns it returns, the tables it reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from genesis.spec.types import Type


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a report, in the order of the SQL's own columns.

    `name` is the SQL alias, `label` the header people see, `pattern` a display format
    (`MM/dd/yyyy`, `$#,##0.00`) for a value that stays typed. Key columns say which tracker row
    is which; hidden ones (`_key_...`) are no business of people.
    """

    name: str
    label: str
    type: Type
    pattern: str | None = None
    key: bool = False
    hidden: bool = False
    sensitivity: str | None = None


@dataclass(frozen=True, slots=True)
class Scan:
    """A table as the definition names it (`studio.production_events`), and the raw columns read.

    `columns` is sorted; `None` means all of them (a table inside a data source's own `sql`). `newest` are
    the rules, as `rules_text` has them, by which its newest records are told. A view is one of newest records.
    `as_of` is the moment that they are read of.
    """

    table: str
    columns: tuple[str, ...] | None
    newest: frozenset[str] = frozenset()
    is_view: bool = False
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """A compiled input. `setup` are statements to run first, in order; most dialects need none.

    They rely on what `genesis ingest` writes: each `_pos` of a log once. `unstaged` says the same as
    `setup` and `sql` of any log. They read logs `with_base`.
    """

    sql: str
    columns: tuple[Column, ...]
    scans: tuple[Scan, ...]
    setup: tuple[str, ...] = ()
    unstaged: str | None = None
