"""Catalogs are found or made; change logs are made, and grow with their definitions."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField

from genesis.errors import DefinitionError, EngineBusy, EngineError
from genesis.lake.catalog import (
    change_log,
    find_catalog,
    load_table,
    make_catalog,
    table_identifier,
    tables,
)
from genesis.spec.data_source import DataSource
from genesis.spec.project import CatalogConfig, SqlCatalog, Target

FIELDS = {"movie_id": "integer", "title": "string"}


def movies(fields: dict[str, Any] = FIELDS, **keys: Any) -> DataSource:
    plain = {"name": "movie", "table": "studio.movies", "primary_key": "movie_id"}
    return DataSource.model_validate({**plain, "fields": fields, **keys})


def target(**config: str) -> Target:
    return Target(catalog=CatalogConfig(sql=SqlCatalog(**config)))


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with closing(make_catalog(tmp_path, Target())) as made:
        yield made


def refusal(error: pytest.ExceptionInfo[EngineError]) -> tuple[str, str]:
    problem = error.value.problems[0]
    return problem.code, problem.message


def test_a_change_log_has_its_own_columns_then_key_then_payload(catalog: Catalog, tmp_path: Path):
    fields = {
        "title": "string",
        "movie_id": "integer",
        "rating": "float",
        "seen": "boolean",
        "day": "date",
        "at": "time",
        "local": "timestamp",
        "instant": "timestamptz",
        "extra": "json",
        "budget": "decimal(18,2)",
        "years": "array(integer)",
        "shouted": {"type": "string", "sql": "upper(title)"},
    }
    schema = change_log(catalog, movies(fields), tmp_path).schema()
    assert [(f.name, str(f.field_type), f.required) for f in schema.fields] == [
        ("_op", "string", True),
        ("_ts", "timestamptz", True),
        ("_pos", "long", True),
        ("_source_ts", "timestamptz", False),
        ("_source_pos", "string", False),
        ("_batch", "string", False),
        ("movie_id", "long", True),
        ("title", "string", False),
        ("rating", "double", False),
        ("seen", "boolean", False),
        ("day", "date", False),
        ("at", "time", False),
        ("local", "timestamp", False),
        ("instant", "timestamptz", False),
        ("extra", "string", False),
        ("budget", "decimal(18, 2)", False),
        ("years", "list<long>", False),
    ]


def test_a_change_log_is_made_for_many_small_appends(catalog: Catalog, tmp_path: Path):
    properties = change_log(catalog, movies(), tmp_path).properties
    assert properties["commit.manifest-merge.enabled"] == "true"
    assert int(properties["commit.manifest.min-count-to-merge"]) < 100
    assert int(properties["commit.retry.num-retries"]) >= 30
    assert properties["write.metadata.delete-after-commit.enabled"] == "true"
    assert int(properties["write.metadata.previous-versions-max"]) < 100
    assert properties["write.parquet.row-group-limit"] == "122880"
    assert properties["write.delete.isolation-level"] == "snapshot"


def test_a_table_is_where_other_engines_find_it(catalog: Catalog, tmp_path: Path):
    location = change_log(catalog, movies(), tmp_path).location()
    assert location == f"file://{tmp_path.resolve()}/.genesis/warehouse/studio/movies"


@pytest.mark.parametrize(
    ("table", "identifier"),
    [
        ("movies", ("main", "movies")),
        ("studio.movies", ("studio", "movies")),
        ("lake.studio.movies", ("lake", "studio", "movies")),
        ('studio."odd ""name"""', ("studio", 'odd "name"')),
        ('"Studio"."a.b"', ("Studio", "a.b")),
    ],
)
def test_a_tables_name_is_dotted(table: str, identifier: tuple[str, ...]):
    assert table_identifier(table) == identifier


@pytest.mark.parametrize("table", ["movies", "lake.studio.movies", 'studio."odd ""name"""'])
def test_a_table_of_any_name_is_made_and_listed(catalog: Catalog, tmp_path: Path, table: str):
    change_log(catalog, movies(table=table), tmp_path)
    listed = [table_identifier(name) for name in tables(catalog)]
    assert listed == [table_identifier(table)]


def test_making_it_twice_gives_the_same_table(catalog: Catalog, tmp_path: Path):
    many = movies({**FIELDS, "tags": "array(array(string))"})
    first = change_log(catalog, many, tmp_path)
    second = change_log(catalog, many, tmp_path)
    assert first.metadata_location == second.metadata_location


def test_a_new_field_becomes_a_column(catalog: Catalog, tmp_path: Path):
    change_log(catalog, movies(), tmp_path)
    log = change_log(catalog, movies({**FIELDS, "tags": "array(string)"}), tmp_path)
    assert str(log.schema().find_type("tags")) == "list<string>"


def test_a_wider_decimal_widens_its_column(catalog: Catalog, tmp_path: Path):
    change_log(catalog, movies({**FIELDS, "budget": "decimal(9,2)"}), tmp_path)
    log = change_log(catalog, movies({**FIELDS, "budget": "decimal(18,2)"}), tmp_path)
    assert str(log.schema().find_type("budget")) == "decimal(18, 2)"


def test_a_field_that_is_gone_keeps_its_column(catalog: Catalog, tmp_path: Path):
    change_log(catalog, movies({**FIELDS, "year": "integer"}), tmp_path)
    assert "year" in change_log(catalog, movies(), tmp_path).schema().column_names


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (movies({**FIELDS, "title": "integer"}), "Cannot change column type: title"),
        (movies({**FIELDS, "year": "integer"}, primary_key=["movie_id", "year"]), "`year` is part of the key"),
        (movies(primary_key="title"), "`title` is part of the key in one of them only"),
    ],
)  # fmt: skip
def test_a_change_that_old_events_do_not_survive(
    catalog: Catalog, tmp_path: Path, changed: DataSource, said: str
):
    change_log(catalog, movies(), tmp_path)
    with pytest.raises(EngineError) as error:
        change_log(catalog, changed, tmp_path)
    code, message = refusal(error)
    assert code == "wrong-batch"
    assert "`studio.movies` does not fit data source `movie`" in message
    assert said in message


def test_a_table_of_others_is_no_change_log(catalog: Catalog, tmp_path: Path):
    catalog.create_namespace("studio")
    catalog.create_table("studio.movies", Schema(NestedField(1, "movie_id", LongType())))
    with pytest.raises(EngineError, match="it is no change log, since it has no required `_op`"):
        change_log(catalog, movies(), tmp_path)


def test_a_derived_key_cannot_be_sent(catalog: Catalog, tmp_path: Path):
    derived = movies({**FIELDS, "movie_id": {"type": "string", "sql": "title"}})
    with pytest.raises(EngineError, match="has a key that is no column of its table"):
        change_log(catalog, derived, tmp_path)


def test_reading_makes_no_file(tmp_path: Path):
    assert find_catalog(tmp_path, Target()) is None
    assert list(tmp_path.iterdir()) == []


def test_a_project_that_may_not_be_written(tmp_path: Path):
    (tmp_path / ".genesis").write_text("a file where the folder should be")
    with pytest.raises(EngineError) as error:
        make_catalog(tmp_path, Target())
    code, message = refusal(error)
    assert (code, "cannot be made" in message) == ("catalog-failed", True)


def test_settings_may_refer_to_the_environment_and_to_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CATALOG", "sqlite:///elsewhere/catalog.db")
    (tmp_path / "where.txt").write_text("tables\n")
    elsewhere = target(uri="${env:CATALOG}", warehouse="${file:where.txt}")
    with closing(make_catalog(tmp_path, elsewhere)) as made:
        location = change_log(made, movies(), tmp_path).location()
    assert (tmp_path / "elsewhere/catalog.db").exists()
    assert location == f"file://{tmp_path.resolve()}/tables/studio/movies"


def test_a_reference_to_nothing(tmp_path: Path):
    with pytest.raises(DefinitionError, match="the environment has no `NO_SUCH_CATALOG`"):
        make_catalog(tmp_path, target(uri="${env:NO_SUCH_CATALOG}"))


def test_a_catalog_that_is_no_database(tmp_path: Path):
    (tmp_path / ".genesis").mkdir()
    (tmp_path / ".genesis/catalog.db").write_text("not a database, but long enough to be one")
    with pytest.raises(EngineError) as error:
        find_catalog(tmp_path, Target())
    assert refusal(error) == (
        "catalog-failed",
        "the catalog `.genesis/catalog.db` cannot be used: file is not a database",
    )


def test_a_catalog_in_which_nobody_has_made_tables(tmp_path: Path):
    empty = target(uri="sqlite:///empty.db")
    sqlite3.connect(tmp_path / "empty.db").close()
    catalog = find_catalog(tmp_path, empty)
    assert catalog is not None
    with closing(catalog), pytest.raises(EngineError) as error:
        load_table(catalog, ("studio", "movies"))
    assert refusal(error)[1] == "there are no tables in the catalog yet"
    assert "genesis register --from TARGET" in str(error.value)


def test_a_catalog_whose_database_is_away(tmp_path: Path):
    """That passes by itself."""
    catalog = find_catalog(tmp_path, target(uri="postgresql://genesis@127.0.0.1:1/lake"))
    assert catalog is not None
    with closing(catalog), pytest.raises(EngineBusy) as error:
        tables(catalog)
    assert refusal(error)[1].startswith("the catalog's database does not answer: ")


@pytest.mark.parametrize("uri", ["nonsense", "nosuchdatabase://host/db"])
def test_a_catalog_at_no_address(tmp_path: Path, uri: str):
    with pytest.raises(EngineError) as error:
        make_catalog(tmp_path, target(uri=uri))
    assert refusal(error)[0] == "catalog-failed"


@pytest.mark.parametrize("odd", ["a b", "a'b", "a[b]", "a%20b", "ü", "a=b", "a{b}", 'a"b', "a&b+c"])
def test_a_project_may_be_in_a_folder_of_any_name(tmp_path: Path, odd: str):
    root = tmp_path / odd
    root.mkdir()
    with closing(make_catalog(root, Target())) as made:
        change_log(made, movies(), root)
    assert list(root.glob(".genesis/warehouse/studio/movies/metadata/*.json"))


@pytest.mark.parametrize("odd", ["a#b", "a?b", "a*b"])
def test_a_folder_that_no_location_can_name(tmp_path: Path, odd: str):
    root = tmp_path / odd
    root.mkdir()
    with pytest.raises(EngineError) as error:
        make_catalog(root, Target())
    assert (
        refusal(error)[1]
        == f"the warehouse's path holds a `{odd[1]}`, which no location of a table can"
    )


def test_metadata_that_is_gone(catalog: Catalog, tmp_path: Path):
    change_log(catalog, movies(), tmp_path)
    for file in tmp_path.glob(".genesis/warehouse/**/*.json"):
        file.unlink()
    with pytest.raises(EngineError) as error:
        load_table(catalog, ("studio", "movies"))
    code, message = refusal(error)
    assert code == "catalog-failed"
    assert message.startswith("the table `studio.movies` cannot be used: ")


def test_metadata_that_is_damaged(catalog: Catalog, tmp_path: Path):
    change_log(catalog, movies(), tmp_path)
    for file in tmp_path.glob(".genesis/warehouse/**/*.json"):
        file.write_text(file.read_text()[:100])
    with pytest.raises(EngineError, match=r"the table `studio\.movies` cannot be used"):
        load_table(catalog, ("studio", "movies"))


def test_a_driver_that_is_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the way to get it; a bare `postgresql:` means the driver that we bring."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(EngineError) as refused:
        make_catalog(tmp_path, target(uri="postgresql://db.example.com/lake"))
    assert refused.value.problems[0].hint == "pip install 'genesis-trackers[postgres]'"
