"""Orders with three to-many branches, a join of 4 million rows if it were flat: ours against SQL by hand.

    python benchmarks/fan_out.py [ROUNDS]

By hand the question is written in the ways that give the right rows: one grouped subquery for each
branch, the same narrowed to the orders that are kept, and a correlated subquery for each number. All
run in turn, again and again, on one DuckDB; the best of them is the floor. Rows are compared first.
The flat join, whose numbers need to be unpicked, is there to see what it would cost.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Mapping

import duckdb

from genesis.compile.compiler import compile_input
from genesis.document import read_documents
from genesis.errors import Problems
from genesis.lake.duck import WRONG_OPTIMIZERS
from genesis.spec.data_source import DataSource
from genesis.spec.input import Input
from genesis.spec.model import read_definition
from genesis.spec.project import Project, ProjectFile

ORDERS = 200_000
DATA = f"""
CREATE TABLE orders AS
  SELECT n AS order_id, n % 100 AS day, n % 7 AS region FROM range({ORDERS}) AS t (n);
CREATE TABLE line AS
  SELECT n AS line_id, n // 5 AS order_id, CAST(hash(n) % 100000 / 100 AS DECIMAL(18, 2)) AS amount
  FROM range({ORDERS} * 5) AS t (n) ORDER BY hash(n);
CREATE TABLE payment AS
  SELECT n AS payment_id, n // 2 AS order_id, CAST(hash(n, 1) % 100000 / 100 AS DECIMAL(18, 2)) AS amount
  FROM range({ORDERS} * 2) AS t (n) ORDER BY hash(n);
CREATE TABLE parcel AS
  SELECT n AS parcel_id, n // 2 AS order_id, hash(n, 2) % 50 AS weight
  FROM range({ORDERS} * 2) AS t (n) ORDER BY hash(n);
"""

DEFINITIONS = """
data_source: orders
table: orders
primary_key: order_id
fields: {order_id: integer, day: integer, region: integer}
joins:
  lines: {data_source: line, by: order_id}
  payments: {data_source: payment, by: order_id}
  parcels: {data_source: parcel, by: order_id}
---
data_source: line
table: line
primary_key: line_id
fields: {line_id: integer, order_id: integer, amount: "decimal(18,2)"}
---
data_source: payment
table: payment
primary_key: payment_id
fields: {payment_id: integer, order_id: integer, amount: "decimal(18,2)"}
---
data_source: parcel
table: parcel
primary_key: parcel_id
fields: {parcel_id: integer, order_id: integer, weight: integer}
---
input: everything
source: orders
fields:
  - order_id
  - count(lines)
  - sum(lines.amount)
  - sum(payments.amount)
  - max(parcels.weight)
---
input: one_percent
source: orders
fields:
  - order_id
  - count(lines)
  - sum(lines.amount)
  - sum(payments.amount)
  - max(parcels.weight)
filters: [day = 42]
"""

_SHOWN = "orders.order_id, coalesce(lines, 0), line_sum, payment_sum, heaviest"


def by_hand(kept: str) -> dict[str, str]:
    """The question by hand; `kept` is a condition on orders, or empty."""
    where = f"WHERE {kept}" if kept else ""
    ways = {
        "a subquery per branch": _grouped("", where),
        "a correlated subquery per number": f"""
            SELECT order_id,
              (SELECT count(*) FROM line WHERE line.order_id = orders.order_id),
              (SELECT sum(amount) FROM line WHERE line.order_id = orders.order_id),
              (SELECT sum(amount) FROM payment WHERE payment.order_id = orders.order_id),
              (SELECT max(weight) FROM parcel WHERE parcel.order_id = orders.order_id)
            FROM orders {where} ORDER BY order_id""",
    }
    if kept:
        narrow = f"WHERE order_id IN (SELECT order_id FROM orders WHERE {kept})"
        ways["a narrowed subquery per branch"] = _grouped(narrow, where)
    return ways


def _grouped(narrow: str, where: str) -> str:
    return f"""
        SELECT {_SHOWN} FROM orders
        LEFT JOIN (SELECT order_id, count(*) AS lines, sum(amount) AS line_sum
                   FROM line {narrow} GROUP BY order_id) AS l USING (order_id)
        LEFT JOIN (SELECT order_id, sum(amount) AS payment_sum
                   FROM payment {narrow} GROUP BY order_id) AS p USING (order_id)
        LEFT JOIN (SELECT order_id, max(weight) AS heaviest
                   FROM parcel {narrow} GROUP BY order_id) AS w USING (order_id)
        {where} ORDER BY order_id"""


def flat(kept: str) -> str:
    """The flat join: each number is made right again by the keys of its rows."""
    where = f"WHERE {kept}" if kept else ""
    return f"""
        SELECT orders.order_id, count(DISTINCT line_id),
          list_sum(map_values(map_from_entries(list(DISTINCT (line_id, line.amount))))),
          list_sum(map_values(map_from_entries(list(DISTINCT (payment_id, payment.amount))))), max(weight)
        FROM orders LEFT JOIN line USING (order_id) LEFT JOIN payment USING (order_id)
        LEFT JOIN parcel USING (order_id) {where} GROUP BY orders.order_id ORDER BY orders.order_id"""


def main(rounds: int) -> None:
    project = _project()
    with duckdb.connect(config={"disabled_optimizers": ",".join(WRONG_OPTIMIZERS)}) as duck:
        duck.execute(DATA)
        for name, kept in (("everything", ""), ("one_percent", "day = 42")):
            ways = {"genesis": compile_input(project, name, "duckdb").sql, **by_hand(kept)}
            rows = {way: duck.execute(sql).fetchall() for way, sql in ways.items()}
            assert all(found == rows["genesis"] for found in rows.values()), name
            _tell(name, _medians(duck, {**ways, "the flat join": flat(kept)}, rounds))


def _project() -> Project:
    problems = Problems()
    models = {"data_source": DataSource, "input": Input}
    documents = read_documents("fan_out.yaml", DEFINITIONS.encode(), problems)
    found: dict[str, dict[str, object]] = {"data_source": {}, "input": {}}
    for document in documents:
        kind = next(iter(document.data))
        definition = read_definition(models[kind], document, problems)
        found[kind][document.data[kind]] = definition
    problems.raise_errors()
    return Project(ProjectFile(), data_sources=found["data_source"], inputs=found["input"])


def _medians(
    duck: duckdb.DuckDBPyConnection, ways: Mapping[str, str], rounds: int
) -> dict[str, float]:
    """Milliseconds of each way, all of them in turn in every round."""
    times: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(rounds):
        for way in list(ways) if turn % 2 else reversed(ways):
            if way == "the flat join" and turn >= rounds // 5:
                continue
            start = time.process_time()  # a busy machine stretches the clock
            duck.sql(ways[way]).to_arrow_table()
            times[way].append((time.process_time() - start) * 1000)
    return {way: statistics.median(found) for way, found in times.items()}


def _tell(name: str, medians: Mapping[str, float]) -> None:
    best = min(ms for way, ms in medians.items() if way != "genesis")
    for way, ms in sorted(medians.items(), key=lambda pair: pair[1]):
        print(f"{name:12} {way:34} {ms:9.1f} ms   {ms / best:6.2f} x the best by hand")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 25)
