"""What is true of TPC-H, and what a draft says: keys, and joins by their two sides."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb

from genesis.compile.check import check_project
from genesis.compile.joins import fans_out, target_name
from genesis.errors import Problems
from genesis.load import load_project
from genesis.spec.project import Project
from tests.tpch.data import make_tables

SUPPLIERS = 80  # the fewest of whom each sells a part once
KEYS = {
    "region": ("r_regionkey",),
    "nation": ("n_nationkey",),
    "supplier": ("s_suppkey",),
    "customer": ("c_custkey",),
    "part": ("p_partkey",),
    "partsupp": ("ps_partkey", "ps_suppkey"),
    "orders": ("o_orderkey",),
    "lineitem": ("l_orderkey", "l_linenumber"),
}
Link = tuple[str, str, tuple[tuple[str, str], ...]]
LINKS: set[Link] = {
    ("nation", "region", (("n_regionkey", "r_regionkey"),)),
    ("supplier", "nation", (("s_nationkey", "n_nationkey"),)),
    ("customer", "nation", (("c_nationkey", "n_nationkey"),)),
    ("orders", "customer", (("o_custkey", "c_custkey"),)),
    ("partsupp", "part", (("ps_partkey", "p_partkey"),)),
    ("partsupp", "supplier", (("ps_suppkey", "s_suppkey"),)),
    ("lineitem", "orders", (("l_orderkey", "o_orderkey"),)),
    ("lineitem", "part", (("l_partkey", "p_partkey"),)),
    ("lineitem", "supplier", (("l_suppkey", "s_suppkey"),)),
    ("lineitem", "partsupp", (("l_partkey", "ps_partkey"), ("l_suppkey", "ps_suppkey"))),
}


def make_some(duck: duckdb.DuckDBPyConnection, orders: int) -> None:
    """Make the eight tables with the first orders alone: most of what they take is orders."""
    make_tables(duck, SUPPLIERS)
    duck.execute(f"DELETE FROM lineitem WHERE l_orderkey > {orders}")
    duck.execute(f"DELETE FROM orders WHERE o_orderkey > {orders}")


def project_of(drafts: Mapping[str, str], root: Path) -> Project:
    """The project that drafts make; a check has nothing to tell of it."""
    (root / "definitions").mkdir(exist_ok=True)
    for name, text in drafts.items():
        (root / "definitions" / f"{name}.yaml").write_text(text, encoding="utf-8")
    problems = Problems()
    project = load_project(root, problems)
    check_project(project, problems)
    assert [str(problem) for problem in problems] == []
    return project


def links_of(project: Project, *, to_many: bool) -> set[Link]:
    """The joins of a project; those to many as those to one that they are the other side of."""
    found = set()
    for source in project.data_sources.values():
        for name, join in source.joins.items():
            target = project.data_sources[target_name(source, name)]
            pairs = join.by or ()
            if fans_out(source, name, target) != to_many:
                continue
            if to_many:
                other = tuple(sorted((there, here) for here, there in pairs))
                found.add((target.name, source.name, other))
            else:
                found.add((source.name, target.name, tuple(sorted(pairs))))
    return found


def check_tpch(drafts: Mapping[str, str], root: Path) -> Project:
    """Assert that drafts have all keys and joins of TPC-H, and no others."""
    project = project_of(drafts, root)
    keys = {name: source.primary_key for name, source in project.data_sources.items()}
    assert keys == KEYS
    assert links_of(project, to_many=False) == LINKS
    assert links_of(project, to_many=True) == LINKS
    return project
