"""Two reports -> what is not as it was: grain, columns, records, joins, order.

They are compared by what they mean, never by their text: what gives the same SQL and the same columns has
no differences. The surprise: what no words are found for is told all the same, as SQL that is written otherwise.
"""

from __future__ import annotations

from dataclasses import fields

from genesis.compile.statement import Column, Statement
from genesis.review.differences.columns import of_columns
from genesis.review.differences.difference import Difference, code
from genesis.review.differences.filters import of_filters, of_having
from genesis.review.differences.grain import of_grain
from genesis.review.differences.joins import of_joins
from genesis.review.differences.order import of_limit, of_order
from genesis.review.differences.records import of_records
from genesis.review.differences.settings import of_parameters, of_timezone
from genesis.review.report import Report

_PARTS = (
    of_grain, of_columns, of_filters, of_having, of_joins, of_records, of_order, of_limit, of_timezone, of_parameters,
)  # fmt: skip


def differences(before: Report, after: Report) -> tuple[Difference, ...]:
    """What is not as it was, the gravest first. Raises `DefinitionError` where a report has problems."""
    old, new = before.statement, after.statement
    if (old.sql, old.setup, old.columns) == (new.sql, new.setup, new.columns):
        return ()
    found = tuple(one for part in _PARTS for one in part(before, after))
    return found or (Difference("rewritten", after.name, _otherwise(old, new)),)


def _otherwise(old: Statement, new: Statement) -> str:
    """What differs where nothing else could be told."""
    if old.sql != new.sql or old.setup != new.setup:
        return "the same is asked in other SQL"
    facts = dict.fromkeys(
        one.name
        for was, now in zip(old.columns, new.columns, strict=False)
        for one in fields(Column)
        if getattr(was, one.name) != getattr(now, one.name)
    )
    return f"the SQL is as it was; of its columns these differ: {', '.join(map(code, facts))}"
