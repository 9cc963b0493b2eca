"""Compactions on Trino, each in a process that is killed at its moment. A script, started by tests.

compacting.py SERVER CATALOG DATABASE ROOT MOMENT...    the log `studio.MOMENT`, spaces as `_`
"""

from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path

from genesis.engines.trino import TrinoEngine
from genesis.lake.catalog import find_catalog
from genesis.lake.compact import compact
from genesis.lake.rules import rules_of
from genesis.spec.project import CatalogConfig, EngineConfig, SqlCatalog, Target, TrinoTarget
from tests.lake.ingesting import die_at, in_a_child
from tests.lake.logs import NOW, SCENES

# While its table is in the catalog, when it is out of it, and just before the commit is one.
MOMENTS = ("before DELETE", "after DELETE", "after UPDATE")


def log_of(moment: str) -> str:
    return f"studio.{moment.replace(' ', '_').lower()}"


def compact_once(root: Path, target: Target, moment: str) -> None:
    rules = rules_of(SCENES.model_copy(update={"table": log_of(moment)}))
    catalog = find_catalog(root, target)
    if catalog is None:
        sys.exit("nothing to compact")
    with closing(catalog), TrinoEngine(root, target) as engine:
        told = die_at(moment)
        compact(catalog, rules, now=NOW, rewriting=engine.rewriting, told=told)  # type: ignore[arg-type]


if __name__ == "__main__":
    server, own, database, folder, *moments = sys.argv[1:]
    host, _, port = server.rpartition(":")
    trino = TrinoTarget(host=host, port=int(port), catalog=own, user="genesis")
    lake = CatalogConfig(sql=SqlCatalog(uri=database))
    target = Target(engine=EngineConfig(trino=trino), catalog=lake)
    for moment in moments:
        child = in_a_child(lambda moment=moment: compact_once(Path(folder), target, moment))
        if not os.WIFSIGNALED(os.waitpid(child, 0)[1]):
            sys.exit(f"`{moment}` never came")
