"""What all commands share: the project's root, its definitions, its target."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from genesis.cli.kept import Kept
from genesis.errors import DefinitionError, Problem, Problems, UsageError, did_you_mean, suggest
from genesis.folders import file_name, find_root, require_root

if TYPE_CHECKING:
    from genesis.document import Values
    from genesis.spec.project import Project, Target


@dataclass(frozen=True)
class Session:
    """One command's view of the project; `kept` is where its answer may be kept."""

    folder: Path | None = None
    target_name: str | None = None
    kept: Kept | None = None

    @property
    def root(self) -> Path:
        """The project's root. Raises `UsageError` where there is none."""
        if self.folder is not None:
            if not self.folder.is_dir():
                raise UsageError(Problem("no-project", f"`{self.folder}` is no folder"))
            return self.folder.resolve()
        return require_root(Path.cwd())

    @property
    def shown_root(self) -> Path:
        """Where the files that problems name are found."""
        return self.folder or find_root(Path.cwd()) or Path.cwd()

    def load(
        self,
        problems: Problems,
        definitions: Sequence[Path] = (),
        inputs: Sequence[Path] = (),
        *,
        tests: bool = False,
        before: Values | None = None,
    ) -> Project:
        """The project, as `read`; refused where its settings are broken, since all else rests on them."""
        from genesis.spec.project import SETTINGS

        project = self.read(problems, definitions, inputs, before=before, tests=tests)
        if SETTINGS in project.broken:
            raise DefinitionError(problems.errors)
        return project

    def load_for(
        self,
        names: Sequence[str],
        problems: Problems,
        definitions: Sequence[Path] = (),
        inputs: Sequence[Path] = (),
    ) -> Project:
        """The project, as `load`; it need not hold more than reports of these inputs take, if some are named."""
        from genesis.load import load_for

        found = load_for(self.root, names) if names and not (definitions or inputs) else None
        return found or self.load(problems, definitions, inputs)

    def read(
        self,
        problems: Problems,
        definitions: Sequence[Path] = (),
        inputs: Sequence[Path] = (),
        *,
        texts: Mapping[str, str] | None = None,
        lenient: bool = False,
        before: Values | None = None,
        tests: bool = True,
    ) -> Project:
        """The project; or, where files are named, just what they define. `texts` stand for files."""
        from genesis.load import load_files, load_project

        if definitions or inputs:
            for path in (*definitions, *inputs):
                if not path.exists():
                    raise UsageError(Problem("unreadable-file", f"`{path}` does not exist"))
            paths = [*definitions, *inputs]
            root = self.shown_root.resolve()
            return load_files(root, paths, problems, texts=texts, lenient=lenient, tests=tests)
        return load_project(
            self.root, problems, texts=texts, lenient=lenient, before=before, tests=tests
        )

    def target(self, project: Project) -> tuple[str, Target]:
        """The target that runs the SQL, with its name."""
        from genesis.spec.project import Target

        targets = project.settings.targets or {"local": Target()}
        name = self.target_name or project.settings.default_target or next(iter(targets))
        if name not in targets:
            hint = did_you_mean(name, targets) or "targets stand in genesis.yaml: " + ", ".join(
                f"`{n}`" for n in targets
            )
            raise UsageError(Problem("unknown-target", f"unknown target `{name}`", hint=hint))
        return name, targets[name]


def pick_inputs(
    project: Project, names: Iterable[str], root: Path, problems: Problems
) -> list[str]:
    """The inputs that names or paths of files mean. Raises `DefinitionError` for one that is none."""
    picked: list[str] = []
    for name in names:
        if name in project.inputs:
            picked.append(name)
            continue
        inside = _inputs_in(project, name, root)
        if inside:
            picked += inside
        elif ("input", name) not in project.broken and not _is_broken_file(name, root, problems):
            hint = suggest(name, project.inputs)
            unknown = Problem("unknown-input", f"unknown input `{name}`", hint=hint)
            raise DefinitionError((unknown, *problems.errors))
    if problems.errors and len(picked) < len(list(names)):
        raise DefinitionError(tuple(problems))
    return list(dict.fromkeys(picked))


def _inputs_in(project: Project, name: str, root: Path) -> list[str]:
    file = file_name(Path(name), root)
    return [found.name for found in project.inputs.values() if found.file == file]


def _is_broken_file(name: str, root: Path, problems: Problems) -> bool:
    file = file_name(Path(name), root)
    return any(problem.at and problem.at.file == file for problem in problems.errors)


def parse_parameters(pairs: Iterable[str]) -> dict[str, str]:
    """`k=v` pairs, split at the first `=`."""
    parameters: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UsageError(Problem("wrong-usage", f"`--param {pair}` is not `name=value`"))
        parameters[name] = value
    return parameters


def require_column(name: str, column: str, known: Collection[str]) -> None:
    """Refuse a column that an input has not."""
    if column not in known:
        hint = did_you_mean(column, known) or f"its columns are {', '.join(known)}"
        message = f"input `{name}` has no column `{column}`"
        raise UsageError(Problem("wrong-usage", message, hint=hint))


def parse_as_of(text: str | None, option: str = "--as-of") -> datetime | None:
    """A moment; without a zone it is UTC."""
    from genesis.spec.values import parse_moment

    if text is None:
        return None
    try:
        return parse_moment(text)
    except (ValueError, OverflowError):
        hint = "for example `2026-11-23`, `2026-11-23T09:30:00Z`"
        raise UsageError(
            Problem("wrong-usage", f"`{option} {text}` is no moment", hint=hint)
        ) from None


def refuse_views_as_of(views: bool, as_of: str | None) -> None:
    """Raise `UsageError` where both are asked for."""
    if views and as_of is not None:
        message = "`--as-of` is not for `--views`: a view knows the newest records only"
        hint = "leave `--views` out: change logs know what was before"
        raise UsageError(Problem("wrong-usage", message, hint=hint))


def parse_length(option: str, text: str) -> timedelta:
    """A length of time, as workflows write it."""
    from pydantic import TypeAdapter, ValidationError

    from genesis.spec.values import Duration

    try:
        return TypeAdapter[timedelta](Duration).validate_python(text)
    except ValidationError:
        message = f"`{option} {text}` is no length of time"
        hint = "for example `10m`, `24h`, `7d`"
        raise UsageError(Problem("wrong-usage", message, hint=hint)) from None


definitions_option = click.option(
    "--definitions",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Read definitions here instead; no genesis.yaml is needed.",
)
inputs_option = click.option(
    "--inputs",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Read inputs here instead.",
)
param_option = click.option(
    "--param", "pairs", multiple=True, metavar="K=V", help="A parameter's value."
)
views_option = click.option(
    "--views",
    is_flag=True,
    help="Read the engine's views of newest records, that `genesis views apply` wrote.",
)
as_of_option = click.option(
    "--as-of", "as_of", metavar="T", help="Read everything as it was at this moment."
)
