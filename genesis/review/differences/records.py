"""Which rows of the data sources count: those of which table or query, and whether the newest ones."""

from __future__ import annotations

from collections.abc import Iterator

from genesis.review.differences.difference import Difference, Risk, code, is_same_text, it_was
from genesis.review.report import Report


def of_records(before: Report, after: Report) -> Iterator[Difference]:
    """Of the data sources that both read, what says which records they have."""
    old, new = _sources(before), _sources(after)
    for source in new:
        if source not in old:
            continue
        for what in old[source]:
            was, now = old[source][what], new[source][what]
            if not is_same_text(was, now):
                said = _SAID[what](code(source), was, now)
                risks: tuple[Risk, ...] = ("values change",)
                if what == "latest":
                    risks = ("grain changed",) if not (was and now) else risks
                yield Difference("records changed", source, said, was or None, now or None, risks)


def _read_from(source: str, was: str, now: str) -> str:
    return f"data source {source} is read from {it_was(now or 'a query', was or 'a query')}"


def _by_query(source: str, was: str, now: str) -> str:
    return f"the query of data source {source} is {it_was(now or 'none', was or 'none')}"


def _newest(source: str, was: str, now: str) -> str:
    return f"of the records of data source {source} count {it_was(now or 'all', was or 'all')}"


def _where(source: str, was: str, now: str) -> str:
    counts = [f"where {code(each)}" if each else "always" for each in (now, was)]
    return f"records of data source {source} count {counts[0]}, it was {counts[1]}"


_SAID = {"table": _read_from, "sql": _by_query, "latest": _newest, "where": _where}


def _sources(report: Report) -> dict[str, dict[str, str]]:
    """Of each data source that a report reads, what says which records it has."""
    own = report.definition.source
    found = {}
    for relation in report.graph.relations.values():
        source, latest = relation.source, relation.source.latest
        newest = ""
        if latest is not None:
            gone = f", none where {latest.deleted}" if latest.deleted else ""
            key, order = ", ".join(source.primary_key), ", ".join(latest.order_by)
            newest = f"only the newest of each {key} by {order}{gone}"
        found[source.name] = {
            "table": source.table or "",
            "sql": source.sql or "",
            "latest": newest,
        }
        if source.name != own:  # that of the report's own is a filter
            found[source.name]["where"] = source.where or ""
    return dict(sorted(found.items()))
