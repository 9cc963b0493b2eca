"""A lake that a Trino server shares with us: catalog in PostgreSQL, tables in a folder."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from types import MappingProxyType

from trino.dbapi import connect

from genesis.spec.project import (
    CatalogConfig,
    DuckDBTarget,
    EngineConfig,
    SqlCatalog,
    Target,
    TrinoTarget,
)


@contextmanager
def shared_lake(server: str, database: str, folder: Path) -> Iterator[tuple[Target, Target]]:
    """Targets that run on DuckDB and on Trino over the same tables, which are below `folder`."""
    host, _, port = server.rpartition(":")
    own = f"genesis_{uuid.uuid4().hex}"
    lake = CatalogConfig(sql=SqlCatalog(uri=database))
    trino = TrinoTarget(host=host, port=int(port), catalog=own, user="genesis")
    with catalog_in(server, own, database, folder):
        yield (
            Target(engine=EngineConfig(duckdb=DuckDBTarget()), catalog=lake),
            Target(engine=EngineConfig(trino=trino), catalog=lake),
        )


@contextmanager
def catalog_in(
    server: str,
    name: str,
    database: str,
    folder: Path,
    others: Mapping[str, str | None] = MappingProxyType({}),
) -> Iterator[None]:
    """A catalog of the server's, over an Iceberg catalog in PostgreSQL; `others` are properties in place of ours."""
    user, _, address = database.removeprefix("postgresql://").partition("@")
    properties = {
        "iceberg.catalog.type": "jdbc",
        "iceberg.jdbc-catalog.driver-class": "org.postgresql.Driver",
        "iceberg.jdbc-catalog.connection-url": f"jdbc:postgresql://{address}",
        "iceberg.jdbc-catalog.connection-user": user,
        "iceberg.jdbc-catalog.connection-password": "",
        "iceberg.jdbc-catalog.catalog-name": "genesis",
        "iceberg.jdbc-catalog.default-warehouse-dir": f"file://{folder}",
        "fs.native-local.enabled": "true",
        "local.location": "/",
        **others,
    }
    given = {key: value for key, value in properties.items() if value is not None}
    with made_catalog(server, name, given):
        yield


@contextmanager
def made_catalog(server: str, name: str, properties: Mapping[str, str]) -> Iterator[None]:
    """An Iceberg catalog of the server's with these properties."""
    host, _, port = server.rpartition(":")
    listed = ", ".join(f"\"{key}\" = '{value}'" for key, value in properties.items())
    with closing(connect(host, int(port), user="genesis")) as session:
        session.cursor().execute(f"CREATE CATALOG {name} USING iceberg WITH ({listed})")
        try:
            yield
        finally:
            session.cursor().execute(f"DROP CATALOG {name}")
