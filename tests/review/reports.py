"""Reports to explain: every case folder and every input of the studio."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from genesis.compile.compare import parse_moment
from genesis.compile.run import Run
from genesis.errors import Problems
from genesis.load import load_files, load_project
from genesis.review import report
from genesis.spec.project import Project

STUDIO = Path(__file__).parents[2]
CASES = sorted((Path(__file__).parents[1] / "fixtures" / "cases").iterdir())


@dataclass(frozen=True)
class Report(report.Report):
    """An input of a project, with its run and, for a case, its folder."""

    folder: Path | None = None


def of_case(folder: Path) -> Report:
    problems = Problems()
    project = load_files(folder, [folder / "definitions", folder / "input.yaml"], problems)
    problems.raise_errors()
    file = folder / "run.yaml"
    said = yaml.safe_load(file.read_text("utf-8")) if file.exists() else {}
    moment = said.get("as_of") or said.get("moment")
    run = Run(
        parameters=said.get("parameters", {}),
        moment=parse_moment(str(moment)) if moment else None,
        as_of="as_of" in said,
    )
    return Report(project, next(iter(project.inputs)), run, folder)


def studio() -> Project:
    problems = Problems()
    project = load_project(STUDIO, problems)
    problems.raise_errors()
    return project


def of_studio(name: str, project: Project) -> Report:
    """An input of the studio; any value of a parameter will do where it has no default."""
    given = {
        key: (parameter.values or ("EMEA",))[0]
        for key, parameter in project.inputs[name].parameters.items()
        if parameter.default is None
    }
    return Report(project, name, Run(given))
