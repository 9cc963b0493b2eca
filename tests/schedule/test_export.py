"""Other schedulers start what we would, at our moments, or the text says in which nights they do not."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
import yaml

from genesis.cli import run_command
from genesis.schedule.fires import ByCron, next_fires, timetable_of
from genesis.schedule.foreign import (
    CannotSay,
    Foreign,
    Rule,
    airflow,
    by_wall,
    debian,
    differences,
    foreign,
    java,
    systemd,
)
from genesis.schedule.wrappers import Target, export, on_calendar, utc_lines
from genesis.spec.cron import parse_cron
from genesis.spec.workflow import Workflow
from tests.schedule import debian as oracle

YEAR = 2026
SPAN = datetime(YEAR, 1, 1, tzinfo=UTC), datetime(YEAR + 1, 1, 1, tzinfo=UTC)
ZONES = ("America/Los_Angeles", "Europe/Berlin", "Australia/Lord_Howe")
SHAPES = (
    "*/15 * * * *",
    "0 * * * *",
    "*/15 6-20 * * mon-fri",
    "30 2 * * *",
    "0,30 0-3 * * sun,mon",
    "H H(0-2) * * *",
    "30 */2 * * *",
    "0 1 1,15 * *",
    "15 2 13 * fri",
)
LENGTHS = ("1m", "15m", "1h", "8h", "1d")


def workflow(schedule: Mapping[str, object] | None, **keys: object) -> Workflow:
    given = {"name": "nightly", "jobs": [{"compact": "movie"}], "schedule": schedule, **keys}
    return Workflow.model_validate(given, by_name=True)


def said(cron: str, zone: str) -> Foreign:
    return foreign(workflow({"cron": cron, "timezone": zone}), "UTC", YEAR)


def ours(cron: str, zone: str, start: datetime, end: datetime) -> list[datetime]:
    timetable = timetable_of(workflow({"cron": cron, "timezone": zone}), "UTC")
    assert timetable is not None
    return list(takewhile(lambda at: at < end, next_fires(timetable, start - timedelta(minutes=1))))


def nights(zone: str) -> Iterator[tuple[datetime, datetime]]:
    """The days round a year's changes of clocks, and some without any."""
    when = oracle.changes(ZoneInfo(zone), *SPAN)
    quiet = datetime(YEAR, 1, 30, tzinfo=UTC)
    yield quiet, quiet + timedelta(days=3)
    yield from oracle.windows(when, timedelta(hours=26))


EACH = pytest.mark.parametrize(("cron", "zone"), [(c, z) for c in SHAPES for z in ZONES])


@EACH
def test_cron_starts_what_we_would(cron: str, zone: str) -> None:
    """By Debian's rules on a system of the zone, read from the text."""
    text = export("cron", [workflow({"cron": cron, "timezone": zone})], "UTC", root="/x", year=YEAR)
    (file,) = text.files.values()
    (named,) = re.findall(r"^CRON_TZ=(\S+)$", file, re.MULTILINE)
    (fields,) = re.findall(r"^(\S+ \S+ \S+ \S+ \S+) genesis", file, re.MULTILINE)
    # A spread with a step follows real time here, and its numbers would not there: none is in `SHAPES`.
    for start, end in nights(zone):
        clocks = oracle.clocks(ZoneInfo(named), start, end)
        first = oracle.EPOCH + timedelta(minutes=clocks.start)
        last = first + timedelta(minutes=len(clocks.walls))
        assert oracle.fires(fields, clocks) == ours(cron, zone, first, last)


@EACH
def test_lines_in_utc_start_what_clocks_show(cron: str, zone: str) -> None:
    """Of the lines for each offset those of the present one, as the step of the workflow chooses."""
    meant = said(cron, zone)
    try:
        lines = utc_lines(meant, YEAR)
    except CannotSay:
        assert "1,15" in cron or "13" in cron, "a day of the month is another one in UTC"
        return
    for start, end in nights(zone):
        clocks = oracle.clocks(ZoneInfo("UTC"), start, end)
        first = oracle.EPOCH + timedelta(minutes=clocks.start)
        last = first + timedelta(minutes=len(clocks.walls))
        started = {
            at
            for offset, line in lines
            for at in oracle.fires(line, clocks)
            if at.astimezone(meant.times.zone).utcoffset() == timedelta(minutes=offset)
        }
        wanted = by_wall(meant.times, first - timedelta(minutes=1))
        assert started == set(takewhile(lambda at, last=last: at < last, wanted))


@EACH
@pytest.mark.parametrize("rule", [debian, by_wall, systemd, airflow, java])
def test_what_differs_is_told(cron: str, zone: str, rule: Rule) -> None:
    """In the nights when clocks are put; in quiet ones nothing does."""
    meant = said(cron, zone)
    told = {at for each in differences(meant, rule, YEAR) for at in (*each.ours, *each.theirs)}
    for start, end in nights(zone):
        theirs = takewhile(lambda at, end=end: at < end, rule(meant.times, start))
        here = {at for at in ours(cron, zone, start, end) if at > start}
        assert here ^ set(theirs) == {at for at in told if start < at < end}


def test_debian_differs_from_us_in_spreads_alone() -> None:
    """`H/15` follows real time here; its numbers are fixed times there."""
    assert not differences(said("30 2 * * *", ZONES[0]), debian, YEAR)
    (back,) = {each.day[5:] for each in differences(said("H/15 1 * * *", ZONES[0]), debian, YEAR)} - {"11-07"}  # fmt: skip
    assert back == "11-01"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
@pytest.mark.parametrize(
    ("cron", "zone"), [(SHAPES[3], ZONES[1]), (SHAPES[4], ZONES[0]), ("0 * * * *", ZONES[2])]
)
def test_systemd_starts_what_its_rule_says(cron: str, zone: str) -> None:
    """As it says itself."""
    for start, end in list(nights(zone))[1:]:
        moments = {
            at
            for text in on_calendar(said(cron, zone))
            for at in calendar(text, start)
            if at < end
        }  # fmt: skip
        theirs = systemd(said(cron, zone).times, start)
        assert moments == set(takewhile(lambda at, end=end: at < end, theirs))


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """Wherever the project is."""
    nightly = workflow({"cron": "30 2 * * *", "timezone": ZONES[0]})
    found = export("systemd", [nightly], "UTC", root="/srv/it's $here 100%", year=YEAR)
    for name, text in found.files.items():
        (tmp_path / name).write_text(text)
    line = ["systemd-analyze", "verify", *(str(tmp_path / name) for name in found.files)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert "genesis-nightly" not in done.stderr


def calendar(text: str, after: datetime) -> list[datetime]:
    """The next moments of an `OnCalendar`, as systemd tells them."""
    base = f"--base-time={after:%Y-%m-%d %H:%M:%S} UTC"
    line = ["systemd-analyze", "calendar", base, "--iterations=60", text]
    told = subprocess.run(line, capture_output=True, text=True, check=True, env={"TZ": "UTC", "PATH": "/usr/bin:/bin"})  # fmt: skip
    found = re.findall(r"(?:elapse|Iter. #\d+): \w+ (\S+ \S+) UTC", told.stdout)
    return [datetime.fromisoformat(moment).replace(tzinfo=UTC) for moment in found]


@pytest.mark.parametrize("length", LENGTHS)
def test_lengths_of_time_are_said_in_utc(length: str) -> None:
    """Where no clock is put."""
    meant = foreign(workflow({"every": length}), "Europe/Berlin", YEAR)
    start, end = datetime(YEAR, 3, 28, tzinfo=UTC), datetime(YEAR, 3, 31, tzinfo=UTC)
    clocks = oracle.clocks(ZoneInfo(meant.zone), start, end)
    fires = takewhile(lambda at: at < end, next_fires(meant.ours, start - timedelta(minutes=1)))
    assert oracle.fires(" ".join(meant.fields), clocks) == list(fires)


@pytest.mark.parametrize(
    ("schedule", "why"),
    [
        (None, "by hand"),
        ({"on_change": True}, "changes of tables"),
        ({"every": "90s"}, "no part of an hour or a day"),
        ({"every": "7m"}, "no part"),
        ({"every": "7d"}, "no part"),
        ({"cron": "0 0 l * *"}, "from a month's end"),
        ({"cron": "0 0 * * fri#2"}, "from a month's end"),
    ],
)
def test_what_no_other_can_say_is_left_out(schedule: Mapping[str, object] | None, why: str) -> None:
    """And why."""
    found = export("cron", [workflow(schedule)], "UTC", root="/x", year=YEAR)
    assert why in found.left_out["nightly"]


@pytest.mark.parametrize("target", ["github-actions", "airflow", "maestro"])
def test_a_day_that_must_be_both_is_left_out(target: Target) -> None:
    """Where others read either."""
    both = workflow({"cron": "0 0 */2 * fri"})
    assert "not both" in export(target, [both], "UTC", root="/x", year=YEAR).left_out["nightly"]


def test_texts_are_what_their_readers_take() -> None:
    """YAML and Python that can be read, with one command each."""
    nightly = workflow({"cron": "30 2 * * *", "timezone": ZONES[0]}, overlap="skip")
    texts = {
        target: export(target, [nightly], "UTC", root="/srv/it's", year=YEAR).files
        for target in get_args(Target)
    }
    (actions,) = (yaml.safe_load(text) for text in texts["github-actions"].values())
    assert [each["cron"] for each in actions[True]["schedule"]] == ["30 10 * * *", "30 9 * * *"]
    (flow,) = (yaml.safe_load(text) for text in texts["maestro"].values())
    assert flow["properties"]["run_strategy"] == "first_only"
    assert flow["workflow"]["time_triggers"] == [
        {"type": "CRON", "cron": "30 2 * * *", "timezone": ZONES[0]}
    ]
    (dags,) = texts["airflow"].values()
    ast.parse(dags)
    assert 'CronTriggerTimetable("30 2 * * *", timezone="America/Los_Angeles")' in dags
    timer, service = texts["systemd"].values()
    assert "OnCalendar=*-*-* 02:30:00 America/Los_Angeles" in timer
    assert "RestartForceExitStatus=75" in service
    for target in ("systemd", "github-actions", "airflow"):
        assert any("# not as here" in text for text in texts[target].values())


def test_the_step_lets_present_lines_through(tmp_path: Path) -> None:
    """Those of the offset that the zone has now, and whoever starts it by hand."""
    nightly = workflow({"cron": "30 2 * * *", "timezone": ZONES[0]})
    year = datetime.now(UTC).year
    (text,) = export("github-actions", [nightly], "UTC", root="/x", year=year).files.values()
    (due, *_) = yaml.safe_load(text)["jobs"]["run"]["steps"]
    zone = ZoneInfo(ZONES[0])

    def passes(line: str) -> bool:
        told = tmp_path / "told"
        told.write_text("")
        env = {"PATH": "/usr/bin:/bin", "LINE": line, "GITHUB_OUTPUT": str(told)}
        subprocess.run(due["run"], shell=True, check=True, env=env)
        return told.read_text() == "yes=1\n"

    now = datetime.now(UTC).astimezone(zone).utcoffset()
    for offset, line in utc_lines(foreign(nightly, "UTC", year), year):
        assert passes(line) is (timedelta(minutes=offset) == now)
    assert passes("")


def test_a_shell_runs_the_command_of_cron(tmp_path: Path) -> None:
    """With a moment in UTC, wherever the project is."""
    root = tmp_path / "it's here"
    said = '#!/bin/sh\nfor each; do echo "$each"; done\n'
    (tmp_path / "genesis").write_text(said)
    (tmp_path / "genesis").chmod(0o755)
    found = export("cron", [workflow({"every": "1h"})], "UTC", root=str(root), year=YEAR)
    line = found.files["genesis.cron"].splitlines()[-1].replace(r"\%", "%")
    command = line.split(" ", 5)[5]
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    told = subprocess.run(command, shell=True, capture_output=True, text=True, check=True, env=path)
    *words, moment = told.stdout.splitlines()
    assert words == ["-C", str(root), "run", "nightly", "--logical-time"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:00Z", moment)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files or stdout, talk on stderr; a named workflow that is left out fails."""
    (tmp_path / "genesis.yaml").write_text("timezone: America/New_York\n")
    (tmp_path / "workflows").mkdir()
    for name, schedule in (("a", '{cron: "30 2 * * *"}'), ("b", "{on_change: true}")):
        text = f"workflow: {name}\nschedule: {schedule}\njobs: [{{compact: movie}}]\n"
        (tmp_path / "workflows" / f"{name}.yaml").write_text(text)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = run_command(["-C", str(tmp_path), "export", *arguments])
        return (code, *capsys.readouterr())

    code, out, err = run("systemd", "--all", "--year", "2026")
    assert (code, out.count("[Timer]")) == (0, 1)
    assert "`b` is left out: it follows changes of tables" in err
    assert "2026-03-08: 07:00Z here, nothing there" in err
    assert run("cron", "b")[0] == 1
    assert run("cron", "c")[0] == 2
    assert run("cron")[0] == run("chron", "a")[0] == 64
    assert run("maestro", "a", "--out", str(tmp_path / "made"))[:2] == (0, "")
    assert (tmp_path / "made" / "genesis-a.yaml").is_file()


def test_airflow_goes_from_clock_to_clock() -> None:
    """What Airflow 3.3.2 gives for hours that Lord Howe's clocks repeat by half, and that Berlin's skip."""
    hourly = ByCron(parse_cron("0 * * * *"), ZoneInfo("Australia/Lord_Howe"))
    found = islice(airflow(hourly, datetime(2026, 4, 4, 14, tzinfo=UTC)), 3)
    assert [f"{at:%H:%M}" for at in found] == ["15:00", "15:30", "16:30"]
    skipped = ByCron(parse_cron("*/20 1-3 * * *"), ZoneInfo("Europe/Berlin"))
    found = islice(airflow(skipped, datetime(2026, 3, 29, 0, tzinfo=UTC)), 6)
    assert [f"{at:%H:%M}" for at in found] == ["00:20", "00:40", "01:00", "01:20", "01:40", "23:00"]
