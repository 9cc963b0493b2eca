"""`workflow:` scheduled work, `templates:` fragments of jobs, `audit:` comparisons with a source."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator
from pydantic import Field as Key
from pydantic_core import PydanticCustomError

from genesis.spec.cron import WrongCron, parse_cron
from genesis.spec.model import Checked, Definition, Located, Model
from genesis.spec.values import (
    Duration,
    Items,
    Name,
    OneOrMany,
    OneOrMore,
    Scalar,
    TimeOfDay,
    Timezone,
    TypeName,
    describe,
    exactly_one,
    exclusive,
    lacking,
    mistake,
    short_form,
)

_SPREADSHEET = re.compile(r"https?://[^/]+/spreadsheets/(?:u/\d+/)?d/([\w-]+)(?:[/?#].*)?")
_BASE = re.compile(r"https?://[^/]+/(app[A-Za-z0-9]+)(?:[/?#].*)?")


def _spreadsheet(value: Any) -> Any:
    """The id in a spreadsheet's address."""
    hint = "it stands in its address between `/d/` and `/edit`; a folder or a form has none"
    return _id_in(value, _SPREADSHEET, "a spreadsheet's", hint)


def _base(value: Any) -> Any:
    """The id in a base's address."""
    return _id_in(value, _BASE, "a base's", "it stands in its address and begins with `app`")


def _id_in(value: Any, address: re.Pattern[str], whose: str, hint: str) -> Any:
    if not isinstance(value, str) or "://" not in value:
        return value
    if match := address.fullmatch(value.strip()):
        return match[1]
    raise mistake("wrong-type", f"`{value}` is not {whose} address, and has no id", hint)


Spreadsheet = Annotated[str, BeforeValidator(_spreadsheet)]
BaseId = Annotated[str, BeforeValidator(_base)]


class GoogleSheetsPlace(Model):
    """A tab of a Google spreadsheet."""

    spreadsheet: Spreadsheet
    """The spreadsheet's id, from its address, or that address: `spreadsheet: 1AbC`."""
    tab: str
    """The tab; one that is missing is created: `tab: Productions`."""
    allow_anyone: bool = False
    """Write to it although anyone with the link may read it: `allow_anyone: true`."""


class AirtablePlace(Model):
    """A table of an Airtable base."""

    base: BaseId
    """The base's id, or its address: `base: appXXXX`."""
    table: str
    """The table; one that is missing is created: `table: Productions`."""
    selects: OneOrMany[str] = ()
    """Columns that are fields of options, of several options where they are arrays:
    `selects: [status]`.
    """
    new_options: bool = False
    """Options that a field does not have yet are made; otherwise their rows are refused:
    `new_options: true`.
    """
    links: dict[str, str] = Key(default_factory=dict)
    """Columns that are links, each with the table whose records it names:
    `links: {producer: People}`.
    """
    max_calls: Annotated[int, Key(ge=1)] | None = None
    """How many calls a refresh may make before it is refused: `max_calls: 200`."""


class XlsxPlace(Model):
    """A tab of a workbook."""

    file: str
    """The workbook, relative to the project's root: `file: trackers/productions.xlsx`."""
    tab: str = "Sheet1"
    """The tab; one that is missing is created: `tab: Productions`."""


class FilePlace(Model):
    """A file of one table."""

    file: str
    """The file, relative to the project's root: `file: exports/productions.csv`."""


class DuckDBPlace(Model):
    """A table of a DuckDB database."""

    file: str
    """The database, relative to the project's root: `file: exports/studio.duckdb`."""
    table: str
    """The table in it: `table: productions`."""


class Place(Checked):
    """Where a tracker lives: exactly one kind of sink, and the place in it."""

    google_sheets: GoogleSheetsPlace | None = None
    """A tab of a Google spreadsheet: `google_sheets: {spreadsheet: 1AbC, tab: Productions}`."""
    airtable: AirtablePlace | None = None
    """A table of an Airtable base: `airtable: {base: appXXXX, table: Productions}`."""
    xlsx: XlsxPlace | None = None
    """A tab of a workbook, kept in step in place:
    `xlsx: {file: trackers/productions.xlsx, tab: Productions}`.
    """
    csv: FilePlace | None = None
    """A CSV file, written anew: `csv: {file: exports/productions.csv}`."""
    parquet: FilePlace | None = None
    """A Parquet file, written anew: `parquet: {file: exports/productions.parquet}`."""
    duckdb: DuckDBPlace | None = None
    """A table of a DuckDB database, written anew:
    `duckdb: {file: exports/studio.duckdb, table: productions}`.
    """

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

    def __str__(self) -> str:
        """The place in words: `xlsx trackers/productions.xlsx, Productions`."""
        said = (value for _, value in self.details if isinstance(value, str))
        return f"{self.sink} {', '.join(said)}"


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


# A share of a small tracker is less than a row; this many may always go.
_FEW = 5


def allowed_deletes(max_deletes: int | float, rows: int) -> int:
    """How many of a tracker's rows one refresh may delete unasked."""
    if isinstance(max_deletes, int) or max_deletes == 0:
        return int(max_deletes)
    return max(_FEW, math.floor(max_deletes * rows))


MaxDeletes = Annotated[int | float, BeforeValidator(_deletes)]
Mode = Literal["mirror", "upsert", "append", "replace"]
OnDelete = Literal["delete", "archive", "mark", "keep"]
Order = Literal["stable", "query"]
OnHumanEdit = Literal["overwrite", "keep", "fail"]


def _label(value: Any) -> Any:
    if isinstance(value, str) and not value.strip():
        hint = "name what people put in; without `label` they see the name"
        raise mistake("wrong-type", "`label` is blank", hint)
    return value


Label = Annotated[str, BeforeValidator(_label)]


class Annotation(Model):
    """A column that people fill in and genesis reads back."""

    type: TypeName
    """What people put in; the short form `name: type` says it alone: `type: string`."""
    label: Label | None = None
    """The column's header: `label: Notes of the producer`."""
    values: Items[Scalar] | None = None
    """The only values it takes: `values: [open, done]`."""


class JobOptions(Model):
    """What a job may say besides its subject; a template says the same."""

    parameters: dict[str, Scalar] = Key(default_factory=dict)
    """Values of the input's parameters: `parameters: {region: EMEA}`."""
    to: Place | None = None
    """Where the tracker lives: one kind of sink, and the place in it:
    `to: {xlsx: {file: trackers/productions.xlsx}}`.
    """
    mode: Mode = "mirror"
    """`mirror` keeps rows in step by key; `upsert` never deletes; `append` only adds keys that
    are new; `replace` writes all anew: `mode: upsert`.
    """
    on_delete: OnDelete = "delete"
    """What happens to the row of a record that left the report: `on_delete: archive`."""
    order: Order = "stable"
    """`stable` leaves rows where people put them, new ones last; `query` sorts as the report
    does: `order: query`.
    """
    max_deletes: MaxDeletes = 0.2
    """How many rows, or which share of them, a refresh may delete before it is refused:
    `max_deletes: 5%`.
    """
    min_rows: Annotated[int, Key(ge=0)] = 0
    """Fewer rows than this are refused: `min_rows: 1`."""
    allow_empty: bool = False
    """A report without rows may empty the tracker: `allow_empty: true`."""
    on_human_edit: OnHumanEdit = "overwrite"
    """What happens to a cell of ours that a person changed: `on_human_edit: keep`."""
    annotations: dict[Name, Annotated[Annotation, short_form("type")]] = Key(default_factory=dict)
    """Columns that people fill in and genesis reads back:
    `annotations: {producer_notes: string}`.
    """
    touch: bool = False
    """Write when it was last checked, even when no row changed: `touch: true`."""
    needs: OneOrMany[str] = ()
    """The jobs of this workflow that must have succeeded before: `needs: [compact_production]`."""
    timeout: Duration | None = None
    """How long a run may take: `timeout: 15m`."""
    retries: Annotated[int, Key(ge=0)] | None = None
    """How often a run that failed for a passing reason is tried again: `retries: 3`."""
    deadline: Duration | None = None
    """How long after its time a run still makes sense: `deadline: 2h`."""
    view: bool = False
    """Keep the report as a view in the catalog too: `view: true`."""


# Sinks that hold nothing but the report: nobody sorts their rows or writes beside them.
EXPORTS = ("csv", "parquet", "duckdb")

JOB_KINDS = ("refresh", "compact", "audit", "heartbeat")


class Job(JobOptions, Checked):
    """One refresh, compaction, audit or heartbeat of a workflow."""

    name: str = ""
    """What others need it by; by default its kind and subject, `refresh_productions`:
    `name: productions`.
    """
    use: OneOrMany[str] = ()
    """Templates whose options it takes; its own win: `use: sheets_default`."""
    refresh: str | None = None
    """The input whose rows a tracker is to show: `refresh: production_tracker`."""
    compact: OneOrMore[str] | None = None
    """The data sources whose change logs are rewritten to their newest records:
    `compact: [production, movie]`.
    """
    audit: str | None = None
    """The audit that is made: `audit: production_end_to_end`."""
    heartbeat: str | None = None
    """The data source whose whole path a synthetic event is sent along: `heartbeat: production`."""

    @classmethod
    def faults(cls, data: Mapping[str, Any]) -> Iterator[PydanticCustomError]:
        yield from exactly_one(data, *JOB_KINDS)
        if "refresh" in data and "to" not in data and "use" not in data:
            yield lacking("to", hint="where the tracker lives: `to: {xlsx: {file: ...}}`")

    @property
    def kind(self) -> str:
        """`refresh`, `compact`, `audit` or `heartbeat`."""
        return next(kind for kind in JOB_KINDS if getattr(self, kind) is not None)

    def filled(self, templates: Mapping[str, Template]) -> Job:
        """The job with what its templates say, where it says nothing itself; later templates win."""
        if not self.use:
            return self
        shared: dict[str, object] = {}
        for template in (templates[name] for name in self.use if name in templates):
            said = template.model_fields_set & JobOptions.model_fields.keys()
            shared |= {key: getattr(template, key) for key in said}
        own = self.model_fields_set
        return self.model_copy(update={k: value for k, value in shared.items() if k not in own})


class Schedule(Checked):
    """When a workflow runs."""

    cron: str | None = None
    """Five fields, as cron reads them, in the schedule's zone: `cron: "*/15 6-20 * * mon-fri"`."""
    every: Duration | None = None
    """A fixed length of time: `every: 10m`."""
    on_change: bool | None = None
    """Whenever a table that it reads has changed: `on_change: true`."""
    timezone: Timezone | None = None
    """The zone of `cron`; by default the project's: `timezone: America/Los_Angeles`."""

    @classmethod
    def faults(cls, data: Mapping[str, Any]) -> Iterator[PydanticCustomError]:
        yield from exactly_one(data, "cron", "every", "on_change")
        try:
            parse_cron(data["cron"] if isinstance(data.get("cron"), str) else "* * * * *")
        except WrongCron as wrong:
            yield mistake("wrong-type", str(wrong), wrong.hint, key="cron")
        if re.fullmatch(r"0+[smhdw]", str(data.get("every"))):
            message = f"`every` should be some time, not {describe(data['every'])}"
            yield mistake("wrong-type", message, "for example `15m`", key="every")


class Alerts(Model):
    """Whom to tell what; `freshness` is how old a tracker may be."""

    on_failure: OneOrMany[str] = ()
    """Receivers that are told when it fails: `on_failure: [slack_ops]`."""
    on_late: OneOrMany[str] = ()
    """Receivers that are told when it is late: `on_late: [slack_ops]`."""
    freshness: Duration | None = None
    """How old a tracker may be: `freshness: 45m`."""
    complete_by: TimeOfDay | None = None
    """The time of day, in the schedule's zone, by which what was due before must be done:
    `complete_by: "09:00"`.
    """


class Workflow(Definition):
    """Jobs that run together on a schedule."""

    kind: ClassVar[str] = "workflow"

    jobs: Items[Job]
    """What is done, side by side unless `needs` orders it:
    `jobs: [{refresh: productions, to: {csv: {file: productions.csv}}}]`.
    """
    description: str | None = None
    """What it is for, for people: `description: What the morning meeting looks at.`."""
    owner: str | None = None
    """Who answers for it, and is told of its failures: `owner: studio-ops@example.com`."""
    tags: Items[str] = ()
    """Words to find it by: `tags: [daily]`."""
    schedule: Schedule | None = None
    """When it runs; without one, only by hand: `schedule: {every: 10m}`."""
    alerts: Alerts = Alerts()
    """Whom to tell what: `alerts: {on_failure: [slack_ops], freshness: 45m}`."""
    catchup: Literal["latest", "all", "none"] = "latest"
    """Which of the runs that were missed are made up for: `catchup: none`."""
    overlap: Literal["serial", "skip", "parallel"] = "serial"
    """What happens when it is due and still runs: `overlap: skip`."""
    timeout: Duration | None = None
    """How long each of its jobs may take: `timeout: 1h`."""
    renamed_from: str | None = None
    """The name it had, so that its history stays with it: `renamed_from: productions_old`."""

    @classmethod
    def faults(cls, data: Mapping[str, Any]) -> Iterator[PydanticCustomError]:
        if data.get("jobs") == []:
            yield mistake("wrong-type", "`jobs` is empty", "list at least one", key="jobs")


class Template(JobOptions, Located):
    """A fragment of a job that many workflows share."""


class Against(Checked):
    """The other side of an audit."""

    source: str | None = None
    """The system of record, by its name in `genesis.yaml`; without one, `table` stands in the
    lake: `source: studio_db`.
    """
    table: str | None = None
    """The table there: `table: public.production`."""
    data_source: str | None = None
    """A data source instead, whose records are those of the other side:
    `data_source: production_copy`.
    """
    key: OneOrMore[str]
    """Its key columns, in the order of the data source's primary key: `key: id`."""
    columns: dict[str, str] = Key(default_factory=dict)
    """The columns there, by field here; without any, keys alone are compared:
    `columns: {status: status_code}`.
    """
    where: str | None = None
    """Which rows of the source's table count, as the source itself writes conditions:
    `where: "not is_test"`.
    """
    changed_at: str | None = None
    """The column that says when a row last changed; what changed within `sla` is looked at in
    the next run: `changed_at: updated_at`.
    """

    @classmethod
    def faults(cls, data: Mapping[str, Any]) -> Iterator[PydanticCustomError]:
        yield from exactly_one(data, "table", "data_source")
        yield from exclusive(data, "source", "data_source")
        if "where" in data and "source" not in data:
            yield lacking("source", hint="a data source says itself which rows count")


class Audit(Definition):
    """A comparison of a data source's keys, or rows, with the system of record."""

    kind: ClassVar[str] = "audit"

    data_source: str
    """The data source whose records are compared: `data_source: production`."""
    against: Against
    """The other side: `against: {source: studio_db, table: public.production, key: id}`."""
    description: str | None = None
    """What it proves, for people: `description: No production is lost on the way.`."""
    owner: str | None = None
    """Who answers for it: `owner: studio-data@example.com`."""
    runs: Annotated[int, Key(ge=1)] = 3
    """In how many runs on end a difference must be seen before it is told: `runs: 3`."""
    sla: Duration | None = None
    """How long a change may take to arrive; younger differences are not told: `sla: 15m`."""
    alert: OneOrMany[str] = ()
    """Receivers that are told: `alert: [slack_ops]`."""
    strategy: Literal["keys", "rows", "checksums"] | None = None
    """Whether keys, whole rows or checksums are compared; by default what `columns` asks for:
    `strategy: keys`.
    """
