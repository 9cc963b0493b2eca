"""A lineage as boxes and arrows, left to right, for those who draw it.

Values flow along plain arrows; what only chooses rows goes along dashed ones. Nothing is left out, but what goes
the same way is one box: columns of a table that are read for the same things, reasons that choose rows of the same columns.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from genesis.review.graph import TableColumn
from genesis.review.lineage import Lineage, ReportLineage, RowReason, Step
from genesis.review.trackers import Tracker

Kind = Literal["table", "step", "rows", "column", "records", "input", "tracker"]


@dataclass(frozen=True)
class Box:
    """A thing with a title, and what more there is to say of it, a line each; a step tells equal ones apart."""

    kind: Kind
    title: str
    lines: tuple[str, ...] = ()
    step: Step | None = None


@dataclass(frozen=True, order=True)
class Arrow:
    """From one box to another, by their positions; values flow along it, or it chooses rows."""

    start: int
    end: int
    flows: bool


@dataclass(frozen=True)
class Picture:
    """What is drawn; `text` says the same in words."""

    title: str
    text: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def picture_of_report(told: ReportLineage, text: str) -> Picture:
    """The way of a report's columns from the tables, and what chooses its records."""
    drawer = _Drawer()
    for one in told.columns:
        drawer.column(one)
    drawer.choose(told.records, _RECORDS)
    column = f"{told.columns[0].column} of " if len(told.columns) == 1 else ""
    return drawer.picture(f"Lineage of {column}{told.input}", text)


def picture_of_project(
    told: Iterable[tuple[ReportLineage, tuple[Tracker, ...]]], text: str
) -> Picture:
    """Which tables a project's inputs are made of, and which trackers show them."""
    drawer = _Drawer()
    for report, trackers in told:
        here = Box("input", report.input)
        values = {leaf.table for one in report.columns for leaf in one.values}
        read = {leaf.table for one in report.columns for leaf in one.all_columns}
        read |= {leaf.table for reason in report.order for leaf in reason.columns}
        drawer.boxes[here] = None
        for table in sorted(read):
            drawer.arrow(Box("table", table), here, flows=table in values)
        for tracker in trackers:
            drawer.arrow(here, Box("tracker", tracker.name, (tracker.place,)), flows=True)
    return drawer.picture("Lineage of all inputs", text)


_RECORDS = Box("records", "records of the report")


@dataclass
class _Drawer:
    """Collects boxes in the order of what is at their end, so that lines need not cross for it."""

    boxes: dict[Box, None] = field(default_factory=dict)
    _arrows: dict[tuple[Box, Box, bool], None] = field(default_factory=dict)
    _reads: dict[TableColumn, dict[tuple[Box, bool], None]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    _chosen: dict[RowReason, dict[Box, None]] = field(default_factory=lambda: defaultdict(dict))

    def arrow(self, start: Box, end: Box, *, flows: bool) -> None:
        self.boxes |= {start: None, end: None}
        self._arrows[start, end, flows] = None

    def column(self, told: Lineage) -> None:
        """A column with all steps of its value, and what its rows are chosen by."""
        here = Box("column", told.column)
        self.boxes[here] = None
        self._parts(told.value, here)
        self.choose(told.rows, here)

    def choose(self, reasons: Iterable[RowReason], end: Box) -> None:
        """That reasons choose the rows of something."""
        for reason in reasons:
            self._chosen[reason][end] = None

    def _parts(self, step: Step, end: Box) -> None:
        for part in step.parts:
            if part.reads is not None:
                self._reads[part.reads][end, True] = None
                continue
            box = Box("step", f"{part.kind} {part.name}", (one_line(part.sql),), part)
            self.arrow(box, end, flows=True)
            self._parts(part, box)

    def picture(self, title: str, text: str) -> Picture:
        """All that was collected."""
        self._join_reasons()
        self._join_columns()
        numbers = {box: number for number, box in enumerate(self.boxes)}
        arrows = (Arrow(numbers[a], numbers[b], flows) for a, b, flows in self._arrows)
        return Picture(title, text, tuple(numbers), tuple(sorted(arrows)))

    def _join_reasons(self) -> None:
        groups: dict[tuple[Box, ...], list[RowReason]] = defaultdict(list)
        for reason, chosen in self._chosen.items():
            groups[tuple(chosen)].append(reason)
        for ends, reasons in groups.items():
            box = Box("rows", "chooses rows", tuple(map(_reason, reasons)))
            for end in ends:
                self.arrow(box, end, flows=False)
            for column in sorted({column for reason in reasons for column in reason.columns}):
                self._reads[column][box, False] = None

    def _join_columns(self) -> None:
        groups: dict[tuple[str, tuple[tuple[Box, bool], ...]], list[str]] = defaultdict(list)
        for read, readers in self._reads.items():
            groups[read.table, tuple(readers)].append(read.column)
        for (table, ends), columns in groups.items():
            box = Box("table", table, tuple(columns))
            for end, flows in ends:
                self.arrow(box, end, flows=flows)


def _reason(reason: RowReason) -> str:
    return one_line(f"{reason.kind} {reason.name}".strip() + f": {reason.sql}")


def one_line(text: str) -> str:
    """The text with one space where there are any."""
    return " ".join(text.split())


# --- Mermaid --------------------------------------------------------------------------------------


def mermaid(picture: Picture) -> str:
    """A flowchart as GitHub, GitLab and Notion draw it. A name is never read as Mermaid's own."""
    lines = ["flowchart LR", f"  accTitle: {_plain(picture.title)}"]
    for number, box in enumerate(picture.boxes):
        left, right = _SHAPES[box.kind]
        text = "<br/>".join(map(_escaped, (box.title, *box.lines)))
        lines.append(f'  n{number}{left}"{text}"{right}')
    lines += [f"  n{a.start} {'-->' if a.flows else '-.->'} n{a.end}" for a in picture.arrows]
    return "\n".join(lines)


_SHAPES: dict[Kind, tuple[str, str]] = {
    "table": ("[(", ")]"),
    "step": ("[", "]"),
    "rows": ("{{", "}}"),
    "column": ("([", "])"),
    "records": ("([", "])"),
    "input": ("[", "]"),
    "tracker": ("([", "])"),
}


def _escaped(text: str) -> str:
    """A text whose every character but letters, digits and few others is given by its number.

    Mermaid reads directives (`%%{`), Markdown, mathematics (`$$`) and styles even within quotes.
    """
    return "".join(_character(one) for one in text)


def _character(one: str) -> str:
    if one.isalnum() or one in " ,.()=":
        return one
    joiner = "#8288;" if one == "$" else ""  # two of them side by side would be mathematics
    return f"#{ord(one)};{joiner}" if one.isprintable() else "#65533;"


def _plain(text: str) -> str:
    return "".join(one if one.isalnum() or one in " ._" else " " for one in text)
