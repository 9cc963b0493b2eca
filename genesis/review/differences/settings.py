"""What holds for a report as a whole: whose days are meant, which parameters it takes."""

from __future__ import annotations

from collections.abc import Iterator

from genesis.review.differences.difference import Difference, code, it_was
from genesis.review.report import Report


def of_timezone(before: Report, after: Report) -> Iterator[Difference]:
    """Whose days are meant."""
    zones = [report.project.timezone_of(report.definition) for report in (before, after)]
    if zones[0] != zones[1]:
        said = f"days are those of {it_was(zones[1], zones[0])}"
        yield Difference(
            "time zone changed", "timezone", said, zones[0], zones[1], ("values change",)
        )


def of_parameters(before: Report, after: Report) -> Iterator[Difference]:
    """What may be handed in, and what is taken where nothing is."""
    old, new = before.definition.parameters, after.definition.parameters
    for name in dict.fromkeys((*old, *new)):
        was, now = (_parameter(each.get(name)) for each in (old, new))
        if was != now:
            said = f"parameter {code(name)} is {it_was(now or 'gone', was or 'not there')}"
            yield Difference("parameter changed", name, said, was, now)


def _parameter(asked: object) -> str | None:
    if asked is None:
        return None
    type_, default, values = (getattr(asked, name) for name in ("type", "default", "values"))
    said = f"{type_}" if default is None else f"{type_}, {default} by default"
    return said if values is None else f"{said}, one of {', '.join(map(str, values))}"
