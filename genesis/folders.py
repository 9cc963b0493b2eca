"""Where a project is: its root, and the YAML files below it. Nothing here reads one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

PROJECT_FILE = "genesis.yaml"
FOLDERS = ("definitions", "inputs", "workflows")


def file_name(file: Path, root: Path) -> str:
    """A file's name in messages: relative to the project's root, with slashes."""
    # A link goes by its own name; `Path.resolve` fails where links lead in a circle.
    place = Path(os.path.realpath(file.parent), file.name)
    return Path(os.path.relpath(place, os.path.realpath(root))).as_posix()


def find_root(start: Path) -> Path | None:
    """The nearest folder upwards that holds a `genesis.yaml`."""
    start = start.resolve()
    return next(
        (folder for folder in (start, *start.parents) if (folder / PROJECT_FILE).is_file()), None
    )


def require_root(start: Path) -> Path:
    """The project's root, or a clear refusal."""
    root = find_root(start)
    if root is None:
        from genesis.errors import Problem, UsageError  # a kept answer is told without

        message = f"no `{PROJECT_FILE}` in `{start}` or above it"
        hint = "`genesis init --demo DIR` makes a project to try; `genesis -C DIR` names one"
        raise UsageError(Problem("no-project", message, hint=hint))
    return root


def yaml_files(path: Path) -> Iterator[Path]:
    """Files in one order on every machine; hidden files and folders are none of ours."""
    if not path.is_dir():
        if path.exists():
            yield path
        return
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(folder) / name for name in sorted(files) if _is_ours(name))


def project_files(names: Iterable[str]) -> list[str]:
    """Those of some files' names, from a project's root, that `yaml_files` finds, in its order."""
    found = []
    for name in names:
        top, *inner, last = name.split("/") if "/" in name else ("", name)
        if top in FOLDERS and _is_ours(last) and not any(one.startswith(".") for one in inner):
            # Of a folder, its own files come first.
            found.append((FOLDERS.index(top), [(1, one) for one in inner] + [(0, last)], name))
    return [name for *_, name in sorted(found)]


def _is_ours(name: str) -> bool:
    is_yaml = name.endswith((".yaml", ".yml")) and not name.startswith(".")
    return is_yaml and name != PROJECT_FILE
