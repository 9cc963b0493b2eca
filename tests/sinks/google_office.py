"""An emulated Google with a spreadsheet, called by processes that share a state database."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from genesis.run.rates import Buckets
from genesis.run.state import State
from genesis.sinks.google.service import Connection, open_spreadsheet
from genesis.spec.project import GoogleSheetsAccess
from genesis.testing.clock import HandClock
from genesis.testing.sheets import SheetsEmulator

URL = "sqlite:///state.db"


@dataclass
class Office:
    """An emulated Google, a spreadsheet in it, and processes that call it."""

    google: SheetsEmulator
    clock: HandClock
    folder: Path
    opened: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.id = self.google.new_spreadsheet("Orders")

    def rates(self) -> Buckets:
        """The rates as another process has them."""
        rates = Buckets(State(URL, self.folder), self.clock)
        self.opened.append(rates)
        return rates

    def open(
        self, *, timeout: timedelta = timedelta(hours=1), book: str = "", **access: str
    ) -> Connection:
        """A connection of a process of its own."""
        connection = open_spreadsheet(
            GoogleSheetsAccess(endpoint=self.google.url, **access),
            book or self.id,
            rates=self.rates(),
            until=self.clock.now() + timeout,
            root=self.folder,
            tracker="w.orders",
        )
        self.opened.append(connection)
        return connection

    def since(self, start: datetime) -> float:
        return (self.clock.now() - start).total_seconds()
