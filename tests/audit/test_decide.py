"""What an audit tells, against a plain reading of each key's history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from genesis.audit.decide import (
    Difference,
    Finding,
    Findings,
    Key,
    Kind,
    Memory,
    Patience,
    decide,
)

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
A: Key = ("a",)


def at(minutes: int) -> datetime:
    return START + minutes * MINUTE


def missing(*keys: str) -> Findings:
    return Findings.of(*(Finding((key,), "missing") for key in keys))


def differing(source_hash: str) -> Findings:
    return Findings.of(Finding(A, "differs", source_hash, "old"))


def told_in(runs: Sequence[Findings], patience: Patience) -> list[list[Key]]:
    """The keys that each of some runs tells, ten minutes apart."""
    memory: Memory = {}
    told = []
    for number, findings in enumerate(runs):
        decision = decide(memory, findings, patience, at(10 * number))
        memory = decision.after
        told.append([one.key for one in decision.told])
    return told


def test_a_difference_is_told_once_in_the_run_that_makes_it_enough() -> None:
    """Not before, and not again."""
    assert told_in([missing("a")] * 5, Patience(runs=3)) == [[], [], [A], [], []]


def test_a_difference_that_was_away_for_a_run_starts_anew() -> None:
    assert told_in([missing("a"), missing("a"), missing(), missing("a")], Patience(3))[-1] == []


def test_a_young_difference_waits_however_often_it_was_seen() -> None:
    """It is told when it is as old as a change may take."""
    assert told_in([missing("a")] * 4, Patience(1, 25 * MINUTE)) == [[], [], [], [A]]


def test_a_record_whose_source_moved_on_starts_anew() -> None:
    """Every run sees another lag, and none of them lasts."""
    assert told_in([differing(hash_) for hash_ in "abcde"], Patience(2)) == [[]] * 5


def test_a_key_that_changed_lately_neither_counts_nor_heals() -> None:
    before = decide({}, missing("a"), Patience(2), START).after
    young = Findings.of(young=frozenset([A]))
    assert decide(before, young, Patience(2), at(1)).after == before


def test_what_heals_before_it_was_told_is_forgotten() -> None:
    before = decide({}, missing("a"), Patience(2), START).after
    decision = decide(before, missing(), Patience(2), at(1))
    assert (dict(decision.after), decision.all_clear) == ({}, ())


def test_healing_is_told_once_when_nothing_that_was_told_is_left() -> None:
    """Of all that healed since the alarm."""
    clear = []
    memory: Memory = {}
    for number, keys in enumerate(["ab", "b", "", ""]):
        decision = decide(memory, missing(*keys), Patience(), at(number))
        memory = decision.after
        clear.append(sorted(str(one.key[0]) for one in decision.all_clear))
    assert clear == [[], [], ["a", "b"], []]


def test_one_that_comes_back_before_the_all_clear_is_not_told_again() -> None:
    """Nobody heard that it had healed."""
    assert told_in([missing("a", "b"), missing("b"), missing("a", "b")], Patience())[2] == []


# --- against a plain reading of each key's history -------------------------------------------------


@dataclass
class Life:
    """A key's history so far, run by run: what was found of it, or nothing; `young` runs are left out."""

    found: list[Finding | None] = field(default_factory=list)
    at: list[datetime] = field(default_factory=list)

    def streak(self) -> tuple[int, datetime]:
        """In how many of the last runs the same difference was seen, and when first."""
        last = self.found[-1]
        assert last is not None
        count = 0
        for found in reversed(self.found):
            if found is None or found.kind != last.kind:
                break
            if last.kind == "differs" and found.source_hash != last.source_hash:
                break
            count += 1
        return count, self.at[-count]


kinds: st.SearchStrategy[Kind] = st.sampled_from(["missing", "extra", "differs"])
findings = st.builds(Finding, st.just(A), kinds, st.sampled_from(["1", "2"]))
# For each key: a finding, nothing, or a change of so late that nothing can be said.
sights = st.one_of(findings, findings, st.none(), st.just("young"))
runs = st.lists(
    st.tuples(st.integers(0, 30), st.lists(sights, min_size=3, max_size=3)), max_size=12
)
patiences = st.builds(
    Patience, st.integers(1, 3), st.sampled_from([0, 10, 40]).map(lambda m: m * MINUTE)
)


@given(runs, patiences)
def test_it_tells_what_a_plain_reading_of_the_histories_tells(
    history: list[tuple[int, list[Finding | str | None]]], patience: Patience
) -> None:
    """Alarms and all-clears, for three keys at once."""
    memory: Memory = {}
    lives = [Life() for _ in range(3)]
    known: set[int] = set()  # told to somebody, who was not told that it healed
    now = START
    for minutes, seen in history:
        now += (minutes + 1) * MINUTE
        found = [
            Finding((str(n),), one.kind, one.source_hash)
            for n, one in enumerate(seen)
            if isinstance(one, Finding)
        ]
        young = frozenset((str(n),) for n, one in enumerate(seen) if one == "young")
        decision = decide(memory, Findings.of(*found, young=young), patience, now)
        memory = decision.after

        alarm, clear = set(), set()
        for n, one in enumerate(seen):
            if not isinstance(one, str):
                lives[n].found.append(one)
                lives[n].at.append(now)
            if isinstance(one, Finding) and n not in known:
                count, first = lives[n].streak()
                if count >= patience.runs and now - first >= patience.sla:
                    alarm.add(n)
        known |= alarm
        if known and all(lives[n].found[-1] is None for n in known):
            clear, known = known, set()
        assert {int(one.key[0] or "") for one in decision.told} == alarm
        assert {int(one.key[0] or "") for one in decision.all_clear} == clear
        failing = {int(one.key[0] or "") for one in decision.failing}
        assert failing == {n for n in known if lives[n].found[-1] is not None}


@given(st.lists(findings, max_size=1))
def test_a_decision_forgets_nothing_that_is_still_there(found: list[Finding]) -> None:
    decision = decide({}, Findings.of(*found), Patience(2), START)
    assert [one.key for one in decision.watched] == [one.key for one in found]
    assert all(isinstance(one, Difference) and one.runs == 1 for one in decision.watched)
