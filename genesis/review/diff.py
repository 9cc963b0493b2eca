"""Two projects -> what changes between them, tracker by tracker, and why.

Only what an edited definition can reach is compiled. A tracker changes where its SQL, its columns, its
sink, its options or its schedule do; a part of a definition is a reason if without its edit the report would
be another one: each edit is undone alone, and the report compiled again. The surprise: where none makes a
difference alone, all of them together are the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

from genesis.compile.statement import Statement
from genesis.compile.trackers import place_key, renamed
from genesis.errors import Location
from genesis.review.changed import Aspect, Change, Diff, Edit, Kind, Reason
from genesis.review.differences.difference import Difference
from genesis.review.differences.reports import differences
from genesis.review.pieces import (
    IN_SOURCES,
    Piece,
    edit_at,
    edited_keys,
    edited_pieces,
    in_order_of,
    with_piece_of,
)
from genesis.review.report import Report
from genesis.review.risks import marks
from genesis.review.sides import Found, Problems, Side, schedule_text, statement
from genesis.review.touched import touched
from genesis.spec.project import SETTINGS, Project
from genesis.spec.workflow import Schedule

# What a job says of how its tracker is kept, besides its place and its parameters.
OPTIONS = (
    "mode",
    "on_delete",
    "order",
    "max_deletes",
    "min_rows",
    "allow_empty",
    "on_human_edit",
    "annotations",
    "touch",
    "view",
)
_KINDS = ("removed", "unknown", "renamed", "changed", "added")
_MOST_UNDONE = 200  # edits of one report that are undone one by one; of more, all are told


def diff_projects(before: Project, after: Project, dialect: str) -> Diff:
    """What a change from one project to the other does to trackers, and to reports that none shows."""
    return _Comparison(before, in_order_of(after, before), dialect).diff()


class _Pair(NamedTuple):
    """A tracker or a report on both sides."""

    old: Found
    new: Found


class _Comparison:
    def __init__(self, before: Project, after: Project, dialect: str) -> None:
        self._before, self._after = Side(before, dialect), Side(after, dialect)
        self._edits = edited_pieces(before, after)
        self._undone: dict[Piece, Project] = {}
        self._meanings: dict[tuple[str, ...], tuple[Difference, ...]] = {}

    def diff(self) -> Diff:
        pairs, gone, new = self._matched()
        changes = [change for pair in pairs if (change := self._compared(pair)) is not None]
        changed = {change.name for change in changes}
        same = [pair.new for pair in pairs if pair.new.name not in changed]
        changes += [self._removed(found) for found in gone]
        changes += [self._added(found) for found in new]
        changes.sort(key=lambda one: (_KINDS.index(one.kind), one.subject != "tracker", one.name))
        return Diff(
            dialect=self._after.dialect,
            changes=tuple(changes),
            touched=tuple(touched(self._before, self._after, self._edits, same)),
            unchanged=len(same),
        )

    # --- who is who -----------------------------------------------------------------------------

    def _matched(self) -> tuple[list[_Pair], list[Found], list[Found]]:
        """What is on both sides, what is gone, what is new."""
        old, new = dict(self._before.trackers), dict(self._after.trackers)
        names = {name: name for name in old if name in new}
        names |= self._of_renamed_workflows(old.keys() - names, new.keys() - {*names.values()})
        taken = {*names.values()}
        names |= _in_one_place(
            [old[name] for name in old if name not in names],
            [new[name] for name in new if name not in taken],
        )
        pairs = [_Pair(old.pop(one), new.pop(other)) for one, other in names.items()]
        shown = self._before.shown | self._after.shown
        here, there = self._before.project.inputs, self._after.project.inputs
        reports = {name: Found(name, name) for name in (*here, *there) if name not in shown}
        pairs += [
            _Pair(one, one) for name, one in reports.items() if name in here and name in there
        ]
        gone = [one for name, one in reports.items() if name not in there]
        added = [one for name, one in reports.items() if name not in here]
        return pairs, [*old.values(), *gone], [*new.values(), *added]

    def _of_renamed_workflows(self, old: Iterable[str], new: set[str]) -> dict[str, str]:
        workflows = renamed(self._after.project)
        found = {}
        for name in old:
            workflow, _, job = name.partition(".")
            other = f"{workflows.get(workflow)}.{job}"
            if other in new:
                found[name] = other
        return found

    # --- one tracker ----------------------------------------------------------------------------

    def _compared(self, pair: _Pair) -> Change | None:
        """What happens to what is on both sides; `None` where nothing does."""
        aspects = list(self._of_job(pair))
        old, new = pair
        if aspects or self._is_reached(pair):
            was, is_now = self._before.compiled(old), self._after.compiled(new)
            if not isinstance(was, Statement) or not isinstance(is_now, Statement):
                return self._change(pair, "unknown")
            aspects = [*_of_statements(was, is_now), *aspects]
        if not aspects and old.name == new.name:
            return None
        return self._change(pair, "changed" if old.name == new.name else "renamed", aspects)

    def _change(self, pair: _Pair, kind: Kind, aspects: Iterable[Aspect] = ()) -> Change:
        old, new = pair
        found = tuple(aspects)
        meaning = self._differences(pair) if {"SQL", "columns"} & {*found} else ()
        return Change(
            subject=new.subject,
            name=new.name,
            kind=kind,
            before=self._before.version(old),
            after=self._after.version(new),
            aspects=found,
            reasons=tuple(dict.fromkeys(self._reasons(pair, found))),
            differences=meaning,
            risks=marks(meaning, new.name, new.job) if new.job is not None else (),
            old_name=old.name if old.name != new.name else None,
        )

    def _differences(self, pair: _Pair) -> tuple[Difference, ...]:
        key = (pair.old.input, pair.new.input, repr((_parameters(pair.old), _parameters(pair.new))))
        if key not in self._meanings:
            report = self._after.report(pair.new)
            self._meanings[key] = differences(self._before.report(pair.old), report)
        return self._meanings[key]

    def _removed(self, found: Found) -> Change:
        """What is gone, unless what it was made of is there and cannot be read."""
        before = self._before.version(found)
        if faults := _faults(self._after.project, found):
            after = replace(before, sql=None, columns=(), problems=faults)
            return Change(found.subject, found.name, "unknown", before, after)
        reasons = self._of_found(found, self._before, "removed")
        return Change(found.subject, found.name, "removed", before, None, (), reasons)

    def _added(self, found: Found) -> Change:
        after = self._after.version(found)
        if faults := _faults(self._before.project, found):
            before = replace(after, sql=None, columns=(), problems=faults)
            return Change(found.subject, found.name, "unknown", before, after)
        reasons = self._of_found(found, self._after, "added")
        return Change(found.subject, found.name, "added", None, after, (), reasons)

    def _of_found(self, found: Found, side: Side, edit: Edit) -> tuple[Reason, ...]:
        """What came or went with it: its workflow, its job alone, or its input."""
        other = self._after if side is self._before else self._before
        if found.workflow is None:
            return (Reason("input", found.name, edit, (), side.place_of(found)),)
        name, at = found.workflow.name, found.workflow.locate_name()
        if name not in other.project.workflows:
            return (Reason("workflow", name, edit, (), at),)
        return (Reason("job", found.name, edit, (), side.place_of(found)),)

    @cached_property
    def _reaches_all(self) -> bool:
        """Whether something differs that any report may rest on."""
        projects = self._before.project, self._after.project
        if any(SETTINGS in project.broken for project in projects):
            return True
        is_edited = any(piece.kind == "setting" for piece in self._edits)
        return is_edited or self._before.names != self._after.names

    @cached_property
    def _unsound(self) -> frozenset[str]:
        """The data sources that an edit, in them or in what their joins are by, made unusable, or usable again."""
        found = {piece.owner for piece in self._edits if piece.kind in IN_SOURCES}
        sides = (self._before, self._after)
        for side in sides:
            others = side.project.data_sources.keys() - found
            found |= {one for one in others if not self._edits.keys().isdisjoint(side.around(one))}
        return frozenset(one for one in found if not all(side.is_sound(one) for side in sides))

    def _is_reached(self, pair: _Pair) -> bool:
        """Whether an edit may make another report of it."""
        old, new = pair
        if self._reaches_all or old.input != new.input or _parameters(old) != _parameters(new):
            return True
        used = self._used(pair)
        sources = {piece.owner for piece in used if piece.kind == "data source"}
        return not (used.isdisjoint(self._edits) and sources.isdisjoint(self._unsound))

    def _used(self, pair: _Pair) -> frozenset[Piece]:
        return self._before.used(pair.old.input) | self._after.used(pair.new.input)

    def _of_job(self, pair: _Pair) -> Iterator[Aspect]:
        old, new = pair
        if old.job is None or new.job is None:
            return
        if old.job.to != new.job.to:
            yield "sink"
        if any(getattr(old.job, key) != getattr(new.job, key) for key in OPTIONS):
            yield "options"
        if self._schedule(self._before, old) != self._schedule(self._after, new):
            yield "schedule"

    def _schedule(self, side: Side, found: Found) -> str:
        return schedule_text(side.project, found.workflow) if found.workflow else ""

    # --- why ------------------------------------------------------------------------------------

    def _reasons(self, pair: _Pair, aspects: tuple[Aspect, ...]) -> Iterator[Reason]:
        yield from self._of_options(pair)
        if "schedule" in aspects:
            yield from self._of_schedule(pair)
        if {"SQL", "columns"} & {*aspects}:
            yield from map(self._of_piece, self._effective(pair))

    def _of_options(self, pair: _Pair) -> Iterator[Reason]:
        """The edits of a job, and of the templates that it uses."""
        old, new = pair
        if old.job is None or new.job is None or new.workflow is None:
            return
        found: dict[tuple[str, str, Location], list[str]] = {}
        for key in ("refresh", "to", "parameters", *OPTIONS):
            if getattr(old.job, key) != getattr(new.job, key):
                found.setdefault(self._written_in(new, key), []).append(key)
        for (kind, name, at), keys in found.items():
            yield Reason(kind, name, "edited", tuple(keys), at)

    def _written_in(self, found: Found, key: str) -> tuple[str, str, Location]:
        """The job, or the last of its templates, that says an option."""
        workflow, templates = found.workflow, self._after.project.templates
        if workflow is None:
            raise LookupError("a report has no options")
        job = workflow.jobs[found.position]
        saying = [name for name in job.use if name in templates]
        saying = [name for name in saying if key in templates[name].model_fields_set]
        if key not in job.model_fields_set and saying:
            return "template", saying[-1], templates[saying[-1]].locate_key()
        return "job", found.name, workflow.locate("jobs", found.position, "refresh")

    def _of_schedule(self, pair: _Pair) -> Iterator[Reason]:
        old, new = pair.old.workflow, pair.new.workflow
        if old is None or new is None:
            return
        if old.schedule != new.schedule:
            parts = (vars(old.schedule or Schedule()), vars(new.schedule or Schedule()))
            keys = tuple(sorted(key for key in parts[0] if parts[0][key] != parts[1][key]))
            yield Reason("schedule", new.name, "edited", keys, new.locate_key("schedule"))
        else:
            yield self._of_piece(Piece("setting", "timezone"))

    def _of_piece(self, piece: Piece) -> Reason:
        edit = self._edits[piece]
        projects = self._before.project, self._after.project
        keys = edited_keys(piece, *projects) if edit == "edited" else ()
        if edit == "edited":
            at = edit_at(piece, *projects)
        else:
            at = piece.at(projects[0] if edit == "removed" else projects[1])
        return Reason(piece.kind, str(piece), edit, keys, at)

    def _effective(self, pair: _Pair) -> list[Piece]:
        """The edits without which the report would be another one than it is now."""
        used = self._used(pair)
        edits = [piece for piece in self._edits if piece in used or piece.kind == "setting"]
        edits = edits or list(self._edits)  # a name may be in the way of another
        if len(edits) > _MOST_UNDONE or (len(edits) == 1 and not self._has_other_reason(pair)):
            return edits
        return [piece for piece in edits if self._makes_a_difference(piece, pair.new)] or edits

    def _has_other_reason(self, pair: _Pair) -> bool:
        old, new = pair
        return old.input != new.input or _parameters(old) != _parameters(new)

    def _makes_a_difference(self, piece: Piece, found: Found) -> bool:
        if piece not in self._undone:
            before, after = self._before.project, self._after.project
            self._undone[piece] = with_piece_of(after, piece, before)
        project = self._undone[piece]
        if found.input not in project.inputs:
            return True
        without = statement(Report(project, found.input, self._after.run_of(found)))
        now = self._after.compiled(found)
        if not isinstance(without, Statement) or not isinstance(now, Statement):
            return True
        return (without.sql, without.columns) != (now.sql, now.columns)


def _of_statements(before: Statement, after: Statement) -> Iterator[Aspect]:
    if before.sql != after.sql:
        yield "SQL"
    if before.columns != after.columns:
        yield "columns"


def _parameters(found: Found) -> dict[str, Any]:
    return found.job.parameters if found.job is not None else {}


def _faults(project: Project, found: Found) -> Problems:
    """Why a project may lack something: its workflow, or its input, is there and cannot be read."""
    kind, name = ("workflow", found.workflow.name) if found.workflow else ("input", found.input)
    is_broken = (kind, name) in project.broken or SETTINGS in project.broken
    return project.faults if is_broken else ()


def _in_one_place(old: Iterable[Found], new: Iterable[Found]) -> dict[str, str]:
    """Trackers that have another name now and are where they were."""
    before, after = _by_place(old), _by_place(new)
    return {
        before[place][0]: after[place][0]
        for place in before
        if len(before[place]) == len(after.get(place, ())) == 1
    }


def _by_place(trackers: Iterable[Found]) -> dict[tuple[str, ...], list[str]]:
    places: dict[tuple[str, ...], list[str]] = {}
    for found in trackers:
        if found.job is not None and found.job.to is not None:
            places.setdefault(place_key(found.job.to), []).append(found.name)
    return places
