"""`tests:` what a report should say of a few rows that are given. Types come later: they are the project's."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic import Field as Key

from genesis.spec.model import Located
from genesis.spec.values import Items, Name, Scalar, describe, mistake


def _cell(value: Any) -> Any:
    if isinstance(value, dict):
        raise mistake("wrong-type", "{it} should be one value, or a list of an array's")
    return value


def _moment(value: Any) -> Any:
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        message = f"{{it}} should be a moment, not {describe(value)}"
        hint = "for example `2026-11-23`, `2026-11-23T09:30:00Z`"
        raise mistake("wrong-type", message, hint) from None


Cell = Annotated[Any, BeforeValidator(_cell)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
Row = dict[str, Cell]


class ReportTest(Located):
    """One test of a report: the rows that there are, and those that it should say."""

    description: str | None = None
    """What it shows, for people: `description: What is done is gone.`."""
    input: Name | None = None
    """The input that is tested; by default the one in the same file: `input: open_tasks`."""
    given: dict[Name, Items[Row]] = Key(default_factory=dict)
    """The rows of data sources, by field or by column of the table; what is left out is NULL, and a data
    source that is not named has no rows: `given: {movie: [{movie_id: 1, title: Heat}]}`.
    """
    parameters: dict[Name, Scalar] = Key(default_factory=dict)
    """Values of the input's parameters: `parameters: {region: EMEA}`."""
    now: Moment | None = None
    """When the report is read, in its time zone unless it says another; needed where the report asks
    for the time: `now: 2026-11-23T09:30`.
    """
    expect: Items[Row]
    """The rows of the report, by the names of its columns; only columns that are named are
    compared: `expect: [{title: Heat, tasks_count: 0}]`.
    """
