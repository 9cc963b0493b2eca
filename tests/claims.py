"""Every folder of `fixtures/claims` is one thing that definitions say of the data, and data beside it.

definitions/*.yaml   what is said
tables/<table>.csv   the data, as in `fixtures/cases`
expected.txt         what is told: problems as `--format concise` writes them, then the notes; `--accept`
                     writes it anew
"""

from __future__ import annotations

from pathlib import Path

from genesis.compile.run import Run
from genesis.console import concise
from genesis.errors import Problems
from genesis.interfaces import Engine
from genesis.load import load_project
from genesis.run.prove import prove

FOLDERS = sorted((Path(__file__).parent / "fixtures" / "claims").iterdir())


def told_of(folder: Path, engine: Engine) -> str:
    """What is told of a folder's data on an engine."""
    problems = Problems()
    project = load_project(folder, problems)
    problems.raise_errors()
    sources = list(project.data_sources.values())
    notes = prove(project, sources, engine, Run(staged=True), problems, lambda _: None)
    return "".join(f"{line}\n" for line in (concise(tuple(problems)), *notes) if line)
