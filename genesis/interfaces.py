"""Every port of genesis, as Protocols on one page. Plug-ins implement them; `run` knows only these."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

from genesis.compile.statement import Statement
from genesis.schedule.alerting import Message
from genesis.sync.changes import Changes, Month, Present, Receipt, Tracker
from genesis.sync.notice import Notice
from genesis.sync.said import Said, Values

if TYPE_CHECKING:
    import pyarrow as pa


class Engine(Protocol):
    """Runs compiled SQL. One engine sees one snapshot of every table for as long as it is open."""

    dialect: str
    watch: Callable[[str], None] | None
    """What is told how a query gets on, by an engine that knows; at first nobody is."""

    def query(self, statement: Statement) -> pa.Table:
        """The rows of a statement, in its order. Raises `EngineError`."""

    def snapshots(self, tables: tuple[str, ...]) -> dict[str, int | None]:
        """The pinned snapshot of each table; `None` where a table has none."""

    def interrupt(self) -> None:
        """End a query that another thread has under way, which then raises, and all later ones."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


@runtime_checkable
class Views(Protocol):
    """What an engine that keeps views can be asked for."""

    def view(self, name: str) -> str | None:
        """What the engine says a view is, its comment within; `None` where there is none. Raises `EngineError`.

        Of one that can no longer be read, since its table has changed, it says nothing.
        """

    def make_view(self, name: str, reads: Statement, *, comment: str) -> None:
        """Make a view of what a statement gives, or make it anew. Raises `EngineError`."""


class Sink(Protocol):
    """A kind of place where trackers live."""

    def read(self, tracker: Tracker) -> Present:
        """What the tracker holds now. Raises `SinkError`."""

    def apply(self, tracker: Tracker, changes: Changes) -> Receipt:
        """Make the changes: all of them, or none that a reader could see. Raises `SinkError`."""


@runtime_checkable
class Notices(Protocol):
    """A sink whose trackers say themselves why they were not refreshed; not all do."""

    def tell(self, tracker: Tracker, notice: Notice) -> None:
        """Say so, in one small write, unless the tracker does already. Raises `GenesisError`."""


class Notifier(Protocol):
    """A way to tell people."""

    def send(self, message: Message) -> None:
        """Deliver a message. Raises `NotSent` where it did not arrive."""


class AnnotationLog(Protocol):
    """What people said in trackers: a table for each, in which every change of it is an event."""

    def last(self, tracker: Tracker) -> Mapping[str, Values]:
        """What they said last, by key; the table is made if need be. Raises `EngineError`."""

    def orphans(self, tracker: Tracker, known: Collection[str]) -> Sequence[str]:
        """Tables that could have been the tracker's, which has none yet; `known` have trackers."""

    def append(self, tracker: Tracker, said: Sequence[Said], *, at: datetime) -> None:
        """Keep what they say now; of what is kept already, nothing. Raises `EngineError`."""


class Clock(Protocol):
    """The time, and a way to wait for it."""

    def now(self) -> datetime:
        """The time, in UTC."""

    def sleep(self, length: timedelta) -> None:
        """Wait."""


@dataclass(frozen=True, slots=True)
class Limit:
    """So many calls within any stretch of time of this length."""

    calls: int
    per: timedelta


class Rates(Protocol):
    """How fast services may be called: buckets that all processes share."""

    clock: Clock

    def wait(self, bucket: str, limit: Limit, *, until: datetime) -> float:
        """Wait for a turn, and count it: its time. Raises `SinkBusy` where none comes up in time."""

    def answered(self, bucket: str, turn: float) -> None:
        """The call of a turn has its answer: it may have come to the service as late as now."""

    def patience(self, wanted: timedelta) -> timedelta:
        """How long an answer may take at most: no longer than whoever calls may go on."""

    def freeze(self, bucket: str, length: timedelta) -> None:
        """Let nobody call for a while: the service said so."""

    def month(self, bucket: str) -> Month:
        """What was called in this month."""

    def is_due(self, question: str) -> bool:
        """Whether a question that is asked once a day was not settled today."""

    def settle(self, question: str) -> None:
        """Ask it again tomorrow; days are those of UTC."""


class Kept(Protocol):
    """What the upkeep of one change log did, or would do. As text it is a line."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing had to be done."""

    def to_json(self) -> dict[str, Any]:
        """The receipt."""
