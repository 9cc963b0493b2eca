"""The questions that genesis and its peers are asked: 300 times three numbers by two columns.

All of them are about one order system of 8 entities, and kept to what the peers can say: groups
reached by to-one joins, and numbers of the orders and of their lines, which a flat join would repeat.
"""

from __future__ import annotations

import random

GROUPS = ["status", "priority", "segment", "nation", "clerk"]
NUMBERS = ["order_count", "revenue", "mean_total", "customers", "late_revenue", "lines", "line_price"]  # fmt: skip

# The question of a cold start: the first that every peer answers.
COLD = 2


def questions(count: int = 300) -> list[tuple[list[str], list[str]]]:
    """Two columns to group by and three numbers, the same each time."""
    chance = random.Random(5)
    return [(chance.sample(GROUPS, 2), chance.sample(NUMBERS, 3)) for _ in range(count)]


# The 8 entities: their columns with types, and their to-one joins by (column, entity).
ENTITIES: dict[str, tuple[dict[str, str], list[tuple[str, str]]]] = {
    "customer": (
        {"customer_id": "int64", "name": "string", "segment": "string", "nation_id": "int64"},
        [("nation_id", "nation")],
    ),
    "nation": (
        {"nation_id": "int64", "name": "string", "region_id": "int64"},
        [("region_id", "region")],
    ),
    "region": ({"region_id": "int64", "name": "string"}, []),
    "orders": (
        {
            "order_id": "int64",
            "customer_id": "int64",
            "clerk_id": "int64",
            "status": "string",
            "priority": "string",
            "total": "float64",
            "is_late": "boolean",
        },
        [("customer_id", "customer"), ("clerk_id", "clerk")],
    ),
    "clerk": ({"clerk_id": "int64", "name": "string"}, []),
    "line": (
        {"line_id": "int64", "order_id": "int64", "part_id": "int64", "price": "float64"},
        [("order_id", "orders"), ("part_id", "part")],
    ),
    "part": ({"part_id": "int64", "name": "string", "brand": "string"}, []),
    "note": ({"note_id": "int64", "order_id": "int64", "text": "string"}, [("order_id", "orders")]),
}


def key_of(entity: str) -> str:
    """The primary key's column: the first one."""
    return next(iter(ENTITIES[entity][0]))
