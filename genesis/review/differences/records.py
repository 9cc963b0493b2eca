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
                about = f"{code(what)} of data source {code(source)}"
                said = f"{about} is {it_was(now or 'none', was or 'none')}"
                risks: tuple[Risk, ...] = ("values change",)
                if what == "latest":
                    risks = ("grain changed",) if not (was and now) else risks
                yield Difference("records changed", source, said, was or None, now or None, risks)


def _sources(report: Report) -> dict[str, dict[str, str]]:
    """Of each data source that a report reads, what says which records it has."""
    own = report.definition.source
    found = {}
    for relation in report.graph.relations.values():
        source, latest = relation.source, relation.source.latest
        newest = ""
        if latest is not None:
            gone = f", gone where {latest.deleted}" if latest.deleted else ""
            newest = f"newest by {', '.join(latest.order_by)} of each {', '.join(source.primary_key)}{gone}"
        found[source.name] = {
            "table": source.table or "",
            "sql": source.sql or "",
            "latest": newest,
        }
        if source.name != own:  # that of the report's own is a filter
            found[source.name]["where"] = source.where or ""
    return dict(sorted(found.items()))
