"""How changes travel: one line of JSON each, in the order in which they arrive.

Half of the data sources send plain lines (columns as keys beside `_op`, `_ts`, `_source_ts`), the
other half Debezium envelopes. Dates, instants and decimals are text in both.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from genesis.demo.records import Change, key_of

ENVELOPES = ("person", "vendor", "vendor_contract", "invoice", "production")
PAYLOADS = ("invoice",)  # an envelope inside one more, as Kafka Connect sends it with schemas on

TRANSIT = timedelta(seconds=2)  # from the system of record into the log


def lines(source: str, changes: Iterable[Change]) -> Iterator[str]:
    """The changes of one data source as they arrive; what is late comes after newer ones."""
    for position, change in enumerate(sorted(changes, key=lambda each: each.at + each.late)):
        event = _envelope(source, change, position) if source in ENVELOPES else _plain(change)
        if source in PAYLOADS:
            event = {"payload": event}
        yield JSON.encode(event)


def _plain(change: Change) -> dict[str, Any]:
    return {
        "_op": change.op,
        "_ts": change.at + TRANSIT,
        "_source_ts": change.at,
        **(_key(change) if change.op == "d" else change.record._asdict()),
    }


def _envelope(source: str, change: Change, position: int) -> dict[str, Any]:
    return {
        "op": change.op,
        "before": _key(change) if change.op == "d" else None,
        "after": None if change.op == "d" else change.record._asdict(),
        "source": {
            "connector": "postgresql",
            "db": "studio",
            "table": source,
            "lsn": 16_000_000 + 96 * position,
            "ts_ms": _milliseconds(change.at),
        },
        "ts_ms": _milliseconds(change.at + TRANSIT),
    }


def _key(change: Change) -> Mapping[str, Any]:
    key = key_of(change.record)
    return dict(zip(change.record._fields, key, strict=False))


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1_000)


def _text(value: object) -> str:
    match value:
        case date() | time():
            return value.isoformat()
        case Decimal():
            return str(value)
    raise TypeError(f"`{value!r}` has no form in JSON")


JSON = json.JSONEncoder(default=_text, ensure_ascii=False)
