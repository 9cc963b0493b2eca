"""Whether the services of trackers let us in, and as whom: a read for each tracker, and no write."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genesis.errors import GenesisError, Problem
from genesis.interfaces import Rates
from genesis.sync.changes import Tracker

if TYPE_CHECKING:
    from genesis.spec.project import Sinks


@dataclass(frozen=True, slots=True)
class Reached:
    """A tracker's place: the account that reads it, what the place is called, or why it is refused.

    Airtable does not tell whose a token is.
    """

    tracker: Tracker
    account: str = ""
    title: str = ""
    problem: Problem | None = None
    exit_code: int = 0

    def to_json(self) -> dict[str, Any]:
        """The entry of `genesis sinks check --format json`."""
        problem = self.problem
        return {
            "tracker": self.tracker.name,
            "sink": self.tracker.place.sink,
            "account": self.account or None,
            "title": self.title or None,
            "problem": {"code": problem.code, "message": problem.message} if problem else None,
        }


@dataclass(frozen=True)
class Reach:
    """What it takes to ask."""

    access: Sinks
    rates: Rates
    until: datetime
    root: Path

    def ask(self, tracker: Tracker) -> Reached:
        """What the tracker's service says; a refusal is an answer."""
        try:
            if tracker.place.airtable:
                return self._base(tracker, tracker.place.airtable.base)
            if tracker.place.google_sheets:
                return self._spreadsheet(tracker, tracker.place.google_sheets.spreadsheet)
        except GenesisError as error:
            return Reached(tracker, problem=error.problems[0], exit_code=error.exit_code)
        raise TypeError(f"tracker {tracker.name} is in no service")

    def _spreadsheet(self, tracker: Tracker, spreadsheet: str) -> Reached:
        from genesis.sinks.google.service import open_spreadsheet

        connection = open_spreadsheet(
            self.access.google_sheets,
            spreadsheet,
            rates=self.rates,
            until=self.until,
            root=self.root,
            tracker=tracker.name,
        )
        try:
            found = connection.get(fields="properties(title)")
            return Reached(tracker, connection.account, found["properties"]["title"])
        finally:
            connection.close()

    def _base(self, tracker: Tracker, base: str) -> Reached:
        from genesis.sinks.airtable.probe import open_base
        from genesis.sinks.airtable.service import in_words

        opened = open_base(
            self.access.airtable, base, rates=self.rates, until=self.until, root=self.root
        )
        with in_words(tracker):
            tables = len(opened.schema().tables)
        return Reached(tracker, title=f"{tables} table{'s' if tables != 1 else ''}")
