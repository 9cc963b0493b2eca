"""Joins between data sources: where they lead, by which keys, and whether to many rows."""

from __future__ import annotations

from genesis.errors import Problems, suggest
from genesis.spec.data_source import DataSource, Join
from genesis.spec.project import Project


def target_name(source: DataSource, name: str) -> str:
    """The data source a join leads to; by default the one of its own name."""
    return source.joins[name].data_source or name


def find_join(
    project: Project, source: DataSource, name: str, problems: Problems
) -> DataSource | None:
    """The data source a join leads to, or `None` with the problem told at the join."""
    target = target_name(source, name)
    found = project.data_sources.get(target)
    if found is not None and joins_by_fields(source, name, found):
        return found
    if found is not None or ("data_source", target) in project.broken:
        problems.passes_over = True
    else:
        at = (
            source.locate("joins", name, "data_source")
            if source.joins[name].data_source
            else source.locate_key("joins", name)
        )
        hint = suggest(target, project.data_sources)
        if hint is None and source.joins[name].data_source is None:
            hint = "`data_source:` names it where the join has another name"
        problems.add("unknown-data-source", f"unknown data source `{target}`", at, hint=hint)
    return None


def joins_by_fields(source: DataSource, name: str, target: DataSource) -> bool:
    """Whether both sides have the fields the join is by; the join's own check tells which is not there."""
    return all(
        here in source.fields and there in target.fields
        for here, there in key_pairs(source.joins[name])
    )


def key_pairs(join: Join) -> tuple[tuple[str, str], ...]:
    """Pairs of fields, here and there, whose equality makes the join."""
    return join.by or ()


def fans_out(source: DataSource, name: str, target: DataSource) -> bool:
    """Whether a row may have many related rows through a join."""
    join = source.joins[name]
    if join.pick is not None or join.as_of is not None:
        return False
    if join.sql is not None:
        return bool(join.relationship and join.relationship.endswith("to_many"))
    return not covers_a_key(target, {there for _, there in key_pairs(join)})


def is_shared(source: DataSource, name: str) -> bool:
    """Whether a related row may belong to many rows of the source."""
    join = source.joins[name]
    if join.sql is not None:
        return bool(join.relationship and join.relationship.startswith("many"))
    return not covers_a_key(source, {here for here, _ in key_pairs(join)})


def covers_a_key(source: DataSource, fields: set[str]) -> bool:
    """Whether equal values of these fields mean one row."""
    return any(fields >= set(key) for key in (source.primary_key, *source.unique_keys) if key)


def raw_column(source: DataSource, field: str) -> str:
    """The table's column behind a field."""
    return source.fields[field].column or field
