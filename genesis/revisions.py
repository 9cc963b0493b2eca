"""The files of a project as git has them, read without a checkout.

Nothing is written and no hook is run. A link is followed within its repository, a submodule that is checked
out is read at the commit that is recorded; what leads elsewhere is told in `Files.left_out`. The surprise: a
range `A..B` compares A itself with B, and a single revision its merge base with HEAD.
"""

from __future__ import annotations

import os
import posixpath
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from genesis.errors import Problem, UsageError
from genesis.folders import FOLDERS, PROJECT_FILE, project_files

MAX_BYTES = 4 * 1024 * 1024  # of a file, as of one on disk

_LINK, _SUBMODULE = "120000", "160000"
_HOPS = 8  # from link to link, and from submodule to submodule
# Set while a hook runs, they say where its repository is; the project's is where the project is.
_OF_HOOKS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")


class Revision(NamedTuple):
    """A commit, and the name by which it was found."""

    name: str
    commit: str


@dataclass(frozen=True)
class Compared:
    """What is compared with what; without `after`, it is the work tree. `base` is what `before` is the merge base with."""

    before: Revision
    after: Revision | None = None
    base: str | None = None


@dataclass
class Files:
    """A project's files by their names from its root; and the names of those that could not be read, each with why."""

    texts: dict[str, bytes] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def compared(root: Path, words: Sequence[str]) -> Compared:
    """What a command line asks to compare. Raises `UsageError` where that cannot be told."""
    _require_repository(root)
    if len(words) == 2:
        return Compared(_revision(root, words[0]), _revision(root, words[1]))
    name = words[0] if words else _default_base(root)
    for dots in ("...", ".."):
        start, found, end = name.partition(dots)
        if found:
            before, after = _revision(root, start or "HEAD"), _revision(root, end or "HEAD")
            if dots == "..":
                return Compared(before, after)
            return Compared(_merge_base(root, before, after), after, before.name)
    base = _revision(root, name)
    return Compared(_merge_base(root, base, _revision(root, "HEAD")), None, base.name)


def files(root: Path, revision: Revision) -> Files:
    """The files that a project in this folder has in a revision; none where it has no such folder."""
    prefix = _git(root, "rev-parse", "--show-prefix").strip()
    found = Files()
    names = {name: prefix + name for name in (PROJECT_FILE, *FOLDERS)}
    _read(root, revision.commit, names, found, hops=_HOPS)
    return found


def files_above(root: Path, revision: Revision | None, patterns: Sequence[str]) -> dict[str, str]:
    """The texts of files that patterns name in a project's folder, and in those above up to the repository's.

    They are named from the repository's top. Without a revision they are those of the work tree.
    """
    top = Path(_git(root, "rev-parse", "--show-toplevel").rstrip("\n"))
    here = PurePosixPath(_git(root, "rev-parse", "--show-prefix").rstrip("\n"))
    wanted = [str(folder / one) for folder in (here, *here.parents) for one in patterns]
    if revision is None:
        found = {file for one in wanted for file in top.glob(one) if file.is_file()}
        raw = {file.relative_to(top).as_posix(): file.read_bytes()[:MAX_BYTES] for file in found}
    else:
        folders = {posixpath.dirname(one) for one in wanted}
        blobs = {
            path: blob
            for path, blob in _in_folders(root, revision.commit, folders)
            if any(fnmatch(path, one) for one in wanted)
        }
        contents = _contents(root, blobs.values())
        raw = {path: contents[blob] for path, blob in blobs.items()}
    return {path: text.decode("utf-8", "replace") for path, text in raw.items()}


def _in_folders(root: Path, commit: str, folders: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The plain files that stand in folders themselves: their paths, their contents' names."""
    within = [f"{folder}/" for folder in folders if folder]
    for paths in ([], ["--", *within]):  # without a path it is the repository's top
        said = _run(root, "ls-tree", "-z", "--full-tree", commit, *paths)
        for line in said.stdout.split(b"\0")[:-1]:
            about, _, path = line.partition(b"\t")
            mode, kind, blob = about.decode().split()
            if kind == "blob" and mode != _LINK:
                yield os.fsdecode(path), blob


# --- revisions ------------------------------------------------------------------------------------


def _require_repository(root: Path) -> None:
    if shutil.which("git") is None:
        raise _wrong("git is not installed", "`genesis diff` reads revisions with it")
    done = _run(root, "rev-parse", "--is-inside-work-tree")
    if done.returncode or done.stdout.strip() != b"true":
        said = _said(done)
        is_none = not said or "not a git repository" in said
        message = f"`{root}` is in no git repository" if is_none else f"git says: {said}"
        raise _wrong(message, "`genesis diff` compares with what git has")


def _default_base(root: Path) -> str:
    """The branch that changes are made for: the remote's default one, else `main` or `master`."""
    remotes = [f"refs/remotes/origin/{name}" for name in ("HEAD", "main", "master")]
    known = (*remotes, "refs/heads/main", "refs/heads/master")
    said = _git(root, "for-each-ref", "--format=%(refname) %(symref)", *known)
    found = dict(line.split(" ", 1) for line in said.splitlines())
    for name in known:
        if name in found:
            whole = found[name].strip() or name
            return whole.removeprefix("refs/remotes/").removeprefix("refs/heads/")
    message = "there is no branch to compare with: no `main`, no `master`, none of a remote"
    raise _wrong(message, "name one: `genesis diff REVISION`")


def _revision(root: Path, name: str) -> Revision:
    done = _run(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if done.returncode == 0:
        return Revision(name, done.stdout.decode().strip())
    if name == "HEAD":
        raise _wrong("the repository has no commit yet", "commit what there is to compare with")
    hint = "`git fetch origin` brings what a remote has"
    if _is_shallow(root):
        hint = "this clone is shallow: " + _WHOLE
    raise _wrong(f"git knows no revision `{name}`", hint)


_WHOLE = "`git fetch --unshallow`, or `fetch-depth: 0` where CI checks out"


def _merge_base(root: Path, base: Revision, head: Revision) -> Revision:
    done = _run(root, "merge-base", base.commit, head.commit)
    if done.returncode == 0:
        return Revision(base.name, done.stdout.decode().split()[0])
    if done.returncode != 1:
        raise _wrong(f"git says: {_said(done)}")
    message = f"`{base.name}` and `{head.name}` have no common commit"
    if _is_shallow(root):
        raise _wrong(f"{message} in this shallow clone", _WHOLE)
    hint = f"`genesis diff {base.name}..{head.name}` compares the two as they are"
    raise _wrong(message, hint)


def _is_shallow(root: Path) -> bool:
    return _git(root, "rev-parse", "--is-shallow-repository").strip() == "true"


# --- files ----------------------------------------------------------------------------------------


class _Entry(NamedTuple):
    """What a tree holds: its name in the project, its path in the repository."""

    name: str
    path: str
    mode: str
    blob: str


def _read(root: Path, commit: str, names: dict[str, str], found: Files, *, hops: int) -> None:
    """Read what stands at some paths of a repository, under the names that the project has for them."""
    entries = list(_listed(root, commit, names))
    plain = [one for one in entries if one.mode not in (_LINK, _SUBMODULE)]
    links = [one for one in entries if one.mode == _LINK and _may_be_read(one.name)]
    modules = [one for one in entries if one.mode == _SUBMODULE]
    wanted = {PROJECT_FILE, *project_files(one.name for one in plain)}
    plain = [one for one in plain if one.name in wanted]
    contents = _contents(root, [one.blob for one in (*plain, *links)])
    for one in plain:
        found.texts.setdefault(one.name, contents[one.blob])
    targets = {}
    for one in links:
        target = posixpath.join(posixpath.dirname(one.path), os.fsdecode(contents[one.blob]))
        target = posixpath.normpath(target)
        if not hops or target.startswith(("/", "..")):
            found.left_out[one.name] = "a link that leads out of the repository"
        elif target not in {entry.path for entry in entries}:  # what is read anyway is read once
            targets[one.name] = target
    if targets:
        _read(root, commit, targets, found, hops=hops - 1)
    for one in modules:
        _read_module(root, one, found, hops=hops)


def _may_be_read(name: str) -> bool:
    """Whether a link is one that is followed on disk: to a file, or instead of one of the folders."""
    return name in (PROJECT_FILE, *FOLDERS) or bool(project_files([name]))


def _read_module(root: Path, module: _Entry, found: Files, *, hops: int) -> None:
    folder = root / module.name
    is_there = hops and (folder / ".git").exists()
    if not is_there or _run(folder, "cat-file", "-e", module.blob).returncode:
        found.left_out[module.name] = "a submodule that is not checked out"
        return
    _read(folder, module.blob, {module.name: ""}, found, hops=hops - 1)


def _listed(root: Path, commit: str, names: dict[str, str]) -> Iterator[_Entry]:
    paths = [path for path in names.values() if path]
    said = _run(root, "ls-tree", "-r", "-z", "--full-tree", commit, "--", *paths)
    if said.returncode:
        raise _wrong(f"git says: {_said(said)}")
    for line in said.stdout.split(b"\0")[:-1]:
        about, _, raw = line.partition(b"\t")
        mode, _, blob = about.decode().split()
        path = os.fsdecode(raw)
        for name, start in names.items():
            if path == start:
                yield _Entry(name, path, mode, blob)
            elif not start or path.startswith(f"{start}/"):
                yield _Entry(f"{name}/{path[len(start) :].lstrip('/')}", path, mode, blob)


def _contents(root: Path, blobs: Iterable[str]) -> dict[str, bytes]:
    """What blobs hold, by one process; of one that is too large, as much as is looked at."""
    wanted = list(dict.fromkeys(blobs))
    if not wanted:
        return {}
    done = _run(root, "cat-file", "--batch", text="\n".join(wanted) + "\n")
    found, at, out = {}, 0, done.stdout
    for blob in wanted:
        end = out.find(b"\n", at)
        about = out[at:end].split()
        if done.returncode or end < 0 or len(about) != 3:
            raise _wrong(f"git cannot read `{blob}`: {_said(done) or 'it is missing'}")
        size = int(about[2])
        found[blob] = out[end + 1 : end + 1 + min(size, MAX_BYTES)]
        at = end + 1 + size + 1
    return found


# --- git ------------------------------------------------------------------------------------------


def _git(root: Path, *words: str) -> str:
    done = _run(root, *words)
    if done.returncode:
        raise _wrong(f"git says: {_said(done)}")
    return os.fsdecode(done.stdout)


def _run(root: Path, *words: str, text: str = "") -> subprocess.CompletedProcess[bytes]:
    here = {key: value for key, value in os.environ.items() if key not in _OF_HOOKS}
    spoken = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
    return subprocess.run(  # noqa: S603  (words are ours, and names behind `--end-of-options`)
        ["git", "-C", str(root), *words],  # noqa: S607
        input=text.encode(),
        capture_output=True,
        check=False,
        env={**here, **spoken},
    )


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    return done.stderr.decode("utf-8", "replace").strip().removeprefix("fatal: ")


def _wrong(message: str, hint: str | None = None) -> UsageError:
    return UsageError(Problem("wrong-usage", message, hint=hint))
