"""`now()` and `today()`: the run's own moment, or the engine's clock where none is given."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlglot import exp

from genesis.compile.compare import timestamp_literal
from genesis.compile.functions.calls import own
from genesis.compile.infer import to_sql
from genesis.spec.types import DATE, TIMESTAMPTZ


class Moment(NamedTuple):
    """When a report is read: `at` in UTC, or `None` for committed SQL, whose days must not freeze.

    With `as_of`, newest records are those of that moment too, itself included.
    """

    timezone: str
    at: datetime | None = None
    as_of: bool = False

    def now(self) -> exp.Expr:
        """The moment as SQL."""
        if self.at is None:
            return exp.CurrentTimestamp()
        return timestamp_literal(self.at, TIMESTAMPTZ)

    def today(self) -> exp.Expr:
        """Its day in the report's time zone, as SQL."""
        if self.at is None:
            return own("today", exp.Literal.string(self.timezone))
        day = self.at.astimezone(ZoneInfo(self.timezone)).date()
        return exp.Cast(this=exp.Literal.string(day.isoformat()), to=to_sql(DATE))
