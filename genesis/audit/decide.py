"""What an audit remembers of a run, and what it tells: state, findings and a moment in, both out. PURE.

A difference is told once: when it was seen in so many complete runs on end, and has been there for
longer than a change may take. One message tells of those that are new, one of all that healed when
none is left. The surprise: a run that failed or saw only a part never gets here, so it neither
brings a difference nearer to being told nor clears one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

Kind = Literal["missing", "extra", "differs"]
KINDS: tuple[Kind, ...] = ("missing", "extra", "differs")

Strategy = Literal["keys", "rows", "checksums"]

Key = tuple[str | None, ...]
"""The values of a record's key, as a person reads them; of a sensitive one what stands for it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A key on which the two sides differ, in one run. `columns` are those that do, where they are known.

    `missing` is in the source and not here, `extra` is here and not there.
    """

    key: Key
    kind: Kind
    source_hash: str | None = None
    target_hash: str | None = None
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Findings:
    """What a complete run saw. `listed` holds every key that was remembered, and the first of the others.

    `young` are keys that differ too, and whose record changed in the source so lately that it may still
    be on its way; no finding is young.
    """

    listed: tuple[Finding, ...]
    counts: Mapping[Kind, int]
    young: frozenset[Key] = frozenset()

    @classmethod
    def of(cls, *found: Finding, young: frozenset[Key] = frozenset()) -> Findings:
        """Findings of which all are listed."""
        counts = {kind: sum(one.kind == kind for one in found) for kind in KINDS}
        return cls(found, counts, young)

    @property
    def total(self) -> int:
        """On how many keys the sides differ."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Seen:
    """What a run saw, how, and in which snapshots."""

    findings: Findings
    strategy: Strategy
    snapshots: Mapping[str, int | None]
    seconds: float


@dataclass(frozen=True, slots=True)
class Difference:
    """What is remembered of a key. `runs` counts the complete runs on end that saw it as it is now."""

    key: Key
    kind: Kind
    first_seen: datetime
    last_seen: datetime
    runs: int = 1
    source_hash: str | None = None
    target_hash: str | None = None
    columns: tuple[str, ...] = ()
    told: datetime | None = None
    healed: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is there, as far as anybody knows."""
        return self.healed is None

    def to_json(self) -> dict[str, Any]:
        """The entry of a report."""
        return {
            "key": list(self.key),
            "kind": self.kind,
            "columns": list(self.columns),
            "first_seen": self.first_seen.isoformat(),
            "last_seen": self.last_seen.isoformat(),
            "runs": self.runs,
            "told": self.told.isoformat() if self.told else None,
            "healed": self.healed.isoformat() if self.healed else None,
        }


Memory = Mapping[Key, Difference]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a difference is watched before it is told: so many runs on end, and so long."""

    runs: int = 1
    sla: timedelta = timedelta(0)

    def is_over(self, difference: Difference, now: datetime) -> bool:
        """Whether a difference has been there for long enough."""
        return difference.runs >= self.runs and now - difference.first_seen >= self.sla


@dataclass(frozen=True, slots=True)
class Decision:
    """What is remembered after a run; what is told now; what healed, once nothing told is left."""

    after: Memory
    told: tuple[Difference, ...] = ()
    all_clear: tuple[Difference, ...] = field(default=())

    @property
    def failing(self) -> tuple[Difference, ...]:
        """What was told and is still so."""
        return tuple(one for one in self.after.values() if one.told and one.is_open)

    @property
    def watched(self) -> tuple[Difference, ...]:
        """What was seen and not told yet."""
        return tuple(one for one in self.after.values() if not one.told and one.is_open)


def decide(before: Memory, findings: Findings, patience: Patience, now: datetime) -> Decision:
    """What a complete run means, after those before it."""
    after = dict(_seen(before, findings, now)) | dict(_unseen(before, findings, now))
    told = tuple(
        replace(one, told=now)
        for one in after.values()
        if one.is_open and not one.told and one.last_seen == now and patience.is_over(one, now)
    )
    after |= {one.key: one for one in told}
    if any(one.told and one.is_open for one in after.values()):
        return Decision(after, told)
    healed = tuple(one for one in after.values() if not one.is_open)
    return Decision({key: one for key, one in after.items() if one.is_open}, told, healed)


def _seen(before: Memory, findings: Findings, now: datetime) -> Iterator[tuple[Key, Difference]]:
    for found in findings.listed:
        known = before.get(found.key)
        new = Difference(
            found.key,
            found.kind,
            first_seen=now,
            last_seen=now,
            source_hash=found.source_hash,
            target_hash=found.target_hash,
            columns=found.columns,
        )
        if known is not None:
            # Nobody was told yet that it healed, so whoever knows of it knows of it still.
            new = replace(new, told=known.told)
            if _is_same(known, found):
                new = replace(new, first_seen=known.first_seen, runs=known.runs + 1)
        yield found.key, new


def _is_same(known: Difference, found: Finding) -> bool:
    """Whether it is the difference that was there before, and not another one in its place.

    A record whose source moved on is on its way once more.
    """
    if not known.is_open or known.kind != found.kind:
        return False
    return found.kind != "differs" or known.source_hash == found.source_hash


def _unseen(before: Memory, findings: Findings, now: datetime) -> Iterator[tuple[Key, Difference]]:
    seen = {found.key for found in findings.listed}
    for key, known in before.items():
        if key in seen:
            continue
        if key in findings.young or not known.is_open:
            yield key, known
        elif known.told:
            yield key, replace(known, healed=now)
