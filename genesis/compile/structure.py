"""What must hold of a data source before a report uses it: its names, its keys, its joins, its query.

None of it needs an expression to be bound, so it is cheap, and it is told wherever the data source
is used: a report of a data source whose keys are wrong would be wrong itself.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from genesis.compile.expression import Fragment, parse_expression
from genesis.compile.functions.calls import own_name
from genesis.compile.identifiers import is_table
from genesis.compile.infer import join_types
from genesis.compile.joins import covers_a_key, fans_out, find_join, key_pairs, target_name
from genesis.compile.trees import is_deeper
from genesis.document import Path
from genesis.errors import Location, Meant, Problems, suggest
from genesis.spec.data_source import DataSource, Join
from genesis.spec.project import Project

# Of a query: what the parser reads within half a second, and what trees are walked through.
MAX_CHARACTERS = 50_000
MAX_DEPTH = 150
_MAKE_A_VIEW = "let the engine keep it as a view, and name that as `table`"


def check_structure(project: Project, source: DataSource, problems: Problems) -> bool:
    """Tell what is wrong with a data source's frame; whether it can be used at all."""
    _check_names(source, problems)
    _check_columns(source, problems)
    _check_table(source, problems)
    for name in source.joins:
        _check_join(project, source, name, problems)
    return check_keys(project, source, problems)


def check_keys(project: Project, source: DataSource, problems: Problems) -> bool:
    """Tell which keys are none and why newest records cannot be told; whether all is well."""
    are_known = _check_keys(source, problems)
    return _check_latest(project, source, problems) and are_known


def without_faults(project: Project, source: DataSource) -> DataSource:
    """The data source without keys and `latest` that are wrong, so that all else in it can be told."""
    fields = source.fields
    wrong: dict[str, object] = {}
    primary = tuple(name for name in source.primary_key if name in fields)
    if primary != source.primary_key:
        wrong["primary_key"] = primary or tuple(fields)[:1]
    unique = tuple(key for key in source.unique_keys if fields.keys() >= {*key})
    if unique != source.unique_keys:
        wrong["unique_keys"] = unique
    if not _check_latest(project, source, Problems()):
        wrong["latest"] = None
    return source.model_copy(update=wrong) if wrong else source


def _check_names(source: DataSource, problems: Problems) -> None:
    hint = "rename one of them"
    for name in sorted(source.joins.keys() & (source.fields.keys() | source.measures.keys())):
        other = "field" if name in source.fields else "measure"
        at = source.locate_key("joins", name)
        problems.add("name-clash", f"`{name}` is a join and a {other}", at, hint=hint)
    for name in sorted(source.measures.keys() & source.fields.keys()):
        at = source.locate_key("measures", name)
        problems.add("name-clash", f"`{name}` is a measure and a field", at, hint=hint)


def _check_columns(source: DataSource, problems: Problems) -> None:
    for name, field in source.fields.items():
        if field.sql is None and (field.where or field.sort or field.distinct):
            message = (
                f"`{name}` is a plain column: `where`, `sort` and `distinct` go with an aggregate"
            )
            problems.add("wrong-aggregate", message, source.locate_key("fields", name))


def _check_table(source: DataSource, problems: Problems) -> None:
    if source.table is not None and not is_table(source.table):
        message = f"`{source.table}` names no table"
        hint = "`table`, `schema.table` or `catalog.schema.table`, odd parts in double quotes"
        problems.add("wrong-name", message, source.locate("table"), hint=hint)


def _check_keys(source: DataSource, problems: Problems) -> bool:
    keys: list[tuple[Path, tuple[str, ...]]] = [(("primary_key",), source.primary_key)]
    keys += [(("unique_keys", i), key) for i, key in enumerate(source.unique_keys)]
    is_known = True
    for path, key in keys:
        for position, name in enumerate(key):
            if name not in source.fields:
                is_known = False
                if source.has_unread(name):
                    continue
                hint = suggest(name, source.fields)
                message = f"unknown field `{name}` in data source `{source.name}`"
                problems.add("unknown-field", message, source.locate(*path, position), hint=hint)
    return is_known


def _check_latest(project: Project, source: DataSource, problems: Problems) -> bool:
    latest = source.latest
    if latest is None:
        return True
    if source.table is None:
        message = "`latest` ranks the records of a table, and this is a query"
        problems.add("not-supported", message, source.locate_key("latest"))
        return False
    if latest.deleted is None:
        return True
    fragment = Fragment(latest.deleted, source, ("latest", "deleted"))
    dialect = project.settings.dialect
    return parse_expression(fragment, dialect, frozenset(), problems) is not None


def _check_join(project: Project, source: DataSource, name: str, problems: Problems) -> None:
    join = source.joins[name]
    target = project.data_sources.get(target_name(source, name))
    if target is None:
        find_join(project, source, name, problems)
        return
    for position, (here, there) in enumerate(key_pairs(join)):
        if here in source.fields and there in target.fields:
            continue
        places = _key_places(source, name, position, here)
        for side, field, at in zip((source, target), (here, there), places, strict=True):
            if field not in side.fields and not side.has_unread(field):
                hint = suggest(field, side.fields)
                message = f"unknown field `{field}` in data source `{side.name}`"
                problems.add("unknown-field", message, at, hint=hint)
                if here == there and places[0] == places[1]:
                    break  # one name, written once, is one mistake
    _check_key_types(source, name, target, problems)
    _check_relationship(source, name, target, problems)


def _key_places(
    source: DataSource, name: str, position: int, here: str
) -> tuple[Location, Location]:
    """Where a join's `by` names a field here, and the one there: in a mapping, or once in a list."""
    by = ("joins", name, "by")
    key = source.locate_key(*by, here)
    if key != source.locate(*by):
        return key, source.locate(*by, here)
    item = source.locate(*by, position)
    return item, item


def _check_key_types(source: DataSource, name: str, target: DataSource, problems: Problems) -> None:
    for position, (here, there) in enumerate(key_pairs(source.joins[name])):
        if here in source.fields and there in target.fields:
            left, right = source.fields[here].type, target.fields[there].type
            if left != right and join_types([left, right]) is None:
                message = f"`{source.name}.{here}` is {left}, `{target.name}.{there}` is {right}: they never match"
                at = _key_places(source, name, position, here)[1]
                hint = "a derived field can cast one of them"
                problems.add("wrong-join", message, at, hint=hint)


def _check_relationship(
    source: DataSource, name: str, target: DataSource, problems: Problems
) -> None:
    join = source.joins[name]
    leads_to_many = fans_out(source, name, target)
    stated = join.relationship
    if (
        stated is not None
        and stated.endswith("to_many") != leads_to_many
        and not (join.pick or join.as_of)
    ):
        found, meant = ("many", "one_to_many") if leads_to_many else ("one", "many_to_one")
        message = f"stated as `{stated}`, but it leads to {found}: {_keys_listed(target)}"
        at = source.locate("joins", name, "relationship")
        problems.add("wrong-join", message, at, hint=Meant(stated, meant))
    if join.required and leads_to_many:
        hint = "`any(...)` in `where` keeps the records that have a related row"
        at = source.locate("joins", name, "required")
        problems.add("wrong-join", "`required` is for to-one joins", at, hint=hint)
    if join.pick is not None:
        _check_pick(source, name, join, target, problems)


def _check_pick(
    source: DataSource, name: str, join: Join, target: DataSource, problems: Problems
) -> None:
    if covers_a_key(target, {there for _, there in key_pairs(join)}):
        at = source.locate_key("joins", name, "pick")
        message = f"`pick` chooses one of many, but it leads to one: {_keys_listed(target)}"
        problems.add("wrong-join", message, at)


def _keys_listed(target: DataSource) -> str:
    keys = [key for key in (target.primary_key, *target.unique_keys) if key]
    return f"the keys of `{target.name}` are " + ", ".join(f"`{', '.join(key)}`" for key in keys)


def read_query(project: Project, source: DataSource, problems: Problems) -> exp.Query | None:
    """The query that a data source is by definition, not to be changed, or `None` with the problem told."""
    sql = source.sql or ""
    if len(sql) > MAX_CHARACTERS:
        message = f"the query has {len(sql):,} characters, more than {MAX_CHARACTERS:,}"
        problems.add("invalid-sql", message, source.locate("sql"), hint=_MAKE_A_VIEW)
        return None
    trees = _parsed(sql, project.settings.dialect)
    if isinstance(trees, RecursionError):
        message = "the query cannot be read: it is nested too deeply"
        problems.add("invalid-sql", message, source.locate("sql"), hint=_MAKE_A_VIEW)
        return None
    if isinstance(trees, Exception):
        near, at = _near(source, trees)
        problems.add("invalid-sql", f"the query does not parse{near}", at)
        return None
    if len(trees) != 1 or not isinstance(trees[0], exp.Query) or any(_writes(trees[0])):
        problems.add("not-an-expression", "the query is not one `select`", source.locate("sql"))
        return None
    parameter = next(trees[0].find_all(exp.Placeholder, exp.Parameter), None)
    if parameter is not None:
        message, hint = f"unknown parameter `:{parameter.name}`", "only an input has parameters"
        problems.add("unknown-parameter", message, source.locate("sql"), hint=hint)
        return None
    own = next(filter(own_name, trees[0].find_all(exp.Anonymous)), None)
    if own is not None:
        message = f"no engine has a function `{own.name}`"
        problems.add("invalid-sql", message, source.locate("sql"))
        return None
    return trees[0]


def _near(source: DataSource, error: Exception) -> tuple[str, Location]:
    """What stands where the parser stopped, and its place."""
    first: dict[str, Any] = next(iter(getattr(error, "errors", ())), {})
    word, line, column = (first.get(key) for key in ("highlight", "line", "col"))
    if not (word and line and column):
        return "", source.locate("sql")
    # sqlglot's column is where the token ends.
    before = "".join((source.sql or "").splitlines(keepends=True)[: line - 1])
    offset = max(0, len(before) + column - len(word))
    return f" near `{word}`", source.locate("sql", offset=offset, length=len(word))


@functools.lru_cache(maxsize=256)
def _parsed(sql: str, dialect: str) -> tuple[exp.Expr | None, ...] | Exception:
    try:
        trees = tuple(sqlglot.parse(sql, dialect=dialect))
        if any(tree is not None and is_deeper(tree, MAX_DEPTH) for tree in trees):
            raise RecursionError
        return trees
    except (SqlglotError, RecursionError) as error:
        return error  # kept too: a query that does not parse is asked for again and again


def _writes(query: exp.Expr) -> Iterator[exp.Expr]:
    yield from query.find_all(exp.DDL, exp.DML, exp.Into, exp.Lock, exp.Command)
