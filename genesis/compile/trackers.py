"""What a job asks of its tracker, held against what its sink and its report can give.

A job's options may stand in a template: then a problem is told there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from posixpath import normpath
from typing import NamedTuple

from genesis.compile.compare import typed_literal
from genesis.compile.identifiers import words
from genesis.compile.query import Query
from genesis.compile.statement import Column
from genesis.errors import Location, Problems, did_you_mean
from genesis.spec.project import SETTINGS, Project
from genesis.spec.workflow import EXPORTS, Annotation, Job, Place, Workflow

_KEY_PREFIX = "_key_"

_Locate = Callable[..., Location]


class Heading(NamedTuple):
    """What a tracker sees of a column of its report."""

    name: str
    label: str
    key: bool
    hidden: bool
    type: str


def headings_of(query: Query) -> tuple[Heading, ...]:
    """The headings of a report's columns."""
    columns = (output.column for output in query.outputs)
    return tuple(Heading(c.name, c.label, c.key, c.hidden, str(c.type)) for c in columns)


def check_shared(
    project: Project, refreshes: Iterable[tuple[Workflow, int, str]], problems: Problems
) -> None:
    """Tell of trackers that would write to one place, or keep what people say in one table.

    Two jobs that only add rows may share a place; one that takes rows away would take the other's.
    """
    places: dict[tuple[str, ...], tuple[str, bool]] = {}
    tables: dict[str, str] = {}
    for workflow, position, name in refreshes:
        job = workflow.jobs[position].filled(project.templates)
        if job.to is None:
            continue
        tracker, adds = f"{workflow.name}.{name}", job.mode in ("upsert", "append")
        other, other_adds = places.setdefault(place_key(job.to), (tracker, adds))
        if other != tracker and not (adds and other_adds):
            message = f"trackers `{other}` and `{tracker}` write to one place"
            at = _place(project, workflow, position, "to")()
            problems.add("name-clash", message, at, hint="give one a place of its own")
        table = annotation_table(tracker)
        if job.annotations and tables.setdefault(table, tracker) != tracker:
            message = f"trackers `{tables[table]}` and `{tracker}` share table `{table}`"
            at = _place(project, workflow, position, "annotations")()
            problems.add("name-clash", message, at, hint="give one of the jobs another `name`")


def place_key(to: Place) -> tuple[str, ...]:
    """What tells places apart; tabs of one name in other letters are one, files by any path to them."""
    names = ("spreadsheet", "base", "file", "tab", "table")
    place = to.details
    parts = {name: getattr(place, name) for name in names if name in type(place).model_fields}
    if "file" in parts:
        parts["file"] = normpath(parts["file"])
    if "tab" in parts:
        parts["tab"] = parts["tab"].casefold()
    return ("file" if "file" in parts else to.sink, *parts.values())


def renamed(project: Project) -> dict[str, str]:
    """The new name of each old one; not of names that are still somebody's, or that two lay claim to."""
    found: dict[str, list[str]] = {}
    for workflow in project.workflows.values():
        if old := workflow.renamed_from:
            found.setdefault(old, []).append(workflow.name)
    return {
        old: new[0]
        for old, new in sorted(found.items())
        if len(new) == 1
        and old not in project.workflows
        and ("workflow", old) not in project.broken
    }


class Refusal(NamedTuple):
    """An option of a job that its tracker cannot have, why, and the way out."""

    option: str
    message: str
    hint: str


def check_tracker(
    project: Project,
    workflow: Workflow,
    position: int,
    headings: Sequence[Heading | Column] | None,
    problems: Problems,
) -> None:
    """Tell what a refresh's tracker cannot do."""
    job = workflow.jobs[position].filled(project.templates)
    refused = list(refusals(job))
    if job.annotations and headings is not None and not any(each.key for each in headings):
        message = "`annotations` need a key, and this report is one row of totals"
        refused.append(Refusal("annotations", message, "group it by a field"))
    for option, message, hint in refused:
        at = _place(project, workflow, position, option)
        place = at(key=True) if option == "annotations" else at()
        problems.add("not-supported", message, place, hint=hint)
    if refused:
        return
    at = _place(project, workflow, position, "annotations")
    for name, asked in job.annotations.items():
        _check_annotation(name, asked, at, problems)
    if headings is not None:
        _check_clashes(job, headings, at, problems)


def annotation_table(tracker: str) -> str:
    """The table that keeps what people say in a tracker, by the tracker's name, `workflow.job`."""
    return f"annotations.{tracker.replace('.', '_')}"


def annotation_tables(
    project: Project, refreshes: Iterable[tuple[Workflow, int, str]]
) -> frozenset[str]:
    """The tables that trackers of a project keep what people say in."""
    return frozenset(
        annotation_table(f"{workflow.name}.{name}")
        for workflow, position, name in refreshes
        if workflow.jobs[position].filled(project.templates).annotations
    )


def check_readers(
    project: Project, refreshes: Iterable[tuple[Workflow, int, str]], problems: Problems
) -> None:
    """Warn of data sources over annotations that no tracker keeps any more."""
    known = annotation_tables(project, refreshes)
    for source in project.data_sources.values():
        table = source.table or ""
        if table.startswith("annotations.") and table not in known:
            message = f"no tracker keeps `{table}`: what it holds is of the past"
            hint = did_you_mean(table, known) or "a tracker's is called by its workflow and its job"
            at = source.locate("table")
            problems.warn("unknown-table", message, at, hint=f"{hint}; a job that was renamed may say its old `name`")  # fmt: skip


def check_access(
    project: Project, refreshes: Iterable[tuple[Workflow, int, str]], problems: Problems
) -> None:
    """Warn where nothing says how to reach the service of a tracker; once for each service."""
    sinks = project.settings.sinks
    lacking = {
        "google_sheets": sinks.google_sheets.credentials or sinks.google_sheets.endpoint,
        "airtable": sinks.airtable.token or sinks.airtable.endpoint,
    }
    for workflow, position, name in refreshes:
        job = workflow.jobs[position].filled(project.templates)
        if job.to is None or lacking.pop(job.to.sink, "known"):
            continue
        service, needed, example = _ACCESS[job.to.sink]
        message = (
            f"tracker `{workflow.name}.{name}` is in {service}, and `{SETTINGS[1]}` has no {needed}"
        )
        at = _place(project, workflow, position, "to")()
        problems.warn("access-refused", message, at, hint=f"write there `sinks: {example}`")


_ACCESS = {
    "google_sheets": (
        "Google Sheets",
        "key of a service account",
        '{google_sheets: {credentials: "${file:service-account.json}"}}',
    ),
    "airtable": ("Airtable", "token", '{airtable: {token: "${env:AIRTABLE_TOKEN}"}}'),
}


def refusals(job: Job) -> Iterator[Refusal]:
    """What a tracker of its sink and mode cannot have."""
    sink = job.to.sink if job.to else ""
    if job.on_delete == "archive" and sink in EXPORTS:
        message = f"a `{sink}` tracker has no archive, it holds nothing but the report"
        yield Refusal("on_delete", message, "`keep` and `mark` keep rows that left the report")
    if job.annotations and sink in EXPORTS:
        message = f"nobody writes into a `{sink}` tracker, it is written anew"
        hint = "`annotations` are for `xlsx`, `google_sheets` and `airtable`"
        yield Refusal("annotations", message, hint)
    elif job.annotations and job.mode == "replace":
        message = "`annotations` need rows that are known by key, `mode: replace` has none"
        hint = "`mode: mirror` keeps rows, and what people put beside them"
        yield Refusal("annotations", message, hint)


def _place(project: Project, workflow: Workflow, position: int, option: str) -> _Locate:
    """Where an option is written: in the job, or in the last template that it uses and that has it."""
    job = workflow.jobs[position]
    templates = [project.templates[name] for name in job.use if name in project.templates]
    owners = [each for each in templates if option in each.model_fields_set]
    is_own = option in job.model_fields_set or not owners
    owner = workflow if is_own else owners[-1]
    path = ("jobs", position, option) if is_own else (option,)

    def locate(*more: str | int, key: bool = False) -> Location:
        return owner.locate_key(*path, *more) if key else owner.locate(*path, *more)

    return locate


def _check_annotation(name: str, asked: Annotation, at: _Locate, problems: Problems) -> None:
    if asked.type.name in ("array", "json"):
        message = f"people cannot fill in a value of type `{asked.type}`"
        problems.add("not-supported", message, at(name), hint="`string` takes every text")
    for index, value in enumerate(asked.values or ()):
        try:
            typed_literal(value, asked.type)
        except ValueError:
            place = at(name, "values", index)
            problems.add("wrong-literal", f"`{value}` is no {asked.type}", place)


def _check_clashes(
    job: Job, columns: Sequence[Heading | Column], at: _Locate, problems: Problems
) -> None:
    """A name is a column's in the table that is read back, a label a header's in the tracker."""
    names = {column.name.removeprefix(_KEY_PREFIX) for column in columns if column.key}
    names |= {column.name for column in columns}
    labels = {column.label.strip().casefold() for column in columns if not column.hidden}
    labels |= {"_genesis", "_genesis_key"}  # the hidden columns
    labels |= {"removed"} if job.on_delete == "mark" else set()  # the column that marks such rows
    for name, asked in job.annotations.items():
        label = asked.label or words(name)
        if name in names:
            message = f"annotation `{name}` has the name of a column of the report"
            problems.add("column-clash", message, at(name, key=True), hint="give it another name")
        elif label.strip().casefold() in labels:
            message = f"annotation `{name}` has the label `{label}`, as another column has"
            problems.add(
                "column-clash", message, at(name, key=True), hint="give it another `label`"
            )
        labels.add(label.strip().casefold())
