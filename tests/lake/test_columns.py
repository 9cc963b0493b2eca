"""Which columns a change log has."""

from __future__ import annotations

from typing import Any

import pytest

from genesis.lake.columns import own_column, record_columns
from genesis.spec.data_source import DataSource, Field
from genesis.spec.types import parse_type


def source(fields: dict[str, Any], primary_key: str | list[str] = "movie_id") -> DataSource:
    return DataSource.model_validate(
        {"name": "movie", "table": "studio.movies", "primary_key": primary_key, "fields": fields}
    )


def test_key_comes_first_then_the_payload_in_the_definitions_order():
    columns = record_columns(
        source({"title": "string", "role": "string", "movie_id": "integer"}, ["movie_id", "role"])
    )
    assert [(column.name, column.required) for column in columns] == [
        ("movie_id", True),
        ("role", True),
        ("title", False),
    ]


def test_a_field_is_a_column_by_its_raw_name():
    columns = record_columns(
        source({"movie_id": {"type": "integer", "column": "ID"}, "title": "string"})
    )
    assert [column.name for column in columns] == ["ID", "title"]


@pytest.mark.parametrize(
    ("sql", "column"),
    [
        ("upper(status)", "status"),
        ('upper("status")', "status"),
        ("STATUS || '!'", "status"),
        ("case when status = 'x' then 1 end", "status"),
        ("movie.status", None),  # another record's
        ("status.name", None),  # a join of that name
        ("status(code)", None),  # a function of that name
        ("'status' || code", None),  # a text
        ("status_code || 'x'", None),
        ("last_status", None),
    ],
)
def test_a_derived_field_is_a_column_if_its_sql_has_its_own_name(sql: str, column: str | None):
    assert own_column("status", Field.model_validate({"type": "string", "sql": sql})) == column


def test_a_plain_field_knows_its_columns_type_better_than_a_derived_one():
    columns = record_columns(
        source(
            {
                "movie_id": "integer",
                "year": {"type": "string", "column": "release", "sql": "year(release)"},
                "release": "date",
            }
        )
    )
    assert {column.name: str(column.type) for column in columns}["release"] == "date"


def test_a_field_over_a_column_of_the_log_itself_adds_none():
    columns = record_columns(
        source({"movie_id": "integer", "changed": {"type": "timestamptz", "column": "_ts"}})
    )
    assert [column.name for column in columns] == ["movie_id"]


def test_types_are_the_definitions():
    columns = record_columns(source({"movie_id": "integer", "budgets": "array(decimal(9,2))"}))
    assert columns[1].type == parse_type("array(decimal(9,2))")
