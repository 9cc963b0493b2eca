"""The README's promises: its YAML gives its SQL, and its commands run as they are written."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from genesis.compile.check import check_project
from genesis.compile.compiler import compile_input
from genesis.errors import Problems
from genesis.load import load_files, load_project

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The README's fenced blocks of a language, `""` for those of none."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
    return [text for tag, text in fenced if tag == language]


def test_its_yaml_gives_its_sql(tmp_path: Path) -> None:
    """The example's SQL is what compiles from the example's YAML."""
    file = tmp_path / "example.yaml"
    file.write_text(blocks("yaml")[0], encoding="utf-8")
    problems = Problems()
    project = load_files(tmp_path, [file], problems)
    shown = blocks("sql")[0].removeprefix("...\n").strip()
    compiled = compile_input(project, "shooting", "duckdb").sql
    assert not list(problems)
    assert compiled.endswith(shown)


def test_its_trackers_are_accepted(tmp_path: Path) -> None:
    """Those in services, in the studio's project."""
    for folder in ("definitions", "inputs"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    settings, workflow = blocks("yaml")[1:3]
    (tmp_path / "genesis.yaml").write_text((ROOT / "genesis.yaml").read_text() + settings)
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "productions.yaml").write_text(workflow)
    problems = Problems()
    project = load_project(tmp_path, problems)
    check_project(project, problems)
    assert "productions" in project.workflows
    assert not list(problems)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository as a new user has it, but for the environment, which is ours."""
    copy = tmp_path_factory.mktemp("checkout") / "genesis"
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    for name in filter(None, tracked.decode().split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    (copy / ".venv").symlink_to(ROOT / ".venv")
    for name in ("pyproject.toml", "constraints.txt"):
        os.utime(copy / name, (0, 0))  # older than the environment: make shall not set ours up anew
    return copy


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """One command line in the copy, in a shell that knows the environment's commands."""
    path = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(folder)}
    return subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def scheduled(folder: Path, *, until: str = "scheduling") -> subprocess.CompletedProcess[str]:
    """`genesis schedule`, ended with Ctrl-C as soon as it says something."""
    command = [sys.executable, "-m", "genesis", "schedule"]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    said, pipe = "", subprocess.PIPE
    with subprocess.Popen(command, cwd=folder, env=environment, stderr=pipe, text=True) as node:
        alarm = threading.Timer(60, node.kill)
        alarm.start()
        for line in node.stderr or ():
            said += line
            if until in line:
                node.send_signal(signal.SIGINT)
        alarm.cancel()
    return subprocess.CompletedProcess(command, node.returncode, "", said)


@pytest.mark.skipif(
    not (ROOT / ".venv" / "ready").exists(), reason="needs the environment that make sets up"
)
def test_its_commands_run(checkout: Path) -> None:
    """Every command of the README succeeds, in its order, from `make demo` on."""
    commands = [line for block in blocks("sh") for line in block.splitlines()]
    commands.remove("make test")  # that is what runs this
    commands.remove(". .venv/bin/activate")
    assert commands[0] == "make demo"
    for command in commands:
        done = scheduled(checkout) if command == "genesis schedule" else run(command, checkout)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        if command == "make demo":
            assert "LOST" not in done.stdout
            assert done.stdout.count("still beside") == 3
            assert "0 writes in 15 trackers" in done.stdout


def test_one_line_brings_it_to_postgres(checkout: Path, database: str) -> None:
    """The README's line, with an address that is there: a schedule asks, and a tracker is refreshed."""
    if not (checkout / "trackers").exists():
        pytest.skip("needs the studio that `make demo` leaves")
    (line,) = [block for block in blocks("yaml") if "postgresql://" in block]
    line = re.sub(r"postgresql://[^\"]*", database, line.splitlines()[1])
    settings = checkout / "genesis.yaml"
    before = settings.read_text(encoding="utf-8")
    settings.write_text(re.sub("^state: .*$", line, before, flags=re.MULTILINE), encoding="utf-8")
    done = scheduled(checkout, until=" shooting_schedule.refresh")
    settings.write_text(before, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert " shooting_schedule.refresh_shooting_schedule (change" in done.stderr


def test_its_error_is_what_is_told(checkout: Path) -> None:
    """The misspelt column of the README is told as the README shows."""
    file = checkout / "inputs" / "open_tasks.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(
        text.replace("\nfields:\n", "\nfields:\n  - assignee.emial\n", 1), encoding="utf-8"
    )
    done = run("genesis check", checkout)
    shown = next(block for block in blocks("") if block.startswith("error["))
    assert done.returncode == 2
    assert shown.strip() in done.stderr
    file.write_text(text, encoding="utf-8")
