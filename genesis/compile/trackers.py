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
from genesis.errors import Location, Problems
from genesis.spec.project import Project
from genesis.spec.workflow import EXPORTS, Annotation, Job, Place, Workflow

_KEY_PREFIX = "_key_"

_Locate = Callable[..., Location]


class Heading(NamedTuple):
    """What a tracker sees of a column of its report."""

    name: str
    label: str
    key: bool
    hidden: bool


def headings_of(query: Query) -> tuple[Heading, ...]:
    """The headings of a report's columns."""
    columns = (output.column for output in query.outputs)
    return tuple(Heading(c.name, c.label, c.key, c.hidden) for c in columns)


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
        other, other_adds = places.setdefault(_where(job.to), (tracker, adds))
        if other != tracker and not (adds and other_adds):
            message = f"trackers `{other}` and `{tracker}` write to one place"
            at = _place(project, workflow, position, "to")()
            problems.add("name-clash", message, at, hint="give one a place of its own")
        table = tracker.replace(".", "_")
        if job.annotations and tables.setdefault(table, tracker) != tracker:
            message = (
                f"trackers `{tables[table]}` and `{tracker}` share table `annotations.{table}`"
            )
            at = _place(project, workflow, position, "annotations")()
            problems.add("name-clash", message, at, hint="give one of the jobs another `name`")


def _where(to: Place) -> tuple[str, ...]:
    """What tells places apart; tabs of one name in other letters are one, files by any path to them."""
    names = ("spreadsheet", "base", "file", "tab", "table")
    parts = {name: getattr(to.details, name) for name in names if hasattr(to.details, name)}
    if "file" in parts:
        parts["file"] = normpath(parts["file"])
    if "tab" in parts:
        parts["tab"] = parts["tab"].casefold()
    return ("file" if "file" in parts else to.sink, *parts.values())


class Refusal(NamedTuple):
    """An option of a job that its tracker cannot have, why, and the way out."""

    option: str
    message: str
    hint: str


def check_tracker(
    project: Project,
    workflow: Workflow,
    position: int,
    headings: Sequence[Heading] | None,
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


def _check_clashes(job: Job, columns: Sequence[Heading], at: _Locate, problems: Problems) -> None:
    """A name is a column's in the table that is read back, a label a header's in the tracker."""
    names = {column.name.removeprefix(_KEY_PREFIX) for column in columns if column.key}
    names |= {column.name for column in columns}
    labels = {column.label.casefold() for column in columns if not column.hidden}
    labels |= {"removed"} if job.on_delete == "mark" else set()  # the column that marks such rows
    for name, asked in job.annotations.items():
        label = asked.label or words(name)
        if name in names:
            message = f"annotation `{name}` has the name of a column of the report"
            problems.add("column-clash", message, at(name, key=True), hint="give it another name")
        elif label.casefold() in labels:
            message = f"annotation `{name}` has the label `{label}`, as another column has"
            problems.add(
                "column-clash", message, at(name, key=True), hint="give it another `label`"
            )
        labels.add(label.casefold())
