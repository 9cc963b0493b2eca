"""`genesis introspect` of a schema of Trino's, which declares no keys: all of them come from the data."""

from __future__ import annotations

from pathlib import Path

import duckdb

from genesis.introspect.draft import draft
from genesis.introspect.look import look
from genesis.introspect.places import trino
from genesis.spec.project import TrinoTarget
from tests.introspect.tpch import KEYS, check_tpch, make_some
from tests.trino.catalogs import catalog_of

ORDERS = 500  # 2,000 lines of them: loading them takes longer than asking


def test_all_keys_and_joins_of_tpch_are_found(trino_server: str, tmp_path: Path) -> None:
    """Combined ones too, and no others."""
    with duckdb.connect() as duck:
        make_some(duck, ORDERS)
        tables = {f"main.{name}": duck.sql(f"FROM {name}").to_arrow_table() for name in KEYS}
    host, _, port = trino_server.rpartition(":")
    with catalog_of(tables, trino_server) as ask:
        [catalog] = ask("SELECT current_catalog AS name")["name"]
        target = TrinoTarget(host=host, port=int(port), catalog=catalog, user="genesis")
        with trino(target, "main", tmp_path) as place:
            found = place.tables()
            drafts = draft(found, look(place, found, sample=500, quick=False))
    check_tpch(drafts, tmp_path)
    assert "table: main.lineitem\n" in drafts["lineitem"]
