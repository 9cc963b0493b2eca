"""Everything that can be told of a project without an engine: every name, key, type and fragment.

A data source is checked once, wherever it is used or not; what is wrong in it is told there, and
those who use it are not told again.
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from genesis.compile.bind import Binder, Scope, is_broken
from genesis.compile.expression import Fragment
from genesis.compile.infer import join_types, type_of
from genesis.compile.joins import cardinality_fans_out, find_join, key_pairs, target_name
from genesis.compile.moment import Moment
from genesis.compile.query import Block
from genesis.compile.resolve import resolve
from genesis.compile.run import Run
from genesis.errors import Problems, did_you_mean
from genesis.spec.data_source import DataSource, Field, Join
from genesis.spec.input import Input
from genesis.spec.project import Project
from genesis.spec.workflow import JOB_KINDS, Audit, Job, Workflow


def check_project(project: Project, problems: Problems) -> None:
    """Tell every problem of a project's definitions, inputs, workflows and audits."""
    for source in project.data_sources.values():
        check_data_source(project, source, problems)
    for definition in project.inputs.values():
        resolve(definition, project, Run(parameters=None), _told_to(problems))
    for workflow in project.workflows.values():
        _check_workflow(project, workflow, problems)
    for audit in project.audits.values():
        _check_audit(project, audit, problems)
    for source in _unused(project):
        message = f"nothing uses data source `{source.name}`"
        problems.warn("unused-data-source", message, source.locate_name())


class _Forwarded(Problems):
    """Problems of one input: it counts its own errors, and tells all to the project's."""

    def __init__(self, to: Problems) -> None:
        super().__init__()
        self._to = to

    def add(self, code, message, at=None, *, hint=None):  # type: ignore[no-untyped-def]
        super().add(code, message, at, hint=hint)
        self._to.add(code, message, at, hint=hint)

    def warn(self, code, message, at=None, *, hint=None):  # type: ignore[no-untyped-def]
        super().warn(code, message, at, hint=hint)
        self._to.warn(code, message, at, hint=hint)


def _told_to(problems: Problems) -> Problems:
    return _Forwarded(problems)


def check_data_source(project: Project, source: DataSource, problems: Problems) -> None:
    """Tell what is wrong in one data source."""
    _check_names(source, problems)
    _check_keys(source, problems)
    for name in source.joins:
        _check_join(project, source, name, problems)
    _check_query(project, source, problems)
    binder = Binder(
        project, problems, moment=Moment(project.settings.timezone), parameters={}, values=None
    )
    block = Block()
    root = block.start(source.name, binder.relations.of(source))
    for name, field in source.fields.items():
        _check_field(source, name, field, binder)
        bound = binder.field(root, name)
        if field.sql is not None and not is_broken(bound):
            _check_type(
                source, name, field, bound.this if isinstance(bound, exp.Paren) else bound, problems
            )
    for name, join in source.joins.items():
        if find_join(project, source, name, problems) and (join.where or join.sql or join.pick):
            _bind_join(source, name, binder)
    for name, measure in source.measures.items():
        fragment = Fragment(measure.sql, source, ("measures", name, "sql"))
        binder.bind(Scope(fragment, {(): root}, source, measure, aggregates_rows=True))
        _check_format(source, ("measures", name), measure.format, binder)
    for name, members in source.sets.items():
        for position, member in enumerate(members):
            fragment = Fragment(member, source, ("sets", name, position))
            binder.bind(Scope(fragment, {(): root}, source))


def _bind_join(source: DataSource, name: str, binder: Binder) -> None:
    """Bind a join as a report would, in a block of its own."""
    block = Block()
    root = block.start(source.name, binder.relations.of(source))
    target = find_join(binder.project, source, name, binder.problems)
    if target is not None and not cardinality_fans_out(source, name, target):
        binder.join_to_one(root, name)
    elif target is not None:
        child = Block().start(name, binder.relations.of(target))
        binder.join_condition(root, name, child)


def _check_names(source: DataSource, problems: Problems) -> None:
    for name in sorted(source.joins.keys() & (source.fields.keys() | source.measures.keys())):
        message = f"`{name}` is a join and a {'field' if name in source.fields else 'measure'} of one data source"
        problems.add("name-clash", message, source.locate_key("joins", name))
    for name in sorted(source.measures.keys() & source.fields.keys()):
        problems.add(
            "name-clash", f"`{name}` is a measure and a field", source.locate_key("measures", name)
        )


def _check_keys(source: DataSource, problems: Problems) -> None:
    keys = [(("primary_key",), source.primary_key)]
    keys += [(("unique_keys", i), key) for i, key in enumerate(source.unique_keys)]  # type: ignore[misc]
    for path, key in keys:
        for position, name in enumerate(key):
            if name not in source.fields:
                at = source.locate(*path, position)
                hint = did_you_mean(name, source.fields)
                message = f"unknown field `{name}` in data source `{source.name}`"
                problems.add("unknown-field", message, at, hint=hint)
    if source.latest is not None and source.table is None and source.sql is not None:
        message = "`latest` ranks the records of a table, and this is a query"
        problems.add("not-supported", message, source.locate_key("latest"))


def _check_join(project: Project, source: DataSource, name: str, problems: Problems) -> None:
    join = source.joins[name]
    target = project.data_sources.get(target_name(source, name))
    if target is None:
        find_join(project, source, name, problems)
        return
    for here, there in key_pairs(join):
        for side, field, what in ((source, here, "here"), (target, there, "there")):
            if field not in side.fields:
                at = source.locate("joins", name, "by", *((here,) if what == "there" else ()))
                if what == "here" and source.joins[name].by and here != there:
                    at = source.locate_key("joins", name, "by", here)
                hint = did_you_mean(field, side.fields)
                message = f"unknown field `{field}` in data source `{side.name}`"
                problems.add("unknown-field", message, at, hint=hint)
    _check_key_types(source, name, target, problems)
    _check_relationship(source, name, target, problems)


def _check_key_types(source: DataSource, name: str, target: DataSource, problems: Problems) -> None:
    for here, there in key_pairs(source.joins[name]):
        if here in source.fields and there in target.fields:
            left, right = source.fields[here].type, target.fields[there].type
            if left != right and join_types([left, right]) is None:
                message = f"`{source.name}.{here}` is {left}, `{target.name}.{there}` is {right}: they never match"
                problems.add("wrong-join", message, source.locate("joins", name, "by", here))


def _check_relationship(
    source: DataSource, name: str, target: DataSource, problems: Problems
) -> None:
    join = source.joins[name]
    fans_out = cardinality_fans_out(source, name, target)
    stated = join.relationship
    if (
        stated is not None
        and stated.endswith("to_many") != fans_out
        and not (join.pick or join.as_of)
    ):
        keys = _keys_listed(target)
        found = "many" if fans_out else "one"
        message = f"stated as `{stated}`, but it leads to {found}: {keys}"
        problems.add("wrong-join", message, source.locate("joins", name, "relationship"))
    if join.required and fans_out:
        hint = "`any(...)` in `where` keeps the records that have a related row"
        problems.add(
            "wrong-join",
            "`required` is for to-one joins",
            source.locate("joins", name, "required"),
            hint=hint,
        )
    if join.pick is not None and not _could_be_many(join, target):
        problems.add(
            "wrong-join",
            f"`pick` chooses one of many, and {_keys_listed(target)}",
            source.locate_key("joins", name, "pick"),
        )


def _could_be_many(join: Join, target: DataSource) -> bool:
    there = {field for _, field in key_pairs(join)}
    return not any(there >= set(key) for key in (target.primary_key, *target.unique_keys) if key)


def _keys_listed(target: DataSource) -> str:
    keys = [key for key in (target.primary_key, *target.unique_keys) if key]
    return f"the keys of `{target.name}` are " + ", ".join(f"`{', '.join(key)}`" for key in keys)


def _check_query(project: Project, source: DataSource, problems: Problems) -> None:
    """A data source's own query is one read-only SELECT."""
    if source.sql is None:
        return
    try:
        trees = sqlglot.parse(source.sql, dialect=project.settings.dialect)
    except SqlglotError as error:
        said = str(error).split("\n")[0].rstrip(".")
        problems.add("invalid-sql", f"the query does not parse: {said}", source.locate("sql"))
        return
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        problems.add("not-an-expression", "`sql` is one `select`", source.locate("sql"))


def _check_field(source: DataSource, name: str, field: Field, binder: Binder) -> None:
    if field.sql is None and (field.where or field.sort or field.distinct):
        message = f"`{name}` is a plain column: `where`, `sort` and `distinct` go with an aggregate"
        binder.problems.add("wrong-aggregate", message, source.locate_key("fields", name))
    _check_format(source, ("fields", name), field.format, binder)


def _check_format(
    source: DataSource, path: tuple[str, str], name: str | None, binder: Binder
) -> None:
    known = binder.project.formatters
    if name is not None and name not in known and ("formatters", name) not in binder.project.broken:
        hint = did_you_mean(name, known)
        binder.problems.add(
            "unknown-formatter",
            f"unknown formatter `{name}`",
            source.locate(*path, "format"),
            hint=hint,
        )


def _check_type(
    source: DataSource, name: str, field: Field, bound: exp.Expr, problems: Problems
) -> None:
    """The declared type of a derived field against the one its expression has."""
    bound = bound.copy()
    bound.meta.pop("genesis_type", None)
    found = type_of(bound)
    if found is not None and join_types([found, field.type]) is None:
        message = f"field `{name}` is declared {field.type}, its expression is {found}"
        problems.add("wrong-literal", message, source.locate("fields", name, "type"))


# --- workflows and audits -------------------------------------------------------------------------


def _check_workflow(project: Project, workflow: Workflow, problems: Problems) -> None:
    names = job_names(workflow)
    for position, (name, job) in enumerate(zip(names, workflow.jobs, strict=True)):
        if name in names[:position]:
            at = workflow.locate("jobs", position)
            problems.add(
                "duplicate-name", f"two jobs are named `{name}`", at, hint="give one a `name`"
            )
        _check_subject(project, workflow, position, job, problems)
        for index, needed in enumerate(job.needs):
            if needed not in names:
                at = workflow.locate("jobs", position, "needs", index)
                problems.add(
                    "unknown-job", f"unknown job `{needed}`", at, hint=did_you_mean(needed, names)
                )
    _check_order(workflow, names, problems)
    receivers = project.settings.alerts
    for key in ("on_failure", "on_late"):
        for index, receiver in enumerate(getattr(workflow.alerts, key)):
            if receiver not in receivers:
                hint = (
                    did_you_mean(receiver, receivers)
                    or "receivers stand under `alerts` in genesis.yaml"
                )
                at = workflow.locate("alerts", key, index)
                problems.add("unknown-alert", f"unknown receiver `{receiver}`", at, hint=hint)


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
    kind = next(kind for kind in JOB_KINDS if getattr(job, kind) is not None)
    known = {
        "refresh": ("input", "input", project.inputs),
        "audit": ("audit", "audit", project.audits),
        "compact": ("data_source", "data source", project.data_sources),
        "heartbeat": ("data_source", "data source", project.data_sources),
    }
    broken_kind, what, names = known[kind]
    subjects = getattr(job, kind)
    for subject in (subjects,) if isinstance(subjects, str) else subjects:
        if subject not in names and (broken_kind, subject) not in project.broken:
            code = f"unknown-{what.replace(' ', '-')}"
            at = workflow.locate(*path, kind)
            problems.add(code, f"unknown {what} `{subject}`", at, hint=did_you_mean(subject, names))
    for index, template in enumerate(job.use):
        if template not in project.templates and ("templates", template) not in project.broken:
            at = workflow.locate(*path, "use", index)
            problems.add(
                "unknown-template",
                f"unknown template `{template}`",
                at,
                hint=did_you_mean(template, project.templates),
            )
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
    for name in job.parameters:
        if name not in definition.parameters:
            at = workflow.locate_key("jobs", position, "parameters", name)
            hint = did_you_mean(name, definition.parameters)
            problems.add(
                "unknown-parameter",
                f"input `{definition.name}` has no parameter `{name}`",
                at,
                hint=hint,
            )
    from_templates = {
        name
        for template in job.use
        if template in project.templates
        for name in project.templates[template].parameters
    }
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
    """Jobs that need one another in a circle never start."""
    needs = {
        name: {n for n in job.needs if n in names}
        for name, job in zip(names, workflow.jobs, strict=True)
    }
    done: set[str] = set()
    while ready := {name for name in needs if name not in done and needs[name] <= done}:
        done |= ready
    if waiting := sorted(needs.keys() - done):
        around = ", ".join(f"`{name}`" for name in waiting)
        message = f"jobs need one another in a circle: {around}"
        problems.add("cycle", message, workflow.locate_key("jobs"))


def _check_audit(project: Project, audit: Audit, problems: Problems) -> None:
    name = audit.data_source
    if name not in project.data_sources and ("data_source", name) not in project.broken:
        hint = did_you_mean(name, project.data_sources)
        problems.add(
            "unknown-data-source",
            f"unknown data source `{name}`",
            audit.locate("data_source"),
            hint=hint,
        )
    if audit.against.source not in project.settings.sources:
        hint = (
            did_you_mean(audit.against.source, project.settings.sources)
            or "systems stand under `sources` in genesis.yaml"
        )
        problems.add(
            "unknown-source",
            f"unknown source `{audit.against.source}`",
            audit.locate("against", "source"),
            hint=hint,
        )
    for index, receiver in enumerate(audit.alert):
        if receiver not in project.settings.alerts:
            hint = did_you_mean(receiver, project.settings.alerts)
            problems.add(
                "unknown-alert",
                f"unknown receiver `{receiver}`",
                audit.locate("alert", index),
                hint=hint,
            )


def _unused(project: Project) -> Iterator[DataSource]:
    """Data sources that no input, workflow or audit reaches; only where there are inputs at all."""
    if not project.inputs:
        return
    used: set[str] = set()
    waiting = [definition.source for definition in project.inputs.values()]
    waiting += [audit.data_source for audit in project.audits.values()]
    for workflow in project.workflows.values():
        for job in workflow.jobs:
            waiting += [*(job.compact or ()), *([job.heartbeat] if job.heartbeat else [])]
    while waiting:
        name = waiting.pop()
        if name not in used and name in project.data_sources:
            used.add(name)
            source = project.data_sources[name]
            waiting += [target_name(source, join) for join in source.joins]
    yield from (source for name, source in project.data_sources.items() if name not in used)
