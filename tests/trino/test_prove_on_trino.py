"""What the embedded engine tells of the data, a real Trino tells too."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest
from trino.dbapi import Connection
from trino.exceptions import TrinoUserError

from genesis.compile.statement import Statement
from genesis.errors import EngineError, Problem
from tests.claims import FOLDERS, told_of
from tests.trino.catalogs import session_over
from tests.trino.test_cases_on_trino import tables_in

_TYPES = {
    "bigint": pa.int64(),
    "integer": pa.int32(),
    "varchar": pa.string(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp(6)": pa.timestamp("us"),
    "timestamp(6) with time zone": pa.timestamp("us", "UTC"),
}


class TrinoSession:
    """As much of an engine as proofs need."""

    dialect = "trino"

    def __init__(self, trino: Connection) -> None:
        self._trino = trino

    def query(self, statement: Statement) -> pa.Table:
        """The rows of a statement, with the types that the server tells."""
        try:
            with closing(self._trino.cursor()) as cursor:
                cursor.execute(statement.sql)
                rows = cursor.fetchall()
                description = cursor.description
        except TrinoUserError as error:
            code = "unknown-table" if error.error_name == "TABLE_NOT_FOUND" else "query-failed"
            raise EngineError(Problem(code, str(error.message))) from error
        columns = {
            column.name: pa.array([row[n] for row in rows], _type(column.type_code))
            for n, column in enumerate(description)
        }
        return pa.table(columns)


def _type(name: str) -> pa.DataType:
    if match := re.fullmatch(r"decimal\((\d+), ?(\d+)\)", name):
        return pa.decimal128(int(match[1]), int(match[2]))
    return pa.string() if name.startswith("varchar") else _TYPES[name]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_trino_tells_the_same(folder: Path, trino_server: str) -> None:
    """Only how a server words what it refuses is its own."""
    with session_over(tables_in(folder / "tables"), trino_server) as trino:
        told = told_of(folder, TrinoSession(trino))  # type: ignore[arg-type]
    assert _without_words(told) == _without_words((folder / "expected.txt").read_text("utf-8"))


def _without_words(told: str) -> str:
    return re.sub(r": .*(?=\[(unknown-table|query-failed)\]).*", r": \1", told)
