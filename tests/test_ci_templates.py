"""What `genesis init --ci` writes, run as CI would: a base, a change of it, the comment, the exit code."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from genesis.cli import run_command
from genesis.cli.templates import SERVICES
from genesis.document import read_documents
from genesis.errors import Problems

ROOT = Path(__file__).parents[1]
TEMPLATES = ROOT / "genesis" / "templates"
Out = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of the studio's YAML and what all services run; its base is `main`."""
    folder = tmp_path_factory.mktemp("repository")
    for name in ("definitions", "inputs", "workflows"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "genesis.yaml", folder)
    for service in SERVICES:
        assert run_command(["init", str(folder), "--ci", service, "--pre-commit"]) == 0
    genesis = folder / ".bin" / "genesis"
    genesis.parent.mkdir()
    genesis.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m genesis "$@"\n')
    genesis.chmod(0o755)
    (folder / ".gitignore").write_text(".bin\n.genesis\ngenesis-comment.md\n")
    git(folder, "init", "-q", "-b", "main")
    commit(folder, "base")
    git(folder, "switch", "-q", "-c", "change")
    return folder


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=ci", "-c", "user.email=ci@example.com")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


def commit(folder: Path, what: str) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", what)


def edit(folder: Path, name: str, before: str, after: str) -> None:
    git(folder, "switch", "-q", "-C", "change", "main")
    text = (folder / name).read_text("utf-8")
    assert before in text
    (folder / name).write_text(text.replace(before, after), "utf-8")
    commit(folder, "change")


def run_script(folder: Path, script: str, *arguments: str, **environment: str) -> tuple[int, str]:
    """Its exit code, and what it says on stderr; the network is not there."""
    away = {"https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    path = f"{folder / '.bin'}{os.pathsep}{os.environ['PATH']}"
    kept = {"PATH": path, "PYTHONPATH": str(ROOT), "HOME": str(folder), **away, **environment}
    done = subprocess.run(
        ["sh", script, *arguments],
        cwd=folder,
        env=kept,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


def test_a_change_is_told_in_the_comment(project: Path) -> None:
    """A tracker that changes is named, with whom to ask; a change alone is no failure."""
    edit(project, "inputs/release_calendar.yaml", "interval '30' day", "interval '60' day")
    code, _ = run_script(project, "ci/genesis.sh", "main")
    comment = (project / "genesis-comment.md").read_text("utf-8")
    assert code == 0
    assert comment.startswith("<!-- genesis diff -->")
    assert "release_calendar" in comment
    assert "rights@studio.example.com" in comment


def test_a_mistake_fails_and_is_told_in_the_comment(project: Path) -> None:
    """With the place and the way out, between fences that it cannot end."""
    edit(project, "inputs/open_tasks.yaml", "- estimate_hours", "- estimate_hour")
    code, said = run_script(project, "ci/genesis.sh", "main")
    comment = (project / "genesis-comment.md").read_text("utf-8")
    assert code == 2
    assert "error[unknown-field]" in said
    assert comment.startswith("<!-- genesis diff -->")
    told = comment.partition("`genesis check` found what must be mended first")[2]
    assert "did you mean `estimate_hours`?" in told
    assert told.rstrip().endswith("~~~~~~~~~~")


def test_a_base_that_is_not_there_fails(project: Path) -> None:
    """A shallow clone, say: the comment says so."""
    edit(project, "inputs/release_calendar.yaml", "interval '30' day", "interval '60' day")
    code, _ = run_script(project, "ci/genesis.sh", "0" * 40)
    comment = (project / "genesis-comment.md").read_text("utf-8")
    assert code == 64
    assert comment.startswith("<!-- genesis diff -->\n\n**The change could not be compared:**")


# --- the comment is one -------------------------------------------------------------------------------

GH = """#!/bin/sh
echo "$@" >>"$HOME/calls"
case "$*" in *--jq*) printf '%s' "${FOUND:-}" ;; esac
"""
CURL = """#!/bin/sh
cat >/dev/null
echo "$@" >>"$HOME/calls"
case "$*" in *per_page*) printf '%s' "$NOTES" ;; esac
"""


@pytest.fixture
def calls(project: Path) -> Path:
    """What `gh` and `curl` are asked: ours stand for them."""
    for name, text in (("gh", GH), ("curl", CURL)):
        (project / ".bin" / name).write_text(text)
        (project / ".bin" / name).chmod(0o755)
    file = project / "calls"
    file.write_text("")
    return file


GITHUB = {"GITHUB_REPOSITORY": "studio/trackers", "PULL_REQUEST": "12"}
GITLAB = {
    "CI_API_V4_URL": "https://git.example.com/api/v4", "CI_PROJECT_ID": "3", "CI_MERGE_REQUEST_IID": "12",
}  # fmt: skip


def test_on_github_it_is_written_once_and_then_edited(project: Path, calls: Path) -> None:
    """It is found by its first line."""
    assert run_script(project, "ci/comment.sh", **GITHUB) == (0, "")
    assert run_script(project, "ci/comment.sh", **GITHUB, FOUND="77\n78\n") == (0, "")
    _, first, _, second = calls.read_text().splitlines()
    assert first.startswith("api --method POST repos/studio/trackers/issues/12/comments -F body=@")
    assert second.startswith(
        "api --method PATCH repos/studio/trackers/issues/comments/77 -F body=@"
    )


def test_on_gitlab_it_is_written_with_a_token_alone(project: Path, calls: Path) -> None:
    """Without one nothing is asked; the token is in no argument; it is edited where it is there."""
    code, said = run_script(project, "ci/comment.sh", **GITLAB)
    assert (code, "no token that may comment" in said, calls.read_text()) == (0, True, "")
    token = {"GENESIS_GITLAB_TOKEN": "glpat-secret"}
    notes = '[{"id": 5, "body": "hello"}, {"id": 6, "body": "<!-- genesis diff -->\\nx"}]'
    assert run_script(project, "ci/comment.sh", **GITLAB, **token, NOTES="[]") == (0, "")
    assert run_script(project, "ci/comment.sh", **GITLAB, **token, NOTES=notes) == (0, "")
    _, first, _, second = calls.read_text().splitlines()
    assert "-X POST" in first
    assert second.endswith("-X PUT --data-urlencode body@genesis-comment.md -o /dev/null "
                           "https://git.example.com/api/v4/projects/3/merge_requests/12/notes/6")  # fmt: skip
    assert "secret" not in calls.read_text()


# --- the files ----------------------------------------------------------------------------------------


def loaded(file: Path) -> Any:
    """What a file holds, to us and to PyYAML alike; but that PyYAML reads `on` as true."""
    text, problems = file.read_text("utf-8"), Problems()
    (document,) = read_documents(file.name, text, problems)
    assert not list(problems)
    theirs = yaml.safe_load(text)
    if isinstance(theirs, dict) and True in theirs:
        theirs = {"on" if key is True else key: value for key, value in theirs.items()}
    assert document.data == theirs
    return theirs


def test_the_workflow_on_github_may_do_little() -> None:
    """It reads, and comments; actions are named by their commits, and no expression stands in a script."""
    workflow = loaded(TEMPLATES / "github.yml")
    assert workflow["permissions"] == {}
    assert workflow["on"] == {"pull_request": None}
    (job,) = workflow["jobs"].values()
    assert job["permissions"] == {"contents": "read", "pull-requests": "write"}
    for step in job["steps"]:
        assert re.fullmatch(
            r"actions/[\w-]+@[0-9a-f]{40}", step.get("uses", "actions/a@" + "0" * 40)
        )
        assert "${{" not in step.get("run", "")
    assert "secrets" not in (TEMPLATES / "github.yml").read_text("utf-8")


def test_all_run_the_same_script() -> None:
    """Jenkins too; and the hooks are as they are offered."""
    for name in ("github.yml", "gitlab.yml", "Jenkinsfile"):
        assert "sh ci/genesis.sh " in (TEMPLATES / name).read_text("utf-8")
    assert set(loaded(TEMPLATES / "gitlab.yml")) == {"genesis"}
    (repository,) = loaded(TEMPLATES / "pre-commit.yaml")["repos"]
    (offered,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    (hook,) = repository["hooks"]
    assert {key: hook[key] for key in ("id", "entry", "files", "pass_filenames")} == {
        key: offered[key] for key in ("id", "entry", "files", "pass_filenames")
    }
    for name, is_ours in (("definitions/movie.yaml", True), ("docs/inputs.md", False)):
        assert bool(re.search(hook["files"], name)) == is_ours


def test_nothing_is_written_over(tmp_path: Path, capsys: Out) -> None:
    """What is there stays, and what would have been written is told."""
    assert run_command(["init", str(tmp_path), "--ci", "jenkins"]) == 64
    assert "has no `genesis.yaml`" in capsys.readouterr().err
    (tmp_path / "genesis.yaml").write_text("")
    (tmp_path / "Jenkinsfile").write_text("mine\n")
    assert run_command(["init", str(tmp_path), "--ci", "jenkins"]) == 0
    out, err = capsys.readouterr()
    assert (tmp_path / "Jenkinsfile").read_text() == "mine\n"
    assert out.startswith("// What a pull request does")
    assert "is left as it is" in err
    assert (tmp_path / "ci/genesis.sh").exists()
    assert run_command(["init", str(tmp_path), "--ci", "jenkins", "--demo"]) == 64
