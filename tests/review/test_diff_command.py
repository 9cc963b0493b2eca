"""`genesis diff` on real repositories: what is compared with what, and what it says where that cannot be told."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from genesis.cli import run_command

FILM = """\
data_source: film
table: films
primary_key: film_id
fields: {film_id: integer, title: string, made: date}
"""
FILMS = "input: films\nsource: film\nfields: [title]\n"
WORKFLOW = "workflow: daily\njobs: [{refresh: films, to: {csv: {file: films.csv}}}]\n"
NOTHING = "nothing changes"


class Ended(NamedTuple):
    code: int
    out: str
    err: str


class Repository:
    """A repository with a project in it, and what `genesis diff` says there."""

    def __init__(self, top: Path, tell: Callable[[], tuple[str, str]], folder: str = "") -> None:
        self.top, self.root, self._tell = top, top / folder, tell
        self.root.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main")
        self.write(genesis="", film=FILM, films=FILMS, daily=WORKFLOW)
        self.commit("first")

    def git(self, *words: str) -> str:
        who = ("-c", "user.name=n", "-c", "user.email=n@example.com")
        command = ["git", "-C", str(self.top), "-c", "protocol.file.allow=always", *who, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def write(self, **texts: str) -> None:
        folders = {"film": "definitions", "daily": "workflows", "genesis": "."}
        for name, text in texts.items():
            file = self.root / folders.get(name, "inputs") / f"{name}.yaml"
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)

    def commit(self, message: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def diff(self, *words: str) -> Ended:
        code = run_command(["-C", str(self.root), "diff", *words])
        return Ended(code, *self._tell())


@pytest.fixture
def make(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Repository]:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    return lambda folder="": Repository(tmp_path / "top", capsys.readouterr, folder)


WITH_MADE = FILMS.replace("[title]", "[title, made]")


def test_the_work_tree_is_compared_with_the_last_commit(make: Callable[..., Repository]) -> None:
    repository = make()
    assert NOTHING in repository.diff().out
    repository.write(films=WITH_MADE)
    told = repository.diff()
    assert (told.code, told.err) == (0, "")
    assert (
        "changed daily.refresh_films: SQL, columns; by input films (fields, inputs/films.yaml:3)"
        in told.out
    )


def test_what_git_does_not_know_yet_counts(make: Callable[..., Repository]) -> None:
    repository = make()
    repository.write(more=FILMS.replace("films", "more"))
    assert "added   more" in repository.diff().out


def test_a_project_may_be_in_a_folder_of_its_repository(make: Callable[..., Repository]) -> None:
    repository = make("deep/down")
    assert NOTHING in repository.diff().out
    repository.write(films=WITH_MADE)
    assert "changed daily.refresh_films" in repository.diff().out


def test_what_others_merged_meanwhile_is_no_change_of_this_branch(
    make: Callable[..., Repository],
) -> None:
    repository = make()
    repository.git("checkout", "-q", "-b", "mine")
    repository.write(more=FILMS.replace("films", "more"))
    repository.commit("mine")
    repository.git("checkout", "-q", "main")
    repository.write(films=WITH_MADE)
    repository.commit("theirs")
    repository.git("checkout", "-q", "mine")
    assert "films" not in repository.diff("main").out.replace("of films", "")
    assert "changed daily.refresh_films" in repository.diff("main..mine").out
    assert "changed" not in repository.diff("main...mine").out


def test_two_revisions_are_compared_as_they_are(make: Callable[..., Repository]) -> None:
    repository = make()
    repository.write(films=WITH_MADE)
    repository.commit("second")
    repository.write(films="input: [")  # of no interest to what was committed
    for words in (("HEAD~1", "HEAD"), ("HEAD~1..HEAD",), ("HEAD~1..",)):
        told = repository.diff(*words)
        assert told.code == 0
        assert "changed daily.refresh_films" in told.out
    facts = json.loads(repository.diff("HEAD~1..HEAD", "--format", "json").out)
    assert facts["schema"] == "genesis/diff@1"
    assert facts["compared"]["after"]["commit"] == repository.git("rev-parse", "HEAD")


def test_the_exit_code_tells_a_change_from_a_mistake(make: Callable[..., Repository]) -> None:
    repository = make()
    assert repository.diff("--exit-code").code == 0
    repository.write(films=WITH_MADE)
    assert repository.diff("--exit-code").code == 6
    repository.write(films=FILMS.replace("title", "tilte"))
    told = repository.diff("--exit-code")
    assert told.code == 2
    assert "unknown daily.refresh_films: cannot be compared" in told.out
    assert "did you mean `title`?" in told.err


def test_a_base_that_was_wrong_is_told_and_nobodys_fault_now(
    make: Callable[..., Repository],
) -> None:
    repository = make()
    repository.write(films=FILMS.replace("title", "tilte"), more=FILMS.replace("films", "more"))
    repository.commit("wrong")
    repository.write(films=FILMS, more=WITH_MADE.replace("films", "more"))
    told = repository.diff("-v")
    assert told.code == 0
    assert "before: unknown field `tilte`" in told.out
    assert "changed more" in told.out


def test_links_are_followed_as_on_disk(make: Callable[..., Repository]) -> None:
    repository = make("project")
    (repository.root / "definitions").rename(repository.top / "shared")
    (repository.root / "definitions").symlink_to("../shared")
    (repository.root / "inputs" / "films.yaml").rename(repository.top / "kept.yaml")
    (repository.root / "inputs" / "films.yaml").symlink_to("../../kept.yaml")
    repository.commit("linked")
    assert NOTHING in repository.diff("HEAD").out
    assert NOTHING in repository.diff("HEAD~1").out


def test_a_submodule_is_read_at_its_recorded_commit(
    make: Callable[..., Repository], tmp_path: Path
) -> None:
    repository = make()
    other = tmp_path / "other"
    (repository.root / "definitions").rename(other)
    for words in (("init", "-q"), ("add", "-A")):
        subprocess.run(["git", "-C", other, *words], check=True)
    author = ("-c", "user.name=n", "-c", "user.email=n@example.com")
    subprocess.run(["git", "-C", other, *author, "commit", "-qm", "shared"], check=True)
    repository.git("rm", "-rq", "--cached", "definitions")
    repository.git("submodule", "--quiet", "add", str(other), "definitions")
    repository.commit("as a submodule")
    assert NOTHING in repository.diff("HEAD").out
    assert NOTHING in repository.diff("HEAD~1").out


def test_a_shallow_clone_says_how_to_get_the_rest(
    make: Callable[..., Repository], tmp_path: Path
) -> None:
    repository = make()
    repository.git("checkout", "-q", "-b", "mine")
    repository.write(films=WITH_MADE)
    repository.commit("mine")
    repository.git("checkout", "-q", "main")
    repository.git("commit", "-q", "--allow-empty", "-m", "theirs")
    clone = tmp_path / "clone"
    repository.git(
        "clone", "-q", "--depth=1", "--no-single-branch", f"file://{repository.top}", str(clone)
    )
    repository.top = repository.root = clone
    repository.git("checkout", "-q", "mine")
    told = repository.diff("origin/main")
    assert told.code == 64
    assert "`origin/main` and `HEAD` have no common commit in this shallow clone" in told.err
    assert "`git fetch --unshallow`, or `fetch-depth: 0`" in told.err
    assert repository.diff("v1").code == 64


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "git knows no revision `nowhere`"),
        (["--", "--all"], "git knows no revision `--all`"),
        (["a", "b", "c"], "these are more than two revisions"),
    ],
)
def test_a_revision_that_is_none_is_told(
    make: Callable[..., Repository], words: list[str], said: str
) -> None:
    told = make().diff(*words)
    assert told.code == 64
    assert said in told.err


def test_where_there_is_nothing_to_compare_with_it_says_so(
    make: Callable[..., Repository], monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = make()
    repository.git("branch", "-m", "odd")
    assert "there is no branch to compare with" in repository.diff().err
    repository.git("remote", "add", "origin", "nowhere")
    repository.git("update-ref", "refs/remotes/origin/trunk", "HEAD")
    repository.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk")
    assert "against `origin/trunk`" in repository.diff().out
    repository.git("update-ref", "-d", "HEAD")
    assert "the repository has no commit yet" in repository.diff("HEAD").err
    monkeypatch.setenv("PATH", "")
    assert "git is not installed" in repository.diff().err


def test_a_folder_that_is_in_no_repository_is_told(
    make: Callable[..., Repository], monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = make()
    (repository.top / ".git").rename(repository.top / "gone")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(repository.top.parent))
    told = repository.diff()
    assert (told.code, "is in no git repository" in told.err) == (64, True)
