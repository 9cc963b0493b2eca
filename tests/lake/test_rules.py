"""A log is compacted when all who read it mean the same by its newest records."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from genesis.errors import DefinitionError
from genesis.lake.rules import rules_of
from genesis.spec.data_source import DataSource


def source(name: str = "scene", **said: Any) -> DataSource:
    return DataSource.model_validate(
        {
            "name": name,
            **({} if "sql" in said else {"table": "studio.scenes"}),
            "primary_key": "scene_id",
            "latest": True,
            "fields": {"scene_id": {"type": "integer", "column": "id"}, "title": "string"},
            **said,
        }
    )


def test_a_key_is_its_raw_columns():
    rules = rules_of(source())
    assert (rules.identifier, rules.key) == (("studio", "scenes"), ("id",))
    assert rules.columns == {"id", "_op", "_ts", "_pos"}


def test_deletes_are_kept_for_the_most_patient_reader():
    patient = source("patient", latest={"lateness": "30d"})
    assert rules_of(source(), [source(), patient]).lateness == timedelta(days=30)


def test_readers_of_other_tables_have_no_say():
    other = source("other", table="studio.other", latest=False)
    query = source("query", sql="select 1 as id", latest=False)
    assert rules_of(source(), [other, query]) == rules_of(source())


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"latest": False}, "data source `history` has no `latest`: all its rows are records"),
        ({"latest": {"deleted": "gone"}}, "data sources `scene` and `history` tell"),
        ({"latest": {"order_by": ["_source_ts"]}}, "data sources `scene` and `history` tell"),
        ({"primary_key": "title"}, "data sources `scene` and `history` tell"),
        ({"table": '"studio".scenes', "latest": False}, "data source `history` has no `latest`"),
    ],
)
def test_what_is_superseded_to_one_and_a_record_to_another_stays(
    said: dict[str, Any], message: str
):
    with pytest.raises(DefinitionError) as refused:
        rules_of(source(), [source(), source("history", **said)])
    (problem,) = refused.value.problems
    assert problem.code == "not-compacted"
    assert problem.message.startswith(message)


def test_a_query_and_a_derived_key_have_no_log():
    query = source(sql="select 1 as id", latest=False)
    derived = source(fields={"scene_id": {"type": "integer", "sql": "a + b"}})
    for odd in (query, derived):
        with pytest.raises(DefinitionError):
            rules_of(odd)
