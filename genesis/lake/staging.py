"""A table beside a log, for an engine to write the log's new files into.

Its columns are the log's, by the same field ids, and its data is in a folder of the log's: so what is written
are files as the log has them, and a sweep of the log finds those that never become its own. The surprise:
it is forgotten before the log takes its files, since whoever drops a table with Trino deletes them.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.manifest import DataFile
from pyiceberg.partitioning import PARTITION_FIELD_ID_START, PartitionSpec
from pyiceberg.serializers import ToOutputFile
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadataV2
from pyiceberg.table.sorting import NullOrder, SortField, SortOrder
from pyiceberg.transforms import IdentityTransform

from genesis.lake.catalog import load_table, table_identifier, tables, told_as_problem
from genesis.lake.references import metadata_files


def make_staging(catalog: Catalog, log: Table, run: str, *, key: Sequence[str]) -> Table:
    """An empty table that an engine writes sorted by the key; its files have `run` in their paths."""
    location = f"{stagings_location(log)}/{run}"
    schema = log.schema()
    metadata = TableMetadataV2(
        location=location,
        table_uuid=uuid.uuid4(),
        last_updated_ms=int(time.time() * 1000),
        last_column_id=log.metadata.last_column_id,
        schemas=[schema],
        current_schema_id=schema.schema_id,
        partition_specs=[PartitionSpec()],
        last_partition_id=PARTITION_FIELD_ID_START - 1,
        sort_orders=[SortOrder(*(_ascending(log, name) for name in key))],
        default_sort_order_id=1,
        properties={
            "write.data.path": f"{log.location().rstrip('/')}/data/{run}",
            "write.format.default": "parquet",
            "write.parquet.compression-codec": "zstd",
        },
    )
    place = f"{location}/metadata/00000-{uuid.uuid4()}.metadata.json"
    namespace, name = log.name()[:-1], log.name()[-1]
    with told_as_problem("the catalog"):
        ToOutputFile.table_metadata(metadata, log.io.new_output(place))
        return catalog.register_table((*namespace, f"{name}_compacting_{run}"), place)


def forget_staging(catalog: Catalog, staging: Table) -> list[DataFile]:
    """What was written into the table, which is no more."""
    with told_as_problem("the catalog"):
        written = catalog.load_table(staging.name())
        files = [task.file for task in written.scan().plan_files()]
        described = list(metadata_files(written))
        catalog.drop_table(staging.name())
        for path in described:
            written.io.delete(path)
    return files


def forget_abandoned(catalog: Catalog, log: Table, *, now: datetime, older_than: timedelta) -> None:
    """Take the tables of compactions that died out of the catalog; a sweep of the log takes their files."""
    before = (now - older_than).timestamp() * 1000
    for name in tables(catalog):
        place = table_identifier(name)
        if place[:-1] != log.name()[:-1] or not place[-1].startswith(
            f"{log.name()[-1]}_compacting_"
        ):
            continue
        found = load_table(catalog, place)
        if found and _is_staging_of(log, found) and found.metadata.last_updated_ms < before:
            with told_as_problem("the catalog"), suppress(NoSuchTableError):
                catalog.drop_table(place)


def stagings_location(log: Table) -> str:
    """The folder of what describes such tables."""
    return f"{log.location().rstrip('/')}.compacting"


def _is_staging_of(log: Table, found: Table) -> bool:
    return found.location().startswith(f"{stagings_location(log)}/")


def _ascending(log: Table, column: str) -> SortField:
    field = log.schema().find_field(column, case_sensitive=False)
    return SortField(
        source_id=field.field_id, transform=IdentityTransform(), null_order=NullOrder.NULLS_FIRST
    )
