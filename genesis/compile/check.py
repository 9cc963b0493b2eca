"""Everything that can be told of a project without an engine: every name, key, type and fragment.

A data source is checked once, wherever it is used or not; what is wrong in it is told there, and
those who use it are not told again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial

from sqlglot import exp

from genesis.compile.bind import Binder
from genesis.compile.compare import typed_literal
from genesis.compile.expression import Fragment, parse_expression, paths_in
from genesis.compile.formats import apply_formatter, find_formatter, inline_labels
from genesis.compile.given import read_test, without_queries
from genesis.compile.infer import type_of
from genesis.compile.joins import find_join, target_name
from genesis.compile.known import Known
from genesis.compile.moment import Moment
from genesis.compile.parameters import check_value
from genesis.compile.query import Block, Node
from genesis.compile.scope import Scope, is_broken
from genesis.compile.sound import Sound
from genesis.compile.structure import check_keys, without_faults
from genesis.compile.trackers import (
    Heading,
    check_access,
    check_readers,
    check_shared,
    check_tracker,
)
from genesis.errors import Location, Problem, Problems, did_you_mean, suggest
from genesis.spec.data_source import DataSource, Field, Measure
from genesis.spec.formatter import BUILT_IN
from genesis.spec.input import Input
from genesis.spec.project import SETTINGS, Project
from genesis.spec.workflow import Audit, Job, Workflow


def check_project(project: Project, problems: Problems, known: Known | None = None) -> None:
    """Tell every problem of a project's definitions, inputs, workflows and audits.

    What is known of a data source or an input is not looked for again.
    """
    known = known or Known(project, {})
    whole, project = project, _without_faults(project)
    faulty = {name for name, s in project.data_sources.items() if s is not whole.data_sources[name]}
    for name in faulty:
        check_keys(whole, whole.data_sources[name], problems)
    told = {(problem.code, problem.at) for problem in problems}
    for source in _bases_first(project):
        found = known.find(source, partial(check_data_source, project, source))
        independent = _independent(found.problems, project, source.name, faulty)
        _extend(problems, told, independent, source.file)
    headings: dict[str, tuple[Heading, ...] | None] = {}
    sound = Sound(project)
    for definition in project.inputs.values():
        found = known.find(definition, partial(sound.check, definition))
        headings[definition.name] = found.headings
        independent = _independent(found.problems, project, definition.source, faulty)
        _extend(problems, told, independent, definition.file)
    tested = without_queries(project) if project.tests else project
    for name in project.tests:
        read_test(tested, name, headings, problems)
    for name, formatter in project.formatters.items():
        if formatter.sql is not None and formatter is not BUILT_IN.get(name):
            fragment = Fragment(formatter.sql, formatter, ("sql",))
            tree = parse_expression(fragment, project.settings.dialect, frozenset(), problems)
            _check_names(tree, fragment, problems)
    for workflow in project.workflows.values():
        _check_workflow(project, workflow, problems)
        for position, job in enumerate(workflow.jobs):
            if job.refresh:
                check_tracker(project, workflow, position, headings.get(job.refresh), problems)
    check_shared(project, refreshes_of(project), problems)
    check_access(project, refreshes_of(project), problems)
    check_readers(project, refreshes_of(project), problems)
    for audit in project.audits.values():
        _check_audit(project, audit, problems)
    if project.is_whole:
        _check_systems(project, problems)
    if not problems.errors:  # a mistyped name may be its only use
        for source in unused(project):
            message = f"nothing uses data source `{source.name}`"
            hint = "delete it, or select from it"
            problems.warn("unused-data-source", message, source.locate_name(), hint=hint)


def _check_names(tree: exp.Expr | None, fragment: Fragment, problems: Problems) -> None:
    """A formatter's expression is over `value` alone, wherever it is used and if it is not."""
    for _, (first, *more) in paths_in(tree) if tree is not None else ():
        if first.name != "value" or more:
            message = f"a formatter knows no `{first.name}`"
            at = fragment.at(first.offset, first.length)
            problems.add("unknown-field", message, at, hint="`value` is what it formats")


def _without_faults(project: Project) -> Project:
    """The project, its data sources without the keys that are wrong, so that all else can be told."""
    sources = {name: without_faults(project, s) for name, s in project.data_sources.items()}
    return replace(project, data_sources=sources)


# What may be so only for a key that is wrong: whether a join leads to many, and what follows.
_OF_KEYS = frozenset(
    {
        "fans-out",
        "mixed-branches",
        "not-supported",
        "own-aggregate",
        "quantifier-needed",
        "wrong-aggregate",
        "wrong-join",
    }
)


def _independent(
    found: Iterable[Problem], project: Project, start: str, faulty: set[str]
) -> Iterator[Problem]:
    """What is found in a data source or its user; of where keys are wrong, nothing that could follow."""
    follows = faulty and not faulty.isdisjoint(_reached(project, [start]))
    return (problem for problem in found if not follows or problem.code not in _OF_KEYS)


def _bases_first(project: Project) -> list[DataSource]:
    """The data sources, each behind those that it extends."""

    def depth(source: DataSource) -> int:
        return 1 + depth(project.data_sources[source.extends]) if source.extends else 0

    return sorted(project.data_sources.values(), key=depth)


def _extend(
    problems: Problems,
    told: set[tuple[str, Location | None]],
    found: Iterable[Problem],
    file: str,
) -> None:
    """Add what is found; of what is inherited or used from another file, only what is not told there yet."""
    new = [
        problem
        for problem in found
        if (problem.code, problem.at) not in told or (problem.at and problem.at.file == file)
    ]
    problems.extend(new)
    told.update((problem.code, problem.at) for problem in new)


def check_data_source(project: Project, source: DataSource, problems: Problems) -> None:
    """Tell what is wrong in one data source."""
    moment = Moment(project.settings.timezone)
    binder = Binder(project, problems, moment=moment, parameters={}, values=None)
    if not binder.is_sound(source):
        return
    root = Block().start(source.name, binder.relations.of(source))
    for name, field in source.fields.items():
        _check_values(source, name, field, problems)
        _check_format(source, name, field, root, binder)
    for name in source.joins:
        if find_join(project, source, name, problems) is not None:
            binder.join(Block().start(source.name, binder.relations.of(source)), name)
    for name, measure in source.measures.items():
        _check_measure_format(source, name, measure, root, binder)
    for name, members in source.sets.items():
        for position, member in enumerate(members):
            fragment = Fragment(member, source, ("sets", name, position))
            binder.bind(Scope(fragment, {(): root}, source))


def _check_values(source: DataSource, name: str, field: Field, problems: Problems) -> None:
    for position, value in enumerate(field.values or ()):
        try:
            typed_literal(value, field.type)
        except ValueError:
            at = source.locate("fields", name, "values", position)
            problems.add("wrong-literal", f"`{value}` is no {field.type}", at)


def _check_format(source: DataSource, name: str, field: Field, root: Node, binder: Binder) -> None:
    """Format a field as a report that selects it would."""
    value = binder.field(root, name)
    at = source.locate("fields", name, "format" if field.format else "labels")
    formatter = (
        find_formatter(binder, field.format, at) if field.format else inline_labels(source, name)
    )
    if formatter is not None and not is_broken(value):
        apply_formatter(formatter, value.copy(), field.type, binder, node=root, at=at)


def _check_measure_format(
    source: DataSource, name: str, measure: Measure, root: Node, binder: Binder
) -> None:
    """Bind a measure, and format it, as a report that selects it would."""
    value = binder.aggregates.own_measure(root, name)
    if measure.format is None:
        return
    at = source.locate("measures", name, "format")
    formatter = find_formatter(binder, measure.format, at)
    type_ = measure.type or type_of(value)
    if formatter is not None and type_ is not None and not is_broken(value):
        node = root if formatter.sql else None
        apply_formatter(formatter, value.copy(), type_, binder, node=node, at=at)


# --- workflows and audits -------------------------------------------------------------------------


def _check_workflow(project: Project, workflow: Workflow, problems: Problems) -> None:
    names = job_names(workflow)
    for position, (name, job) in enumerate(zip(names, workflow.jobs, strict=True)):
        if name in names[:position]:
            at = workflow.locate("jobs", position, "name" if job.name else job.kind)
            problems.add(
                "duplicate-name", f"two jobs are named `{name}`", at, hint="give one a `name`"
            )
        _check_subject(project, workflow, position, job, problems)
        for index, needed in enumerate(job.needs):
            if needed not in names:
                at = workflow.locate("jobs", position, "needs", index)
                problems.add(
                    "unknown-job", f"unknown job `{needed}`", at, hint=suggest(needed, names)
                )
    _check_order(workflow, names, problems)
    for key in ("on_failure", "on_late"):
        _check_receivers(
            project, workflow, ("alerts", key), getattr(workflow.alerts, key), problems
        )


def refreshes_of(project: Project) -> Iterator[tuple[Workflow, int, str]]:
    """The jobs that have a tracker, each with its name; jobs of one name are told already."""
    for workflow in project.workflows.values():
        names = job_names(workflow)
        for position, (name, job) in enumerate(zip(names, workflow.jobs, strict=True)):
            if job.refresh and name not in names[:position]:
                yield workflow, position, name


def _check_receivers(
    project: Project,
    owner: Workflow | Audit,
    path: tuple[str, ...],
    names: Iterable[str],
    problems: Problems,
) -> None:
    known = project.settings.alerts
    for index, name in enumerate(names):
        if name not in known and SETTINGS not in project.broken:
            hint = did_you_mean(name, known) or "receivers stand under `alerts` in genesis.yaml"
            at = owner.locate(*path, index)
            problems.add("unknown-alert", f"unknown receiver `{name}`", at, hint=hint)


def job_names(workflow: Workflow) -> tuple[str, ...]:
    """The names of a workflow's jobs: their own, else kind and subject.

    Where one input has several trackers, the later ones are told apart by their sink.
    """
    names: list[str] = []
    for job in workflow.jobs:
        subject = getattr(job, job.kind)
        name = (
            job.name or f"{job.kind}_{subject if isinstance(subject, str) else '_'.join(subject)}"
        )
        if not job.name and name in names and job.to is not None:
            name = f"{name}_{job.to.sink}"
        names.append(name)
    return tuple(names)


def _check_subject(
    project: Project, workflow: Workflow, position: int, job: Job, problems: Problems
) -> None:
    path = ("jobs", position)
    kind = job.kind
    known = {
        "refresh": ("input", "input", project.inputs),
        "audit": ("audit", "audit", project.audits),
        "compact": ("data_source", "data source", project.data_sources),
        "heartbeat": ("data_source", "data source", project.data_sources),
    }
    broken_kind, what, names = known[kind]
    subjects = getattr(job, kind)
    for index, subject in enumerate((subjects,) if isinstance(subjects, str) else subjects):
        if subject not in names and (broken_kind, subject) not in project.broken:
            code = f"unknown-{what.replace(' ', '-')}"
            at = workflow.locate(*path, kind, index)
            problems.add(code, f"unknown {what} `{subject}`", at, hint=suggest(subject, names))
    for index, template in enumerate(job.use):
        if template not in project.templates and ("templates", template) not in project.broken:
            at = workflow.locate(*path, "use", index)
            problems.add(
                "unknown-template",
                f"unknown template `{template}`",
                at,
                hint=suggest(template, project.templates),
            )
    shared = [project.templates[name] for name in job.use if name in project.templates]
    if job.refresh and not job.to and len(shared) == len(job.use) and not any(t.to for t in shared):
        message = f"item {position + 1} of `jobs` lacks `to`, and so does what it uses"
        problems.add("missing-key", message, workflow.locate(*path, ""))
    if job.refresh is not None and job.refresh in project.inputs:
        _check_parameters(workflow, position, job, project.inputs[job.refresh], project, problems)


def _check_parameters(
    workflow: Workflow,
    position: int,
    job: Job,
    definition: Input,
    project: Project,
    problems: Problems,
) -> None:
    for name, value in job.parameters.items():
        if name in definition.parameters and value is not None:
            place = partial(workflow.locate, "jobs", position, "parameters", name)
            check_value(name, value, definition.parameters[name], place, problems)
        elif name not in definition.parameters and not definition.has_unread(name):
            hint = suggest(name, definition.parameters)
            problems.add(
                "unknown-parameter",
                f"input `{definition.name}` has no parameter `{name}`",
                workflow.locate_key("jobs", position, "parameters", name),
                hint=hint,
            )
    known = [project.templates[template] for template in job.use if template in project.templates]
    from_templates = {name for template in known for name in template.parameters}
    if len(known) < len(job.use):
        return  # what is not known may have the rest
    for name, parameter in definition.parameters.items():
        if parameter.default is None and name not in job.parameters and name not in from_templates:
            at = workflow.locate("jobs", position, "refresh")
            hint = f"`parameters: {{{name}: ...}}` beside it"
            problems.add(
                "wrong-parameter",
                f"parameter `{name}` of input `{definition.name}` has no value",
                at,
                hint=hint,
            )


def _check_order(workflow: Workflow, names: tuple[str, ...], problems: Problems) -> None:
    """Jobs that need one another in a circle never start; each circle is told once."""
    needs = {name: job.needs for name, job in zip(names, workflow.jobs, strict=True)}
    ahead = {name: _all_needed(name, needs) for name in needs}
    told: set[str] = set()
    for position, name in enumerate(names):
        if name in ahead[name] and name not in told:
            circle = [other for other in needs if other in ahead[name] and name in ahead[other]]
            told.update(circle)
            message = (
                f"jobs need one another in a circle: {', '.join(f'`{job}`' for job in circle)}"
            )
            if circle == [name]:
                message = f"job `{name}` needs itself"
            at = workflow.locate_key("jobs", position, "needs")
            problems.add("cycle", message, at)


def _all_needed(name: str, needs: Mapping[str, tuple[str, ...]]) -> set[str]:
    """The jobs that must be done before a job, however far."""
    found: set[str] = set()
    waiting = list(needs[name])
    while waiting:
        needed = waiting.pop()
        if needed not in found:
            found.add(needed)
            waiting += needs.get(needed, ())
    return found


def _check_audit(project: Project, audit: Audit, problems: Problems) -> None:
    name = audit.data_source
    if name not in project.data_sources and ("data_source", name) not in project.broken:
        hint = suggest(name, project.data_sources)
        problems.add(
            "unknown-data-source",
            f"unknown data source `{name}`",
            audit.locate("data_source"),
            hint=hint,
        )
    elif name in project.data_sources:
        _check_columns(audit, project.data_sources[name], problems)
        _check_key(audit, project.data_sources[name], problems)
    _check_other_side(project, audit, problems)
    against, sources = audit.against.source, project.settings.sources
    if against is not None and against not in sources and SETTINGS not in project.broken:
        hint = did_you_mean(against, sources) or "systems stand under `sources` in genesis.yaml"
        at = audit.locate("against", "source")
        problems.add("unknown-source", f"unknown source system `{against}`", at, hint=hint)
    _check_receivers(project, audit, ("alert",), audit.alert, problems)


def _check_systems(project: Project, problems: Problems) -> None:
    """The data sources whose tables systems of record have."""
    for system, found in project.settings.sources.items():
        for name in found.tables:
            if name in project.data_sources or ("data_source", name) in project.broken:
                continue
            at = project.settings.locate_key("sources", system, "tables", name)
            hint = suggest(name, project.data_sources)
            problems.add("unknown-data-source", f"unknown data source `{name}`", at, hint=hint)


def _check_other_side(project: Project, audit: Audit, problems: Problems) -> None:
    """The fields of the data source that an audit compares with, where it is one."""
    name = audit.against.data_source
    if name is None or ("data_source", name) in project.broken:
        return
    if name not in project.data_sources:
        at, hint = audit.locate("against", "data_source"), suggest(name, project.data_sources)
        problems.add("unknown-data-source", f"unknown data source `{name}`", at, hint=hint)
        return
    source = project.data_sources[name]
    keys, columns = enumerate(audit.against.key), audit.against.columns.items()
    named = [(field, audit.locate("against", "key", place)) for place, field in keys]
    named += [(field, audit.locate("against", "columns", here)) for here, field in columns]
    for field, at in named:
        if field not in source.fields and not source.has_unread(field):
            message = f"unknown field `{field}` in data source `{name}`"
            problems.add("unknown-field", message, at, hint=suggest(field, source.fields))


def _check_key(audit: Audit, source: DataSource, problems: Problems) -> None:
    there, here = len(audit.against.key), len(source.primary_key)
    if there != here and here:
        message = f"`key` has {there} columns, the primary key of `{source.name}` has {here}"
        at = audit.locate("against", "key")
        problems.add("wrong-join", message, at, hint="name them in the order of `primary_key`")


def _check_columns(audit: Audit, source: DataSource, problems: Problems) -> None:
    for name in audit.against.columns:
        if name not in source.fields and not source.has_unread(name):
            at = audit.locate_key("against", "columns", name)
            message = f"unknown field `{name}` in data source `{source.name}`"
            problems.add("unknown-field", message, at, hint=suggest(name, source.fields))


def unused(project: Project) -> Iterator[DataSource]:
    """Data sources that no input, workflow or audit reaches; only where there are inputs at all."""
    if not project.inputs:
        return
    waiting = [definition.source for definition in project.inputs.values()]
    waiting += [source.extends for source in project.data_sources.values() if source.extends]
    for audit in project.audits.values():
        waiting += [audit.data_source, *([other] if (other := audit.against.data_source) else [])]
    for workflow in project.workflows.values():
        for job in workflow.jobs:
            waiting += [*(job.compact or ()), *([job.heartbeat] if job.heartbeat else [])]
    used = _reached(project, waiting)
    yield from (source for name, source in project.data_sources.items() if name not in used)


def _reached(project: Project, names: Iterable[str]) -> set[str]:
    """The data sources of these names, and those that their joins lead to, however far."""
    reached: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in reached and name in project.data_sources:
            reached.add(name)
            source = project.data_sources[name]
            waiting += [target_name(source, join) for join in source.joins]
    return reached
