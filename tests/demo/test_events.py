"""The studio's events: the same every time, as the definitions say, with every hard case in them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

from genesis.demo import hard_cases as case
from genesis.demo.events import Wave, waves, write_wave

SEED, ANCHOR = 7, date(2026, 11, 23)
ROOT = Path(__file__).parents[2]

Row = dict[str, Any]
Event = tuple[str, datetime, Row]
Log = dict[str, list[Event]]


@pytest.fixture(scope="module")
def both() -> tuple[Wave, Wave]:
    return waves(SEED, ANCHOR)


@pytest.fixture(scope="module")
def first(both: tuple[Wave, Wave]) -> Wave:
    return both[0]


@pytest.fixture(scope="module")
def second(both: tuple[Wave, Wave]) -> Wave:
    return both[1]


@pytest.fixture(scope="module")
def log(first: Wave) -> Log:
    return sound_events(first)


@pytest.fixture(scope="module")
def later(second: Wave) -> Log:
    return sound_events(second)


@pytest.fixture(scope="module")
def definitions() -> dict[str, Any]:
    found = [yaml.safe_load(file.read_text("utf-8")) for file in ROOT.glob("definitions/*.yaml")]
    return {each["data_source"]: each for each in found if "data_source" in each}


def read(line: str) -> Event:
    """The operation, time and columns of a line, whichever form it has."""
    event = json.loads(line)
    event = event.get("payload", event)
    if "op" in event:
        at = datetime.fromtimestamp(event["ts_ms"] / 1000, UTC)
        return event["op"], at, event["before"] if event["op"] == "d" else event["after"]
    row = {name: value for name, value in event.items() if not name.startswith("_")}
    return event["_op"], datetime.fromisoformat(event["_ts"]), row


def sound_events(wave: Wave) -> Log:
    """The events of a wave by data source, without the broken lines."""
    return {
        source: [read(line) for line in lines if line not in case.BROKEN_TASK_LINES]
        for source, lines in wave.lines.items()
    }


def newest(source: str, *logs: Log) -> dict[Any, Row]:
    """The rows of a latest-record view: of the newest events of a key the last, if it lives.

    The key is the first column of all but credits.
    """
    found: dict[Any, Event] = {}
    for event in chain.from_iterable(log[source] for log in logs):
        key = next(iter(event[2].values()))
        if key not in found or event[1] >= found[key][1]:
            found[key] = event
    return {key: row for key, (op, _, row) in found.items() if op != "d"}


def test_another_process_writes_the_same_bytes(first: Wave, tmp_path: Path) -> None:
    """Nothing depends on the order of a set or on what ran before."""
    script = """
import sys
from datetime import date
from pathlib import Path
from genesis.demo.events import waves, write_wave
first, _ = waves(int(sys.argv[1]), date.fromisoformat(sys.argv[2]))
write_wave(first, Path(sys.argv[3]))
"""
    arguments = [str(SEED), ANCHOR.isoformat(), str(tmp_path / "there")]
    environment = {**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", script, *arguments], env=environment, check=True)
    for here in write_wave(first, tmp_path / "here"):
        assert here.read_bytes() == (tmp_path / "there" / here.name).read_bytes(), here.name


def test_another_seed_gives_another_studio(second: Wave) -> None:
    _, other = waves(SEED + 1, ANCHOR)
    assert other != second


def test_sizes(first: Wave, second: Wave) -> None:
    assert 190_000 < sum(map(len, first.lines.values())) < 215_000
    assert 1_000 < sum(map(len, second.lines.values())) < 1_500


def test_a_file_per_data_source_holds_its_lines(second: Wave, tmp_path: Path) -> None:
    for path in write_wave(second, tmp_path / "wave"):
        assert path.suffix == ".jsonl"
        assert path.read_text("utf-8").split("\n") == [*second.lines[path.stem], ""]


def test_both_waves_are_over_before_any_today(log: Log, later: Log) -> None:
    """In Kiribati the anchor begins at ten in the morning, in UTC, of the day before it."""
    close = datetime.combine(ANCHOR - timedelta(days=1), time(), tzinfo=UTC)
    assert max(at for source in log for _, at, _ in log[source]) < close
    last = max(at for source in later for _, at, _ in later[source])
    assert close < last <= close + timedelta(hours=10)


READERS: dict[str, Callable[[Any], object]] = {
    "string": str,
    "integer": int,
    "float": float,
    "boolean": bool,
    "decimal": Decimal,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "timestamp": datetime.fromisoformat,
    "timestamptz": datetime.fromisoformat,
}
IN_JSON = {"integer": int, "float": float, "boolean": bool}  # the others are text


def columns(definition: Any) -> dict[str, Any]:
    """The columns of the table: fields without an expression, by the name the table has for them."""
    fields = {
        name: field if isinstance(field, dict) else {"type": field}
        for name, field in definition["fields"].items()
    }
    return {
        field.get("column", name): field for name, field in fields.items() if "sql" not in field
    }


def test_every_data_source_has_events(log: Log, definitions: dict[str, Any]) -> None:
    assert set(log) == set(definitions)


@pytest.mark.parametrize("source", [path.stem for path in sorted(ROOT.glob("definitions/[!f]*"))])
def test_events_have_the_columns_and_types_of_the_definition(
    source: str, log: Log, later: Log, definitions: dict[str, Any]
) -> None:
    expected = columns(definitions[source])
    events = [*log[source][::20], *later[source]]
    for _, _, row in (event for event in events if event[0] != "d"):
        assert set(row) == set(expected)
        for name, field in expected.items():
            kind, value = field["type"].partition("(")[0], row[name]
            if value is None:
                assert field.get("nullable", True)
                continue
            assert type(value) is IN_JSON.get(kind, str), (name, value)
            parsed = READERS[kind](value)
            if isinstance(parsed, datetime):
                assert (parsed.tzinfo is not None) == (kind == "timestamptz")
            assert value in field.get("values", [value])


@pytest.mark.parametrize("source", ["production", "credit"])
def test_a_delete_has_the_key_alone(source: str, log: Log, definitions: dict[str, Any]) -> None:
    key = definitions[source]["primary_key"]
    expected = [key] if isinstance(key, str) else key
    deleted = [row for op, _, row in log[source] if op == "d"]
    assert deleted
    assert all(list(row) == expected for row in deleted)


@pytest.fixture(scope="module")
def tasks(log: Log) -> dict[int, Row]:
    return newest("task", log)


@pytest.fixture(scope="module")
def productions(log: Log) -> dict[int, Row]:
    return newest("production", log)


def test_broken_lines_lie_among_the_sound_ones(first: Wave) -> None:
    broken = [line for line in first.lines["task"] if line in case.BROKEN_TASK_LINES]
    assert broken == list(case.BROKEN_TASK_LINES)
    assert first.lines["task"][0] not in broken


@pytest.mark.parametrize(
    ("task", "title"),
    [
        (case.SAME_INSTANT, "second of two at one instant"),
        (case.LATE, "newer, arrives first"),
        (case.DELETED, None),
        (case.BACK_AGAIN, "back again"),
        (case.LATE_DELETE, "outlived its deletion"),
        (case.LATE_AFTER_DELETE, None),
    ],
)
def test_the_newest_record_wins_whatever_the_order_of_arrival(
    task: int, title: str | None, tasks: dict[int, Row]
) -> None:
    assert tasks.get(task, {}).get("title") == title


def test_events_arrive_out_of_order_and_at_one_instant(log: Log) -> None:
    for source in ("task", "note", "production"):
        times = [at for _, at, _ in log[source]]
        assert times != sorted(times)
        assert len(set(times)) < len(times)


def test_the_second_wave_brings_a_deleted_task_back_and_an_old_title_late(
    log: Log, later: Log
) -> None:
    tasks = newest("task", log, later)
    assert tasks[case.DELETED]["title"] == "came back yesterday"
    assert tasks[case.LATE]["title"] == "newer, arrives first"
    assert case.CHILDLESS not in newest("production", log, later)


def test_titles_that_are_more_than_they_seem(log: Log, tasks: dict[int, Row]) -> None:
    titles = {row["title"] for row in newest("movie", log).values()}
    assert {*case.ODD_TITLES, "No", "Yes", "+1", "9", "11'09\"01 September 11"} <= titles
    assert [tasks[number]["title"] for number in case.FORMULA_TASKS] == list(case.FORMULAS)


def test_namesakes_are_two_people(log: Log, productions: dict[int, Row]) -> None:
    people = newest("person", log)
    assert {people[number]["full_name"] for number in case.NAMESAKES} == {"Maria Silva"}
    roles = ("director_id", "line_producer_id")
    assert [productions[case.OSLO][role] for role in roles] == list(case.NAMESAKES)
    assert len({productions[case.ONE_PERSON_TWICE][role] for role in roles}) == 1
    assert case.DELETED_PERSON not in people
    assert case.RETURNED_PERSON in people


def test_missing_and_unknown_relatives(
    log: Log, tasks: dict[int, Row], productions: dict[int, Row]
) -> None:
    assert productions[case.ORPHAN]["movie_id"] == case.NOWHERE
    assert productions[case.UNKNOWNS]["movie_id"] is None
    assert productions[case.UNKNOWNS]["start_date"] is None
    assert case.DELETED_PRODUCTION not in productions
    assert tasks[case.ORPHAN_TASK]["production_id"] == case.NOWHERE
    assert tasks[case.BARE_TASK]["assignee_id"] is None
    children = [
        row["production_id"]
        for source in ("task", "vendor_contract", "schedule_day", "credit", "note")
        for _, _, row in log[source]
        if "production_id" in row
    ]
    assert case.CHILDLESS not in children


def test_countries_codes_and_numbers_that_stay_text(log: Log, productions: dict[int, Row]) -> None:
    places = newest("location", log)
    assert productions[case.OSLO]["country"] == places["OSL"]["country"] == "NO"
    assert "NAN" in places
    assert newest("vendor", log)["V0002"]["postal_code"] == "02134"


def test_half_hour_zones(log: Log, productions: dict[int, Row]) -> None:
    zones = {key: row["time_zone"] for key, row in newest("location", log).items()}
    assert zones[productions[case.MUMBAI]["base_id"]] == "Asia/Kolkata"
    assert zones[productions[case.ADELAIDE]["base_id"]] == "Australia/Adelaide"
    days = newest("schedule_day", log).values()
    calls = {row["call_at"][14:16] for row in days if row["production_id"] == case.MUMBAI}
    assert calls == {"30"}


def test_half_past_one_comes_twice(log: Log) -> None:
    notes = newest("note", log)
    written = [datetime.fromisoformat(notes[key]["created_at"]) for key in case.NIGHT_NOTES]
    assert written[0].date() == date(2026, 11, 1)
    assert written[1] - written[0] == timedelta(hours=1)


def test_fan_out(log: Log, tasks: dict[int, Row]) -> None:
    owned = [row for row in tasks.values() if row["production_id"] == case.FAN_OUT]
    contracts = newest("vendor_contract", log).values()
    assert len(owned) == 300
    assert len([row for row in contracts if row["production_id"] == case.FAN_OUT]) == 31


def test_only_a_test_production_shoots_without_insurance(log: Log, later: Log) -> None:
    insured = {
        row["production_id"]
        for row in newest("vendor_contract", log, later).values()
        if row["kind"] == "INSURANCE" and row["signed"] and row["active"]
    }
    shooting = {
        number
        for number, row in newest("production", log, later).items()
        if row["status_code"] == "SHOOT"
    }
    assert shooting - insured == {case.TEST}
