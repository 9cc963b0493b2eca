"""What holds of a project whatever the report: found once, since hundreds of reports ask for it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

from sqlglot import exp

from genesis.compile.expression import words_of_sql
from genesis.compile.identifiers import table_parts
from genesis.compile.structure import check_structure, read_query
from genesis.errors import Problems
from genesis.spec.data_source import DataSource
from genesis.spec.project import Project

if TYPE_CHECKING:
    from genesis.compile.moment import Moment
    from genesis.compile.paths import Shape
    from genesis.compile.statement import Column
    from genesis.errors import Location
    from genesis.spec.formatter import Formatter


class BoundKey(NamedTuple):
    """What a bound expression over one record's own columns rests on, in one project."""

    text: str
    source: str
    alias: str
    is_optional: bool
    own_field: str | None
    is_condition: bool
    is_asked_for: bool
    stacked: int
    moment: Moment
    dialect: str | None


class Bound(NamedTuple):
    """A sound expression over one record's own columns; its tree is to be copied."""

    tree: exp.Expr
    columns: tuple[str, ...]
    touched: tuple[tuple[DataSource, str], ...]


class Looks(NamedTuple):
    """What a sound column is to people, whatever report it stands in."""

    column: Column
    formatter: Formatter | None
    format_at: Location | None


MOST = 4_096  # of each, in a project: a text may be asked with ever new moments


class Survey:
    """A project's data sources as all reports see them."""

    def __init__(self, project: Project) -> None:
        # The project would never go if what it is the key of held it; its parts are all that is needed.
        self._project = Project(project.settings, project.data_sources, broken=project.broken)
        self._sound: dict[str, tuple[bool, Problems]] = {}
        self.shapes: dict[tuple[object, ...], Shape] = {}
        self.bound: dict[BoundKey, Bound] = {}
        self.looks: dict[tuple[object, ...], Looks] = {}

    @cached_property
    def words(self) -> frozenset[str]:
        """The words of SQL that are names of fields or joins."""
        sources = self._project.data_sources.values()
        names = {name for source in sources for name in (*source.fields, *source.joins)}
        return words_of_sql(names, self._project.settings.dialect)

    @cached_property
    def bare_tables(self) -> frozenset[str]:
        """The tables that are read by a bare name, in lower case, since engines compare without case."""
        return frozenset(self._bare_tables())

    def _bare_tables(self) -> Iterator[str]:
        for source in self._project.data_sources.values():
            if source.table is not None and len(parts := table_parts(source.table)) == 1:
                yield parts[0].lower()
            elif source.sql is not None:
                query = read_query(self._project, source, Problems())
                tables = query.find_all(exp.Table) if query is not None else ()
                yield from (table.name.lower() for table in tables if not table.db)

    def keep_bound(self, key: BoundKey, bound: Bound) -> None:
        """Know an expression in the reports that follow."""
        if len(self.bound) >= MOST:
            self.bound.clear()
        self.bound[key] = bound

    def keep_looks(self, key: tuple[object, ...], looks: Looks) -> None:
        """Know a column in the reports that follow."""
        if len(self.looks) >= MOST:
            self.looks.clear()
        self.looks[key] = looks

    def is_sound(self, source: DataSource, problems: Problems) -> bool:
        """Whether a data source can be used at all; what is wrong with its frame is told."""
        if source.name not in self._sound:
            found = Problems()
            self._sound[source.name] = check_structure(self._project, source, found), found
        is_sound, found = self._sound[source.name]
        problems.extend(found)
        return is_sound


_SURVEYS: WeakKeyDictionary[Project, Survey] = WeakKeyDictionary()


def survey(project: Project) -> Survey:
    """The survey of a project, made at its first report."""
    found = _SURVEYS.get(project)
    if found is None:
        found = _SURVEYS[project] = Survey(project)
    return found
