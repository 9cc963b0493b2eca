"""What another scheduler needs to start our workflows: one command each, and nothing else.

`genesis run WORKFLOW --logical-time T` is one idempotent run; its exit code 75 asks to be tried again. Each text says
in comments where the moments are not ours. Its one surprise: GitHub knows no zones, so a line is written for each offset a
zone has, and a step lets only the lines of the present one through.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Literal

from genesis.schedule.foreign import (
    CannotSay,
    Difference,
    Foreign,
    Rule,
    airflow,
    by_wall,
    compact,
    debian,
    differences,
    foreign,
    java,
    offsets,
    systemd,
)
from genesis.spec.workflow import Workflow

Target = Literal["cron", "systemd", "github-actions", "airflow", "maestro"]

_MADE = "Made by `genesis export`: what is changed here is lost"
_NOW = "%Y-%m-%dT%H:%M:00Z"


@dataclass(frozen=True)
class Exported:
    """Files by their names, why workflows are left out, and what a person should know of the others."""

    files: Mapping[str, str]
    left_out: Mapping[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Said:
    """A workflow that can be said, where its moments differ, and where it is run."""

    foreign: Foreign
    differing: tuple[Difference, ...]
    root: str
    year: int

    @property
    def name(self) -> str:
        return self.foreign.workflow.name

    @property
    def remarks(self) -> list[str]:
        if not self.differing:
            return []
        return ["not as here in nights when clocks are put:", *(f"  {d}" for d in self.differing)]

    def command(self, moment: str, folder: str = "") -> str:
        where = f"-C {shlex.quote(folder)} " if folder else ""
        return f'genesis {where}run {self.name} --logical-time "{moment}"'


def export(
    target: Target, workflows: Iterable[Workflow], timezone: str, *, root: str, year: int
) -> Exported:
    """The workflows as another scheduler takes them; a year, and the next one, is searched for differences."""
    write, rule = _TARGETS[target]
    said: list[_Said] = []
    left_out: dict[str, str] = {}
    for workflow in workflows:
        try:
            meant = foreign(workflow, timezone, year)
            each = _Said(meant, tuple(differences(meant, rule, year)), root, year)
            write([each])  # which refuses what it cannot say
        except CannotSay as why:
            left_out[workflow.name] = str(why)
        else:
            said.append(each)
    notes = tuple(f"`{each.name}`: {' '.join(each.remarks)}" for each in said if each.remarks)
    return Exported(write(said), left_out, notes)


def _comments(said: _Said) -> str:
    return "".join(f"# {line}\n" for line in said.remarks)


# --- cron -----------------------------------------------------------------------------------------


def _cron(all_said: list[_Said]) -> dict[str, str]:
    text = (
        f"# {_MADE}\n"
        "# CRON_TZ is read by cronie. Debian's cron has the system's zone alone: moments are ours where that is the\n"
        "# one that is named here.\n"
    )
    for said in all_said:
        moment = f"$(date -u +{_NOW})".replace("%", r"\%")
        text += (
            f"\nCRON_TZ={said.foreign.zone}\n{_comments(said)}"
            f"{' '.join(said.foreign.fields)} {said.command(moment, said.root)}\n"
        )
    return {"genesis.cron": text}


# --- systemd --------------------------------------------------------------------------------------


def _systemd(all_said: list[_Said]) -> dict[str, str]:
    files = {}
    for said in all_said:
        # To systemd a per cent sign and a dollar sign mean something, unless they are doubled.
        command = said.command(f"$(date -u +{_NOW})", said.root)
        command = command.replace("%", "%%").replace("$", "$$")
        command = command.replace("\\", r"\\").replace('"', r"\"")
        timers = "".join(f"OnCalendar={each}\n" for each in on_calendar(said.foreign))
        files[f"genesis-{said.name}.timer"] = (
            f"# {_MADE}\n{_comments(said)}"
            f"[Timer]\n{timers}AccuracySec=1s\nPersistent={_yes(said.foreign.workflow.catchup != 'none')}\n\n"
            "[Install]\nWantedBy=timers.target\n"
        )
        files[f"genesis-{said.name}.service"] = (
            f'# {_MADE}\n[Service]\nType=exec\nExecStart=/bin/sh -c "exec {command}"\n'
            "RestartForceExitStatus=75\nRestartSec=60\n"
        )
    return files


def on_calendar(said: Foreign) -> tuple[str, ...]:
    """The fields as systemd writes them; it wants both day and weekday, so either of them takes two lines."""
    _, _, day, month, weekday = said.fields
    cron, zone = said.times.cron, said.zone
    time = f"{_list(cron.hours, 24)}:{_list(cron.minutes, 60)}:00 {zone}"
    months = "*" if month == "*" else _join(cron.months)
    days = "*" if day == "*" else _join(each for each in cron.days if isinstance(each, int))
    week = [_WEEKDAYS[each] for each in sorted(cron.weekdays) if isinstance(each, int)]
    weekdays = "" if weekday == "*" else f"{','.join(week)} "
    if cron.needs_both:
        return (f"{weekdays}*-{months}-{days} {time}",)
    return (f"*-{months}-{days} {time}", f"{weekdays}*-{months}-* {time}")


_WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")


def _list(numbers: tuple[int, ...], count: int) -> str:
    return "*" if len(numbers) == count else ",".join(f"{number:02}" for number in numbers)


def _join(numbers: Iterable[int]) -> str:
    return ",".join(f"{number:02}" for number in sorted(numbers))


def _yes(said: bool) -> str:
    return "true" if said else "false"


# --- GitHub Actions -------------------------------------------------------------------------------


def _github(all_said: list[_Said]) -> dict[str, str]:
    return {f".github/workflows/genesis-{said.name}.yml": _github_file(said) for said in all_said}


def _github_file(said: _Said) -> str:
    lines = utc_lines(said.foreign, said.year)
    crons = "".join(f'    - cron: "{line}"\n' for line in sorted({line for _, line in lines}))
    is_guarded = len({offset for offset, _ in lines}) > 1
    only = "if: steps.due.outputs.yes\n        " if is_guarded else ""
    moment = f"$(date -u +{_NOW})"
    return (
        f"# {_MADE}\n"
        "# GitHub starts late, and under load not at all: the logical time is when it does.\n"
        f"{_comments(said)}name: {said.name}\non:\n  workflow_dispatch:\n  schedule:\n{crons}"
        f"concurrency: genesis-{said.name}\npermissions:\n  contents: read\n"
        "jobs:\n  run:\n    runs-on: ubuntu-latest\n    steps:\n"
        f"{_github_guard(said.foreign.zone, lines) if is_guarded else ''}"
        f"      - {only}uses: actions/checkout@v4\n"
        f"      - {only}run: pip install genesis-trackers\n"
        f"      - {only}run: {said.command(moment)}\n"
    )


def _github_guard(zone: str, lines: Iterable[tuple[int, str]]) -> str:
    """The step that lets only those lines through that are written for the offset clocks have now."""
    passes = " | ".join(f'"{_offset(offset)} {line}"' for offset, line in lines)
    return (
        "      - id: due\n        env:\n          LINE: ${{ github.event.schedule }}\n        run: |\n"
        f'          case "$(TZ={zone} date +%z) $LINE" in\n'
        f'            {passes} | *" ") echo yes=1 >> "$GITHUB_OUTPUT" ;;\n'
        "          esac\n"
    )


def _offset(minutes: int) -> str:
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}{rest:02}"


def utc_lines(said: Foreign, year: int) -> tuple[tuple[int, str], ...]:
    """The fields on clocks of UTC, for each offset that the zone has."""
    _refuse_both(said, "GitHub")
    if len(said.times.cron.minutes) > 12:
        raise CannotSay("GitHub starts nothing more often than every five minutes")
    ahead = offsets(said.times.zone, year)
    return tuple((offset, line) for offset in ahead for line in _lines_at(said, offset))


def _lines_at(said: Foreign, offset: int) -> Iterator[str]:
    """The fields on clocks of UTC, which show so many minutes less."""
    _, _, day, month, weekday = said.fields
    cron = said.times.cron
    hours: dict[tuple[int, int], set[int]] = {}
    for hour, minute in product(cron.hours, cron.minutes):
        days, time = divmod(hour * 60 + minute - offset, 24 * 60)
        hours.setdefault((days, time // 60), set()).add(time % 60)
    lines: dict[tuple[int, frozenset[int]], list[int]] = {}
    for (days, hour), found in sorted(hours.items()):
        lines.setdefault((days, frozenset(found)), []).append(hour)
    for (days, minutes), at in lines.items():
        if days and (day, month) != ("*", "*"):
            raise CannotSay("in UTC it begins on another day of the month")
        week = {(each + days) % 7 for each in cron.weekdays if isinstance(each, int)}
        weekdays = "*" if weekday == "*" else compact(week)
        yield f"{_all(minutes, 60)} {_all(at, 24)} {day} {month} {weekdays}"


def _all(numbers: Iterable[int], count: int) -> str:
    found = set(numbers)
    return "*" if len(found) == count else compact(found)


def _refuse_both(said: Foreign, who: str) -> None:
    """Not all read a star with a step beside another field as Debian does."""
    _, _, day, _, weekday = said.fields
    if said.times.cron.needs_both and day != "*" and weekday != "*":
        raise CannotSay(f"{who} reads its day and weekday as either, not both")


# --- Airflow --------------------------------------------------------------------------------------

_AIRFLOW = f'''\
# {_MADE}
from datetime import datetime, timedelta, timezone
from subprocess import run

from airflow.exceptions import AirflowException, AirflowFailException
from airflow.sdk import DAG, task
from airflow.timetables.trigger import CronTriggerTimetable


@task(retries=10, retry_delay=timedelta(seconds=30), retry_exponential_backoff=True, max_retry_delay=timedelta(hours=1))
def genesis(workflow, logical_date=None):
    """Run a workflow once; only what passes by itself is tried again."""
    moment = logical_date.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    code = run(["genesis", "-C", ROOT, "run", workflow, "--logical-time", moment]).returncode
    if code:
        raise (AirflowException if code == 75 else AirflowFailException)(f"exit code {{code}}")


'''


def _airflow(all_said: list[_Said]) -> dict[str, str]:
    text = _AIRFLOW + (f"ROOT = {json.dumps(all_said[0].root)}\n" if all_said else "")
    for said in all_said:
        _refuse_both(said.foreign, "Airflow")
        cron, catchup = " ".join(said.foreign.fields), said.foreign.workflow.catchup == "all"
        overlap = "" if said.foreign.workflow.overlap == "parallel" else "max_active_runs=1, "
        text += (
            f'\n{_comments(said)}with DAG("genesis_{said.name}", start_date=datetime({said.year}, 1, 1, tzinfo=timezone.utc), '
            f"catchup={catchup}, {overlap}"
            f'schedule=CronTriggerTimetable("{cron}", timezone="{said.foreign.zone}")):\n'
            f'    genesis("{said.name}")\n'
        )
    return {"genesis_dags.py": text}


# --- Maestro --------------------------------------------------------------------------------------

_STRATEGIES = {"serial": "sequential", "skip": "first_only", "parallel": "parallel"}


def _maestro(all_said: list[_Said]) -> dict[str, str]:
    return {f"genesis-{said.name}.yaml": _maestro_file(said) for said in all_said}


def _maestro_file(said: _Said) -> str:
    """JSON below comments, which is YAML."""
    _refuse_both(said.foreign, "Maestro")
    workflow = said.foreign.workflow
    # A dollar sign is doubled, since one alone begins a parameter.
    command = f"exec {said.command(f'$$(date -u +{_NOW})')}"
    wanted = {
        "image": {"value": "genesis", "type": "STRING"},
        "command": {"value": ["/bin/sh", "-c"], "type": "STRING_ARRAY"},
        "args": {"value": [command], "type": "STRING_ARRAY"},
    }
    step = {
        "id": "run",
        "type": "kubernetes",
        "transition": {},
        "retry_policy": {"error_retry_limit": 2},
        "params": {"kubernetes": {"value": wanted, "type": "MAP"}},
    }
    trigger = {
        "type": "CRON",
        "cron": " ".join(said.foreign.fields),
        "timezone": said.foreign.zone,
    }
    written = {
        "properties": {
            "owner": workflow.owner or "genesis",
            "run_strategy": _STRATEGIES[workflow.overlap],
        },
        "workflow": {
            "id": f"genesis-{said.name}",
            "name": said.name,
            "description": workflow.description or f"Runs {said.name} of genesis.",
            "time_triggers": [trigger],
            "steps": [{"step": step}],
        },
    }
    text = json.dumps(written, indent=2, ensure_ascii=False)
    image = "# `image` is one that holds this project and genesis\n"
    return f"# {_MADE}\n{image}{_comments(said)}{text}\n"


_TARGETS: Mapping[Target, tuple[Callable[[list[_Said]], dict[str, str]], Rule]] = {
    "cron": (_cron, debian),
    "systemd": (_systemd, systemd),
    "github-actions": (_github, by_wall),
    "airflow": (_airflow, airflow),
    "maestro": (_maestro, java),
}
