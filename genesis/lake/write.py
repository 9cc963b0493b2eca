"""Rows of a table into data files of the size that the table asks for, a row group at a time.

pyiceberg's own writer holds a whole file's rows, and all files' where they come faster than they are
written. The surprise: no snapshot refers to the files until somebody commits them, so
whoever fails to must see that they go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

import pyarrow as pa
from pyiceberg.io import FileIO
from pyiceberg.io.pyarrow import ParquetFormatWriter, schema_to_pyarrow
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.schema import sanitize_column_names
from pyiceberg.table import Table
from pyiceberg.table.locations import load_location_provider
from pyiceberg.typedef import Record

_FILE_SIZE = 128 * 1024 * 1024


def write_files(log: Table, batches: Iterable[pa.RecordBatch], run: str) -> list[DataFile]:
    """The rows in new data files of an unpartitioned table, as many as it takes; no file for no rows.

    A batch becomes a row group. The files have `run` in their names. Whatever fails, nothing stays.
    """
    files = _Files(log, run)
    try:
        for batch in batches:
            files.write(batch)
        return files.finished()
    except BaseException:
        files.abandon()
        raise


@contextmanager
def discarded_on(
    errors: type[BaseException] | tuple[type[BaseException], ...], log: Table, files: list[DataFile]
) -> Iterator[None]:
    """Delete data files after such an error; no snapshot may refer to them."""
    try:
        yield
    except errors:
        _discard(log.io, [file.file_path for file in files])
        raise


def _discard(io: FileIO, paths: Iterable[str]) -> None:
    for path in paths:
        with suppress(OSError):
            io.delete(path)


class _Files:
    """Data files being written, one after the other."""

    def __init__(self, log: Table, run: str) -> None:
        self._log = log
        self._schema = sanitize_column_names(log.schema())
        self._arrow = schema_to_pyarrow(self._schema, include_field_ids=True)
        self._size = int(log.properties.get("write.target-file-size-bytes", _FILE_SIZE))
        self._locations = load_location_provider(log.location(), log.properties)
        self._run = run
        self._finished: list[DataFile] = []
        self._paths: list[str] = []
        self._writer: ParquetFormatWriter | None = None

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a row group, into the next file where this one is full."""
        if batch.num_rows == 0:
            return
        writer = self._writer = self._writer or self._next()
        columns = (
            column.cast(field.type)
            for column, field in zip(batch.columns, self._arrow, strict=True)
        )
        writer.write(pa.Table.from_arrays(list(columns), schema=self._arrow))
        # pyiceberg has no public word for how far a file has come.
        if writer._fos is not None and writer._fos.tell() >= self._size:
            self._finish(writer)

    def finished(self) -> list[DataFile]:
        """All files, closed."""
        if self._writer is not None:
            self._finish(self._writer)
        return self._finished

    def abandon(self) -> None:
        """Delete what was written."""
        with suppress(Exception):
            if self._writer is not None:
                self._writer.close()
        _discard(self._log.io, self._paths)

    def _next(self) -> ParquetFormatWriter:
        name = f"{len(self._paths):05}-{self._run}.parquet"
        self._paths.append(self._locations.new_data_location(name))
        output = self._log.io.new_output(self._paths[-1])
        return ParquetFormatWriter(output, self._schema, self._log.properties)

    def _finish(self, writer: ParquetFormatWriter) -> None:
        statistics = writer.close()
        self._writer = None
        path = self._paths[-1]
        self._finished.append(
            DataFile.from_args(
                content=DataFileContent.DATA,
                file_path=path,
                file_format=FileFormat.PARQUET,
                partition=Record(),
                file_size_in_bytes=len(self._log.io.new_input(path)),
                sort_order_id=None,
                spec_id=self._log.metadata.default_spec_id,
                equality_ids=None,
                key_metadata=None,
                **statistics.to_serialized_dict(),
            )
        )
