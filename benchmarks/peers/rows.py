"""What the answers' rows are worth: each peer's SQL on a small DuckDB, beside sums by plain Python.

The reports are about the orders: each one once, under its own groups, with the numbers of its lines.
Three worlds are asked: a whole one, where each order has lines; one with gaps, where an order may lack its status, customer or
clerk, name a customer that nobody knows, or have no lines; and one where lines name unknown orders
as well. The sum of nothing is NULL to some and 0 to others, which is taken for the same.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import duckdb
from questions import ENTITIES

WORLDS = {
    "whole": {"gaps": False, "orphans": False},
    "with gaps": {"gaps": True, "orphans": False},
    "with orphans": {"gaps": True, "orphans": True},
}
TYPES = {"string": "VARCHAR", "int64": "BIGINT", "float64": "DOUBLE", "boolean": "BOOLEAN"}

Row = tuple[Any, ...]
Question = tuple[list[str], list[str]]


def differing(
    answers: dict[str, list[str | None]], asked: list[Question]
) -> dict[str, dict[str, list[Question]]]:
    """For each world and peer, the questions whose rows are not the right ones."""
    found: dict[str, dict[str, list[Question]]] = {}
    for world, flaws in WORLDS.items():
        tables = _tables(**flaws)
        connection = _connection(tables)
        found[world] = {
            peer: [
                question
                for sql, question in zip(statements, asked, strict=True)
                if sql is not None and _rows(connection, sql) != _right(tables, *question)
            ]
            for peer, statements in answers.items()
        }
    return found


def _tables(*, gaps: bool, orphans: bool) -> dict[str, list[Row]]:
    """Amounts are quarters, so that no sum depends on the order of its parts."""
    chance = random.Random(11)

    def maybe(value: Any) -> Any:
        return None if gaps and chance.random() < 0.1 else value

    def amount() -> float:
        return chance.randrange(1, 40) / 4

    orders = range(200)
    lined = [order for order in orders if not gaps or chance.random() < 0.8]
    known = [*lined, 900, 901] if orphans else lined
    return {
        "region": [(1, "north"), (2, "south")],
        "nation": [(key, f"nation {key % 4}", key % 2 + 1) for key in range(5)],
        "customer": [
            (key, f"customer {key}", f"segment {key % 3}", maybe(key % 5)) for key in range(30)
        ],
        "clerk": [(key, f"clerk {key}") for key in range(4)],
        "orders": [
            (
                order,
                maybe(chance.randrange(33 if gaps else 30)),
                maybe(chance.randrange(4)),
                maybe(chance.choice(["open", "paid", "shipped"])),
                maybe(chance.choice(["high", "low"])),
                # Two orders of a group often have the same total: summing each value once would tell.
                amount(),
                chance.random() < 0.4,
            )
            for order in orders
        ],
        "line": [
            (key, known[key] if key < len(known) else chance.choice(known), key % 7, amount())
            for key in range(500)
        ],
        "part": [(key, f"part {key}", "brand") for key in range(7)],
        "note": [(key, chance.choice(orders), "text") for key in range(300)],
    }


def _connection(tables: dict[str, list[Row]]) -> duckdb.DuckDBPyConnection:
    """Tables in the schema `shop`, and as views for those who name no schema."""
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA shop")
    for entity, (columns, _) in ENTITIES.items():
        typed = ", ".join(f"{name} {TYPES[kind]}" for name, kind in columns.items())
        connection.execute(f"CREATE TABLE shop.{entity} ({typed})")
        marks = ", ".join("?" for _ in columns)
        connection.executemany(f"INSERT INTO shop.{entity} VALUES ({marks})", tables[entity])
        connection.execute(f'CREATE VIEW "{entity}" AS SELECT * FROM shop.{entity}')
    return connection


def _rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[Row]:
    return _comparable(connection.execute(sql).fetchall())


def _comparable(rows: Sequence[Row]) -> list[Row]:
    """Sorted rows of two groups and numbers: nothing is 0, and a mean has nine places."""
    return sorted(
        ((*row[:2], *(round(float(value or 0), 9) for value in row[2:])) for row in rows), key=repr
    )


def _right(tables: dict[str, list[Row]], groups: list[str], numbers: list[str]) -> list[Row]:
    """The rows by plain sums."""
    customers = {row[0]: row for row in tables["customer"]}
    nations = {row[0]: row[1] for row in tables["nation"]}
    clerks = {row[0]: row[1] for row in tables["clerk"]}
    prices = defaultdict(list)
    for _, order, _, price in tables["line"]:
        prices[order].append(price)
    grouped = defaultdict(list)
    for order in tables["orders"]:
        _, customer_id, clerk_id, status, priority, _, _ = order
        customer = customers.get(customer_id, (None,) * 4)
        found = {
            "status": status,
            "priority": priority,
            "segment": customer[2],
            "nation": nations.get(customer[3]),
            "clerk": clerks.get(clerk_id),
        }
        grouped[tuple(found[name] for name in groups)].append(order)
    return _comparable(
        [
            (*group, *(_number(name, orders, prices) for name in numbers))
            for group, orders in grouped.items()
        ]
    )


def _number(name: str, orders: list[Row], prices: dict[int, list[float]]) -> float:
    totals = [order[5] for order in orders]
    found = [price for order in orders for price in prices.get(order[0], [])]
    return {
        "order_count": len(orders),
        "revenue": sum(totals),
        "mean_total": sum(totals) / len(totals),
        "customers": len({order[1] for order in orders} - {None}),
        "late_revenue": sum(order[5] for order in orders if order[6]),
        "lines": len(found),
        "line_price": sum(found),
    }[name]
