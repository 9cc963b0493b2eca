"""A source's columns change: what fits is taken, what somebody reads and is gone waits for a person."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from genesis.errors import EngineError
from genesis.lake.holding import Pause
from tests.lake.evolving import FIELDS, Debezium, Parquet, Postgres, Way, movie

ALIEN = {"id": 1, "title": "Alien", "budget": Decimal("11.00"), "notes": "a"}
CUBE = {"id": 2, "title": "Cube", "budget": Decimal("0.35"), "notes": "b"}


@pytest.fixture(params=[Parquet, Debezium, Postgres], ids=lambda way: way.name)
def way(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Way]:
    """A log that has a first event of its source."""
    with ExitStack() as stack:
        if request.param is Postgres:
            made = stack.enter_context(
                closing(Postgres(tmp_path, request.getfixturevalue("database")))
            )
        else:
            made = request.param(tmp_path)
        made.put(**ALIEN)
        assert made.ingest().landed == 1
        yield made


# What a table that is followed shares with files, so that one way in is enough.
of_a_file = pytest.mark.parametrize("way", [Parquet], indirect=True, ids=["parquet"])


def paused(way: Way) -> Pause:
    landing = way.ingest()
    assert landing.landed == 0
    assert landing.paused is not None
    return landing.paused


def said(pause: Pause) -> list[str]:
    return [str(change) for change in pause.changes]


@of_a_file
def test_what_the_source_had_from_the_start_and_no_field_reads_is_left_alone(way: Way):
    way.put(**CUBE)
    assert way.ingest().added == ()
    assert list(way.types()) == ["id", "title", "budget"]


def test_a_new_column_is_kept_with_the_type_of_the_source(way: Way):
    way.add("year", "integer")
    way.add("seen", "date")
    way.put(**CUBE, year=1997, seen=date(2026, 2, 28))
    assert way.ingest().added == ("seen", "year")
    way.put(id=3, year=1984)
    assert way.ingest().added == ()
    assert way.types() == {**way.types(), "year": "long", "seen": "date"}
    assert way.events("id", "year", "seen") == [
        (1, None, None),
        (2, 1997, date(2026, 2, 28)),
        (3, 1984, None),
    ]


@of_a_file
def test_a_new_column_is_left_alone_without_opt_in(way: Way):
    way.definition = movie(opt_in=False)
    way.add("year", "integer")
    way.put(**CUBE, year=1997)
    assert way.ingest().added == ()
    assert "year" not in way.types()


@of_a_file
def test_a_field_that_comes_to_read_a_kept_column_finds_what_it_held(way: Way):
    way.add("year", "integer")
    way.put(**CUBE, year=1997)
    way.ingest()
    way.definition = movie({**FIELDS, "year": "integer"})
    way.put(id=3, year=1984)
    way.ingest()
    assert way.events("year") == [(None,), (1997,), (1984,)]


@of_a_file
def test_a_field_that_wants_a_kept_column_otherwise_starts_it_anew(way: Way):
    way.add("year", "text")
    way.put(**CUBE, year="1997")
    way.ingest()
    way.definition = movie({**FIELDS, "year": "integer"})
    way.add("year", "integer")
    way.put(id=3, year=1984)
    assert way.ingest().paused is None
    assert way.types()["year"] == "long"
    assert way.events("year") == [(None,), (None,), (1984,)]


def test_a_wider_number_widens_its_column(way: Way):
    way.add("budget", "numeric(14,2)")
    way.put(id=2, budget=Decimal("123456789012.50"))
    assert way.ingest().landed == 1
    assert way.types()["budget"] == "decimal(14, 2)"
    assert way.events("budget") == [(Decimal("11.00"),), (Decimal("123456789012.50"),)]


def test_a_column_that_nobody_reads_may_go_and_come_again(way: Way):
    way.add("year", "integer")
    way.put(**CUBE, year=1997)
    way.ingest()
    way.drop("year")
    way.drop("notes")
    way.put(id=3)
    assert way.ingest().paused is None
    assert way.events("id", "year") == [(1, None), (2, 1997), (3, None)]
    way.add("year", "text")
    way.put(id=4, year="2021")
    assert way.ingest().landed == 1
    assert way.events("id", "year") == [(1, None), (2, None), (3, None), (4, "2021")]


def test_a_column_that_somebody_reads_and_is_gone_holds_what_comes(way: Way):
    way.drop("title")
    way.put(id=2)
    pause = paused(way)
    assert said(pause) == ["column `title` is gone"]
    assert pause.way_out == "take its field from the definition, or `--accept` that it stays NULL"
    assert way.events("id") == [(1,)]
    assert way.holding.count == 1


@pytest.mark.parametrize(
    ("type_", "now", "way_out"),
    [
        ("numeric(8,2)", "decimal(8,2)", "`--accept` that its values are smaller"),
        ("text", "string", "`--accept` that what does not fit is rejected"),
    ],
)
def test_a_column_that_is_narrower_or_another_holds_what_comes(
    way: Way, type_: str, now: str, way_out: str
):
    way.add("budget", type_)
    way.put(id=2)
    pause = paused(way)
    assert said(pause) == [f"column `budget` was decimal(10,2) and is {now}"]
    assert pause.way_out.startswith(way_out)


def test_a_renamed_column_is_told_as_such(way: Way):
    way.rename("title", "name", "text")
    way.put(id=2, name="Cube")
    pause = paused(way)
    assert said(pause) == ["column `title` is gone"]
    assert pause.way_out.startswith("was it renamed to `name`? then its field says `column: name`")


@of_a_file
def test_what_comes_later_is_held_behind_in_order_and_once(way: Way):
    way.drop("title")
    way.put(id=2)
    paused(way)
    way.add("title", "text")
    way.put(id=3)
    first = paused(way)
    assert [way.holding.count, said(first)] == [2, ["column `title` is gone"]]
    assert way.events("id") == [(1,)]


@of_a_file
def test_a_definition_that_no_longer_reads_a_column_lets_it_go(way: Way):
    way.definition = movie({"id": "integer", "budget": "decimal(10,2)"})
    way.drop("title")
    way.put(id=2)
    assert way.ingest().paused is None
    assert way.events("id", "title") == [(1, "Alien"), (2, None)]


def held(way: Way) -> None:
    """Two things are held, since `title` is gone."""
    way.drop("title")
    way.put(id=2)
    paused(way)
    way.put(id=3)
    paused(way)


def went_on(way: Way) -> None:
    """Nothing waits, and what comes lands."""
    assert way.holding.pause is None
    assert not way.holding.folder.exists()
    way.put(id=9)
    assert way.ingest().landed == 1
    assert way.events("id")[-1] == (9,)


def test_what_was_held_lands_in_order_when_the_definition_gave_in(way: Way):
    held(way)
    way.definition = movie({"id": "integer", "budget": "decimal(10,2)"})
    assert [landing.landed for landing in way.resume()] == [1, 1]
    assert way.events("id", "title") == [(1, "Alien"), (2, None), (3, None)]
    went_on(way)


def test_what_was_held_lands_when_its_changes_are_accepted(way: Way):
    held(way)
    assert [landing.landed for landing in way.resume(accept=True)] == [1, 1]
    went_on(way)


@of_a_file
def test_a_definition_that_still_conflicts_holds_on(way: Way):
    held(way)
    way.holding.mark_told()
    (landing,) = way.resume()
    assert landing.paused is not None
    assert said(landing.paused) == ["column `title` is gone"]
    assert landing.paused.is_told
    assert way.holding.count == 2


@of_a_file
def test_what_nobody_was_told_of_is_not_accepted(way: Way):
    way.drop("title")
    way.put(id=2)
    paused(way)
    way.drop("budget")
    way.put(id=3)
    paused(way)
    first, second = way.resume(accept=True)
    assert first.landed == 1
    assert second.paused is not None
    assert said(second.paused) == ["column `budget` is gone"]
    assert not second.paused.is_told
    assert way.events("id") == [(1,), (2,)]
    way.resume(accept=True)
    went_on(way)


def test_a_field_follows_a_renamed_column(way: Way):
    way.rename("title", "name", "text")
    way.put(id=2, name="Cube")
    paused(way)
    way.definition = movie({**FIELDS, "title": {"type": "string", "column": "name"}})
    way.resume()
    assert way.events("id", "title", "name") == [(1, "Alien", None), (2, None, "Cube")]
    went_on(way)


@of_a_file
def test_a_column_of_another_type_starts_anew_when_that_is_accepted(way: Way):
    way.add("budget", "text")
    way.put(id=2, budget="much")
    paused(way)
    way.definition = movie({**FIELDS, "budget": "string"})
    with pytest.raises(EngineError, match="Cannot change column type: budget"):
        way.resume()
    way.resume(accept=True)
    assert way.events("id", "budget") == [(1, None), (2, "much")]
    went_on(way)


@of_a_file
def test_what_does_not_fit_is_rejected_when_that_is_accepted(way: Way):
    way.add("budget", "text")
    way.put(id=2, budget="much")
    way.put(id=3, budget="1.50")
    paused(way)
    (landing,) = way.resume(accept=True)
    assert (landing.landed, landing.rejected) == (1, 1)
    assert way.events("id", "budget") == [(1, Decimal("11.00")), (3, Decimal("1.50"))]
    went_on(way)


@pytest.mark.parametrize(
    ("way", "seed"), [(Parquet, 1), (Postgres, 2)], indirect=["way"], ids=["parquet", "postgres"]
)
def test_whatever_happens_at_the_source_each_row_lands_once_in_order(way: Way, seed: int):
    """Columns come, go, widen and narrow while rows are put, taken and let pass in any order."""
    random_, rows = random.Random(seed), [(1, "Alien")]
    has = {"title": True, "year": False}
    widths = ["numeric(8,2)", "numeric(10,2)", "numeric(14,2)"]

    def put() -> None:
        title = f"title {len(rows)}" if has["title"] else None
        known = {"title": title, "year": 1900}
        way.put(
            id=len(rows) + 1, budget=Decimal("1.25"), **{n: v for n, v in known.items() if has[n]}
        )
        rows.append((len(rows) + 1, title))

    for _ in range(12):
        match random_.choice(["title", "year", "budget", "put", "ingest", "resume"]):
            case "title" | "year" as column if has[column]:
                way.drop(column)
                has[column] = False
            case "title" | "year" as column:
                way.add(column, {"title": "text", "year": "integer"}[column])
                has[column] = True
            case "budget":
                way.add("budget", random_.choice(widths))
            case "put":
                put()
            case "ingest":
                put()
                way.ingest()
            case _:
                way.resume(accept=True)
    put()
    while way.ingest().paused is not None:
        while way.holding.pause is not None:
            way.resume(accept=True)
        put()
    assert way.events("id", "title") == rows


def test_a_column_that_differs_in_case_alone_is_left_alone(tmp_path: Path):
    """Engines that compare names without case could not tell the two apart."""
    way = Parquet(tmp_path)
    way.put(**ALIEN)
    way.ingest()
    way.add("Title", "text")
    way.add("_ts", "text")
    way.add("_note", "text")
    way.put(**CUBE, Title="Cube")
    assert way.ingest().added == ()


def test_a_file_of_deletes_has_keys_alone(tmp_path: Path):
    way = Parquet(tmp_path)
    way.put(**ALIEN)
    way.ingest()
    way.columns = {"id": "integer", "_op": "text"}
    way.put(id=1, _op="d")
    assert way.ingest().landed == 1
    assert way.events("_op", "title") == [("u", "Alien"), ("d", None)]
