"""Every folder of `fixtures/errors` is one code, with what a person is told.

A folder holds a project that is right but for its mistake, and `expected.txt`: what `genesis check`
says. Where no check can tell the mistake, `session.txt` holds commands instead, what each says on
stderr, and its exit code where that is not 0. `--accept` writes both anew. `elsewhere.txt` names the
test of a mistake that no command can bring about.
"""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import openpyxl
import pytest

from genesis.cli import run_command
from genesis.compile.check import check_project
from genesis.console import show_problems
from genesis.errors import CODES, Problems
from genesis.load import load_project

TESTS = Path(__file__).parent
FOLDERS = sorted((TESTS / "fixtures" / "errors").iterdir())
SESSIONS = [folder for folder in FOLDERS if (folder / "session.txt").exists()]
ELSEWHERE = [folder for folder in FOLDERS if (folder / "elsewhere.txt").exists()]
CHECKED = [folder for folder in FOLDERS if folder not in (*SESSIONS, *ELSEWHERE)]


def test_every_code_has_a_folder_and_every_folder_is_a_code() -> None:
    """A code that nothing shows is one that nobody can read about."""
    assert [folder.name for folder in FOLDERS] == sorted(CODES)


@pytest.mark.parametrize("folder", CHECKED, ids=lambda folder: folder.name)
def test_a_check_tells_the_mistake_and_nothing_else(
    folder: Path, accept: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every problem is of the folder's code and has a place: nothing is told that only follows."""
    problems = Problems()
    check_project(load_project(folder, problems), problems)
    show_problems(problems, root=folder)

    _compare(folder / "expected.txt", capsys.readouterr().err, accept)
    assert {problem.code for problem in problems} == {folder.name}
    assert all(problem.at for problem in problems)


@pytest.mark.parametrize("folder", SESSIONS, ids=lambda folder: folder.name)
def test_a_session_ends_in_the_mistake(
    folder: Path,
    accept: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The commands of a session say what it says they do."""
    project = tmp_path / "project"
    shutil.copytree(folder, project)
    monkeypatch.chdir(project)
    told = []
    for line in (folder / "session.txt").read_text(encoding="utf-8").splitlines():
        match shlex.split(line.removeprefix("$ ")) if line.startswith("$ ") else []:
            case ["genesis", *arguments]:
                exit_code = run_command(arguments)
                said = capsys.readouterr().err.replace(str(project), "/project").strip()
                ended = f"exit code {exit_code}" if exit_code else ""
                told.append("\n".join(filter(None, (line, said, ended))))
            case ["edit", file, tab, cell, value]:
                _edit(Path(file), tab, cell, value)
                told.append(line)

    _compare(folder / "session.txt", "\n\n".join(told) + "\n", accept)
    assert f"[{folder.name}]" in told[-1]


@pytest.mark.parametrize("folder", ELSEWHERE, ids=lambda folder: folder.name)
def test_a_mistake_without_a_command_has_a_test(folder: Path) -> None:
    """The test that is named is there."""
    last = (folder / "elsewhere.txt").read_text(encoding="utf-8").splitlines()[-1]
    file, _, name = last.removeprefix("tests/").partition("::")
    text = (TESTS / file).read_text(encoding="utf-8")
    assert f"def {name}(" in text
    assert folder.name in text


def _edit(file: Path, tab: str, cell: str, value: str) -> None:
    """What a person does in Excel."""
    book = openpyxl.load_workbook(file)
    book[tab][cell] = value
    book.save(file)


def _compare(file: Path, told: str, accept: bool) -> None:
    if accept:
        file.write_text(told, encoding="utf-8")
    assert told == file.read_text(encoding="utf-8")
