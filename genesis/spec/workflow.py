"""`workflow:` scheduled work, `templates:` fragments of jobs, `audit:` comparisons with a source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator
from pydantic import Field as Key
from pydantic_core import PydanticCustomError

from genesis.spec.model import Checked, Definition, Located, Model
from genesis.spec.values import (
    Duration,
    Items,
    Name,
    OneOrMany,
    Scalar,
    Timezone,
    TypeName,
    describe,
    exactly_one,
    lacking,
    mistake,
    short_form,
)


class GoogleSheetsPlace(Model):
    spreadsheet: str
    tab: str
    allow_anyone: bool = False


class AirtablePlace(Model):
    base: str
    table: str


class XlsxPlace(Model):
    file: str
    tab: str = "Sheet1"


class FilePlace(Model):
    file: str


class DuckDBPlace(Model):
    file: str
    table: str


class Place(Checked):
    """Where a tracker lives: exactly one kind of sink, and the place in it."""

    google_sheets: GoogleSheetsPlace | None = None
    airtable: AirtablePlace | None = None
    xlsx: XlsxPlace | None = None
    csv: FilePlace | None = None
    parquet: FilePlace | None = None
    duckdb: DuckDBPlace | None = None

    @classmethod
    def faults(cls, data: Mapping[str, Any]) -> Iterator[PydanticCustomError]:
        yield from exactly_one(data, *cls.model_fields)

    @property
    def sink(self) -> str:
        """The kind of sink."""
        return next(kind for kind in type(self).model_fields if getattr(self, kind) is not None)

    @property
    def details(self) -> Model:
        """The place within the sink."""
        place: Model = getattr(self, self.sink)
        return place


def _deletes(value: Any) -> Any:
    """`20%` as 0.2, `20` as 20 rows."""
    if isinstance(value, str) and value.endswith("%") and value[:-1].replace(".", "", 1).isdigit():
        share = float(value[:-1]) / 100
        if share <= 1:
            return share
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    message = f"{{it}} should be a number of rows or a share of them, not {describe(value)}"
    raise mistake("wrong-type", message, "for example `100`, or `20%`")


MaxDeletes = Annotated[int | float, BeforeValidator(_deletes)]
Mode = Literal["mirror", "upsert", "append", "replace"]
OnDelete = Literal["delete", "archive", "mark", "keep"]
Order = Literal["stable", "query"]
OnHumanEdit = Literal["overwrite", "keep", "fail"]


class Annotation(Model):
    """A column that people fill in and genesis reads back."""

    type: TypeName
    label: str | None = None
    values: Items[Scalar] | None = None


class JobOptions(Model):
    """What a job may say besides its subject; a template says the same."""

    parameters: dict[str, Scalar] = Key(default_factory=dict)
    to: Place | None = None
    mode: Mode = "mirror"
    on_delete: OnDelete = "delete"
    order: Order = "stable"
    max_deletes: MaxDeletes = 0.2
    min_rows: Annotated[int, Key(ge=0)] = 0
    allow_empty: bool = False
    on_human_edit: OnHumanEdit = "overwrite"
    annotations: dict[Name, Annotated[Annotation, short_form("type")]] = Key(default_factory=dict)
    touch: bool = False
    needs: OneOrMany[str] = ()
    timeout: Duration | None = None
    retries: Annotated[int, Key(ge=0)] | None = None
    deadline: Duration | None = None
    view: bool = False


JOB_KINDS = ("refresh", "compact", "audit", "heartbeat")


class Job(JobOptions, Checked):
    """One refresh, compaction, audit or heartbeat of a workflow."""

    name: str = ""
    use: OneOrMany[str] = ()
    refresh: str | None = None
    compact: OneOrMany[str] | None = None
    audit: str | None = None
    heartbeat: str | None = None

    @classmethod
    def faults(cls, data: Mapping[str, Any]) -> Iterator[PydanticCustomError]:
        yield from exactly_one(data, *JOB_KINDS)
        if "refresh" in data and "to" not in data and "use" not in data:
            yield lacking("to", hint="where the tracker lives: `to: {xlsx: {file: ...}}`")

    @property
    def kind(self) -> str:
        """`refresh`, `compact`, `audit` or `heartbeat`."""
        return next(kind for kind in JOB_KINDS if getattr(self, kind) is not None)


class Schedule(Checked):
    """When a workflow runs."""

    cron: str | None = None
    every: Duration | None = None
    on_change: bool | None = None
    timezone: Timezone | None = None

    @classmethod
    def faults(cls, data: Mapping[str, Any]) -> Iterator[PydanticCustomError]:
        yield from exactly_one(data, "cron", "every", "on_change")


class Alerts(Model):
    """Whom to tell what; `freshness` is how old a tracker may be."""

    on_failure: OneOrMany[str] = ()
    on_late: OneOrMany[str] = ()
    freshness: Duration | None = None
    complete_by: str | None = None


class Workflow(Definition):
    """Jobs that run together on a schedule."""

    kind: ClassVar[str] = "workflow"

    jobs: Items[Job]
    description: str | None = None
    owner: str | None = None
    tags: Items[str] = ()
    schedule: Schedule | None = None
    alerts: Alerts = Alerts()
    catchup: Literal["latest", "all", "none"] = "latest"
    overlap: Literal["serial", "skip", "parallel"] = "serial"
    timeout: Duration | None = None
    renamed_from: str | None = None

    @classmethod
    def faults(cls, data: Mapping[str, Any]) -> Iterator[PydanticCustomError]:
        if data.get("jobs") == []:
            yield mistake("wrong-type", "`jobs` is empty", "list at least one", key="jobs")


class Template(JobOptions, Located):
    """A fragment of a job that many workflows share."""


class Against(Model):
    """The other side of an audit."""

    source: str
    table: str
    key: OneOrMany[str]
    columns: dict[str, str] = Key(default_factory=dict)


class Audit(Definition):
    """A comparison of a data source's keys, or rows, with the system of record."""

    kind: ClassVar[str] = "audit"

    data_source: str
    against: Against
    description: str | None = None
    owner: str | None = None
    runs: Annotated[int, Key(ge=1)] = 3
    sla: Duration | None = None
    alert: OneOrMany[str] = ()
    strategy: Literal["keys", "rows", "checksums"] | None = None
