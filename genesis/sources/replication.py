"""What PostgreSQL does for whoever follows its tables: publication, slot, snapshot, changes.

Changes are peeked at by SQL and thrown away (`let_go`) when they have landed, so nothing is lost by a
death in between; they may come twice, and whoever lands them tells by their place in the log. Refused
are tables whose deletes would not tell their key, before anything is published: PostgreSQL
refuses the updates and deletes of a published table without an identity, and those are other people's.
The surprise: a snapshot is taken at a slot of its own, which lasts as long as the connection that
made it, so a table may join at any time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from psycopg import errors as refusals
from psycopg import sql

from genesis.compile.identifiers import table_parts
from genesis.errors import EngineBusy, EngineError, Problem, did_you_mean
from genesis.sources.postgres import told_as_problem

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

_OLDEST = 130_000  # `wal_status`, and partitions published as their table

# A process that was killed leaves its connection's work to end by itself.
_TRIES, _SECONDS_BETWEEN = 40, 0.25

SNAPSHOT_HINT = "`--snapshot` copies the tables anew and follows them from there"

T = TypeVar("T")


class Name(NamedTuple):
    """The name of a table there."""

    schema: str
    table: str

    @classmethod
    def of(cls, text: str) -> Name:
        """The name that a text has; without a schema it is in `public`."""
        *schema, table = table_parts(text)
        return cls(schema[-1] if schema else "public", table)

    def __str__(self) -> str:
        return f"{self.schema}.{self.table}"

    @property
    def quoted(self) -> sql.Identifier:
        """The name as SQL has it."""
        return sql.Identifier(self.schema, self.table)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A table that is to be followed: the columns that tell its rows apart, and the others.

    `optional` are columns that it may lack.
    """

    name: Name
    key: tuple[str, ...]
    columns: tuple[str, ...]
    optional: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Shape:
    """A table as the server has it. `identity` are the columns whose old values its deletes tell.

    `types` are those of the columns that changes tell, each with what it is given along.
    """

    kind: str
    is_permanent: bool
    columns: tuple[str, ...]
    types: Mapping[str, tuple[int, int]]
    generated: frozenset[str]
    identity: frozenset[str]
    unique: tuple[frozenset[str], ...]

    @property
    def is_followable(self) -> bool:
        """Whether its changes are written to the log; those of views and the like are not."""
        return self.kind in ("r", "p") and self.is_permanent


NOTHING = Shape("", False, (), {}, frozenset(), frozenset(), ())
"""What a table is like that is not there."""


class Slot(NamedTuple):
    """A slot as the server has it; `confirmed` is what was let go."""

    confirmed: str
    is_lost: bool


def refuse_unfit_server(connection: Connection, name: str) -> None:
    """Raise `EngineError` for a server that cannot be followed."""
    with told_as_problem(name):
        level = _one(connection, "SHOW wal_level")
        is_standby = _one(connection, "SELECT pg_is_in_recovery()")
    if connection.info.server_version < _OLDEST:
        raise _refused(f"source `{name}` is older than PostgreSQL 13", "13 or newer is needed")
    if is_standby:
        hint = "name the address of the server that takes the writes"
        raise _refused(f"source `{name}` is a standby, which makes no publications", hint)
    if level != "logical":
        hint = "ALTER SYSTEM SET wal_level = logical, then restart the server"
        message = f"source `{name}` keeps no changes to follow: its `wal_level` is `{level}`"
        raise _refused(message, hint)


def find_shape(connection: Connection, name: str, table: Name) -> Shape | None:
    """A table as the server has it, `None` where there is none of that name."""
    with told_as_problem(name):
        found = connection.execute(
            """SELECT c.oid, c.relkind, c.relpersistence, c.relreplident
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = %s AND c.relname = %s""",
            table,
        ).fetchone()
        if found is None:
            return None
        oid, kind, persistence, identity = found
        columns = connection.execute(
            """SELECT attname, attgenerated <> '', atttypid::bigint, atttypmod FROM pg_attribute
            WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped ORDER BY attnum""",
            [oid],
        ).fetchall()
        unique = connection.execute(
            """SELECT i.indisprimary, i.indisreplident, array_agg(a.attname::text)
            FROM pg_index i
            JOIN pg_attribute a ON a.attrelid = i.indrelid
                AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1])
            WHERE i.indrelid = %s AND i.indisunique AND i.indisvalid
                AND i.indpred IS NULL AND i.indexprs IS NULL
            GROUP BY i.indexrelid, i.indisprimary, i.indisreplident""",
            [oid],
        ).fetchall()
    names = tuple(column for column, *_ in columns)
    told: frozenset[str] = frozenset(names if identity == "f" else ())
    for is_primary, is_chosen, index in unique:
        if (identity == "d" and is_primary) or (identity == "i" and is_chosen):
            told = frozenset(index)
    return Shape(
        kind=kind,
        is_permanent=persistence == "p",
        columns=names,
        types={name: (oid, mod) for name, is_generated, oid, mod in columns if not is_generated},
        generated=frozenset(column for column, is_generated, *_ in columns if is_generated),
        identity=told,
        unique=tuple(frozenset(index) for _, _, index in unique),
    )


def unfit(
    connection: Connection, name: str, wanted: Wanted, shape: Shape | None
) -> Iterator[Problem]:
    """Why a table of that shape cannot be followed."""
    if shape is None:
        known = _tables(connection, name)
        hint: str | None = did_you_mean(str(wanted.name), known) or (
            f"genesis.yaml says where it is: `sources: {{{name}: {{tables: ...}}}}`"
        )
        yield Problem("unknown-table", f"source `{name}` has no table `{wanted.name}`", hint=hint)
    elif not shape.is_followable:
        hint = "views, foreign, unlogged and temporary tables write no log"
        yield _not_followed(f"`{wanted.name}` is no table whose changes can be followed", hint)
    else:
        yield from _wrong_columns(name, wanted, shape)
        yield from _wrong_key(wanted, shape)


def published(connection: Connection, name: str, publication: str) -> frozenset[Name] | None:
    """The tables of a publication, `None` where there is none of that name."""
    query = "SELECT puballtables, pubinsert AND pubupdate AND pubdelete AND pubtruncate FROM pg_publication WHERE pubname = %s"
    with told_as_problem(name):
        found = connection.execute(query, [publication]).fetchone()
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_publication_tables WHERE pubname = %s",
            [publication],
        ).fetchall()
    if found is None:
        return None
    all_tables, all_changes = found
    if all_tables or not all_changes:
        what = "publishes all tables" if all_tables else "does not publish every kind of change"
        hint = "name tables in it, with their inserts, updates, deletes and truncates"
        raise _refused(f"the publication `{publication}` {what}", hint)
    _refuse_partial(connection, name, publication)
    return frozenset(Name(schema, table) for schema, table in tables)


def publish(connection: Connection, name: str, publication: str, tables: Collection[Name]) -> None:
    """Make a publication with these tables, or add them to it."""
    exists = published(connection, name, publication) is not None
    start = "ALTER PUBLICATION {} ADD TABLE {}" if exists else "CREATE PUBLICATION {} FOR TABLE {}"
    end = "" if exists else " WITH (publish_via_partition_root = true)"
    names = sql.SQL(", ").join(table.quoted for table in sorted(tables))
    statement = sql.SQL(start + end).format(sql.Identifier(publication), names)
    with told_as_problem(name):
        try:
            connection.execute(statement)
        except refusals.InsufficientPrivilege as error:
            hint = f"let the tables' owner run: {statement.as_string(connection)}"
            message = f"source `{name}` does not let its user publish: {error.diag.message_primary}"
            raise EngineError(Problem("access-refused", message, hint=hint)) from error


def find_slot(connection: Connection, name: str, slot: str) -> Slot | None:
    """A slot of that name in this database, `None` where there is none."""
    query = """SELECT confirmed_flush_lsn::text, coalesce(wal_status = 'lost', false)
        FROM pg_replication_slots
        WHERE slot_name = %s AND plugin = 'pgoutput' AND database = current_database()"""
    with told_as_problem(name):
        found = connection.execute(query, [slot]).fetchone()
    return None if found is None else Slot(*found)


def lost(name: str, slot: str) -> EngineError:
    """The error for a slot that no longer keeps what it should."""
    message = f"source `{name}` no longer has the changes since the last ingest: its slot `{slot}` is lost"
    return _refused(message, SNAPSHOT_HINT)


def make_slot(connection: Connection, name: str, slot: str) -> None:
    """Make a slot: from here on the server keeps every change until it is let go."""
    with told_as_problem(name):
        try:
            connection.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", [slot])
        except refusals.InsufficientPrivilege as error:
            raise _may_not_replicate(connection, name) from error


def drop_slot(connection: Connection, name: str, slot: str) -> None:
    """Have the server keep nothing for a slot, where there is one."""
    query = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s AND database = current_database()"
    with told_as_problem(name):
        _patiently(lambda: connection.execute(query, [slot]))


@contextmanager
def snapshot(connection: Connection, replication: Connection, name: str) -> Iterator[str]:
    """Read every table as it was at one place in the log, which is given.

    Transactions that commit from that place on are the changes that follow.
    """
    with told_as_problem(name):
        try:
            slot = f"genesis_snapshot_{replication.info.backend_pid}"
            make = f"CREATE_REPLICATION_SLOT {slot} TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT"
            _, place, exported, _ = replication.execute(make).fetchall()[0]
        except refusals.InsufficientPrivilege as error:
            raise _may_not_replicate(connection, name) from error
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            connection.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(exported)))
            yield place


def rows(
    connection: Connection, name: str, table: Name, columns: Sequence[str]
) -> Iterator[tuple[str | None, ...]]:
    """The rows of a table, each value as the text that changes have too."""
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    copy = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT").format(names, table.quoted)
    with told_as_problem(name), connection.cursor().copy(copy) as copied:
        yield from copied.rows()


@contextmanager
def changes(
    connection: Connection, name: str, slot: str, publication: str, until: str, limit: int | None
) -> Iterator[Iterator[bytes]]:
    """Messages of whole transactions up to a place: all, or as many as hold `limit` messages.

    The slot stays as it is: they come again until they are let go.
    """
    query = """SELECT data FROM pg_logical_slot_peek_binary_changes(
        %s, %s, %s, 'proto_version', '1', 'publication_names', %s{messages})"""
    # Heartbeats are such messages. An older server has none to send.
    has_messages = connection.info.server_version >= 140_000
    query = query.format(messages=", 'messages', 'true'" if has_messages else "")
    quoted = sql.Identifier(publication).as_string(connection)

    def peek() -> psycopg.ServerCursor[Any]:
        # A refusal leaves the transaction around it as it was, and no cursor open.
        with connection.transaction(), ExitStack() as stack:
            cursor = stack.enter_context(connection.cursor("genesis_changes", binary=True))
            cursor.itersize = 10_000
            cursor.execute(query, [slot, until, limit, quoted])
            first.extend(cursor.fetchmany(1))
            stack.pop_all()
            return cursor

    first: list[tuple[bytes]] = []
    with told_as_problem(name), connection.transaction():
        try:
            cursor = _patiently(peek)
        except refusals.ObjectNotInPrerequisiteState as error:
            raise lost(name, slot) from error
        except refusals.UndefinedObject as error:
            hint = "`--snapshot` of all its tables together copies them anew and follows them from there"
            message = f"changes in source `{name}` are lost: its publication `{publication}` was not there when they were made"
            raise _refused(message, hint) from error
        with cursor:
            yield (row[0] for batch in (first, cursor) for row in batch)


def let_go(connection: Connection, name: str, slot: str, place: str) -> None:
    """Tell the server that it need not keep the changes of before a place in the log."""
    with told_as_problem(name):
        _patiently(
            lambda: connection.execute(
                "SELECT pg_replication_slot_advance(slot_name, %s) FROM pg_replication_slots WHERE slot_name = %s AND confirmed_flush_lsn < %s",
                [place, slot, place],
            )
        )


def place_now(connection: Connection, name: str) -> str:
    """Where the server's log stands."""
    with told_as_problem(name):
        return str(_one(connection, "SELECT pg_current_wal_flush_lsn()::text"))


def clock(connection: Connection, name: str) -> Any:
    """The server's clock."""
    with told_as_problem(name):
        return _one(connection, "SELECT clock_timestamp()")


def hold(connection: Connection, name: str, slot: str) -> None:
    """Be the only one who follows a slot, until the connection ends. Raises `EngineBusy`."""
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_SECONDS_BETWEEN)
        with told_as_problem(name):
            query = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
            if _one(connection, query, [slot]):
                return
    message = f"source `{name}` is being followed by another process"
    raise EngineBusy(Problem("service-busy", message, hint="one follows at a time; try again"))


def _patiently(work: Callable[[], T]) -> T:
    """Do what a slot is needed for; it may still be in use by a process that was killed."""
    for _ in range(_TRIES):
        try:
            return work()
        except refusals.ObjectInUse:
            time.sleep(_SECONDS_BETWEEN)
    return work()


def _one(connection: Connection, query: Any, values: Sequence[Any] = ()) -> Any:
    return connection.execute(query, values or None).fetchall()[0][0]


def _tables(connection: Connection, name: str) -> list[str]:
    query = """SELECT schemaname || '.' || tablename FROM pg_tables
        WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"""
    with told_as_problem(name):
        return [table for (table,) in connection.execute(query).fetchall()]


def _wrong_columns(name: str, wanted: Wanted, shape: Shape) -> Iterator[Problem]:
    for column in (*wanted.key, *wanted.columns):
        if column in shape.generated:
            way_out = "give its field an `sql` that derives it from other columns"
            message = f"`{column}` of `{wanted.name}` is generated, and such columns are not sent"
            yield _not_followed(message, way_out)
        elif column not in shape.columns and column not in wanted.optional:
            hint = did_you_mean(column, shape.columns)
            message = f"the table `{wanted.name}` of source `{name}` has no column `{column}`"
            yield Problem("unknown-column", message, hint=hint)


def _wrong_key(wanted: Wanted, shape: Shape) -> Iterator[Problem]:
    key = frozenset(wanted.key)
    if not key <= frozenset(shape.columns):
        return
    said = ", ".join(f"`{column}`" for column in wanted.key)
    if not any(unique <= key for unique in shape.unique):
        hint = "the `primary_key` of its data source must be unique there, by an index"
        yield _not_followed(f"several rows of `{wanted.name}` may share {said}", hint)
    elif not key <= shape.identity:
        hint = f"ALTER TABLE {wanted.name} REPLICA IDENTITY FULL (or USING INDEX one on its key)"
        yield _not_followed(f"deletes in `{wanted.name}` do not tell {said}", hint)


def _refuse_partial(connection: Connection, name: str, publication: str) -> None:
    """Raise `EngineError` for a publication that leaves out rows or columns."""
    if connection.info.server_version < 150_000:
        return
    query = """SELECT p.schemaname || '.' || p.tablename FROM pg_publication_tables p
        JOIN pg_publication_rel r ON r.prrelid = format('%%I.%%I', p.schemaname, p.tablename)::regclass
        JOIN pg_publication b ON b.oid = r.prpubid AND b.pubname = p.pubname
        WHERE p.pubname = %s AND (r.prqual IS NOT NULL OR r.prattrs IS NOT NULL)"""
    with told_as_problem(name):
        found = connection.execute(query, [publication]).fetchone()
    if found is not None:
        hint = "publish its whole rows"
        message = f"the publication `{publication}` leaves out rows or columns of `{found[0]}`"
        raise _refused(message, hint)


def _may_not_replicate(connection: Connection, name: str) -> EngineError:
    user = connection.info.user
    message = f"source `{name}` does not let its user `{user}` follow changes"
    hint = f"ALTER ROLE {user} REPLICATION, and GRANT SELECT on the tables"
    return EngineError(Problem("access-refused", message, hint=hint))


def _refused(message: str, hint: str) -> EngineError:
    return EngineError(_not_followed(message, hint))


def _not_followed(message: str, hint: str) -> Problem:
    return Problem("not-followed", message, hint=hint)
