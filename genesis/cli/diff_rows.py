"""The rows behind `genesis diff --rows`: both sides' SQL, run at one moment on one engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from genesis.compile.check import refreshes_of
from genesis.errors import GenesisError
from genesis.interfaces import Engine
from genesis.redaction import redact
from genesis.review.changed import Change, Diff
from genesis.review.report import Report
from genesis.review.reviewed import Looked
from genesis.review.risks import row_marks
from genesis.review.row_changes import (
    Row,
    RowChange,
    Rows,
    compare_rows,
    counting,
    first_rows,
    sampled,
    told_apart_by,
)
from genesis.review.sides import Found, Side
from genesis.spec.project import Project
from genesis.spec.workflow import Job

if TYPE_CHECKING:
    import pyarrow as pa

    from genesis.compile.statement import Statement

SAMPLES = 5  # rows of a kind


@dataclass(frozen=True)
class Looking:
    """What is asked: of which projects and engine, at which moment, and how many rows at most of a report."""

    before: Project
    after: Project
    engine: Engine
    moment: datetime
    limit: int

    def look(self, diff: Diff) -> Mapping[str, Looked]:
        """How the rows of each changed report differ, or why that cannot be told."""
        old, new = (Side(project, self.engine.dialect) for project in (self.before, self.after))
        return {
            change.name: self._looked(change, old, new)
            for change in diff.changes
            if change.kind == "added" or {"SQL", "columns"} & {*change.aspects}
        }

    def _looked(self, change: Change, old: Side, new: Side) -> Looked:
        try:
            rows = self._rows(change, old, new)
        except GenesisError as error:
            return Looked(refused=redact(error.problems[0].message))
        job = _job(self.after, change.name)
        return Looked(rows, risks=row_marks(rows, change.name, job) if job is not None else ())

    def _rows(self, change: Change, old: Side, new: Side) -> RowChange:
        after = self._report(new, change.name, change.now.input)
        if change.before is None:
            return self._of_new(after)
        before = self._report(old, change.old_name or change.name, change.before.input)
        names = {
            one.after or "": one.before or ""
            for one in change.differences
            if one.kind == "column renamed"
        }
        sides = [self._whole(report) for report in (before, after)]
        if all(len(side.rows) <= self.limit for side in sides):
            return compare_rows(*sides, names=names, samples=SAMPLES)
        return self._of_sample(before.statement, after.statement, names)

    def _of_new(self, after: Report) -> RowChange:
        total = self._count(after.statement)
        keys = (one for one in after.statement.columns if one.key)
        key = tuple(one.label.removeprefix("_key_") for one in keys)
        return RowChange(before=0, after=total, added=total, removed=0, changed=0, key=key)

    def _whole(self, report: Report) -> Rows:
        """The rows of a report in its order; one more than the limit shows that there are too many."""
        run = replace(report.run, limit=self.limit + 1)
        statement = replace(report, run=run).statement
        rows = self._fetch(statement)
        return Rows(statement.columns, rows, len(rows))

    def _of_sample(
        self, before: Statement, after: Statement, names: Mapping[str, str]
    ) -> RowChange:
        totals = [self._count(one) for one in (before, after)]
        share = self.limit / max(totals)
        apart = told_apart_by(before.columns, after.columns, names)
        sides = []
        for one, by, total in zip((before, after), apart, totals, strict=True):
            wanted = sampled(one, by, share, self.engine.dialect)
            rows = self._fetch(first_rows(wanted, 2 * self.limit))
            sides.append(Rows(one.columns, rows, total))
        return compare_rows(*sides, names=names, samples=SAMPLES, share=share)

    def _report(self, side: Side, name: str, definition: str) -> Report:
        """One side, as a refresh would read it now."""
        report = side.report(side.trackers.get(name) or Found(name, definition))
        given = report.run.parameters or {}  # one that lacks a value is told
        run = replace(report.run, parameters=given, moment=self.moment, staged=True)
        return replace(report, run=run)

    def _count(self, statement: Statement) -> int:
        return int(self.engine.query(counting(statement)).column(0)[0].as_py())

    def _fetch(self, statement: Statement) -> list[Row]:
        table: pa.Table = self.engine.query(statement)
        return list(
            zip(*(table.column(at).to_pylist() for at in range(table.num_columns)), strict=True)
        )


def _job(project: Project, name: str) -> Job | None:
    """The refresh that keeps a tracker, with what its templates say."""
    for workflow, position, job in refreshes_of(project):
        if f"{workflow.name}.{job}" == name:
            return workflow.jobs[position].filled(project.templates)
    return None
