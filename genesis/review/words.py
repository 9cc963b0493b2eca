"""An explanation or a lineage, as a colleague would write it. Every fact has its place in the files."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

from genesis.errors import Location
from genesis.review.askers import Asker
from genesis.review.explain import (
    BranchReason,
    Explanation,
    JoinReason,
    Pruned,
    ReportColumn,
    RowChoice,
    SortKey,
)
from genesis.review.graph import Origin
from genesis.review.impact import Impact, ReachedInput
from genesis.review.lineage import Lineage, ReportLineage, RowReason, Step
from genesis.review.trackers import Tracker

_NAMES = 20


def explanation_text(told: Explanation) -> str:
    """All of an explanation, in sections."""
    title = f": {told.title}" if told.title else ""
    sections = [
        [f"{told.input}{title} ({_place(told.at)})"],
        ["Grain", *_indented([f"{told.grain.sentence} ({_place(told.grain.at)})", *_shape(told)])],
        ["Columns", *_indented(map(_column, told.columns))],
        _section("Filters: a record stays where each is true", map(_origin, told.filters)),
        _section("Having: a row stays where each is true", map(_origin, told.having)),
        _section("Joins", (line for join in told.joins for line in _join(join))),
        _section(
            "Branches: related rows, grouped before they are joined",
            (line for branch in told.branches for line in _branch(branch)),
        ),
        _section("Rows that count", (line for choice in told.rows for line in _choice(choice))),
        ["Order", *_indented(map(_sort_key, told.order)), *_indented(_limit(told.limit))],
        _section("Pruned: declared, and not touched", _pruned(told.pruned)),
        _section("Tables", (_scan(scan.table, scan.columns) for scan in told.scans)),
    ]
    return _joined(sections)


def lineage_text(told: Lineage) -> str:
    """One column's way to the tables; what chooses rows stands apart from what the value is made of."""
    values = ", ".join(map(str, told.values)) or "no table column"
    sections = [
        [f"{told.column} of {told.input}", *_indented([f"made of {values}"])],
        ["Value", *_indented(_step(told.value))],
        _section("Rows that the value is taken from", map(_reason, told.rows)),
        _section("Records that the report has", map(_reason, told.records)),
    ]
    return _joined(sections)


def report_text(told: ReportLineage, trackers: Iterable[Tracker]) -> str:
    """Each column with its table columns and what chooses their rows; then records and order."""
    sections = [
        [f"{told.input} ({_place(told.at)})", *_indented(map(tracker_line, trackers))],
        _section("Columns", (line for one in told.columns for line in _made_of(one))),
        _section("Records that the report has", map(_reason, told.records)),
        _section("Order of the records", map(_reason, told.order)),
    ]
    return _joined(sections)


def tracker_line(tracker: Tracker) -> str:
    """Where a tracker is, and whom to ask."""
    owner = f", owner {tracker.owner}" if tracker.owner else ""
    return f"-> {tracker.place} (tracker {tracker.name}{owner}, {_place(tracker.at)})"


def impact_text(told: Impact) -> str:
    """How much is reached and whom to ask; then input by input what, and through what."""
    known = len(told.inputs) + len(told.not_reached)
    trackers = "1 tracker" if len(told.trackers) == 1 else f"{len(told.trackers)} trackers"
    counts = f"reaches {len(told.inputs)} of {known} inputs, {trackers}"
    owners = f"; ask {', '.join(told.owners)}" if told.owners else ""
    place = f" ({_place(told.subject.at)})" if told.subject.at else ""
    sections = [
        [f"{told.subject.kind} {told.subject.name}{place}", *_indented([counts + owners])],
        *([one.input, *_indented(_reached(one))] for one in told.inputs),
        _section("Not reached", _few(told.not_reached)),
    ]
    return _joined(sections)


def _few(names: tuple[str, ...]) -> Iterator[str]:
    """Names in a line; of very many the first."""
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    if names:
        yield ", ".join(names[:_NAMES]) + more


def _reached(told: ReachedInput) -> Iterator[str]:
    yield from map(tracker_line, told.trackers)
    if not told.trackers:
        yield "-> no tracker shows it"
    for one in told.columns:
        through = f", {'through' if one.by == 'value' else 'by'} {', '.join(one.through)}"
        yield f"{one.by} of {one.column}{through if one.through else ''} ({_place(one.at)})"
    yield from (f"records by {_origin_of(one)}" for one in told.records)
    yield from (f"order by {_origin_of(one)}" for one in told.order)


def _origin_of(reason: RowReason) -> str:
    return _origin(Origin(reason.kind, reason.name, reason.sql, reason.at))


def _made_of(told: Lineage) -> Iterator[str]:
    values = ", ".join(map(str, told.values)) or "no table column"
    yield f"{told.column}: made of {values} ({_place(told.value.at)})"
    if told.rows:
        reasons = dict.fromkeys(f"{one.kind} {one.name}".strip() for one in told.rows)
        yield f"  rows by {', '.join(reasons)}"


def _joined(sections: Iterable[list[str]]) -> str:
    return "\n\n".join("\n".join(map(shown, section)) for section in sections if section)


def shown(line: str) -> str:
    """A line as a terminal may have it: a file may hold anything, what speaks to terminals included."""
    return "".join("�" if unicodedata.category(one) in ("Cc", "Zl", "Zp") else one for one in line)


def _section(title: str, lines: Iterable[str]) -> list[str]:
    found = list(_indented(lines))
    return [title, *found] if found else []


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)


def _place(at: Location) -> str:
    return f"{at.file}:{at.line}"


def _origin(origin: Origin) -> str:
    what = f"{origin.kind} {origin.name}".strip()
    return f"{_code(origin.sql)}  {what} ({_place(origin.at)})"


def _here(origin: Origin) -> str:
    return f"{_code(origin.sql)} ({_place(origin.at)})"


def _code(text: str) -> str:
    return f"`{' '.join(text.split())}`"


def _shape(told: Explanation) -> Iterator[str]:
    grain = told.grain
    key = ", ".join(grain.key) or "none: there is one row"
    yield f"{grain.shape} of {grain.source}, key: {key}"


def _column(column: ReportColumn) -> str:
    hidden = "hidden " if column.is_hidden else ""
    key = f", {hidden}key" if column.is_key else ""
    asked = f" = {_code(column.asked)}" if column.asked else ""
    return f"{column.name}{asked}: {column.label}, {column.type}{key} ({_place(column.at)})"


def _join(join: JoinReason) -> Iterator[str]:
    how = ", ".join(here if here == there else f"{here} = {there}" for here, there in join.by)
    how = f"by {how}" if join.sql is None else f"where {_origin(join.sql)}"
    whole = f"{join.source}.{join.name}"
    yield f"{join.path} -> {join.target}, to {join.leads_to}, {how} ({whole}, {_place(join.at)})"
    yield f"  {join.kind}: {join.effect}"
    if join.where is not None:
        yield f"  only rows where {_origin(join.where)}"
    if join.pick:
        keys = ", ".join(map(_here, join.pick))
        yield f"  {join.pick[0].kind} {join.pick[0].name}: of many rows the first by {keys}"
    if join.as_of:
        at, start, *end = join.as_of
        until = f" and before {_here(end[0])}" if end else ", open-ended"
        kind = f"{at.kind} {at.name}"
        yield f"  {kind}: the row in force at {_here(at)}, from {_here(start)}{until}"
    yield from _indented(_askers(join.asked_by))


def _askers(askers: tuple[Asker, ...]) -> Iterator[str]:
    for asker in askers:
        through = "".join(f", through {_through(one)}" for one in asker.through)
        yield f"asked for by {asker.kind} {_asker_name(asker)} ({_place(asker.at)}){through}"


def _asker_name(asker: Asker) -> str:
    return asker.name if asker.kind == "column" else _code(asker.name)


def _through(origin: Origin) -> str:
    return f"{origin.kind} {origin.name} {_code(origin.sql)} ({_place(origin.at)})"


def _branch(branch: BranchReason) -> Iterator[str]:
    by = " and ".join(branch.by)
    yield f"{branch.path}: rows of {branch.target}, for each {branch.of} ({_place(branch.at)})"
    yield f"  {branch.name} is joined LEFT by {_code(by)}: a record without related rows stays"
    for condition in branch.where:
        yield f"  only rows where {_origin(condition)}"
    for column in branch.columns:
        where = f" where {' and '.join(map(_code, column.where))}" if column.where else ""
        yield f"  {_code(column.sql)}{where}"
        yield from _indented(_indented(_askers(column.asked_by)))
    for join in branch.joins:
        yield from _indented(_join(join))


def _choice(choice: RowChoice) -> Iterator[str]:
    said = f": {_code(choice.sql)}" if choice.sql else ""
    of = f"{choice.kind} of {choice.data_source}"
    yield f"{choice.name}: {of}{said} ({_place(choice.at)})"
    for condition in choice.where:
        yield f"  where {_origin(condition)}"
    for join in choice.joins:
        yield from _indented(_join(join))


def _sort_key(key: SortKey) -> str:
    return f"{_code(key.sql)} {key.direction}, NULLs last ({_place(key.at)})"


def _limit(limit: int | None) -> Iterator[str]:
    yield "no limit" if limit is None else f"the first {limit} rows"


def _pruned(pruned: Pruned) -> Iterator[str]:
    for one in pruned.columns:
        unread = f"; not {', '.join(one.unread)}" if one.unread else ""
        count = f"{one.read} of {one.declared} declared columns read"
        yield f"{one.data_source}: {count}{unread} ({_place(one.at)})"
    for join in pruned.joins:
        yield f"join {join.name}: nobody asked ({_place(join.at)})"
    for member in pruned.excepted:
        yield f"member of set {member.name}: excepted ({_place(member.at)})"


def _scan(table: str, columns: tuple[str, ...] | None) -> str:
    return f"{table}: {', '.join(columns) if columns is not None else 'all columns'}"


def _step(step: Step) -> Iterator[str]:
    said = f": {_code(step.sql)}" if step.sql else ""
    yield f"{step.kind} {step.name}{said} ({_place(step.at)})"
    for part in step.parts:
        yield from _indented(_step(part))


def _reason(reason: RowReason) -> str:
    columns = ", ".join(map(str, reason.columns)) or "no table column"
    what = f"{reason.kind} {reason.name}".strip()
    return f"{what}: {_code(reason.sql)} reads {columns} ({_place(reason.at)})"
