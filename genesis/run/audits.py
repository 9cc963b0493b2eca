"""What audits remember from run to run, and what is to be told of them, in the state database.

`audit` has a row for each audit with how it ended last, `difference` one for each key that is
watched, `notice` what somebody is to be told. The surprise: what a run decides rests on what the run
before it left, so of two that overlap the later one changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa

from genesis.audit.decide import KINDS, Decision, Difference, Key, Kind, Patience, Seen, decide
from genesis.errors import AuditFailed, EngineBusy, GenesisError, Problem
from genesis.run.state import State, Told, metadata
from genesis.spec.workflow import Audit

AuditState = Literal["agrees", "watching", "failing", "failed"]

_NAMED = 20  # keys in a notice

_audits = sa.Table(
    "audit",
    metadata,
    sa.Column("name", sa.String(300), primary_key=True),
    sa.Column("runs", sa.Integer, nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("run_at", sa.String(32), nullable=False),
    sa.Column("complete_at", sa.String(32)),
    sa.Column("report", Told, nullable=False),
)
_differences = sa.Table(
    "difference",
    metadata,
    sa.Column("audit", sa.String(300), primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("first_seen", sa.String(32), nullable=False),
    sa.Column("last_seen", sa.String(32), nullable=False),
    sa.Column("runs", sa.Integer, nullable=False),
    sa.Column("source_hash", sa.String(64)),
    sa.Column("target_hash", sa.String(64)),
    sa.Column("columns", sa.Text, nullable=False),
    sa.Column("told", sa.String(32)),
    sa.Column("healed", sa.String(32)),
)
_notices = sa.Table(
    "notice",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("about", sa.String(300), nullable=False),
    sa.Column("at", sa.String(32), nullable=False),
    sa.Column("receivers", sa.Text, nullable=False),
    sa.Column("message", Told, nullable=False),
    sa.Column("sent_at", sa.String(32)),
)


@dataclass(frozen=True, slots=True)
class Notice:
    """One message of an audit: of differences that are new, or that all are healed."""

    audit: str
    kind: Literal["alarm", "all_clear"]
    at: datetime
    receivers: tuple[str, ...]
    differences: tuple[Difference, ...]

    @property
    def text(self) -> str:
        """The message in one sentence."""
        number = len(self.differences)
        keys = "1 key" if number == 1 else f"{number:,} keys"
        if self.kind == "all_clear":
            return f"audit `{self.audit}`: {keys} that differed agree again, none is left"
        counts = {kind: sum(one.kind == kind for one in self.differences) for kind in KINDS}
        said = in_words(counts)
        return f"audit `{self.audit}`: {keys} not as in the source ({said})"

    def to_json(self) -> dict[str, Any]:
        """The notice with as many keys as a person reads."""
        return {
            "audit": self.audit,
            "kind": self.kind,
            "at": self.at.isoformat(),
            "receivers": list(self.receivers),
            "text": self.text,
            "keys": [{"key": list(one.key), "kind": one.kind} for one in self.differences[:_NAMED]],
            "more": max(0, len(self.differences) - _NAMED),
        }


def in_words(counts: Mapping[Kind, int]) -> str:
    """How many keys differ, and how: `3 missing, 1 different`."""
    said = [f"{counts[kind]:,} {_SAID[kind]}" for kind in KINDS if counts.get(kind)]
    return ", ".join(said) or "no difference"


_SAID: Mapping[Kind, str] = {"missing": "missing", "extra": "extra", "differs": "different"}


@dataclass(frozen=True)
class Audited:
    """How a run of an audit ended, and what is known after it."""

    audit: str
    data_source: str
    state: AuditState
    at: datetime
    seen: Seen | None = None
    failing: tuple[Difference, ...] = ()
    watched: tuple[Difference, ...] = ()
    notices: tuple[Notice, ...] = ()
    problems: tuple[Problem, ...] = ()
    exit_code: int = 0

    def receipt(self) -> dict[str, Any]:
        """What is kept of it, with as many keys as a person reads."""
        return replace(self, failing=self.failing[:_NAMED], watched=self.watched[:_NAMED]).to_json()

    def to_json(self) -> dict[str, Any]:
        """The report, with all keys that are known."""
        seen = self.seen
        return {
            "audit": self.audit,
            "data_source": self.data_source,
            "state": self.state,
            "at": self.at.isoformat(),
            "strategy": seen.strategy if seen else None,
            "seconds": round(seen.seconds, 3) if seen else None,
            "snapshots": dict(seen.snapshots) if seen else None,
            "found": dict(seen.findings.counts) if seen else None,
            "told": [one.to_json() for one in self.failing],
            "watched": [one.to_json() for one in self.watched],
            "notices": [notice.to_json() for notice in self.notices],
            "problems": [problem.message for problem in self.problems],
        }


@dataclass(frozen=True)
class LastAudit:
    """How an audit ended last."""

    name: str
    state: str
    run_at: datetime
    complete_at: datetime | None
    report: Mapping[str, Any]


class Audits:
    """What is remembered of a project's audits."""

    def __init__(self, state: State) -> None:
        self._state = state

    def memory(self, audit: str) -> tuple[int, dict[Key, Difference]]:
        """How many runs there were, and what they left."""
        runs = sa.select(_audits.c.runs).where(_audits.c.name == audit)
        left = sa.select(_differences).where(_differences.c.audit == audit)
        with self._state.transaction() as connection:
            found = map(_difference, connection.execute(left).mappings())
            return connection.execute(runs).scalar() or 0, {one.key: one for one in found}

    def keep(self, audited: Audited, decision: Decision, *, after: int) -> None:
        """Remember a complete run, all of it or nothing. Raises `EngineBusy` where another came between."""
        name = audited.audit
        rows = [{"audit": name, **_row(one)} for one in decision.after.values()]
        with self._state.transaction() as connection:
            self._turn(connection, audited, after)
            connection.execute(_differences.delete().where(_differences.c.audit == name))
            if rows:
                connection.execute(_differences.insert(), rows)
            for notice in audited.notices:
                message = json.dumps(notice.to_json(), ensure_ascii=False)
                receivers = json.dumps(notice.receivers)
                said = {"about": f"audit.{name}", "at": _text(notice.at), "receivers": receivers}
                connection.execute(_notices.insert().values(**said, message=message))

    def keep_failed(self, audited: Audited) -> None:
        """Remember that a run saw nothing: what was known is known still."""
        values = {"state": audited.state, "run_at": _text(audited.at), "report": _report(audited)}
        with self._state.transaction() as connection:
            known = _audits.update().where(_audits.c.name == audited.audit).values(values)
            if not connection.execute(known).rowcount:
                new = _audits.insert().values(name=audited.audit, runs=0, **values)
                connection.execute(new)

    def last(self) -> dict[str, LastAudit]:
        """How each audit ended last, by name."""
        with self._state.transaction() as connection:
            rows = connection.execute(sa.select(_audits).order_by(_audits.c.name)).mappings()
            return {row["name"]: _last(row) for row in rows}

    def unsent(self) -> list[Mapping[str, Any]]:
        """The notices that nobody was sent yet, oldest first."""
        query = sa.select(_notices).where(_notices.c.sent_at.is_(None)).order_by(_notices.c.id)
        with self._state.transaction() as connection:
            return [
                {"id": row["id"], **json.loads(row["message"])}
                for row in connection.execute(query).mappings()
            ]

    def take_unsent(self, connection: sa.Connection, at: datetime) -> list[Mapping[str, Any]]:
        """The notices that nobody was sent yet, from now on somebody else's to send: in one transaction with that."""
        query = sa.select(_notices).where(_notices.c.sent_at.is_(None)).order_by(_notices.c.id)
        rows = connection.execute(query.with_for_update(skip_locked=True)).mappings().all()
        if rows:
            taken = _notices.c.id.in_([row["id"] for row in rows])
            connection.execute(_notices.update().where(taken).values(sent_at=_text(at)))
        return [{"id": row["id"], **json.loads(row["message"])} for row in rows]

    def _turn(self, connection: sa.Connection, audited: Audited, after: int) -> None:
        at = _text(audited.at)
        values = {"state": audited.state, "run_at": at, "complete_at": at}
        values |= {"report": _report(audited)}
        mine = sa.and_(_audits.c.name == audited.audit, _audits.c.runs == after)
        if connection.execute(
            _audits.update().where(mine).values(runs=after + 1, **values)
        ).rowcount:
            return
        known = sa.select(_audits.c.name).where(_audits.c.name == audited.audit)
        if after or connection.execute(known).first():
            message = f"another run of audit `{audited.audit}` ended while this one ran"
            raise EngineBusy(Problem("state-failed", message, hint="what that one saw counts"))
        connection.execute(_audits.insert().values(name=audited.audit, runs=1, **values))


def run_audit(
    audit: Audit,
    compare: Callable[[Audit, Sequence[Key]], Seen],
    audits: Audits | None,
    *,
    now: datetime,
    once: bool = False,
) -> Audited:
    """Make an audit: compare, decide, remember. What goes wrong is told by the outcome.

    `once` judges this run by itself: every difference fails, and nothing is remembered.
    """
    runs, before = audits.memory(audit.name) if audits and not once else (0, {})
    try:
        seen = compare(audit, tuple(before))
    except GenesisError as error:
        failed = Audited(
            audit.name,
            audit.data_source,
            "failed",
            now,
            failing=tuple(one for one in before.values() if one.told and one.is_open),
            problems=error.problems,
            exit_code=error.exit_code,
        )
        if audits and not once:
            audits.keep_failed(failed)
        return failed
    patience = Patience() if once else Patience(audit.runs, audit.sla or timedelta(0))
    decision = decide(before, seen.findings, patience, now)
    audited = _audited(audit, seen, decision, now)
    if once:
        return replace(audited, notices=())
    if audits:
        audits.keep(audited, decision, after=runs)
    return audited


def _audited(audit: Audit, seen: Seen, decision: Decision, now: datetime) -> Audited:
    state: AuditState = "agrees"
    if decision.failing:
        state = "failing"
    elif seen.findings.total:
        state = "watching"
    notices = []
    if decision.told:
        notices.append(Notice(audit.name, "alarm", now, audit.alert, decision.told))
    if decision.all_clear:
        notices.append(Notice(audit.name, "all_clear", now, audit.alert, decision.all_clear))
    return Audited(
        audit.name,
        audit.data_source,
        state,
        now,
        seen,
        failing=decision.failing,
        watched=decision.watched,
        notices=tuple(notices),
        problems=(_failing(audit, decision),) if decision.failing else (),
        exit_code=AuditFailed.exit_code if decision.failing else 0,
    )


def _failing(audit: Audit, decision: Decision) -> Problem:
    number = len(decision.failing)
    keys = "1 key" if number == 1 else f"{number:,} keys"
    message = f"audit `{audit.name}`: {keys} of `{audit.data_source}` not as in the source"
    hint = f"`genesis audit {audit.name} --report audit.html` lists them"
    return Problem("audit-failed", message, hint=hint)


def _report(audited: Audited) -> str:
    return json.dumps(audited.receipt(), ensure_ascii=False)


def _row(one: Difference) -> dict[str, Any]:
    return {
        "key": json.dumps(one.key, ensure_ascii=False),
        "kind": one.kind,
        "first_seen": _text(one.first_seen),
        "last_seen": _text(one.last_seen),
        "runs": one.runs,
        "source_hash": one.source_hash,
        "target_hash": one.target_hash,
        "columns": json.dumps(one.columns),
        "told": _text(one.told) if one.told else None,
        "healed": _text(one.healed) if one.healed else None,
    }


def _difference(row: sa.RowMapping) -> Difference:
    return Difference(
        key=tuple(json.loads(row["key"])),
        kind=row["kind"],
        first_seen=datetime.fromisoformat(row["first_seen"]),
        last_seen=datetime.fromisoformat(row["last_seen"]),
        runs=row["runs"],
        source_hash=row["source_hash"],
        target_hash=row["target_hash"],
        columns=tuple(json.loads(row["columns"])),
        told=_moment(row["told"]),
        healed=_moment(row["healed"]),
    )


def _last(row: sa.RowMapping) -> LastAudit:
    return LastAudit(
        row["name"],
        row["state"],
        datetime.fromisoformat(row["run_at"]),
        _moment(row["complete_at"]),
        json.loads(row["report"]),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
