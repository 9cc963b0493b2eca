"""`genesis.yaml` (engines, catalog, state, sinks, receivers), and a whole project."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field as Key
from pydantic_core import PydanticCustomError

from genesis.errors import Problem, did_you_mean
from genesis.spec.data_source import DataSource
from genesis.spec.formatter import Formatter
from genesis.spec.input import Input
from genesis.spec.model import Checked, Located, Model
from genesis.spec.values import (
    Duration,
    Name,
    Reference,
    Secret,
    Timezone,
    clear_secret,
    exactly_one,
    exclusive,
    listed,
    mistake,
    together,
)

if TYPE_CHECKING:
    from genesis.spec.report_test import ReportTest
    from genesis.spec.workflow import Audit, Template, Workflow


def _refuse_clear(data: Mapping[str, Any], key: str) -> Iterator[PydanticCustomError]:
    """A secret in clear is refused; an emulator, told by its `endpoint`, takes any."""
    value = data.get(key)
    if isinstance(value, str) and "${" not in value and not data.get("endpoint"):
        yield clear_secret(f"`{key}`", key=key)


class DuckDBTarget(Model):
    """DuckDB, within genesis."""

    database: str | None = None
    """A database file whose tables are found beside the catalog's: `database: warehouse.duckdb`."""


WAYS_TO_SIGN_IN = ("jwt", "password", "certificate", "oauth2", "kerberos")


class TrinoAuth(Checked):
    """How to sign in to Trino: in one way."""

    jwt: Secret | None = None
    """A token: `jwt: "${env:TRINO_JWT}"`."""
    password: Secret | None = None
    """The user's password: `password: "${env:TRINO_PASSWORD}"`."""
    certificate: Secret | None = None
    """A client certificate: `certificate: "${file:secrets/client.pem}"`."""
    key: Secret | None = None
    """The certificate's key: `key: "${file:secrets/client.key}"`."""
    oauth2: bool = False
    """Sign in with a browser: `oauth2: true`."""
    kerberos: bool = False
    """Sign in with Kerberos: `kerberos: true`."""

    @classmethod
    def faults(cls, data: Mapping[str, Any]) -> Iterator[PydanticCustomError]:
        yield from exclusive(data, *WAYS_TO_SIGN_IN)
        yield from together(data, "key", "certificate")

    @property
    def is_given(self) -> bool:
        """Whether anybody signs in at all."""
        return self != TrinoAuth()


class TrinoTarget(Checked):
    """A Trino server."""

    host: str
    """The coordinator: `host: trino.example.com`."""
    port: int = 443
    """Its port: `port: 443`."""
    catalog: str
    """The Trino catalog with the tables: `catalog: iceberg`."""
    database_schema: str | None = Key(default=None, alias="schema")
    """The schema of tables that name none: `schema: studio`."""
    user: str
    """The user that queries run as: `user: genesis`."""
    auth: TrinoAuth = TrinoAuth()
    """How to sign in: `auth: {jwt: "${env:TRINO_JWT}"}`."""
    http_scheme: Literal["http", "https"] | None = None
    """By default `https` where there is `auth` or port 443: `http_scheme: https`."""
    timeout: Duration = timedelta(minutes=30)
    """How long the server works on a query before it ends it: `timeout: 30m`."""

    @classmethod
    def faults(cls, data: Mapping[str, Any]) -> Iterator[PydanticCustomError]:
        if data.get("http_scheme") == "http" and data.get("auth"):
            message = "`auth` is sent over https only"
            yield mistake("conflicting-keys", message, "remove `http_scheme: http`", key="auth")

    @property
    def scheme(self) -> str:
        """How the server is spoken to."""
        if self.http_scheme:
            return self.http_scheme
        return "https" if self.auth.is_given or self.port == 443 else "http"


class EngineConfig(Checked):
    """Exactly one kind of engine."""

    duckdb: DuckDBTarget | None = None
    """Embedded: no server, no account: `duckdb: {}`."""
    trino: TrinoTarget | None = None
    """A Trino server: `trino: {host: trino.example.com, catalog: iceberg, user: genesis}`."""

    @classmethod
    def faults(cls, data: Mapping[str, Any]) -> Iterator[PydanticCustomError]:
        yield from exactly_one(data, "duckdb", "trino")

    @property
    def kind(self) -> str:
        return "duckdb" if self.duckdb is not None else "trino"


class SqlCatalog(Model):
    """An Iceberg catalog in a database."""

    uri: Reference = "sqlite:///.genesis/catalog.db"
    """The database that holds the catalog: `uri: "sqlite:///.genesis/catalog.db"`."""
    warehouse: Reference = ".genesis/warehouse"
    """Where the tables' files are: `warehouse: .genesis/warehouse`."""
    name: str = "genesis"
    """The catalog's name: `name: genesis`."""


class RestCatalog(Model):
    """An Iceberg catalog behind the REST protocol."""

    uri: Reference
    """The catalog's address: `uri: "https://catalog.example.com"`."""
    warehouse: Reference | None = None
    """The warehouse it is asked for: `warehouse: studio`."""
    token: Secret | None = None
    """What lets us in: `token: "${env:CATALOG_TOKEN}"`."""
    name: str = "genesis"
    """The catalog's name: `name: genesis`."""


class CatalogConfig(Checked):
    """Exactly one kind of Iceberg catalog."""

    sql: SqlCatalog | None = None
    """A catalog in a database:
    `sql: {uri: "sqlite:///.genesis/catalog.db", warehouse: .genesis/warehouse}`.
    """
    rest: RestCatalog | None = None
    """A catalog behind the Iceberg REST protocol: `rest: {uri: "https://catalog.example.com"}`."""

    @classmethod
    def faults(cls, data: Mapping[str, Any]) -> Iterator[PydanticCustomError]:
        yield from exactly_one(data, "sql", "rest")


class Target(Model):
    """What runs the SQL, and where the tables are."""

    engine: EngineConfig = EngineConfig(duckdb=DuckDBTarget())
    """What runs the SQL: `engine: {duckdb: {}}`."""
    catalog: CatalogConfig = CatalogConfig(sql=SqlCatalog())
    """Where the Iceberg tables are: `catalog: {rest: {uri: "https://catalog.example.com"}}`."""


class GoogleSheetsAccess(Checked):
    """How to reach Google Sheets."""

    credentials: Reference | None = None
    """The key of a service account: `credentials: "${file:service-account.json}"`."""
    endpoint: str | None = None
    """An emulator instead of Google; it takes any credentials:
    `endpoint: http://127.0.0.1:8080`.
    """

    @classmethod
    def faults(cls, data: Mapping[str, Any]) -> Iterator[PydanticCustomError]:
        yield from _refuse_clear(data, "credentials")


class AirtableAccess(Checked):
    """How to reach Airtable."""

    token: Reference | None = None
    """A personal access token: `token: "${env:AIRTABLE_TOKEN}"`."""
    endpoint: str | None = None
    """An emulator instead of Airtable; it takes any token: `endpoint: http://127.0.0.1:8080`."""
    monthly_calls: Annotated[int, Key(ge=1)] | None = None
    """How many calls the workspace's plan allows in a month: `monthly_calls: 100000`."""
    max_records: Annotated[int, Key(ge=1)] | None = None
    """How many records the plan allows in a base: `max_records: 50000`."""

    @classmethod
    def faults(cls, data: Mapping[str, Any]) -> Iterator[PydanticCustomError]:
        yield from _refuse_clear(data, "token")


class Sinks(Model):
    """How to reach the services that trackers live in."""

    google_sheets: GoogleSheetsAccess = GoogleSheetsAccess()
    """How to reach Google Sheets:
    `google_sheets: {credentials: "${file:service-account.json}"}`.
    """
    airtable: AirtableAccess = AirtableAccess()
    """How to reach Airtable: `airtable: {token: "${env:AIRTABLE_TOKEN}"}`."""


class SourceSystem(Model):
    """A system of record, for ingest and audits."""

    postgres: Reference
    """The address of a PostgreSQL database: `postgres: "${env:STUDIO_DB_URL}"`."""
    tables: dict[Name, str] = Key(default_factory=dict)
    """Where the tables of data sources are there, for `genesis ingest --from`:
    `tables: {production: public.production}`.
    """
    publication: str | None = None
    """A publication that was made for this project, where its user may not make one:
    `publication: genesis`.
    """


class Receiver(Checked):
    """Where alerts go."""

    webhook: Reference | None = None
    """An address that takes Slack's messages: `webhook: "${env:SLACK_WEBHOOK}"`."""
    email: str | None = None
    """An address for e-mail: `email: ops@example.com`."""
    smtp: Reference | None = None
    """The server that sends e-mail: `smtp: "${env:SMTP_URL}"`."""
    allow_private: bool = False
    """The receiver is on this network: `allow_private: true`."""

    @classmethod
    def faults(cls, data: Mapping[str, Any]) -> Iterator[PydanticCustomError]:
        yield from exclusive(data, "webhook", "email")
        hook = data.get("webhook")
        if isinstance(hook, str) and "${" not in hook and not data.get("allow_private"):
            yield clear_secret("`webhook`", key="webhook")


class ProjectFile(Located):
    """`genesis.yaml`; every key has a default."""

    project: str = "genesis"
    """What the project is called: `project: studio`."""
    timezone: Timezone = "UTC"
    """What `today()` means, unless an input says otherwise: `timezone: America/Los_Angeles`."""
    dialect: Literal["trino", "duckdb"] = "trino"
    """The dialect of the SQL fragments; each engine gets them in its own: `dialect: trino`."""
    default_target: str | None = None
    """The target that is used where a command names none; by default the first:
    `default_target: local`.
    """
    targets: dict[Name, Target] = Key(default_factory=lambda: {"local": Target()})
    """What runs the SQL and where the tables are, by name; `--target` chooses:
    `targets: {local: {engine: {duckdb: {}}}}`.
    """
    state: Reference = "sqlite:///.genesis/state.db"
    """The database of runs, leases and rate limits: `state: "sqlite:///.genesis/state.db"`."""
    sinks: Sinks = Sinks()
    """How to reach the services that trackers live in:
    `sinks: {airtable: {token: "${env:AIRTABLE_TOKEN}"}}`.
    """
    sources: dict[Name, SourceSystem] = Key(default_factory=dict)
    """Systems of record, for ingest and audits: `sources: {studio_db: {postgres: "${env:STUDIO_DB_URL}"}}`."""
    alerts: dict[Name, Receiver] = Key(default_factory=dict)
    """Where alerts go, by name: `alerts: {slack_ops: {webhook: "${env:SLACK_WEBHOOK}"}}`."""

    @classmethod
    def faults(cls, data: Mapping[str, Any]) -> Iterator[PydanticCustomError]:
        name, targets = data.get("default_target"), data.get("targets", {"local": {}})
        if isinstance(name, str) and isinstance(targets, dict) and name not in targets:
            hint = did_you_mean(name, targets) or listed(targets)
            yield mistake("unknown-target", f"unknown target `{name}`", hint, key="default_target")


# What stands in `Project.broken` for a `genesis.yaml` that could not be read.
SETTINGS = ("project", "genesis.yaml")


@dataclass(frozen=True, eq=False)
class Project:
    """Everything a project's files say, by name.

    `broken` holds the (kind, name) of definitions that exist and could not be read: uses of them
    are no further problem, but nothing is made of them. `faults` are the mistakes in the files. A project that
    is not whole holds what some files define, and others may define more.
    """

    settings: ProjectFile
    data_sources: Mapping[str, DataSource] = dataclass_field(default_factory=dict)
    formatters: Mapping[str, Formatter] = dataclass_field(default_factory=dict)
    inputs: Mapping[str, Input] = dataclass_field(default_factory=dict)
    workflows: Mapping[str, Workflow] = dataclass_field(default_factory=dict)
    audits: Mapping[str, Audit] = dataclass_field(default_factory=dict)
    templates: Mapping[str, Template] = dataclass_field(default_factory=dict)
    tests: Mapping[str, ReportTest] = dataclass_field(default_factory=dict)
    broken: frozenset[tuple[str, str]] = frozenset()
    is_whole: bool = False
    faults: tuple[Problem, ...] = ()

    def timezone_of(self, definition: Input) -> str:
        """The time zone in which an input's `today()` is."""
        return definition.timezone or self.settings.timezone
