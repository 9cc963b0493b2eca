"""Which columns a report has, what they hold, how they look, in which order they stand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from sqlglot import exp

from genesis.compile.query import Output
from genesis.review.differences.difference import Difference, Kind, Risk, code, is_same_text, it_was
from genesis.review.expand import origins
from genesis.review.graph import spelled
from genesis.review.report import Report
from genesis.spec.formatter import KINDS, Formatter


@dataclass(frozen=True, eq=False)
class _Column:
    """A column as it is compared: what it means, and what is shown of that."""

    output: Output
    report: Report

    @property
    def name(self) -> str:
        return self.output.column.name

    @property
    def label(self) -> str:
        return self.output.column.label

    @cached_property
    def meaning(self) -> exp.Expr:
        return self.report.expanded(self.output.raw)

    @cached_property
    def shown(self) -> exp.Expr:
        return self.report.expanded(self.output.shown)

    @property
    def format(self) -> str:
        return _format(self.output.formatter)


def of_columns(before: Report, after: Report) -> Iterator[Difference]:
    """What goes, is called otherwise, comes, differs; then what stands elsewhere."""
    old, new = _visible(before), _visible(after)
    pairs = [(old[name], column) for name, column in new.items() if name in old]
    went = [column for name, column in old.items() if name not in new]
    came = [column for name, column in new.items() if name not in old]
    renamed = _renamed(went, came)
    pairs += renamed
    # A sheet knows a column by its header too: what stands below it now is the same column.
    pairs += [(one, other) for one in went for other in came if one.label == other.label]
    paired = {column.name for pair in pairs for column in pair}
    yield from (_removed(column) for column in went if column.name not in paired)
    yield from (difference for pair in renamed for difference in _renaming(*pair))
    yield from (_added(column) for column in came if column.name not in paired)
    for one, other in dict.fromkeys(pairs):
        yield from _changes(one, other)
    yield from _moves(old, new, {other.name: one.name for one, other in pairs})


def _visible(report: Report) -> dict[str, _Column]:
    columns = (_Column(output, report) for output in report.query.outputs)
    return {one.name: one for one in columns if not one.output.column.hidden}


def _renamed(old: list[_Column], new: list[_Column]) -> list[tuple[_Column, _Column]]:
    """Columns that mean the same under another name, where there is one of each."""
    found = []
    for column in old:
        alike = [one for one in new if one.meaning == column.meaning and one.shown == column.shown]
        others = [one for one in old if one.meaning == column.meaning]
        if len(alike) == len(others) == 1:
            found.append((column, alike[0]))
    return found


def _removed(column: _Column) -> Difference:
    said = f"column {code(column.label)} goes"
    return Difference(
        "column removed", column.name, said, _asked(column), None, ("column removed",)
    )


def _added(column: _Column) -> Difference:
    sensitivity = column.output.column.sensitivity
    said = f"column {code(column.label)} comes: {code(_asked(column))}"
    said += f", which is {code(sensitivity)}" if sensitivity else ""
    risks: tuple[Risk, ...] = ("sensitivity raised",) if sensitivity else ()
    return Difference("column added", column.name, said, None, _asked(column), risks)


def _renaming(old: _Column, new: _Column) -> Iterator[Difference]:
    said = f"column {code(old.label)} is called {code(new.label)} now"
    if old.label == new.label:
        said = f"column {code(new.label)} is {code(new.name)} in SQL, it was {code(old.name)}"
    risk: Risk = "column removed" if old.label != new.label else "values change"
    yield Difference("column renamed", new.name, said, old.name, new.name, (risk,))


def _changes(old: _Column, new: _Column) -> Iterator[Difference]:
    """What differs between two columns that are one."""
    name, one, other, label = new.name, old.output.column, new.output.column, code(new.label)
    is_other = old.meaning != new.meaning
    if is_other:
        yield _changed(old, new)
    if one.type != other.type:
        said = f"column {label} holds {other.type}, it held {one.type}"
        yield Difference(
            "column retyped", name, said, str(one.type), str(other.type), ("column retyped",)
        )
    if old.name == new.name and one.label != other.label:
        said = f"column {code(one.label)} has the header {label} now"
        yield Difference(
            "column relabelled", name, said, one.label, other.label, ("header changed",)
        )
    if old.format != new.format or (not is_other and old.shown != new.shown):
        said = f"column {label} is shown {_as(new.format)}, it was shown {_as(old.format)}"
        yield Difference("column reformatted", name, said, old.format, new.format)
    if one.sensitivity != other.sensitivity:
        yield _sensitivity(name, label, one.sensitivity, other.sensitivity)


def _changed(old: _Column, new: _Column) -> Difference:
    """Another meaning, by the outermost piece of a definition that reads otherwise."""
    said, before, after = _otherwise(old, new)
    whole = f"column {code(new.label)} {said}"
    return Difference("column changed", new.name, whole, before, after, ("values change",))


def _otherwise(old: _Column, new: _Column) -> tuple[str, str, str]:
    """In words, what a column is now, and the two texts that differ."""
    before, after = _asked(old), _asked(new)
    if not is_same_text(before, after):
        return f"is {it_was(after, before)}", before, after
    for (kind, name), (was, now) in _edited(old, new).items():
        what = f"{kind} {code(name)}" if name else kind
        return f"changes, since {what} is {it_was(now, was)}", was, now
    before, after = (one.report.words(one.meaning) for one in (old, new))
    if before != after:
        return f"means {it_was(after, before)}", before, after
    dialect = new.report.project.settings.dialect
    before, after = (spelled(one.meaning, dialect) for one in (old, new))
    if before != after:
        return f"is computed otherwise, as {it_was(after, before)}", before, after
    zones = (one.report.project.timezone_of(one.report.definition) for one in (old, new))
    if len({*zones}) > 1:
        return f"means {code(after)} as before, with days of another time zone", before, after
    return "is computed otherwise", before, after


def _edited(old: _Column, new: _Column) -> dict[tuple[str, str], tuple[str, str]]:
    """The pieces of definitions in both that read otherwise, the outermost first."""
    was, now = (
        {(one.kind, one.name): one.sql for one in origins(each.meaning, each.report.graph)}
        for each in (old, new)
    )
    return {
        key: (was[key], now[key])
        for key in now
        if not is_same_text(was.get(key, now[key]), now[key])
    }


def _asked(column: _Column) -> str:
    """What the input says of a column, with what stands beside it."""
    output = column.output
    path = output.place.path
    said = [output.asked]
    if len(path) == 3 and path[0] == "fields" and isinstance(path[1], int):
        item = column.report.definition.fields[path[1]]
        said += [f"where {item.where}"] if item.where else []
        said += ["distinct"] if item.distinct else []
        said += [f"sort {', '.join(item.sort)}"] if item.sort else []
        said += [f"default {item.default}"] if item.default is not None else []
        said += [f"separator {item.separator!r}"] if "separator" in item.model_fields_set else []
    return " ".join(said)


def _sensitivity(name: str, label: str, old: str | None, new: str | None) -> Difference:
    kind: Kind = "sensitivity changed"
    if new is None:
        said = f"column {label} was {code(old)}, and its values may be shown everywhere now"
        return Difference(kind, name, said, old, new, ("sensitivity lowered",))
    said = f"column {label} is {code(new)} now" + (f", it was {code(old)}" if old else "")
    return Difference(kind, name, said, old, new, ("sensitivity raised",))


def _format(formatter: Formatter | None) -> str:
    """What a formatter does."""
    if formatter is None:
        return ""
    kind = next(kind for kind in KINDS if getattr(formatter, kind) is not None)
    made = getattr(formatter, kind)
    if isinstance(made, dict):
        made = ", ".join(f"{value}: {label}" for value, label in made.items())
        made += f", otherwise: {formatter.otherwise}" if formatter.otherwise is not None else ""
    return f"{kind} {made}"


def _as(format_: str) -> str:
    return f"as {code(format_)}" if format_ else "as it is"


def _moves(
    old: dict[str, _Column], new: dict[str, _Column], was: dict[str, str]
) -> Iterator[Difference]:
    """The fewest columns that must have moved, for the others to be in the order that they were in.

    `was` has the name that a column had.
    """
    order = [name for name in old if name in was.values()]
    staying = _longest_common(order, [was[name] for name in new if name in was])
    names = list(new)
    for name, column in new.items():
        if name in was and was[name] not in staying:
            at = names.index(name)
            where = f"behind {code(new[names[at - 1]].label)}" if at else "to the front"
            yield Difference("column moved", name, f"column {code(column.label)} moves {where}")


def _longest_common(one: Sequence[str], other: Sequence[str]) -> set[str]:
    """The longest sequence of names that stands in both, in this order."""
    rank = {name: at for at, name in enumerate(one)}
    best: list[tuple[str, ...]] = [()]
    for name in other:
        before = (chain for chain in best if not chain or rank[chain[-1]] < rank[name])
        best.append((*_longest(before), name))
    return set(_longest(best))


def _longest(chains: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return max(chains, key=lambda chain: len(chain))
