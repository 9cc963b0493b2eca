"""The compiler's one entry: which SQL gives exactly the rows an input means."""

from __future__ import annotations

from dataclasses import replace

from genesis.compile.passes import PASSES
from genesis.compile.plan import Plan, plan_query
from genesis.compile.query import Query
from genesis.compile.render import render
from genesis.compile.resolve import resolve
from genesis.compile.run import Run
from genesis.compile.statement import Statement
from genesis.errors import DefinitionError, Problem, Problems
from genesis.spec.project import Project


def compile_input(project: Project, name: str, dialect: str, run: Run | None = None) -> Statement:
    """The SQL of an input for a dialect. Raises `DefinitionError` with every problem of the input."""
    run = replace(run or Run(), dialect=dialect)
    plan = _rewritten(plan_query(resolve_input(project, name, run)))
    return render(plan, dialect, run, project.settings.dialect)


def compile_plan(plan: Plan, project: Project, dialect: str, run: Run) -> Statement:
    """The SQL of what an input was resolved to; the plan stays as it is."""
    return render(_rewritten(plan), dialect, run, project.settings.dialect, is_kept=True)


def _rewritten(plan: Plan) -> Plan:
    for rewrite in PASSES:
        plan = rewrite(plan)
    return plan


def resolve_input(project: Project, name: str, run: Run) -> Query:
    """What an input means, before SQL. Raises `DefinitionError` with every problem of the input."""
    problems = Problems()
    query = resolve(project.inputs[name], project, run, problems)
    if query is None or problems.errors or problems.passes_over:
        raise DefinitionError(tuple(problems) if problems.errors else _told_elsewhere(project))
    return query


def _told_elsewhere(project: Project) -> tuple[Problem, ...]:
    """What is wrong in the files of a project: an input rests on it, and none of it is the input's own."""
    from genesis.compile.check import check_project  # only what is broken asks for it

    found = Problems(project.faults)
    check_project(project, found)
    return found.errors
