"""What travels between a report and its tracker: rows wanted, rows present, changes, the receipt.

Rows are known by key text, never by position, so a tracker may be sorted and rearranged at will.
The surprise: a tracker's rows may carry a *stamp*, the fingerprints of the cells that genesis
wrote last. Present cells that no longer fit their stamp were changed by a person.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from zoneinfo import ZoneInfo

from genesis.spec.workflow import EXPORTS
from genesis.sync.shape import Shape

if TYPE_CHECKING:
    from genesis.compile.statement import Column
    from genesis.spec.values import Scalar
    from genesis.spec.workflow import Mode, OnDelete, OnHumanEdit, Order, Place


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula, or an error, that a person put where a value belongs."""

    text: str


Cell = (
    bool | int | float | Decimal | str | date | datetime | time | Formula | tuple[Any, ...] | None
)


@dataclass(frozen=True, slots=True)
class Policy:
    """How a tracker follows its report."""

    mode: Mode = "mirror"
    on_delete: OnDelete = "delete"
    order: Order = "stable"
    on_human_edit: OnHumanEdit = "overwrite"


@dataclass(frozen=True, slots=True)
class Annotation:
    """A column that people fill in: genesis makes it and reads it back.

    `values` are the only ones it takes; without any, it takes all of its type. A sink shows and reads
    its cells as those of any other column of that type.
    """

    column: Column
    values: tuple[Scalar, ...] = ()

    @property
    def name(self) -> str:
        return self.column.name

    @property
    def label(self) -> str:
        return self.column.label


@dataclass(frozen=True, slots=True)
class Tracker:
    """One tracker: its name (`workflow.job`), its place, and how it follows its report.

    `annotations` stand right of the report's columns, in this order, when they are made.
    `note` is what stands on the first header cell: provenance and the time of the refresh.
    `touch` writes it in every refresh. `adopt` takes over content that genesis did not write.
    The rows of a summary are groups, for which NULL is a key like any other.
    """

    name: str
    place: Place
    columns: tuple[Column, ...]
    annotations: tuple[Annotation, ...] = ()
    mode: Mode = "mirror"
    on_delete: OnDelete = "delete"
    order: Order = "stable"
    on_human_edit: OnHumanEdit = "overwrite"
    is_summary: bool = False
    timezone: str = "UTC"
    note: str = ""
    touch: bool = False
    adopt: bool = False
    timeout: timedelta | None = None

    @property
    def is_export(self) -> bool:
        return self.place.sink in EXPORTS

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which people read instants."""
        return ZoneInfo(self.timezone)

    @property
    def policy(self) -> Policy:
        """How the tracker follows its report.

        An export is always in the report's order; the records of a base are in none, views sort them.
        """
        order = "query" if self.is_export else self.order
        if self.place.sink == "airtable":
            order = "stable"
        return Policy(self.mode, self.on_delete, order, self.on_human_edit)


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that its sink cannot hold, or a value that it shows as empty."""

    key: str
    column: str
    reason: str
    refused: Literal["row", "value"]

    def to_json(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "column": self.column,
            "reason": self.reason,
            "refused": self.refused,
        }


@dataclass(frozen=True, slots=True)
class WantedRow:
    """A row as the report has it, its cells as the sink would hold them."""

    key: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the tracker should hold: the columns genesis keeps there, and its rows.

    `mark` is how its sink holds that a row left the report. `remembered` are the cells, by key and
    annotation, that people had filled when they were read last.
    """

    tracker: str
    columns: tuple[Column, ...]
    rows: tuple[WantedRow, ...]
    rejects: tuple[Reject, ...] = ()
    mark: Cell = True
    annotations: tuple[Annotation, ...] = ()
    remembered: Mapping[str, Mapping[str, Cell]] = field(default_factory=dict)

    @property
    def refused(self) -> frozenset[str]:
        """Keys of rows that are in the report and cannot land."""
        return frozenset(reject.key for reject in self.rejects if reject.refused == "row")


@dataclass(frozen=True, slots=True)
class PresentColumn:
    """A column that genesis keeps: the label it wrote, the header that stands there now."""

    name: str
    label: str
    header: str
    position: int


@dataclass(frozen=True, slots=True)
class PresentRow:
    """A row that genesis keeps; its cells are in the order of `Present.columns`.

    `annotations` are what people put beside it, in the order of `Present.annotations`. `stamped` is
    the key that its stamp bears, where stamps do: empty for a stamp that is gone.
    """

    key: str
    cells: tuple[Cell, ...]
    position: int
    stamp: str | None = None
    annotations: tuple[Cell, ...] = ()
    stamped: str | None = None


@dataclass(frozen=True, slots=True)
class Present:
    """What the tracker holds now, in its own order.

    `copies` are rows whose key one of `rows` has too: a person copied it. `retyped` are the positions
    of rows whose key a person typed over or deleted. `annotations` are the
    annotation columns that were found, `own_columns` the headers of all others that people added.
    `recalled` are columns that the tracker remembers by another name, which is to be written anew.
    `fence` says which state this was read from, `notes` what people should hear about it.
    """

    columns: tuple[PresentColumn, ...] = ()
    rows: tuple[PresentRow, ...] = ()
    copies: tuple[PresentRow, ...] = ()
    retyped: frozenset[int] = frozenset()
    annotations: tuple[PresentColumn, ...] = ()
    own_columns: tuple[str, ...] = ()
    recalled: frozenset[str] = frozenset()
    exists: bool = True
    ours: bool = True
    fence: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Insert:
    """A new row, to stand right after the row `after`, or on top."""

    key: str
    cells: tuple[Cell, ...]
    after: str | None


@dataclass(frozen=True, slots=True)
class Move:
    """A row that is to stand right after the row `after`, or on top."""

    key: str
    after: str | None


@dataclass(frozen=True, slots=True)
class Update:
    """One cell that gets another value."""

    key: str
    column: str
    was: Cell
    cell: Cell


@dataclass(frozen=True, slots=True)
class Restore:
    """What people had put into a cell, put back where its row or its column is made anew."""

    key: str
    column: str
    cell: Cell


@dataclass(frozen=True, slots=True)
class Relabel:
    """A header that follows its definition, of an annotation too."""

    column: str
    was: str
    label: str


@dataclass(frozen=True, slots=True)
class HumanEdit:
    """A managed cell that a person changed; `written` is `None` where it can no longer be told."""

    key: str
    column: str
    written: Cell
    found: Cell


@dataclass(frozen=True, slots=True)
class Changes:
    """What a refresh will do to a tracker. Printed, it is the dry run.

    `followed` are present rows that do not bear their key any more, with the key they get;
    `releases` the positions of rows that become people's own: copies, and rows of nobody knows whom. Of annotations, columns that
    are missing are made (`new_annotations`); their cells are never changed, only `restores` fills some
    in columns and rows that are new. `shape` is the report's, `before` that of the last refresh, where
    it is known.
    """

    tracker: str
    present: Present
    policy: Policy
    columns: tuple[Column, ...]
    wanted_rows: int
    added: tuple[Column, ...] = ()
    dropped: tuple[PresentColumn, ...] = ()
    relabels: tuple[Relabel, ...] = ()
    inserts: tuple[Insert, ...] = ()
    updates: tuple[Update, ...] = ()
    deletes: tuple[str, ...] = ()
    moves: tuple[Move, ...] = ()
    followed: tuple[PresentRow, ...] = ()
    releases: tuple[int, ...] = ()
    new_annotations: tuple[Annotation, ...] = ()
    restores: tuple[Restore, ...] = ()
    rejects: tuple[Reject, ...] = ()
    human_edits: tuple[HumanEdit, ...] = ()
    notes: tuple[str, ...] = ()
    shape: Shape | None = None
    before: Shape | None = None

    @property
    def is_empty(self) -> bool:
        """Whether the tracker is as it should be."""
        names = tuple(column.name for column in self.columns)
        same_columns = names == tuple(column.name for column in self.present.columns)
        return (
            self.present.exists
            and self.present.ours
            and same_columns
            and not (self.relabels or self.inserts or self.updates or self.deletes)
            and not (self.moves or self.followed or self.releases or self.new_annotations)
            and not (self.retyped or self.present.recalled)
        )

    @property
    def retyped(self) -> tuple[Column, ...]:
        """Columns that are there and hold values of another type than before."""
        types = self.before.types if self.before else {}
        there = {column.name for column in self.present.columns}
        return tuple(
            column
            for column in self.columns
            if column.name in there and types.get(column.name, str(column.type)) != str(column.type)
        )

    @property
    def is_rekeyed(self) -> bool:
        """Whether rows are known by something else than before.

        Where half of them are just as they should be, their key only has another name.
        """
        before, now = self.before and self.before.key, self.shape and self.shape.key
        if before is None or now is None or before == now:
            return False
        refused = {reject.key for reject in self.rejects if reject.refused == "row"}
        found = self.wanted_rows - len(self.inserts) - len(refused)
        return 2 * (found - self.updated_rows) < len(self.present.rows)

    @property
    def rows(self) -> tuple[PresentRow, ...]:
        """The rows that are present, each with the key it goes by from now on."""
        followed = {row.position: row for row in self.followed}
        if not followed:
            return self.present.rows
        return tuple(followed.get(row.position, row) for row in self.present.rows)

    @property
    def new_cells(self) -> dict[str, dict[str, Cell]]:
        """The updates, by row and column."""
        cells: dict[str, dict[str, Cell]] = {}
        for update in self.updates:
            cells.setdefault(update.key, {})[update.column] = update.cell
        return cells

    @property
    def restored(self) -> dict[str, dict[str, Cell]]:
        """The annotations that are put back, by row and column."""
        cells: dict[str, dict[str, Cell]] = {}
        for restore in self.restores:
            cells.setdefault(restore.key, {})[restore.column] = restore.cell
        return cells

    @property
    def archived(self) -> tuple[str, ...]:
        """Keys of rows that go to the archive, cells, notes and people's columns; then they are deleted."""
        return self.deletes if self.policy.on_delete == "archive" else ()

    @property
    def updated_rows(self) -> int:
        return len(self.new_cells)

    @property
    def rows_after(self) -> int:
        return len(self.present.rows) + len(self.inserts) - len(self.deletes)

    def summary(self, *, limit: int = 20) -> str:
        """The changes for a person: a line of counts, then at most `limit` of them."""
        lines = list(self._lines())
        counts = (
            f"{len(self.inserts)} inserted, {self.updated_rows} updated, "
            f"{len(self.deletes)} deleted, {len(self.moves)} moved"
        )
        more = [f"  ... and {len(lines) - limit} more"] if len(lines) > limit else []
        return "\n".join(["unchanged" if self.is_empty else counts, *lines[:limit], *more])

    def to_json(self) -> dict[str, Any]:
        """The same for a program: what a dry run counts, and every line of it."""
        return {
            "inserted": len(self.inserts),
            "updated": self.updated_rows,
            "deleted": len(self.deletes),
            "moved": len(self.moves),
            "lines": [line.strip() for line in self._lines()],
        }

    def _lines(self) -> Iterator[str]:
        if not self.present.exists:
            yield "  the tracker is made"
        elif not self.present.ours:
            yield "  the tracker is adopted"
        yield from (f"  + column {column.label}" for column in self.added)
        yield from (f"  + column {each.label}, for people" for each in self.new_annotations)
        yield from (f"  - column {column.header}" for column in self.dropped)
        for change in self.relabels:
            yield f"  ~ column {change.was or 'without a header'}: now {change.label}"
        yield from (f"  + {insert.key}" for insert in self.inserts)
        for update in self.updates:
            was, cell = (self._shown(update.column, value) for value in (update.was, update.cell))
            yield f"  ~ {update.key} {update.column}: {was} -> {cell}"
        to = " to the archive" if self.archived else ""
        yield from (f"  - {key}{to}" for key in self.deletes)
        yield from (f"  > {move.key} after {move.after or 'the header'}" for move in self.moves)
        for edit in self.human_edits:
            yield f"  ! {edit.key} {edit.column}: a person wrote {self._shown(edit.column, edit.found)}"
        for reject in self.rejects:
            yield f"  ! {reject.key} {reject.column}: {reject.reason}"
        yield from (f"  ! {note}" for note in self.notes)

    def _shown(self, column: str, cell: Cell) -> str:
        return str(plain(mask(cell, column, self.columns)))

    def receipt(
        self, *, reads: int, writes: int = 0, size: int = 0, fence: str | None = None
    ) -> Receipt:
        """The receipt for these changes, once they are made; nothing was written unless it says so."""
        return Receipt(
            inserted=len(self.inserts),
            updated=self.updated_rows,
            deleted=len(self.deletes),
            moved=len(self.moves),
            rejects=self.rejects,
            human_edits=tuple(
                HumanEdit(
                    edit.key,
                    edit.column,
                    mask(edit.written, edit.column, self.columns),
                    mask(edit.found, edit.column, self.columns),
                )
                for edit in self.human_edits
            ),
            reads=reads,
            writes=writes,
            bytes=size,
            fence_before=self.present.fence,
            fence_after=self.present.fence if fence is None else fence,
            notes=self.notes,
        )


@dataclass(frozen=True, slots=True)
class Month:
    """The calls of a service in this month, what they come to by its end, what its plan allows."""

    calls: int
    forecast: int
    allowed: int | None = None

    def to_json(self) -> dict[str, Any]:
        return {"made": self.calls, "forecast": self.forecast, "allowed": self.allowed}


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a refresh did. Values of sensitive columns are not in it.

    `annotated` counts the rows of which people said something else than before.
    """

    inserted: int
    updated: int
    deleted: int
    moved: int
    rejects: tuple[Reject, ...]
    human_edits: tuple[HumanEdit, ...]
    reads: int
    writes: int
    bytes: int
    fence_before: str
    fence_after: str
    notes: tuple[str, ...] = ()
    month: Month | None = None
    annotated: int = 0

    @property
    def is_partial(self) -> bool:
        """Whether rows of the report are missing from the tracker because the sink refused them."""
        return any(reject.refused == "row" for reject in self.rejects)

    def to_json(self) -> dict[str, Any]:
        """The `receipt` of `genesis run --format json`."""
        calls: dict[str, Any] = {"read": self.reads, "write": self.writes}
        if self.month:
            calls["month"] = self.month.to_json()
        annotated = {"annotated": self.annotated} if self.annotated else {}
        notes = {"notes": list(self.notes)} if self.notes else {}
        return {
            "inserted": self.inserted,
            "updated": self.updated,
            "deleted": self.deleted,
            "moved": self.moved,
            **annotated,
            "rejects": [reject.to_json() for reject in self.rejects],
            "human_edits": [
                {
                    "key": edit.key,
                    "column": edit.column,
                    "written": plain(edit.written),
                    "found": plain(edit.found),
                }
                for edit in self.human_edits
            ],
            **notes,
            "calls": calls,
            "bytes": self.bytes,
        }


def plain(cell: Cell) -> Any:
    """A cell as JSON can hold it."""
    match cell:
        case Formula(text):
            return text
        case float() if not math.isfinite(cell):
            return None
        case None | bool() | int() | float() | str():
            return cell
        case datetime() | date() | time():
            return cell.isoformat()
        case tuple():
            return [plain(item) for item in cell]
        case _:
            return str(cell)


def mask(cell: Cell, column: str, columns: Iterable[Column]) -> Cell:
    """The cell, or in its place the sensitivity of its column."""
    sensitivity = next((c.sensitivity for c in columns if c.name == column), None)
    return f"({sensitivity})" if sensitivity and cell is not None else cell


R = TypeVar("R")


def arrange(rows: Iterable[tuple[str | None, R]], changes: Changes) -> list[R | Insert]:
    """All rows of a tracker in their order after the changes.

    `rows` are the present ones, top down, with their keys; rows of people have none and stay
    between the rows they stood between.
    """
    placed: list[Insert | Move] = [*changes.inserts, *changes.moves]
    coming = {item.after: item for item in placed}
    leaving = {*changes.deletes, *(move.key for move in changes.moves)}
    rows = list(rows)
    by_key = {key: row for key, row in rows if key is not None}
    arranged: list[R | Insert] = []

    def follow(key: str | None) -> None:
        while item := coming.get(key):
            arranged.append(item if isinstance(item, Insert) else by_key[item.key])
            key = item.key

    follow(None)
    for key, row in rows:
        if key is None:
            arranged.append(row)
        elif key not in leaving:
            arranged.append(row)
            follow(key)
    return arranged


def result(changes: Changes) -> tuple[WantedRow, ...]:
    """The rows that genesis keeps in the tracker, as they are after the changes."""
    names = [column.name for column in changes.columns]
    place = {column.name: index for index, column in enumerate(changes.present.columns)}
    new = changes.new_cells

    def after(row: PresentRow) -> WantedRow:
        cells = {name: row.cells[place[name]] for name in names if name in place}
        cells |= new.get(row.key, {})
        return WantedRow(row.key, tuple(cells.get(name) for name in names))

    arranged = arrange(((row.key, row) for row in changes.rows), changes)
    return tuple(
        WantedRow(row.key, row.cells) if isinstance(row, Insert) else after(row) for row in arranged
    )
