"""How the rows of a report change: on DuckDB, by key, whole, in a sample; nothing sensitive is shown."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from genesis.review.row_changes import RowChange
from tests.review.films import TEXTS, edited, review, warehouse

INPUT, FILM = "inputs/films.yaml", "definitions/film.yaml"


def rows(
    folder: Path, *edits: tuple[str, str, str], limit: int = 1000, films: int = 60
) -> RowChange:
    warehouse(folder, films)
    told = review(TEXTS, edited(*edits), folder, limit=limit)
    (change,) = told.diff.changes
    found = told.rows(change)
    assert found is not None, told.looked
    return found


def counts(found: RowChange) -> tuple[int, ...]:
    return (found.before, found.after, found.added, found.removed, found.changed)


def test_a_looser_filter_brings_rows(tmp_path: Path) -> None:
    found = rows(tmp_path, (INPUT, "'SHOOT')", "'SHOOT', 'POST')"))
    assert counts(found) == (40, 60, 20, 0, 0)
    assert [sample.kind for sample in found.samples] == ["comes"] * 5


def test_cells_that_change_are_counted_by_column(tmp_path: Path) -> None:
    found = rows(
        tmp_path, (FILM, "  title: string", '  title: {type: string, sql: "upper(title)"}')
    )
    assert (counts(found), found.columns) == ((40, 40, 0, 0, 40), (("Title", 40),))
    assert [cell[:3] for cell in found.samples[0].cells if cell.was] == [
        ("Title", "FILM 0", "Film 0")
    ]


def test_a_column_of_another_name_is_the_same_column(tmp_path: Path) -> None:
    """Nothing of it is said to change."""
    found = rows(tmp_path, (INPUT, "  - budget", "  - {field: budget, name: money}"))
    assert counts(found) == (40, 40, 0, 0, 0)


def test_a_key_that_is_shown_now_is_the_same_key(tmp_path: Path) -> None:
    found = rows(tmp_path, (INPUT, "  - title\n", "  - title\n  - film_id\n"))
    assert counts(found) == (40, 40, 0, 0, 0)


def test_rows_of_another_key_are_compared_whole(tmp_path: Path) -> None:
    found = rows(
        tmp_path, (FILM, "primary_key: film_id", "primary_key: title"), (INPUT, "'PREP', ", "")
    )
    assert (counts(found), found.key) == ((40, 20, 0, 20, 0), ())


def test_a_sensitive_cell_is_never_shown(tmp_path: Path) -> None:
    """Whichever side says that it is sensitive."""
    agents = (INPUT, "  - status", "  - agent\n  - status")
    warehouse(tmp_path)
    told = review(
        edited(agents),
        edited(agents, (FILM, "agent: {type", "agent: {sql: \"agent || '!'\", type")),
        tmp_path,
    )
    (change,) = told.diff.changes
    found = told.rows(change)
    assert found is not None
    assert found.changed == 40
    assert {cell[1:] for one in found.samples for cell in one.cells if cell.label == "Agent"} == {
        ("***", "***")
    }
    assert "agent 1" not in repr(told.looked)


@pytest.mark.parametrize("by_key", [True, False])
def test_many_rows_are_sampled(tmp_path: Path, by_key: bool) -> None:
    """The same ones on both sides: what is as it was is never told as another row."""
    edit = (INPUT, "'SHOOT')", "'SHOOT', 'POST')")
    other = [] if by_key else [(FILM, "primary_key: film_id", "primary_key: title")]
    found = rows(tmp_path, edit, *other, limit=2000, films=30_000)
    assert (found.before, found.after, found.removed, found.changed) == (20_000, 30_000, 0, 0)
    assert found.is_sampled
    assert 500 < found.added < 850


def test_rows_that_cannot_be_read_are_told_as_such(tmp_path: Path) -> None:
    """The rest of the change is told all the same."""
    warehouse(tmp_path)
    told = review(TEXTS, edited((FILM, "studio.film", "studio.movie")), tmp_path)
    (change,) = told.diff.changes
    assert told.rows(change) is None
    assert "studio.movie" in str(told.looked[change.name].refused)


def test_rows_that_a_guard_would_hold_are_a_risk(tmp_path: Path) -> None:
    """Half of them go, a fifth may."""
    warehouse(tmp_path)
    told = review(TEXTS, edited((INPUT, "'PREP', ", "")), tmp_path)
    (mark, *_) = told.marks(told.diff.changes[0])
    assert mark.is_held
    assert "20 of 40 rows go, 8 may at once" in mark.said


def test_the_rows_stand_beside_the_risk_of_another_key(tmp_path: Path) -> None:
    """How many are the same but for it, or have a row of the key that means something else now."""
    warehouse(tmp_path)
    keys = {
        ("primary_key: film_id", "primary_key: title"): "; 40 of 40 rows are just as they were,",
        ("film_id: integer", "film_id: {type: integer, column: other_id}"): (
            "; 39 of 40 rows have a row of the same key now"
        ),
    }
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as duck:
        duck.execute("ALTER TABLE studio.film ADD other_id INTEGER")
        duck.execute("UPDATE studio.film SET other_id = if(film_id = 0, 1000, film_id)")
    for edit, said in keys.items():
        told = review(TEXTS, edited((FILM, *edit)), tmp_path)
        (mark,) = told.marks(told.diff.changes[0])
        assert (mark.risk, said in mark.said) == ("key changed", True), mark.said
