"""`genesis schedule --explain`: what is due when, for a person and for a program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from genesis.cli import run_command

SETTINGS = "project: studio\ntimezone: America/New_York\n"
SCHEDULES = {
    "nightly": '{cron: "30 2 * * *"}',
    "hourly": '{cron: "0 * * * *", timezone: Europe/Berlin}',
    "spread": '{cron: "H  H * * MON", timezone: UTC}',
    "often": "{every: 90s}",
    "followed": "{on_change: true}",
}
BY_HAND = "workflow: by_hand\njobs: [{compact: movie}]\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A workflow of each kind, and definitions that are broken."""
    (tmp_path / "genesis.yaml").write_text(SETTINGS)
    folder = tmp_path / "workflows"
    folder.mkdir()
    for name, schedule in SCHEDULES.items():
        text = f"workflow: {name}\nschedule: {schedule}\njobs: [{{compact: movie}}]\n"
        (folder / f"{name}.yaml").write_text(text)
    (folder / "by_hand.yaml").write_text(BY_HAND)
    (tmp_path / "inputs").mkdir()
    (tmp_path / "inputs" / "broken.yaml").write_text("input: [")
    return tmp_path


@pytest.fixture
def explain(project: Path, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    def run(*arguments: str) -> tuple[int, str, str]:
        code = run_command(["-C", str(project), "schedule", "--explain", *arguments])
        return (code, *capsys.readouterr())

    return run


def test_for_programs(explain) -> None:  # type: ignore[no-untyped-def]
    """Moments in UTC, strictly after the one that is asked about; nothing else."""
    line = ("nightly", "--from", "2026-03-07T07:30:00Z", "--count", "3", "--format", "json")
    code, out, err = explain(*line)
    fires = ["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z", "2026-03-10T06:30:00Z"]
    assert (code, json.loads(out), err) == (0, {"fires": fires}, "")


def test_all_for_programs(explain) -> None:  # type: ignore[no-untyped-def]
    """Every workflow, those without moments too."""
    code, out, _ = explain("--all", "--from", "2026-03-07", "--count", "2", "--format", "json")
    workflows = json.loads(out)["workflows"]
    assert (code, workflows.keys()) == (0, {"by_hand", *SCHEDULES})
    assert workflows["often"] == {"fires": ["2026-03-07T00:01:30Z", "2026-03-07T00:03:00Z"]}
    assert workflows["followed"] == workflows["by_hand"] == {"fires": []}


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        (
            "nightly --from 2026-03-08 --count 2",
            [
                "nightly: 30 2 * * *, America/New_York",
                "  Sun 2026-03-08 03:00 EDT  2026-03-08T07:00:00Z  for 02:30, which the clocks skip",
                "  Mon 2026-03-09 02:30 EDT  2026-03-09T06:30:00Z",
            ],
        ),
        (
            "hourly --from 2026-10-24T23:30Z --count 3",
            [
                "hourly: 0 * * * *, Europe/Berlin",
                "  Sun 2026-10-25 02:00 CEST  2026-10-25T00:00:00Z  the first 02:00, and again when the clocks have gone back",
                "  Sun 2026-10-25 02:00 CET  2026-10-25T01:00:00Z  02:00 once more, since the clocks went back",
                "  Sun 2026-10-25 03:00 CET  2026-10-25T02:00:00Z",
            ],
        ),
        (
            "spread --from 2026-03-08 --count 1",
            [
                "spread: H H * * MON is 26 11 * * mon, UTC",
                "  Mon 2026-03-09 11:26 UTC  2026-03-09T11:26:00Z",
            ],
        ),
        (
            "often --from 2026-03-08 --count 1",
            [
                "often: every 90s, counted from 1970 in UTC",
                "  Sat 2026-03-07 19:01:30 EST  2026-03-08T00:01:30Z",
            ],
        ),
        ("followed", ["followed: whenever a table that it reads has changed"]),
        ("by_hand", ["by_hand: by hand, since it has no schedule"]),
    ],
)
def test_for_people(explain, line: str, lines: list[str]) -> None:  # type: ignore[no-untyped-def]
    """What the zone's clocks show, and what is odd about it."""
    code, out, err = explain(*line.split())
    assert (code, out.splitlines(), err) == (0, lines, "")


def test_what_is_broken(explain, project: Path) -> None:  # type: ignore[no-untyped-def]
    """A workflow is told for what it is; the others are told in spite of it."""
    (project / "workflows" / "nightly.yaml").write_text('workflow: nightly\nschedule: {cron: "0 0 30 2 *"}\njobs: [{compact: movie}]\n')  # fmt: skip
    code, out, err = explain("nightly")
    assert (code, out) == (2, "")
    assert "workflows/nightly.yaml:2:18" in err
    assert "a day that never comes" in err
    assert explain("hourly")[0] == 0
    code, out, err = explain("--all", "--format", "json")
    assert code == 2
    assert json.loads(out)["workflows"].keys() == {"by_hand", *SCHEDULES} - {"nightly"}


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("nigthly", 2, "did you mean `nightly`?"),
        ("nightly --all", 64, "name one WORKFLOW, or `--all`"),
        ("", 64, "name one WORKFLOW, or `--all`"),
        ("nightly --from yesterday", 64, "`--from yesterday` is no moment"),
        ("nightly --count 0", 64, "--count"),
        ("nightly --from 9999-12-31T23:59:59Z", 0, ""),
    ],
)
def test_wrong_command_lines(explain, line: str, code: int, words: str) -> None:  # type: ignore[no-untyped-def]
    ended, _, err = explain(*line.split())
    assert ended == code
    assert words in err
