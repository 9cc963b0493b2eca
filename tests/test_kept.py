"""What is compiled again from the same bytes is told from what was kept, and never anything else."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from genesis.cli import run_command
from genesis.cli.kept import MOST, Kept, kept_for

STUDIO = Path(__file__).parents[1]
ASK = ["compile", "open_tasks", "--dialect", "trino"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("definitions", "inputs", "workflows"):
        shutil.copytree(STUDIO / name, tmp_path / name)
    shutil.copy(STUDIO / "genesis.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run_command(arguments) == 0
    return capsys.readouterr().out


def test_the_second_answer_is_the_first_and_imports_no_parser(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = _told(capsys, *ASK)
    script = "import sys; from genesis.cli import run_command; run_command(sys.argv[1:]); print({'sqlglot', 'pydantic', 'yaml', 'click', 'dataclasses'} & set(sys.modules))"
    again = subprocess.run(
        [sys.executable, "-c", script, *ASK],
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
    )
    assert again.stdout == f"{first}set()\n"


@pytest.mark.parametrize(
    "file", ["definitions/task.yaml", "inputs/open_tasks.yaml", "genesis.yaml"]
)
def test_a_changed_file_is_compiled_anew(
    project: Path, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A comment is a change too: only equal bytes are surely equal."""
    _told(capsys, *ASK)
    (project / file).write_text((project / file).read_text("utf-8") + "# more\n", encoding="utf-8")
    _told(capsys, *ASK)
    assert len(list((project / ".genesis" / "answers").iterdir())) == 2


@pytest.mark.usefixtures("project")
def test_other_words_are_another_question(capsys: pytest.CaptureFixture[str]) -> None:
    assert _told(capsys, *ASK) != _told(capsys, "compile", "open_tasks", "--dialect", "duckdb")
    assert _told(capsys, *ASK) != _told(capsys, *ASK, "--render", "text")


def test_a_report_with_a_problem_is_not_kept(project: Path) -> None:
    (project / "inputs" / "open_tasks.yaml").write_text(
        "input: open_tasks\nsource: task\nfields: [x]\n"
    )
    assert [run_command(ASK), run_command(ASK)] == [2, 2]
    assert not (project / ".genesis" / "answers").exists()


def test_an_answer_that_was_cut_short_is_none(project: Path) -> None:
    """A full disk, a kill: half an answer is not told."""
    kept = Kept(project, ["question"])
    kept.write("select 1")
    assert Kept(project, ["question"]).read() == "select 1"
    (file,) = (project / ".genesis" / "answers").iterdir()
    file.write_text("sel")
    assert Kept(project, ["question"]).read() is None


@pytest.mark.usefixtures("project")
def test_options_of_all_commands_may_stand_before(capsys: pytest.CaptureFixture[str]) -> None:
    ask = ["-C", ".", "--target", "local", *ASK]
    assert kept_for(ask) is not None
    first = _told(capsys, *ask)
    assert kept_for(ask).read() == first.removesuffix("\n")  # type: ignore[union-attr]


@pytest.mark.parametrize("words", [["-C", "gone", *ASK], ["-C"]])
def test_a_command_line_without_a_project_is_told_as_any_other(words: list[str]) -> None:
    assert run_command(words) == 64


def test_a_place_that_cannot_be_written_is_no_hindrance(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / ".genesis").write_text("a file where a folder should be")
    assert _told(capsys, *ASK) == _told(capsys, *ASK)


def test_old_answers_are_forgotten(project: Path) -> None:
    folder = project / ".genesis" / "answers"
    folder.mkdir(parents=True)
    for number in range(MOST):
        (folder / str(number)).touch()
    Kept(project, ["one more"]).write("select 1")
    assert len(list(folder.iterdir())) == (MOST + 1) - (MOST + 1) // 2
