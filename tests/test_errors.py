"""Every folder of `fixtures/errors` is one code, with what a person is told.

A folder holds a project that is right but for its mistake, and `expected.txt`: what `genesis check`
says. Where no check can tell the mistake, `session.txt` holds commands instead, what each says on
stderr, and its exit code where that is not 0. `--accept` writes both anew.
"""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest

from genesis.cli import run_command
from genesis.compile.check import check_project
from genesis.console import show_problems
from genesis.errors import CODES, Problems
from genesis.load import load_project

ERRORS = Path(__file__).parent / "fixtures" / "errors"
FOLDERS = sorted(ERRORS.iterdir())
SESSIONS = [folder for folder in FOLDERS if (folder / "session.txt").exists()]
CHECKED = [folder for folder in FOLDERS if folder not in SESSIONS]


def test_every_code_has_a_folder_and_every_folder_is_a_code():
    assert [folder.name for folder in FOLDERS] == sorted(CODES)


@pytest.mark.parametrize("folder", CHECKED, ids=lambda folder: folder.name)
def test_a_check_tells_the_mistake_and_nothing_else(
    folder: Path, accept: bool, capsys: pytest.CaptureFixture[str]
):
    problems = Problems()
    check_project(load_project(folder, problems), problems)
    show_problems(problems, root=folder)
    told = capsys.readouterr().err

    assert {problem.code for problem in problems} == {folder.name}
    assert all(problem.at for problem in problems)
    _compare(folder / "expected.txt", told, accept)


@pytest.mark.parametrize("folder", SESSIONS, ids=lambda folder: folder.name)
def test_a_session_ends_in_the_mistake(
    folder: Path,
    accept: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    project = tmp_path / "project"
    shutil.copytree(folder, project)
    monkeypatch.chdir(project)
    told = []
    for line in (folder / "session.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("$ genesis "):
            exit_code = run_command(shlex.split(line.removeprefix("$ genesis ")))
            stderr = capsys.readouterr().err.replace(str(project), "/project").rstrip()
            told += [line, *stderr.splitlines(), *([f"exit code {exit_code}"] if exit_code else []), ""]

    assert f"[{folder.name}]" in told[-1] or any(f"[{folder.name}]" in line for line in told)
    _compare(folder / "session.txt", "\n".join(told), accept)


def _compare(file: Path, told: str, accept: bool) -> None:
    if accept:
        file.write_text(told, encoding="utf-8")
    assert told == file.read_text(encoding="utf-8")
