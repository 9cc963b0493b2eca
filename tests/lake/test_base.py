"""What a compaction left alone is known as such by those who read by its rules, and by nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
from pyiceberg.catalog import Catalog

from genesis.compile.latest import BASE, rules_text
from genesis.lake.catalog import load_table, make_catalog
from genesis.lake.compact import Step, compact
from genesis.lake.read import pin
from genesis.spec.data_source import Latest
from genesis.spec.project import Target
from tests.lake.logs import NAME, NOW, RULES, append, event, make_log, view
from tests.lake.test_compact import at_step
from tests.lake.test_read import delete_position


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """A catalog with a log of two keys, of which one has two events."""
    with closing(make_catalog(tmp_path, Target())) as made:
        make_log(made, tmp_path)
        append(made, [event(1, title="old"), event(2, title="new"), event(3, episode=2)])
        yield made


def bases(catalog: Catalog, rules: str = str(RULES)) -> dict[int, bool | None] | None:
    """Of each event by its position: whether it belongs to the base."""
    pinned = pin(catalog, NAME)
    assert pinned is not None
    relation = pinned.relation_with_base({rules})
    if relation is None:
        return None
    rows = duckdb.sql(f"SELECT _pos, {BASE} FROM ({relation.sql('duckdb')}) ORDER BY 1").fetchall()
    return dict(rows)


def test_a_log_that_was_never_compacted_has_none(catalog: Catalog):
    assert bases(catalog) == {1: None, 2: None, 3: None}


def test_what_lands_later_is_none_of_it(catalog: Catalog):
    compact(catalog, RULES, now=NOW)
    append(catalog, [event(4, title="newer")])
    assert bases(catalog) == {2: True, 3: True, 4: False}


def test_the_last_compaction_counts(catalog: Catalog):
    compact(catalog, RULES, now=NOW)
    append(catalog, [event(4, title="newer")])
    compact(catalog, RULES, now=NOW)
    append(catalog, [event(5, episode=3)])
    assert bases(catalog) == {3: True, 4: True, 5: False}


STEPS: list[Step] = ["rank", "write", "verify", "commit"]


@pytest.mark.parametrize("step", STEPS)
def test_what_landed_meanwhile_is_none_of_it(catalog: Catalog, step: Step):
    late = at_step(step, lambda: append(catalog, [event(4, title="meanwhile")]))
    compact(catalog, RULES, now=NOW, told=late)
    assert bases(catalog) == {2: True, 3: True, 4: False}


@pytest.mark.parametrize(
    "rules",
    [rules_text(["show"], Latest()), rules_text(["show", "episode"], Latest(deleted=None))],
    ids=["another key", "another word for deleted"],
)
def test_by_other_rules_nothing_is_known(catalog: Catalog, rules: str):
    compact(catalog, RULES, now=NOW)
    assert bases(catalog, rules) == {2: None, 3: None}


def test_a_key_that_may_be_null_has_none(catalog: Catalog):
    log = load_table(catalog, NAME)
    assert log is not None
    with log.update_schema(allow_incompatible_changes=True) as update:
        update.make_column_optional("episode")
    compact(catalog, RULES, now=NOW)
    assert bases(catalog) == {2: None, 3: None}
    assert [row[2] for row in view(catalog)] == ["new", None]


def test_files_that_another_engine_wrote_anew_are_none_of_it(catalog: Catalog):
    compact(catalog, RULES, now=NOW)
    append(catalog, [event(4, title="newer")])
    log = load_table(catalog, NAME)
    assert log is not None
    log.overwrite(log.scan().to_arrow())
    assert bases(catalog) == {2: None, 3: None, 4: None}
    assert [row[2] for row in view(catalog)] == ["newer", None]


def test_nor_is_it_worth_it_where_most_landed_later(catalog: Catalog):
    compact(catalog, RULES, now=NOW)
    append(catalog, [event(position) for position in range(4, 7)])
    assert bases(catalog) == {2: None, 3: None, 4: None, 5: None, 6: None}


def test_a_log_of_which_others_deleted_rows_is_read_without(catalog: Catalog):
    compact(catalog, RULES, now=NOW)
    log = load_table(catalog, NAME)
    assert log is not None
    delete_position(log, 0)
    assert bases(catalog) is None
