"""A project with a table in a database file, to be compared with others: quick to make, easy to change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb

from genesis.audit.compare import Comparer
from genesis.audit.decide import Finding
from genesis.engines.duckdb import DuckDBEngine
from genesis.errors import Problems
from genesis.load import load_project
from genesis.run.audits import Audited, Notice, run_audit
from genesis.run.ledger import Ledger
from genesis.spec.project import Project, Target

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)

SETTINGS = """
state: "sqlite:///state.db"
targets: {local: {engine: {duckdb: {database: lake.duckdb}}}}
alerts: {ops: {email: ops@example.com}}
sources: {shop_db: {postgres: "${env:SHOP_DB_URL}"}}
"""


@dataclass
class Shop:
    """A project, its database file, and a clock that a test moves."""

    root: Path
    now: datetime = NOON

    @classmethod
    def made(cls, root: Path, definitions: str, tables: str = "") -> Shop:
        (root / "genesis.yaml").write_text(SETTINGS, encoding="utf-8")
        (root / "definitions").mkdir()
        (root / "definitions" / "all.yaml").write_text(definitions, encoding="utf-8")
        shop = cls(root)
        shop.change(tables)
        return shop

    def change(self, sql: str, rows: Sequence[Sequence[Any]] = ()) -> None:
        """Change the tables of the lake."""
        with duckdb.connect(str(self.root / "lake.duckdb")) as duck:
            duck.execute("SET TimeZone = 'UTC'")
            if rows:
                duck.executemany(sql, rows)
            elif sql:
                duck.execute(sql)

    @cached_property
    def project(self) -> Project:
        problems = Problems()
        project = load_project(self.root, problems)
        assert not list(problems)
        return project

    @property
    def target(self) -> Target:
        return self.project.settings.targets["local"]

    def found(self, name: str = "shop") -> tuple[Finding, ...]:
        """What one comparison finds."""
        with DuckDBEngine(self.root, self.target) as engine:
            comparer = Comparer(self.project, engine, self.root, self.now)
            return comparer.compare(self.project.audits[name]).findings.listed

    def audited(self, name: str = "shop", *, after: timedelta = timedelta(hours=1)) -> Audited:
        """The next run of an audit."""
        self.now += after
        ledger = Ledger("sqlite:///state.db", self.root)
        with DuckDBEngine(self.root, self.target) as engine:
            comparer = Comparer(self.project, engine, self.root, self.now)
            audit = self.project.audits[name]
            audited = run_audit(audit, comparer.compare, ledger.audits, now=self.now)
        ledger.close()
        return audited


def keys(notices: Sequence[Notice]) -> list[tuple[str, list[str | None]]]:
    """What notices are about."""
    return [(n.kind, [one.key[0] for one in n.differences]) for n in notices]
