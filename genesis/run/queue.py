"""Runs that wait for a worker, and who has them: claims, leases, fences, permits.

A run is claimed by one owner for the length of a lease, which heartbeats extend. Each claim raises
its fence, and every later word about the run must come with that fence: an owner that lost its lease
changes nothing more. A permit for the place, the engine and the credential is leased with the run,
so that what a dead owner held is free when its lease ends, and no count can leak. On SQLite a
transaction that claims has the database to itself; on PostgreSQL claims skip the rows that others
have locked. The surprise: a run whose owner died is not failed; the next owner reads the tracker
before it writes, and so finds what the dead one did.
"""

from __future__ import annotations

import json
import os
import socket
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from itertools import chain, zip_longest
from operator import itemgetter
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from genesis.run.ledger import SUCCESSES, Run, ended, run_of, runs, text
from genesis.run.state import State, metadata
from genesis.run.together import Together
from genesis.schedule.order import ready
from genesis.schedule.retries import ErrorClass

_permits = sa.Table(
    "permit",
    metadata,
    sa.Column("resource", sa.String(600), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("run", sa.Integer, nullable=False),
    sa.Column("owner", sa.String(200), nullable=False),
    sa.Column("lease_until", sa.String(32), nullable=False),
    sa.Index("permit_by_run", "run"),
)

WRITE = "write"
"""The phase from which on a tracker may be changed."""

# A run whose owners die one after another is what kills them.
MOST_TAKEOVERS = 3


@dataclass(frozen=True)
class Asked:
    """A run that a schedule, or a person, asks for.

    `key` is its identity: asked for twice, it is one run. `needs` are keys of runs that must succeed
    before. A `reason` says why it is skipped instead of done. `place` is what no two runs may work on
    at once; `engine` and `credential` may have limits too.
    """

    key: str
    job: str
    trigger: str
    slot: str
    logical_time: datetime
    due_at: datetime
    place: str
    engine: str = ""
    credential: str = ""
    needs: tuple[str, ...] = ()
    reason: str | None = None


@dataclass(frozen=True)
class Claim:
    """A run that is an owner's until its lease ends, as long as nobody has a higher fence."""

    run: Run
    fence: int
    owner: str
    lease_until: datetime
    is_superseded: bool = False
    """Whether a run of the job for a later moment has succeeded, or was begun and will be tried until it does.

    This one would do the same again; and what a later one wrote may be there although its answer was lost.
    """


@dataclass(frozen=True)
class End:
    """How a run ended, and what it found and did."""

    state: str
    reason: str | None = None
    error_class: ErrorClass | None = None
    definition: str | None = None
    snapshots: Mapping[str, int | None] | None = None
    rows: int | None = None
    receipt: Mapping[str, Any] | None = None
    problems: tuple[Mapping[str, Any], ...] = ()
    phases: Mapping[str, float] | None = None

    def values(self) -> dict[str, Any]:
        facts = ended(self.definition, self.snapshots, self.rows, self.receipt, self.problems)
        phases = json.dumps(self.phases) if self.phases else None
        return {**facts, "phases": phases, "error_class": self.error_class, "reason": self.reason}


@dataclass(eq=False)
class _Word:
    """What an owner says of its run; whether it still is."""

    claim: Claim
    values: Mapping[str, Any]
    is_own: bool = False


@dataclass(eq=False)
class _Wish:
    """A worker that wants a run, and what it gets."""

    owner: str
    now: datetime
    lease: timedelta
    limits: Mapping[str, int]
    only: str | None = None
    claim: Claim | None = None

    def is_like(self, other: _Wish) -> bool:
        wanted = self.owner, self.lease, self.limits, self.only
        return wanted == (other.owner, other.lease, other.limits, other.only)


class Queue:
    """The runs of a project that have not ended."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._together = Together(self._do)

    # ---- asking

    def ask(self, asked: Iterable[Asked], *, at: datetime) -> int:
        """Queue runs, each once however often it is asked for; how many are new."""
        with self._state.transaction() as connection:
            return self.ask_within(connection, asked, at=at)

    def ask_within(self, connection: sa.Connection, asked: Iterable[Asked], *, at: datetime) -> int:
        """The same, in a transaction that does more."""
        found = list(asked)
        if not found:
            return 0
        new = _insert_new(connection, runs, [_row(each, at) for each in found], key="run_key")
        # Some may wait for those that are skipped, or for what was done by hand before.
        told = {each.slot for each in found if each.reason or (new < len(found) and each.needs)}
        for slot in sorted(told):
            connection.execute(_LOCKED, {"slot": slot})
            _settle_slot(connection, slot, at)
        return new

    # ---- having

    def claim(
        self,
        owner: str,
        *,
        now: datetime,
        lease: timedelta,
        limits: Mapping[str, int] | None = None,
        only: str | None = None,
    ) -> Claim | None:
        """The next run that is due and whose permits are free, now the owner's; or nothing.

        Args:
            owner: Who asks, as `owner_name` gives it.
            now: The time.
            lease: How long the run is the owner's, unless it is extended.
            limits: How many runs at once may use an engine or a credential, by its name; without a
                limit, any number. A place has room for one.
            only: The key of the one run that is wanted.
        """
        wish = _Wish(owner, now, lease, limits or {}, only)
        self._together((wish,))
        return wish.claim

    def claim_within(
        self,
        connection: sa.Connection,
        owner: str,
        count: int,
        *,
        now: datetime,
        lease: timedelta,
        limits: Mapping[str, int] | None = None,
        only: str | None = None,
    ) -> list[Claim]:
        """As many of the next runs as there are, up to a count, in a transaction that does more.

        They are those that as many claims one after another would give.
        """
        limits, claims = limits or {}, list[Claim]()
        for _ in range(_TRIES):
            wanted, used = count - len(claims), _used(connection, now, limits)
            rows = _next(connection, now, wanted, _full(used, limits), only)
            fitting = list(_fitting(rows, used, limits))
            got = _take_permits(connection, fitting, owner, now, now + lease)
            claims += _claim(connection, got, owner, now, now + lease)
            is_last = len(rows) < wanted and len(got) == len(fitting)
            if is_last or len(claims) == count:
                break
        return claims

    def extend(
        self, claims: Iterable[tuple[Claim, str | None]], *, now: datetime, lease: timedelta
    ) -> tuple[tuple[Claim, ...], tuple[Claim, ...]]:
        """Claims, in their phases, that are their owner's for one lease more, and those that are no longer."""
        kept, lost = [], []
        until = now + lease
        with self._state.transaction() as connection:
            for claim, phase in claims:
                given = {"id": claim.run.id, "by": claim.owner, "until": text(until)}
                has_permits = connection.execute(_EXTEND, given).rowcount
                values = {"lease_until": text(until), "phase": phase}
                if has_permits and _change(connection, claim, values):
                    kept.append(replace(claim, lease_until=until))
                else:
                    lost.append(claim)
        return tuple(kept), tuple(lost)

    def note(self, claim: Claim, phase: str) -> bool:
        """Write which phase a run is in, before the next heartbeat does; `False` where it is no longer the claim's."""
        return self._say(claim, {"phase": phase})

    # ---- ending

    def finish(self, claim: Claim, end: End, *, at: datetime) -> bool:
        """Write how a run ended, and let those that need it go or skip them.

        `False`, and nothing written, where the run is no longer the claim's.
        """
        return self._say(claim, _finished(end, at))

    def finish_and_claim(
        self,
        claim: Claim,
        end: End,
        *,
        at: datetime,
        lease: timedelta,
        limits: Mapping[str, int] | None = None,
    ) -> tuple[bool, Claim | None]:
        """Finish a run, and claim the next one for its owner, in one transaction: what each of both gives."""
        word = _Word(claim, _finished(end, at))
        wish = _Wish(claim.owner, at, lease, limits or {})
        self._together((word, wish))
        return word.is_own, wish.claim

    def retry(self, claim: Claim, end: End, *, at: datetime, spends: bool = True) -> bool:
        """Queue a run again for later; one that `spends` nothing has its attempt back."""
        attempt = claim.run.attempt - (0 if spends else 1)
        again = {"state": "queued", "try_at": text(at), "attempt": attempt}
        return self._say(claim, {**end.values(), **again, "owner": None, "phase": None})

    def skip(self, ids: Iterable[int], reason: str, *, at: datetime) -> int:
        """End runs that nobody has; how many there were."""
        with self._state.transaction() as connection:
            return self.skip_within(connection, ids, reason, at=at)

    def skip_within(
        self, connection: sa.Connection, ids: Iterable[int], reason: str, *, at: datetime
    ) -> int:
        """The same, in a transaction that does more."""
        wanted, skipped = sorted(ids), list[str | None]()
        for first in range(0, len(wanted), _CHUNK):
            values = {
                "ids": wanted[first : first + _CHUNK],
                "reason": reason,
                "finished_at": text(at),
            }
            skipped += connection.execute(_SKIP, values).scalars()
        _settle(connection, skipped, at)
        return len(skipped)

    def cancel(self, run: int, *, by: str, at: datetime) -> str | None:
        """Cancel a run: at once if it waits, else as soon as its owner hears of it; its state then.

        `None` where there is no such run, or it ended before.
        """
        with self._state.transaction() as connection:
            row = _one(connection, run)
            if row is None or row["finished_at"]:
                return None
            if row["state"] == "running":
                asks = runs.update().where(runs.c.id == run).values(cancelled_by=by)
                connection.execute(asks)
                return "running"
            values = {"state": "cancelled", "finished_at": text(at), "cancelled_by": by}
            connection.execute(runs.update().where(runs.c.id == run).values(values))
            _settle(connection, [row["slot"]], at)
        return "cancelled"

    def cancelled(self, claims: Iterable[Claim]) -> frozenset[int]:
        """Those of the runs that somebody wants cancelled."""
        ids = [claim.run.id for claim in claims]
        asked = sa.select(runs.c.id).where(runs.c.id.in_(ids), runs.c.cancelled_by.is_not(None))
        with self._state.reading() as connection:
            return frozenset(connection.execute(asked).scalars())

    def take_over(self, *, now: datetime) -> tuple[Run, ...]:
        """Queue again what owners left: their lease ended, or they are dead on this machine."""
        taken = []
        with self._state.transaction() as connection:
            for row in connection.execute(_HELD).mappings().all():
                is_left = row["lease_until"] < text(now) or _is_dead(row["owner"])
                if is_left and _take(connection, row, now):
                    taken.append(run_of(row))
        return tuple(taken)

    def _say(self, claim: Claim, values: Mapping[str, Any]) -> bool:
        """Change a run, with what other threads say of theirs; whether it is still the claim's."""
        word = _Word(claim, values)
        self._together((word,))
        return word.is_own

    def _do(self, requests: Sequence[tuple[_Word | _Wish, ...]]) -> None:
        """All that threads want at once: what ended makes room for what begins."""
        wanted = list(chain.from_iterable(requests))
        words = [each for each in wanted if isinstance(each, _Word)]
        wishes = [each for each in wanted if isinstance(each, _Wish)]
        with self._state.transaction() as connection:
            if words:
                _say(connection, words)
            while wishes:
                same = [each for each in wishes if each.is_like(wishes[0])]
                self._grant(connection, same)
                wishes = [each for each in wishes if each not in same]

    def _grant(self, connection: sa.Connection, wishes: Sequence[_Wish]) -> None:
        """Claim runs for threads that want the same."""
        first, now = wishes[0], max(wish.now for wish in wishes)
        claims = self.claim_within(
            connection,
            first.owner,
            len(wishes),
            now=now,
            lease=first.lease,
            limits=first.limits,
            only=first.only,
        )
        for wish, claim in zip_longest(wishes, claims):
            wish.claim = claim

    # ---- looking

    def open_runs(self, jobs: Iterable[str] = ()) -> tuple[Run, ...]:
        """Runs that have not ended, oldest first; of some jobs, if they are named."""
        names = tuple(jobs)
        query = sa.select(runs).where(runs.c.finished_at.is_(None)).order_by(runs.c.id)
        if names:
            query = query.where(runs.c.job.in_(names))
        with self._state.reading() as connection:
            return tuple(run_of(row) for row in connection.execute(query).mappings())

    def permits(self, *, now: datetime) -> Counter[str]:
        """How many permits are taken: of places together, of engines and accounts by their names."""
        taken = sa.select(_permits.c.resource).where(_permits.c.lease_until > text(now))
        with self._state.reading() as connection:
            names = connection.execute(taken).scalars().all()
        return Counter("place" if " " in name else name for name in names)

    def oldest_due(self, *, now: datetime) -> datetime | None:
        """When the run was due that waits for a worker longest."""
        oldest = sa.select(sa.func.min(runs.c.due_at)).where(
            runs.c.state == "queued", runs.c.finished_at.is_(None), runs.c.try_at <= text(now)
        )
        with self._state.reading() as connection:
            found = connection.execute(oldest).scalar()
        return datetime.fromisoformat(found) if found else None


def _take(connection: sa.Connection, row: sa.RowMapping, now: datetime) -> bool:
    """Take a run from its owner, unless that has said something since."""
    taken = (row["takeovers"] or 0) + 1
    values: dict[str, Any] = {"state": "queued", "owner": None, "takeovers": taken}
    if taken > MOST_TAKEOVERS or row["trigger"] == "manual":
        reason = f"{taken} owners died while they had it, the last in `{row['phase']}`"
        if row["trigger"] == "manual":  # nobody waits for it any more
            reason = f"its process died in `{row['phase']}`"
        state = "uncertain" if row["phase"] == WRITE else "failed"
        values |= {"state": state, "reason": reason, "finished_at": text(now)}
        values |= {"error_class": "internal"}
    same = runs.c.id == row["id"], runs.c.fence == row["fence"]
    silent = *_RUNNING, runs.c.lease_until == row["lease_until"]
    if not connection.execute(runs.update().where(*same, *silent).values(values)).rowcount:
        return False
    _free(connection, [row["id"]])
    if "finished_at" in values:
        _settle(connection, [row["slot"]], now)
    return True


_RUNNING = runs.c.state == "running", runs.c.finished_at.is_(None)
_HELD = sa.select(runs).where(*_RUNNING, runs.c.owner.is_not(None))
_SKIP = (
    runs.update()
    .where(
        runs.c.id.in_(sa.bindparam("ids", expanding=True)),
        runs.c.state.in_(("queued", "waiting")),
    )
    .values(state="skipped", reason=sa.bindparam("reason"), finished_at=sa.bindparam("finished_at"))
    .returning(runs.c.slot)
)
_CHUNK = 500  # runs in one statement
_TRIES = 20  # claims that another owner's permits come before, on PostgreSQL


def _row(asked: Asked, at: datetime) -> dict[str, Any]:
    state = "skipped" if asked.reason else "waiting" if asked.needs else "queued"
    due_at, now = text(asked.due_at), text(at)
    return {
        "run_key": asked.key,
        "job": asked.job,
        "state": state,
        "reason": asked.reason,
        "trigger": asked.trigger,
        "slot": asked.slot,
        "logical_time": text(asked.logical_time),
        "due_at": due_at,
        "try_at": due_at,
        "started_at": now,
        "finished_at": now if asked.reason else None,
        "needs": json.dumps(asked.needs) if asked.needs else None,
        "attempt": 0,
        "fence": 0,
        "place": asked.place,
        "engine": asked.engine or None,
        "credential": asked.credential or None,
    }


def _insert_new(
    connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]], *, key: str
) -> int:
    """Insert the rows whose key is new; how many."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    insert = dialect.insert(table).on_conflict_do_nothing(index_elements=[key])
    # One row at a time, in one go: of a statement with thousands of values half the time is its text.
    counted = insert.execution_options(preserve_rowcount=True)
    return connection.execute(counted, rows).rowcount


# Statements are made once: to make one takes longer than to run it.
_TAKEN = sa.exists().where(
    _permits.c.resource == runs.c.place, _permits.c.lease_until > sa.bindparam("now")
)
_NEXT = (
    sa.select(runs.c.id, runs.c.place, runs.c.engine, runs.c.credential)
    .where(runs.c.state == "queued", runs.c.finished_at.is_(None))
    .where(runs.c.try_at <= sa.bindparam("now"), ~_TAKEN)
    .order_by(runs.c.due_at, runs.c.id)
    .limit(sa.bindparam("count"))
    .with_for_update(skip_locked=True)
)
_NEXT_BUT_FULL = _NEXT.where(
    *(
        sa.or_(column.is_(None), column.not_in(sa.bindparam("full", expanding=True)))
        for column in (runs.c.engine, runs.c.credential)
    )
)
_ONLY = _NEXT.where(runs.c.run_key == sa.bindparam("only"))


def _next(
    connection: sa.Connection, now: datetime, count: int, full: frozenset[str], only: str | None
) -> Sequence[sa.RowMapping]:
    """The runs that are due and may be claimed, of those that were due first."""
    values: dict[str, Any] = {"now": text(now), "count": count}
    if only:
        found = connection.execute(_ONLY, {**values, "only": only})
    elif full:
        found = connection.execute(_NEXT_BUT_FULL, {**values, "full": sorted(full)})
    else:
        found = connection.execute(_NEXT, values)
    return found.mappings().all()


_USED = sa.select(_permits.c.resource, _permits.c.number).where(
    _permits.c.lease_until > sa.bindparam("now"),
    _permits.c.resource.in_(sa.bindparam("names", expanding=True)),
)


def _used(
    connection: sa.Connection, now: datetime, limits: Mapping[str, int]
) -> Mapping[str, frozenset[int]]:
    """The permits that are taken of engines and credentials with a limit."""
    if not limits:
        return {}
    found: dict[str, set[int]] = {name: set() for name in limits}
    for row in connection.execute(_USED, {"now": text(now), "names": sorted(limits)}):
        found[row.resource].add(row.number)
    return {name: frozenset(numbers) for name, numbers in found.items()}


def _full(used: Mapping[str, Collection[int]], limits: Mapping[str, int]) -> frozenset[str]:
    """The engines and credentials with no permit left."""
    return frozenset(name for name, most in limits.items() if len(used[name]) >= most)


def _fitting(
    rows: Iterable[sa.RowMapping], used: Mapping[str, frozenset[int]], limits: Mapping[str, int]
) -> Iterator[tuple[sa.RowMapping, dict[str, int]]]:
    """Of runs, in order, those that have room beside one another, and the permits of each."""
    taken = {name: set(numbers) for name, numbers in used.items()}
    for row in rows:
        limited = [name for name in (row["engine"], row["credential"]) if name in limits]
        room = {row["place"]: 1, **{name: limits[name] for name in limited}}
        if any(len(taken.get(name, ())) >= most for name, most in room.items()):
            continue
        permits = {}
        for name, most in room.items():
            numbers = taken.setdefault(name, set())
            permits[name] = next(number for number in range(most) if number not in numbers)
            numbers.add(permits[name])
        yield row, permits


def _take_permits(
    connection: sa.Connection,
    fitting: Iterable[tuple[sa.RowMapping, Mapping[str, int]]],
    owner: str,
    now: datetime,
    until: datetime,
) -> list[int]:
    """Lease permits, of each run all of them or none; the numbers of the runs that have theirs.

    Of two owners that take one at once, on PostgreSQL, one has it.
    """
    wanted = list(fitting)
    if not wanted:
        return []
    values = {"owner": owner, "lease_until": text(until), "now": text(now)}
    rows = [
        {"resource": resource, "number": number, "run": row["id"], **values}
        for row, permits in wanted
        for resource, number in permits.items()
    ]
    rows.sort(key=itemgetter("resource", "number"))  # or two owners wait for one another
    takes = _TAKE[connection.dialect.name == "postgresql"]
    taken = Counter(connection.execute(takes, rows).scalars())
    lost = {row["id"] for row, permits in wanted if taken[row["id"]] < len(permits)}
    _free(connection, lost)
    return [row["id"] for row, _ in wanted if row["id"] not in lost]


def _taking(dialect: Any) -> sa.Executable:
    insert = dialect.insert(_permits)
    taken: sa.Executable = insert.on_conflict_do_update(
        index_elements=["resource", "number"],
        set_={name: insert.excluded[name] for name in ("run", "owner", "lease_until")},
        where=_permits.c.lease_until <= sa.bindparam("now"),
    ).returning(_permits.c.run)
    return taken


_TAKE = {False: _taking(sqlite), True: _taking(postgresql)}


_CLAIM = (
    runs.update()
    .where(runs.c.id.in_(sa.bindparam("ids", expanding=True)))
    .values(
        state="running",
        owner=sa.bindparam("by"),
        fence=sa.func.coalesce(runs.c.fence, 0) + 1,
        lease_until=sa.bindparam("until"),
        attempt=sa.func.coalesce(runs.c.attempt, 0) + 1,
        started_at=sa.bindparam("at"),
        phase=None,
    )
    .returning(runs)
)
_LATER = runs.alias("later")
_SUPERSEDED = sa.select(runs.c.id).where(
    runs.c.id.in_(sa.bindparam("ids", expanding=True)),
    sa.exists().where(
        _LATER.c.job == runs.c.job,
        _LATER.c.logical_time > runs.c.logical_time,
        _LATER.c.state.in_(SUCCESSES) | sa.and_(_LATER.c.finished_at.is_(None), _LATER.c.fence > 0),
    ),
)


def _claim(
    connection: sa.Connection, ids: list[int], owner: str, now: datetime, until: datetime
) -> list[Claim]:
    """Runs that have their permits, now the owner's."""
    if not ids:
        return []
    values = {"ids": ids, "by": owner, "until": text(until), "at": text(now)}
    rows = {row["id"]: row for row in connection.execute(_CLAIM, values).mappings()}
    # Only now that its place is the owner's can no later run begin there.
    superseded = set(connection.execute(_SUPERSEDED, {"ids": ids}).scalars())
    return [
        Claim(run_of(rows[number]), rows[number]["fence"], owner, until, number in superseded)
        for number in ids
    ]


def _finished(end: End, at: datetime) -> dict[str, Any]:
    return {**end.values(), "state": end.state, "finished_at": text(at)}


_MINE = (
    runs.c.id == sa.bindparam("claimed"),
    runs.c.fence == sa.bindparam("by"),
    *_RUNNING,
)
_EXTEND = (
    _permits.update()
    .where(_permits.c.run == sa.bindparam("id"), _permits.c.owner == sa.bindparam("by"))
    .values(lease_until=sa.bindparam("until"))
)
# Without its permits a run is lost too: its lease ended, and another one works in its place.
_HELD_OF = (
    sa.select(runs.c.id, runs.c.fence, runs.c.slot)
    .join(_permits, _permits.c.run == runs.c.id)
    .where(runs.c.id.in_(sa.bindparam("ids", expanding=True)), *_RUNNING)
    .order_by(runs.c.id)
    .with_for_update()
)


def _change(connection: sa.Connection, claim: Claim, values: Mapping[str, Any]) -> bool:
    """Change a run, unless somebody else has it by now; whether it is still the claim's."""
    named = {"claimed": claim.run.id, "by": claim.fence}
    return bool(connection.execute(_changing(tuple(values)), {**values, **named}).rowcount)


@cache
def _changing(names: tuple[str, ...]) -> sa.Update:
    return runs.update().where(*_MINE).values({name: sa.bindparam(name) for name in names})


def _say(connection: sa.Connection, words: Sequence[_Word]) -> None:
    """Write what owners say of runs, of those that are still theirs."""
    ids = [word.claim.run.id for word in words]
    held = {row.id: row for row in connection.execute(_HELD_OF, {"ids": ids})}
    told: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    left, ended = [], list[tuple[str, str | None]]()
    for word in words:
        run, fence = word.claim.run.id, word.claim.fence
        word.is_own = run in held and held[run].fence == fence
        if not word.is_own:
            continue
        told.setdefault(tuple(word.values), []).append({**word.values, "claimed": run, "by": fence})
        if "state" in word.values:
            left.append(run)
        if "finished_at" in word.values:
            ended.append((word.values["finished_at"], held[run].slot))
    for names, rows in told.items():
        connection.execute(_changing(names), rows)
    _free(connection, left)
    if ended:
        latest = datetime.fromisoformat(max(at for at, _ in ended))
        _settle(connection, [slot for _, slot in ended], latest)


_FREE = _permits.delete().where(_permits.c.run.in_(sa.bindparam("ids", expanding=True)))


def _free(connection: sa.Connection, ids: Collection[int]) -> None:
    if ids:
        connection.execute(_FREE, {"ids": sorted(ids)})


_WAITING = (
    sa.select(runs.c.slot)
    .where(runs.c.slot.in_(sa.bindparam("slots", expanding=True)), runs.c.state == "waiting")
    .order_by(runs.c.id)
    .with_for_update()
)
_OF_SLOT = sa.select(runs).where(runs.c.slot == sa.bindparam("slot"))
_LOCKED = (
    sa.select(runs.c.id)
    .where(runs.c.slot == sa.bindparam("slot"))
    .order_by(runs.c.id)
    .with_for_update()
)
_WAITS = runs.update().where(runs.c.id == sa.bindparam("waits"), runs.c.state == "waiting")


def _settle(connection: sa.Connection, slots: Iterable[str | None], at: datetime) -> None:
    """Let those go on that waited for runs of some slots that have ended, or skip them.

    Of two that end the last needs of a run at once, on PostgreSQL, one waits here for the other.
    """
    named = sorted({slot for slot in slots if slot})
    if named:
        for slot in sorted(set(connection.execute(_WAITING, {"slots": named}).scalars())):
            _settle_slot(connection, slot, at)


def _settle_slot(connection: sa.Connection, slot: str, at: datetime) -> None:
    """Queue the runs of a slot whose needs are met by now; skip those whose needs cannot be."""
    rows = connection.execute(_OF_SLOT, {"slot": slot}).mappings().all()
    jobs = {row["run_key"]: row["job"] for row in rows}
    ids = {row["job"]: row["id"] for row in rows}
    needs = {
        row["job"]: [jobs[need] for need in json.loads(row["needs"] or "[]") if need in jobs]
        for row in rows
    }
    found = ready(needs, {row["job"]: row["state"] for row in rows if row["state"] != "waiting"})
    for job, reason in found.skipped.items():
        end = {"state": "skipped", "reason": reason, "finished_at": text(at)}
        connection.execute(_WAITS.values(end), {"waits": ids[job]})
    for job in found.start:
        connection.execute(_WAITS.values(state="queued"), {"waits": ids[job]})


def _one(connection: sa.Connection, run: int) -> sa.RowMapping | None:
    query = sa.select(runs).where(runs.c.id == run).with_for_update()
    return connection.execute(query).mappings().one_or_none()


def owner_name(number: int | None = None) -> str:
    """Who this process is: the machine, the process, and when it began, since numbers are used again."""
    process = number or os.getpid()
    return f"{_machine()}/{process}/{_began(process)}"


def _is_dead(owner: str) -> bool:
    """Whether an owner was a process of this machine that is no more."""
    machine, process, began = owner.split("/")
    return machine == _machine() and _began(int(process)) != began


@cache
def _machine() -> str:
    """The machine's name, and what numbers of processes are counted in: a container has its own."""
    try:
        counted = Path("/proc/self/ns/pid").readlink().name
    except OSError:
        counted = ""
    return f"{socket.gethostname()} {counted}".strip()


def _began(process: int) -> str:
    """When a process began, in the machine's own ticks; nothing where it is dead, or cannot be seen."""
    try:
        told = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return ""
    state, *more = told.rpartition(")")[2].split()
    return "" if state == "Z" else more[18]
