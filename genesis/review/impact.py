"""What a part of a project reaches: inputs, their columns, the trackers that show them, whom to ask.

A part is a data source, a field, measure or join of one, a table or a column of one. A value that flows into a column is
told apart from what chooses the rows it is taken from, from what chooses the report's records, and from what
orders them. The surprise: what is inherited by `extends` is reached through its heirs too, and a column of a
table through every data source over that table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from genesis.compile.identifiers import table_parts
from genesis.compile.joins import raw_column
from genesis.compile.latest import log_columns
from genesis.compile.structure import read_query
from genesis.errors import Location, Problem, Problems, UsageError, did_you_mean, suggest
from genesis.review.graph import TableColumn
from genesis.review.lineage import Lineage, ReportLineage, RowReason, Step, tables_of
from genesis.review.trackers import Tracker, trackers_of
from genesis.spec.data_source import DataSource
from genesis.spec.input import Input
from genesis.spec.project import Project

Kind = Literal["data source", "field", "measure", "join", "table", "table column"]
_MEMBERS: tuple[tuple[Kind, str], ...] = (
    ("field", "fields"), ("measure", "measures"), ("join", "joins")
)  # fmt: skip


@dataclass(frozen=True)
class Subject:
    """The part of a project that is asked about; tables are in no file."""

    kind: Kind
    name: str
    at: Location | None = None


@dataclass(frozen=True)
class ReachedColumn:
    """A column that is reached: by its `value`, or by the `rows` it is taken from; through what."""

    column: str
    by: Literal["value", "rows"]
    through: tuple[str, ...]
    at: Location


@dataclass(frozen=True)
class ReachedInput:
    """An input that is reached, and the trackers that show it."""

    input: str
    at: Location
    columns: tuple[ReachedColumn, ...]
    records: tuple[RowReason, ...]
    order: tuple[RowReason, ...]
    trackers: tuple[Tracker, ...]


@dataclass(frozen=True)
class Impact:
    """All that a part of a project reaches, and which inputs it does not."""

    subject: Subject
    inputs: tuple[ReachedInput, ...]
    not_reached: tuple[str, ...]

    @property
    def trackers(self) -> tuple[Tracker, ...]:
        return tuple(tracker for one in self.inputs for tracker in one.trackers)

    @property
    def owners(self) -> tuple[str, ...]:
        """Whom to ask."""
        return tuple(sorted({one.owner for one in self.trackers if one.owner is not None}))


def impact(project: Project, subject: Subject, reports: Iterable[ReportLineage]) -> Impact:
    """What a part of a project reaches of some of its reports."""
    matcher, trackers = _matcher(project, subject), trackers_of(project)
    reached, others = [], []
    for report in reports:
        found = _reached(matcher, project, report)
        if found.columns or found.records or found.order:
            shown = tuple(one for one in trackers if one.input == report.input)
            reached.append(replace(found, trackers=shown))
        else:
            others.append(report.input)
    return Impact(subject, tuple(reached), tuple(others))


def _reached(matcher: _Matcher, project: Project, report: ReportLineage) -> ReachedInput:
    columns = []
    for one in report.columns:
        way = matcher.way_to(one.value)
        if way is not None:
            through = tuple(f"{step.kind} {step.name}".strip() for step in way[1:])
            columns.append(ReachedColumn(one.column, "value", through, one.value.at))
        rows = tuple(filter(matcher.reason, one.all_rows))
        if rows:
            through = tuple(dict.fromkeys(f"{row.kind} {row.name}".strip() for row in rows))
            columns.append(ReachedColumn(one.column, "rows", through, one.value.at))
    records = (
        *_source(matcher, project.inputs[report.input]),
        *filter(matcher.reason, report.records),
        *(
            _key(one)
            for one in report.columns
            if one.is_key and matcher.way_to(one.value) is not None
        ),
    )
    order = tuple(filter(matcher.reason, report.order))
    return ReachedInput(report.input, report.at, tuple(columns), records, order, ())


def _source(matcher: _Matcher, definition: Input) -> Iterator[RowReason]:
    """A report's records are those of its data source, whatever is read of them."""
    if definition.source in matcher.sources:
        at = definition.locate("source")
        yield RowReason("source", definition.source, definition.source, at, ())


def _key(column: Lineage) -> RowReason:
    """Records are known by their key: with other values of it they are others."""
    step = column.value
    return RowReason("key", column.column, step.sql or column.column, step.at, column.values)


# --- what a name means ------------------------------------------------------------------------------


def subject_of(project: Project, name: str) -> Subject:
    """The part of a project that has a name. Raises `UsageError` with the nearest one there is."""
    parts = table_parts(name)
    if name in project.data_sources:
        return Subject("data source", name, project.data_sources[name].locate_name())
    if len(parts) == 2 and parts[0] in project.data_sources:
        found = _member(project.data_sources[parts[0]], parts[1])
        if found is not None:
            return found
    tables = _tables(project)
    if _folded(parts) in tables:
        return Subject("table", tables[_folded(parts)])
    if _folded(parts[:-1]) in tables:
        return _table_column(project, tables[_folded(parts[:-1])], parts[-1])
    raise _unknown(project, name, parts, tables)


def _member(source: DataSource, name: str) -> Subject | None:
    for kind, key in _MEMBERS:
        if name in getattr(source, key):
            return Subject(kind, f"{source.name}.{name}", source.locate_key(key, name))
    return None


def _table_column(project: Project, table: str, column: str) -> Subject:
    """A column of a table; what no definition names is a slip, unless a query of theirs may read it."""
    known: dict[str, str] = {}
    for source in project.data_sources.values():
        if table in _read_by(project, source):
            if source.sql is not None:
                return Subject("table column", f"{table}.{_quoted(column)}")
            known |= {one.lower(): one for one in _columns_of(project, source)}
    if column.lower() in known:
        return Subject("table column", f"{table}.{_quoted(known[column.lower()])}")
    hint = did_you_mean(column, known.values()) or "its columns that are read: " + ", ".join(
        f"`{one}`" for one in sorted(known.values())
    )
    message = f"no definition names a column `{column}` of table `{table}`"
    raise UsageError(Problem("wrong-usage", message, hint=hint))


def _quoted(name: str) -> str:
    """A name as `table_parts` reads it."""
    return name if name.isidentifier() else '"' + name.replace('"', '""') + '"'


def _columns_of(project: Project, source: DataSource) -> Iterator[str]:
    yield from (raw_column(source, name) for name in source.fields)
    if source.latest is not None:
        key = tuple(raw_column(source, name) for name in source.primary_key)
        yield from log_columns((), key, source.latest, dialect=project.settings.dialect)


def _unknown(
    project: Project, name: str, parts: tuple[str, ...], tables: Mapping[tuple[str, ...], str]
) -> UsageError:
    source = project.data_sources.get(parts[0]) if len(parts) == 2 else None
    if source is not None:
        known = [one for _, key in _MEMBERS for one in getattr(source, key)]
        message = f"data source `{source.name}` has no field, measure or join `{parts[1]}`"
        return UsageError(Problem("wrong-usage", message, hint=suggest(parts[1], known)))
    names = [*project.data_sources, *tables.values()]
    if len(parts) == 2:
        names += [
            f"{source.name}.{one}"
            for source in project.data_sources.values()
            for _, key in _MEMBERS
            for one in getattr(source, key)
        ]
    hint = did_you_mean(name, names) or (
        "name a DATA_SOURCE, DATA_SOURCE.FIELD, .MEASURE or .JOIN, a TABLE, or TABLE.COLUMN"
    )
    return UsageError(
        Problem("wrong-usage", f"there is no data source or table `{name}`", hint=hint)
    )


def _tables(project: Project) -> dict[tuple[str, ...], str]:
    """The tables of a project, each as its first data source writes it."""
    found: dict[tuple[str, ...], str] = {}
    for source in project.data_sources.values():
        for table in _read_by(project, source):
            found.setdefault(_folded(table_parts(table)), table)
    return found


def _read_by(project: Project, source: DataSource) -> tuple[str, ...]:
    """The tables that a data source reads."""
    if source.sql is None:
        return () if source.table is None else (source.table,)
    query = read_query(project, source, Problems())
    return () if query is None else tuple(sorted(tables_of(query)))


def _folded(parts: Iterable[str]) -> tuple[str, ...]:
    """Names of tables as they are compared: engines fold their case."""
    return tuple(map(str.lower, parts))


# --- what it matches --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Matcher:
    """Which steps and reasons are of the part that is asked about.

    `sources` are the data sources that are reached whole; `members` are fields or measures, `joins` joins, all by
    their whole names; `columns` are raw columns of data sources, `read` is a column of a table.
    """

    project: Project
    sources: frozenset[str] = frozenset()
    members: frozenset[str] = frozenset()
    joins: frozenset[str] = frozenset()
    columns: frozenset[tuple[str, str]] = frozenset()
    read: tuple[str, ...] = ()

    def way_to(self, step: Step) -> tuple[Step, ...] | None:
        """The steps that lead from one to the part, it not included; `None` where none do."""
        if self._step(step):
            return ()
        for part in step.parts:
            if (rest := self.way_to(part)) is not None:
                return (step, *rest)
        return None

    def reason(self, reason: RowReason) -> bool:
        """Whether what chooses rows looks at the part, or is it."""
        if any(map(self._read, reason.columns)):
            return True
        if self._named(reason) or any(self.way_to(step) is not None for step in reason.steps):
            return True
        used = set(self._joins_of(reason))
        touched = {source for join in used for source in self._ends(join)}
        return bool(used & self.joins or touched & self.sources)

    def _step(self, step: Step) -> bool:
        if step.reads is not None:
            source = step.name.partition(".")[0]
            is_of_it = source in self.sources or (source, step.reads.column) in self.columns
            return is_of_it or self._read(step.reads)
        is_member = step.kind.rpartition(" ")[2] in ("field", "measure", "set")
        return is_member and (step.name in self.members or self._source(step.name) in self.sources)

    def _named(self, reason: RowReason) -> bool:
        """Whether a reason is written in the part."""
        kind = reason.kind.rpartition(" ")[2]
        if kind in ("field", "measure", "set"):
            return reason.name in self.members or self._source(reason.name) in self.sources
        is_of_source = reason.kind in ("newest record", "where of data source", "query")
        return is_of_source and reason.name in self.sources

    def _source(self, name: str) -> str:
        return name.partition(".")[0]

    def _read(self, column: TableColumn) -> bool:
        if not self.read or _parts(column.table) != self.read[:-1]:
            return False
        return column.column == "*" or column.column.lower() == self.read[-1]

    def _joins_of(self, reason: RowReason) -> Iterator[str]:
        """The joins that a reason is, or goes along."""
        if reason.kind != "related rows" and reason.kind.rpartition(" ")[2] != "join":
            return
        source, *names = reason.name.split(".")
        for name in names:
            known = self.project.data_sources.get(source)
            if known is None or name not in known.joins:
                return
            yield f"{source}.{name}"
            source = known.joins[name].data_source or name

    def _ends(self, join: str) -> tuple[str, str]:
        source, _, name = join.partition(".")
        return source, self.project.data_sources[source].joins[name].data_source or name


def _parts(table: str) -> tuple[str, ...]:
    return _folded(table_parts(table))


def _matcher(project: Project, subject: Subject) -> _Matcher:
    match subject.kind:
        case "data source":
            return _Matcher(project, sources=frozenset(_heirs(project, subject.name)))
        case "table":
            over = (
                one.name
                for one in project.data_sources.values()
                if _parts(subject.name) in map(_parts, _read_by(project, one))
            )
            return _Matcher(project, sources=frozenset(over))
        case "table column":
            return _Matcher(project, read=_parts(subject.name))
    source, _, name = subject.name.partition(".")
    key = dict(_MEMBERS)[subject.kind]
    owners = [
        heir
        for heir in _heirs(project, source)
        if getattr(project.data_sources[heir], key).get(name)
        is getattr(project.data_sources[source], key)[name]
    ]
    names = frozenset(f"{owner}.{name}" for owner in owners)
    if subject.kind == "join":
        return _Matcher(project, joins=names)
    columns = [
        (owner, raw_column(project.data_sources[owner], name))
        for owner in owners
        if subject.kind == "field" and project.data_sources[owner].fields[name].sql is None
    ]
    return _Matcher(project, members=names, columns=frozenset(columns))


def _heirs(project: Project, name: str) -> list[str]:
    """A data source and those that extend it, near and far."""
    found = [name]
    for source in found:
        found += [one.name for one in project.data_sources.values() if one.extends == source]
    return found
