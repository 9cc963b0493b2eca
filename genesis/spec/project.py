"""`genesis.yaml` (engines, catalog, state, sinks, receivers), and a whole project."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any, Literal

from pydantic import Field as Key
from pydantic_core import PydanticCustomError

from genesis.errors import did_you_mean
from genesis.spec.data_source import DataSource
from genesis.spec.formatter import Formatter
from genesis.spec.input import Input
from genesis.spec.model import Checked, Model
from genesis.spec.values import (
    Name,
    Reference,
    Secret,
    Timezone,
    clear_secret,
    exactly_one,
    listed,
    mistake,
)
from genesis.spec.workflow import Audit, Template, Workflow


def _refuse_clear(data: Mapping[str, Any], key: str) -> Iterator[PydanticCustomError]:
    """A secret in clear is refused; an emulator, told by its `endpoint`, takes any."""
    value = data.get(key)
    if isinstance(value, str) and "${" not in value and not data.get("endpoint"):
        yield clear_secret(f"`{key}`", key=key)


class DuckDBTarget(Model):
    database: str | None = None


class TrinoAuth(Model):
    jwt: Secret | None = None
    password: Secret | None = None
    certificate: Secret | None = None
    key: Secret | None = None
    oauth2: bool = False
    kerberos: bool = False


class TrinoTarget(Model):
    host: str
    port: int = 443
    catalog: str
    database_schema: str | None = Key(default=None, alias="schema")
    user: str
    auth: TrinoAuth = TrinoAuth()
    http_scheme: Literal["http", "https"] | None = None


class EngineConfig(Checked):
    """Exactly one kind of engine."""

    duckdb: DuckDBTarget | None = None
    trino: TrinoTarget | None = None

    @classmethod
    def faults(cls, data: Mapping[str, Any]) -> Iterator[PydanticCustomError]:
        yield from exactly_one(data, "duckdb", "trino")

    @property
    def kind(self) -> str:
        return "duckdb" if self.duckdb is not None else "trino"


class SqlCatalog(Model):
    uri: Reference = "sqlite:///.genesis/catalog.db"
    warehouse: Reference = ".genesis/warehouse"
    name: str = "genesis"


class RestCatalog(Model):
    uri: Reference
    warehouse: Reference | None = None
    token: Secret | None = None
    name: str = "genesis"


class CatalogConfig(Checked):
    """Exactly one kind of Iceberg catalog."""

    sql: SqlCatalog | None = None
    rest: RestCatalog | None = None

    @classmethod
    def faults(cls, data: Mapping[str, Any]) -> Iterator[PydanticCustomError]:
        yield from exactly_one(data, "sql", "rest")


class Target(Model):
    """What runs the SQL, and where the tables are."""

    engine: EngineConfig = EngineConfig(duckdb=DuckDBTarget())
    catalog: CatalogConfig = CatalogConfig(sql=SqlCatalog())


class GoogleSheetsAccess(Checked):
    credentials: Reference | None = None
    endpoint: str | None = None

    @classmethod
    def faults(cls, data: Mapping[str, Any]) -> Iterator[PydanticCustomError]:
        yield from _refuse_clear(data, "credentials")


class AirtableAccess(Checked):
    token: Reference | None = None
    endpoint: str | None = None

    @classmethod
    def faults(cls, data: Mapping[str, Any]) -> Iterator[PydanticCustomError]:
        yield from _refuse_clear(data, "token")


class Sinks(Model):
    google_sheets: GoogleSheetsAccess = GoogleSheetsAccess()
    airtable: AirtableAccess = AirtableAccess()


class SourceSystem(Model):
    """A system of record, for ingest and audits."""

    postgres: Reference


class Receiver(Checked):
    """Where alerts go."""

    webhook: Reference | None = None
    email: str | None = None
    smtp: Reference | None = None
    allow_private: bool = False

    @classmethod
    def faults(cls, data: Mapping[str, Any]) -> Iterator[PydanticCustomError]:
        hook = data.get("webhook")
        if isinstance(hook, str) and "${" not in hook and not data.get("allow_private"):
            yield clear_secret("`webhook`", key="webhook")


class ProjectFile(Checked):
    """`genesis.yaml`; every key has a default."""

    project: str = "genesis"
    timezone: Timezone = "UTC"
    dialect: Literal["trino", "duckdb"] = "trino"
    default_target: str | None = None
    targets: dict[Name, Target] = Key(default_factory=lambda: {"local": Target()})
    state: Reference = "sqlite:///.genesis/state.db"
    sinks: Sinks = Sinks()
    sources: dict[Name, SourceSystem] = Key(default_factory=dict)
    alerts: dict[Name, Receiver] = Key(default_factory=dict)

    @classmethod
    def faults(cls, data: Mapping[str, Any]) -> Iterator[PydanticCustomError]:
        name, targets = data.get("default_target"), data.get("targets", {"local": {}})
        if isinstance(name, str) and isinstance(targets, dict) and name not in targets:
            hint = did_you_mean(name, targets) or listed(targets)
            yield mistake("unknown-target", f"unknown target `{name}`", hint, key="default_target")


# What stands in `Project.broken` for a `genesis.yaml` that could not be read.
SETTINGS = ("project", "genesis.yaml")


@dataclass(frozen=True)
class Project:
    """Everything a project's files say, by name.

    `broken` holds the (kind, name) of definitions that exist and could not be read: uses of them
    are no further problem.
    """

    settings: ProjectFile
    data_sources: Mapping[str, DataSource] = dataclass_field(default_factory=dict)
    formatters: Mapping[str, Formatter] = dataclass_field(default_factory=dict)
    inputs: Mapping[str, Input] = dataclass_field(default_factory=dict)
    workflows: Mapping[str, Workflow] = dataclass_field(default_factory=dict)
    audits: Mapping[str, Audit] = dataclass_field(default_factory=dict)
    templates: Mapping[str, Template] = dataclass_field(default_factory=dict)
    broken: frozenset[tuple[str, str]] = frozenset()

    def timezone_of(self, definition: Input) -> str:
        """The time zone in which an input's `today()` is."""
        return definition.timezone or self.settings.timezone
