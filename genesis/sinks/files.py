"""Exports: CSV and Parquet files and DuckDB tables that hold a report and nothing else.

They go through the same comparison as every tracker, so receipts count what changed and unchanged
data writes nothing; what did change is written whole. The surprise: rows that cannot be told by
their key, because someone edited the file, count as rows that left the report.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from sqlglot import exp

from genesis.errors import Problem, SinkBusy, SinkError
from genesis.sinks import aside
from genesis.sync.changes import (
    Cell,
    Changes,
    Present,
    PresentColumn,
    PresentRow,
    Receipt,
    Tracker,
    result,
)
from genesis.sync.compare import recognise
from genesis.sync.encode import key_of_cells, managed_columns, typed_cell, unguarded
from genesis.sync.keys import key_columns, key_text

if TYPE_CHECKING:
    from genesis.compile.statement import Column
    from genesis.spec.types import Type

_MARK = "genesis"


@dataclass(frozen=True, slots=True)
class _Content:
    """What a file or table holds; `retyped` columns have another type than the report's by now."""

    columns: Sequence[str]
    rows: Sequence[tuple[Cell, ...]]
    ours: bool
    retyped: frozenset[str] = frozenset()


class CsvSink:
    """Comma-separated text files below a project's root: UTF-8, the labels as header."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, tracker: Tracker) -> Present:
        """What the file holds now. Raises `tracker-not-ours` for a file without the report's key."""
        path = self._path(tracker)
        data = aside.read_file(path)
        if data is None:
            return Present(exists=False, fence=aside.ABSENT)
        content = _parse_csv(data, tracker, path)
        return _present(content, tracker, path.name, fence=aside.fence_of(data))

    def apply(self, tracker: Tracker, changes: Changes) -> Receipt:
        """Make the changes: all of them, or the file stays as it was. Raises `SinkError`."""
        if changes.is_empty:
            return changes.receipt(reads=1)
        return _replace(self._path(tracker), _csv_bytes(changes), changes)

    def _path(self, tracker: Tracker) -> Path:
        place = tracker.place.csv
        if place is None:
            raise TypeError(f"tracker {tracker.name} is no CSV file")
        return self._root / place.file


class ParquetSink:
    """Parquet files below a project's root: the report's names and types."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, tracker: Tracker) -> Present:
        """What the file holds now. Raises `tracker-not-ours` for a file that genesis did not write."""
        path = self._path(tracker)
        data = aside.read_file(path)
        if data is None:
            return Present(exists=False, fence=aside.ABSENT)
        content = _parse_parquet(data, tracker, path)
        return _present(content, tracker, path.name, fence=aside.fence_of(data))

    def apply(self, tracker: Tracker, changes: Changes) -> Receipt:
        """Make the changes: all of them, or the file stays as it was. Raises `SinkError`."""
        if changes.is_empty:
            return changes.receipt(reads=1)
        return _replace(self._path(tracker), _parquet_bytes(changes), changes)

    def _path(self, tracker: Tracker) -> Path:
        place = tracker.place.parquet
        if place is None:
            raise TypeError(f"tracker {tracker.name} is no Parquet file")
        return self._root / place.file


class DuckDBSink:
    """Tables of DuckDB files below a project's root; each refresh is one transaction."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, tracker: Tracker) -> Present:
        """What the table holds now. Raises `tracker-not-ours` for one that genesis did not make."""
        path, table = self._place(tracker)
        if not path.exists():
            return Present(exists=False, fence=aside.ABSENT)
        with _connected(path, read_only=True) as duck:
            duck.begin()
            content = _read_table(duck, table, tracker)
            if content is None:
                return Present(exists=False, fence=aside.ABSENT)
            name = table.sql("duckdb")
            return _present(content, tracker, name, fence=_table_fence(duck, table))

    def apply(self, tracker: Tracker, changes: Changes) -> Receipt:
        """Make the changes in one transaction. Raises `SinkError` and leaves the table as it was."""
        if changes.is_empty:
            return changes.receipt(reads=1)
        path, table = self._place(tracker)
        rows = _arrow(changes)
        with _connected(path, read_only=False) as duck:
            duck.begin()
            if _table_fence(duck, table) != changes.present.fence:
                raise aside.changed(path)
            _make_table(duck, table, rows, tracker.name)
            duck.commit()
            fence = _table_fence(duck, table)
        return changes.receipt(reads=1, writes=1, size=rows.nbytes, fence=fence)

    def _place(self, tracker: Tracker) -> tuple[Path, exp.Table]:
        place = tracker.place.duckdb
        if place is None:
            raise TypeError(f"tracker {tracker.name} is no DuckDB table")
        schema, _, name = place.table.rpartition(".")
        return self._root / place.file, exp.table_(name, schema or "main", quoted=True)


# ---- what exports have in common


def _present(content: _Content, tracker: Tracker, name: str, *, fence: str) -> Present:
    if not content.ours and not tracker.adopt:
        raise SinkError(
            Problem(
                "tracker-not-ours",
                f"`{name}` of tracker `{tracker.name}` has content that genesis did not write",
                hint="`--adopt` replaces it by the report; or name another place",
            )
        )
    labels = {column.name: column.label for column in managed_columns(tracker)}
    columns = [
        PresentColumn(
            f"{column} as it was" if column in content.retyped else column,
            labels.get(column, column),
            labels.get(column, column),
            at,
        )
        for at, column in enumerate(content.columns)
    ]
    rows = [
        PresentRow(key, cells, at)
        for at, (key, cells) in enumerate(zip(_keys(content, tracker), content.rows, strict=True))
    ]
    return Present(tuple(columns), tuple(rows), ours=content.ours, fence=fence)


def _keys(content: _Content, tracker: Tracker) -> Iterator[str]:
    """The key of each row; one that has none of its own goes by its place, as no report's row does."""
    seen: set[str] = set()
    for number, cells in enumerate(content.rows, 1):
        named = dict(zip(content.columns, cells, strict=True))
        key: str | None = key_text([number])
        if tracker.mode != "replace":
            key = key_of_cells(_unguarded(named) if tracker.place.csv else named, tracker)
        if key is None or key in seen:
            key = f"row {number}"
        seen.add(key)
        yield key


def _replace(path: Path, data: bytes, changes: Changes) -> Receipt:
    aside.replace_file(path, data, fence=changes.present.fence)
    return changes.receipt(reads=1, writes=1, size=len(data), fence=aside.fence_of(data))


# ---- CSV


def _parse_csv(data: bytes, tracker: Tracker, path: Path) -> _Content:
    try:
        lines = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(path, "is no CSV file in UTF-8", error) from error
    header = lines[0] if lines else []
    columns = managed_columns(tracker)
    names = recognise([("", label) for label in header], columns)
    found = [name or label for name, label in zip(names, header, strict=True)]
    keys = {column.name for column in key_columns(tracker.columns)}
    known = {column.name for column in columns} & set(found)
    width = len(found)
    rows = [tuple((cell or None) for cell in [*line, *[""] * width][:width]) for line in lines[1:]]
    is_ours = bool(known) and keys <= known and len(set(found)) == width
    return _Content(found, rows, ours=is_ours)


def _unguarded(cells: dict[str, Cell]) -> dict[str, Cell]:
    return {n: unguarded(cell) if isinstance(cell, str) else cell for n, cell in cells.items()}


def _csv_bytes(changes: Changes) -> bytes:
    header = [column.label for column in changes.columns]
    rows = [header, *([str(cell or "") for cell in row.cells] for row in result(changes))]
    return "".join(map(_csv_line, rows)).encode("utf-8")


def _csv_line(cells: Sequence[str]) -> str:
    """A line as RFC 4180 has it; Python's own writer leaves a lone carriage return unquoted."""
    quoted = ['"' + c.replace('"', '""') + '"' if _NEEDS_QUOTES.search(c) else c for c in cells]
    return (",".join(quoted) or '""') + "\n"


_NEEDS_QUOTES = re.compile(r'[,"\r\n]')


# ---- Parquet


def _parse_parquet(data: bytes, tracker: Tracker, path: Path) -> _Content:
    try:
        table = pq.read_table(io.BytesIO(data))
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, "is no Parquet file", error) from error
    return _typed(table, tracker, ours=_MARK.encode() in (table.schema.metadata or {}))


def _parquet_bytes(changes: Changes) -> bytes:
    labels = {column.name: column.label for column in changes.columns}
    table = _arrow(changes).replace_schema_metadata({_MARK: json.dumps({"labels": labels})})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _typed(table: pa.Table, tracker: Tracker, *, ours: bool) -> _Content:
    zone = tracker.zone
    cells = [[typed_cell(value, zone) for value in column.to_pylist()] for column in table.columns]
    types = {column.name: column.type for column in managed_columns(tracker)}
    retyped = frozenset(
        field.name
        for field in table.schema
        if field.name in types and not _is(field.type, types[field.name])
    )
    return _Content(table.column_names, list(zip(*cells, strict=True)), ours, retyped)


def _arrow(changes: Changes) -> pa.Table:
    """The rows after the changes, in the report's types."""
    cells = list(zip(*(row.cells for row in result(changes)), strict=True))
    return pa.table(
        {
            column.name: _array(column, cells[at] if cells else ())
            for at, column in enumerate(changes.columns)
        }
    )


def _array(column: Column, cells: Sequence[Any]) -> pa.Array:
    try:
        return pa.array(cells, _arrow_type(column.type))
    except (pa.ArrowException, OverflowError) as error:
        if column.type.name == "integer":
            return pa.array(cells, _LARGE)
        raise SinkError(
            Problem(
                "tracker-unwritable",
                f"column `{column.name}` holds a value that is no {column.type}: {error}",
                hint="give the column a `type` that fits its values",
            )
        ) from error


_LARGE = pa.decimal128(38, 0)  # sums of integers are exact, and may outgrow 64 bits


def _is(found: pa.DataType, type_: Type) -> bool:
    """Whether a column has the type it should, in the spelling of the one who reads it."""
    wanted = _arrow_type(type_)
    if pa.types.is_timestamp(wanted):
        return pa.types.is_timestamp(found) and (found.tz is None) == (wanted.tz is None)
    if pa.types.is_list(wanted) and type_.item:
        return pa.types.is_list(found) and _is(found.value_type, type_.item)
    return bool(found == wanted or (found == _LARGE and type_.name == "integer"))


def _arrow_type(type_: Type) -> pa.DataType:
    match type_.name:
        case "integer":
            return pa.int64()
        case "decimal":
            return pa.decimal128(type_.precision, type_.scale)
        case "float":
            return pa.float64()
        case "boolean":
            return pa.bool_()
        case "date":
            return pa.date32()
        case "time":
            return pa.time64("us")
        case "timestamp":
            return pa.timestamp("us")
        case "timestamptz":
            return pa.timestamp("us", tz="UTC")
        case "array" if type_.item:
            return pa.list_(_arrow_type(type_.item))
        case _:
            return pa.string()


# ---- DuckDB


@contextmanager
def _connected(path: Path, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    try:
        if not read_only:
            path.parent.mkdir(parents=True, exist_ok=True)
        with closing(duckdb.connect(path, read_only=read_only)) as duck:
            yield duck
    except (duckdb.Error, OSError) as error:
        raise _duckdb_problem(path, error, read_only=read_only) from error


def _duckdb_problem(path: Path, error: Exception, *, read_only: bool) -> SinkError:
    reason = str(error).splitlines()[0]
    if "Could not set lock" in reason or isinstance(error, duckdb.ConnectionException):
        hint = "close the other program's connection; the next refresh tries again"
        return SinkBusy(Problem("tracker-locked", f"`{path.name}` is open elsewhere", hint=hint))
    if read_only or "not a valid DuckDB" in reason:
        return _unreadable(path, "cannot be read by DuckDB", error)
    message = f"cannot write `{path.name}`: {reason}; it is as it was"
    return SinkError(Problem("tracker-unwritable", message))


def _read_table(
    duck: duckdb.DuckDBPyConnection, table: exp.Table, tracker: Tracker
) -> _Content | None:
    comment = _comment_of(duck, table)
    if comment is None:
        return None
    rows = duck.sql(exp.select("*").from_(table).sql("duckdb")).to_arrow_table()
    return _typed(rows, tracker, ours=comment.startswith(_MARK))


def _comment_of(duck: duckdb.DuckDBPyConnection, table: exp.Table) -> str | None:
    """What is written on a table; `None` where there is no such table."""
    found = duck.execute(
        "select coalesce(comment, '') from duckdb_tables() where schema_name = ?"
        " and table_name = ? and database_name = current_database()",
        [table.db, table.name],
    ).fetchall()
    return str(found[0][0]) if found else None


def _table_fence(duck: duckdb.DuckDBPyConnection, table: exp.Table) -> str:
    """The rows of a table as one number, or that it is not there."""
    if _comment_of(duck, table) is None:
        return aside.ABSENT
    rows = exp.select("count(*)", "sum(hash(t))").from_(exp.alias_(table.copy(), "t"))
    ((count, content),) = duck.execute(rows.sql("duckdb")).fetchall()
    return f"{count}:{content}"


def _make_table(
    duck: duckdb.DuckDBPyConnection, table: exp.Table, rows: pa.Table, tracker: str
) -> None:
    schema = exp.Create(this=exp.table_(table.db, quoted=True), kind="SCHEMA", exists=True)
    report = exp.select("*").from_("report")
    create = exp.Create(this=table, kind="TABLE", replace=True, expression=report)
    text = exp.Literal.string(f"{_MARK}: tracker {tracker}")
    comment = exp.Comment(this=table, kind="TABLE", expression=text)
    duck.register("report", rows)
    for statement in (schema, create, comment):
        duck.execute(statement.sql("duckdb"))


def _unreadable(path: Path, what: str, error: Exception) -> SinkError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return SinkError(
        Problem(
            "tracker-unreadable",
            f"`{path.name}` {what}: {reason}; it is as it was",
            hint="move it away, and the next refresh makes a new one",
        )
    )
