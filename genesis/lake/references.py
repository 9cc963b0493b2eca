"""The files that a table refers to, as it is now, for any of its snapshots."""

from __future__ import annotations

from collections.abc import Iterator

from pyiceberg.manifest import ManifestFile
from pyiceberg.table import Table

from genesis.lake.batches import LIST_PROPERTY


def referenced_files(table: Table) -> Iterator[str]:
    """All of them."""
    yield from metadata_files(table)
    for manifest in _manifests(table):
        for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
            yield entry.data_file.file_path


def metadata_files(table: Table) -> Iterator[str]:
    """Those that hold no rows."""
    metadata = table.metadata
    yield table.metadata_location
    yield from (entry.metadata_file for entry in metadata.metadata_log)
    yield from (statistics.statistics_path for statistics in metadata.statistics)
    yield from (statistics.statistics_path for statistics in metadata.partition_statistics)
    if batches := metadata.properties.get(LIST_PROPERTY):
        yield batches
    yield from (snapshot.manifest_list for snapshot in metadata.snapshots)
    yield from (manifest.manifest_path for manifest in _manifests(table))


def _manifests(table: Table) -> Iterator[ManifestFile]:
    """Each once, of however many snapshots it is a part."""
    read: set[str] = set()
    for snapshot in table.metadata.snapshots:
        for manifest in snapshot.manifests(table.io):
            if manifest.manifest_path not in read:
                read.add(manifest.manifest_path)
                yield manifest
