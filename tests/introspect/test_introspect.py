"""Drafts of data sources: what is declared, else what names and data say together, never the data alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import psycopg
import pytest

from genesis.cli import run_command
from genesis.introspect.draft import draft
from genesis.introspect.facts import Place
from genesis.introspect.look import look
from genesis.introspect.places import duckdb_file, parquet_files, postgres
from genesis.spec.project import SourceSystem
from tests.introspect.tpch import KEYS, LINKS, check_tpch, make_some, project_of

ORDERS = 2_000  # and 8,000 lines of them


def drafted(place: Place, *, sample: int = 100_000, quick: bool = False) -> dict[str, str]:
    tables = place.tables()
    return draft(tables, look(place, tables, sample=sample, quick=quick))


# --- TPC-H ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tpch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with TPC-H as a DuckDB file, with and without constraints, and as Parquet files."""
    folder = tmp_path_factory.mktemp("tpch")
    with duckdb.connect(str(folder / "plain.duckdb")) as duck:
        make_some(duck, ORDERS)
        (folder / "parquet").mkdir()
        for table in KEYS:
            duck.execute(f"COPY {table} TO '{folder}/parquet/{table}.parquet'")
    with duckdb.connect(str(folder / "declared.duckdb")) as duck:
        for statement in declared(folder / "plain.duckdb"):
            duck.execute(statement)
        for table in KEYS:
            duck.execute(f"INSERT INTO {table} FROM '{folder}/parquet/{table}.parquet'")
    return folder


def declared(plain: Path) -> Iterator[str]:
    """The tables of TPC-H with their keys declared, each behind those that it names rows of."""
    with duckdb.connect(str(plain), read_only=True) as duck:
        for table, key in KEYS.items():
            described = duck.execute(f"DESCRIBE {table}").fetchall()
            parts = [f"{name} {type_}" for name, type_, *_ in described]
            parts.append(f"PRIMARY KEY ({', '.join(key)})")
            for source, target, pairs in sorted(LINKS):
                if source == table:
                    here, there = (", ".join(side) for side in zip(*pairs, strict=True))
                    parts.append(f"FOREIGN KEY ({here}) REFERENCES {target} ({there})")
            yield f"CREATE TABLE {table} ({', '.join(parts)})"


@contextmanager
def place_of(kind: str, tpch: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    match kind:
        case "parquet":
            with parquet_files(sorted((tpch / "parquet").iterdir())) as place:
                yield place
        case "duckdb" | "duckdb, declared":
            name = "declared.duckdb" if "declared" in kind else "plain.duckdb"
            with duckdb_file(tpch / name) as place:
                yield place
        case _:
            address = request.getfixturevalue("database")
            load(address, tpch, is_declared="declared" in kind)
            system = SourceSystem.model_construct(postgres=address)
            with postgres("shop", system, tpch) as place:
                yield place


def load(address: str, tpch: Path, *, is_declared: bool) -> None:
    with (
        psycopg.connect(address, autocommit=True) as connection,
        duckdb.connect(str(tpch / "plain.duckdb"), read_only=True) as duck,
    ):
        for statement in declared(tpch / "plain.duckdb"):
            plain = re.sub(r", (PRIMARY|FOREIGN) KEY.*\)$", ")", statement)
            connection.execute((statement if is_declared else plain).encode())
        for table in KEYS:
            file = tpch / f"{table}.csv"
            duck.execute(f"COPY {table} TO '{file}' (HEADER false)")
            with connection.cursor().copy(f"COPY {table} FROM STDIN (FORMAT csv)".encode()) as copy:
                copy.write(file.read_bytes())


@pytest.mark.parametrize(
    "kind", ["parquet", "duckdb", "duckdb, declared", "postgres", "postgres, declared"]
)
def test_all_keys_and_joins_of_tpch_are_found(
    kind: str, tpch: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Combined ones too, and no others; the draft passes a check. What is declared is not asked of the data."""
    with place_of(kind, tpch, request) as place:
        drafts = drafted(place)
    check_tpch(drafts, tmp_path)
    lines = drafts["lineitem"]
    assert "l_extendedprice: decimal(15,2)" in lines.replace('"', "")
    why = "declared" if "declared" in kind else r"unique in ([\d,]+) of \1 rows"
    assert re.search(rf"primary_key: \[l_orderkey, l_linenumber\] # {why}\n", lines)
    why = "declared" if "declared" in kind else r"([\d,]+) of \1 rows find one"
    assert re.search(rf"partsupp: .* # {why}\n", lines)


@pytest.mark.parametrize("quick", [False, True])
def test_a_small_sample_finds_them_too(tpch: Path, tmp_path: Path, quick: bool) -> None:
    """Where nothing is counted whole, the evidence says so."""
    with duckdb_file(tpch / "plain.duckdb") as place:
        drafts = drafted(place, sample=500, quick=quick)
    check_tpch(drafts, tmp_path)
    assert ("first 500 rows" in drafts["orders"]) == quick


def test_the_work_on_a_big_table_is_bounded(tpch: Path) -> None:
    """Of what a sample refutes, nothing is counted; with `quick` only keys of joins are read whole."""
    asked: list[str] = []
    with duckdb_file(tpch / "plain.duckdb") as place:
        ask = place.ask
        place.ask = lambda query: asked.append(query.sql("duckdb")) or ask(query)  # type: ignore[method-assign,func-returns-value]
        drafted(place, sample=500)
        whole = [sql for sql in asked if '"lineitem"' in sql and "LIMIT" not in sql]
        assert len(whole) <= 2 + 4  # its key after one guess, and its four joins
        asked.clear()
        drafted(place, sample=500, quick=True)
    assert [sql for sql in asked if '"lineitem"' in sql and "LIMIT" not in sql] == []


# --- names and data together ------------------------------------------------------------------------

Drafts = Callable[..., dict[str, str]]


@pytest.fixture
def of(tmp_path: Path) -> Drafts:
    """The drafts of tables that statements make; they pass a check."""

    def of(*statements: str) -> dict[str, str]:
        with duckdb.connect(str(tmp_path / "x.duckdb")) as duck:
            for statement in statements:
                duck.execute(statement)
        with duckdb_file(tmp_path / "x.duckdb") as place:
            drafts = drafted(place)
        project_of(drafts, tmp_path)
        return drafts

    return of


def joins(text: str) -> list[str]:
    return [line.strip() for line in text.partition("joins:\n")[2].splitlines()]


CUSTOMERS = "CREATE TABLE customers AS SELECT i AS id, 'x' AS name FROM range(1, 101) t(i)"


def test_small_numbers_are_among_the_keys_of_any_table_and_no_join(of: Drafts) -> None:
    """Ratings, levels and quantities from 1 to 5 name no customer, whatever the data says."""
    drafts = of(
        CUSTOMERS,
        "CREATE TABLE orders AS SELECT i AS id, i % 100 + 1 AS customer_id, i % 5 + 1 AS rating,"
        " i % 5 + 1 AS level_id, i % 5 + 1 AS id_of_till, i % 5 + 1 AS paid FROM range(500) t(i)",
    )
    assert joins(drafts["orders"]) == [
        "customers: {by: {customer_id: id}} # 500 of 500 rows find one"
    ]
    assert joins(drafts["customers"]) == ["orders: {by: {id: customer_id}} # to many"]


def test_a_role_is_the_name_of_a_join(of: Drafts) -> None:
    """Two ways to one table, and one to itself."""
    drafts = of(
        "CREATE TABLE location AS SELECT i AS location_id, nullif(i // 2, 0) AS parent_location_id"
        " FROM range(1, 50) t(i)",
        "CREATE TABLE production AS SELECT i AS production_id, i + 1 AS home_location_id,"
        " i + 2 AS baseLocationId FROM range(1, 40) t(i)",
    )
    assert joins(drafts["production"]) == [
        "home_location: {data_source: location, by: {home_location_id: location_id}} # 39 of 39 rows find one",
        "base_location: {data_source: location, by: {base_location_id: location_id}} # 39 of 39 rows find one",
    ]
    assert joins(drafts["location"])[:1] == [
        "parent_location: {data_source: location, by: {parent_location_id: location_id}} # 48 of 48 rows find one",
    ]
    assert "production_by_home_location_id: {data_source: production," in drafts["location"]


def test_a_detail_names_its_subject_and_not_the_other_way_round(of: Drafts) -> None:
    drafts = of(
        "CREATE TABLE customer AS SELECT i AS customer_id FROM range(100) t(i)",
        "CREATE TABLE customer_detail AS SELECT i AS customer_id, i AS n FROM range(100) t(i)",
    )
    [there] = joins(drafts["customer_detail"])
    assert there == "customer: {by: customer_id} # 100 of 100 rows find one"
    assert joins(drafts["customer"]) == ["customer_detail: {by: customer_id} # to one"]


def test_what_the_data_does_not_bear_out_is_told_and_no_join(of: Drafts) -> None:
    """A few orphans do not matter to a left join; many say that the name means something else."""
    for orphans, is_join in ((5, True), (50, False)):
        drafts = of(
            CUSTOMERS.replace("CREATE", "CREATE OR REPLACE"),
            f"CREATE OR REPLACE TABLE visit AS SELECT i AS visit_id, i + {orphans} AS customer_id FROM range(1, 101) t(i)",
        )
        assert bool(joins(drafts["visit"])) == is_join
        counted = f"{100 - orphans} of 100 rows find one"
        assert counted in drafts["visit"]
    remark = (
        "# no join: `customer_id` looks like a key of `customers`, but only 50 of 100 rows find one"
    )
    assert remark in drafts["visit"].splitlines()


def test_a_table_without_a_key_says_so(of: Drafts) -> None:
    """It passes a check all the same: a person has to find the TODO, and `check --data` would tell."""
    drafts = of(
        "CREATE TABLE log AS SELECT 'x' AS line, 1 AS n FROM range(10)",
        "CREATE TABLE empty (a INT)",
    )
    assert "# TODO: no key was found: nothing is unique in 10 rows" in drafts["log"].splitlines()
    assert "# TODO: no key was found: the table is empty" in drafts["empty"].splitlines()


def test_a_combined_key_is_the_tightest(of: Drafts) -> None:
    """A quantity that happens to differ within each order tells rows apart, and is no key."""
    drafts = of(
        "CREATE TABLE line AS SELECT i // 3 AS order_id, i * 7919 % 1000 AS quantity, i % 3 + 1 AS line_no"
        " FROM range(300) t(i)"
    )
    assert "primary_key: [order_id, line_no] #" in drafts["line"]


def test_odd_names_and_types_are_read(of: Drafts) -> None:
    """What the language has no type for is left out, and told; names are as definitions have them."""
    drafts = of(
        "CREATE SCHEMA \"Sales 1\"", "CREATE TYPE mood AS ENUM ('good', 'bad')",
        'CREATE TABLE "Sales 1"."Order Lines" ("Line ID" UUID PRIMARY KEY, "NULL" INT, "true" INT UNIQUE, "order" VARCHAR, order_ INT, "2nd" mood,'
        " photo BLOB NOT NULL, took INTERVAL, n HUGEINT NOT NULL, tags VARCHAR[], facts JSON, seen TIMESTAMPTZ,"
        " d DECIMAL(9,2), s STRUCT(a INT), u UBIGINT, \"héllo\" TIME, \"😀\" DOUBLE)",
    )  # fmt: skip
    text = drafts["order_lines"]
    for line in (
        'table: "\\"Sales 1\\".\\"Order Lines\\""',
        "primary_key: line_id # declared",
        '  line_id: {type: string, column: "Line ID"}',
        "  order: string",
        '  null_: {type: integer, column: "NULL"}',
        '  true_: {type: integer, column: "true"}',
        "  order_2: {type: integer, column: order_}",
        "  # `photo` is left out: there is no type for BLOB",
        "  # `took` is left out: there is no type for INTERVAL",
        '  n: {type: "decimal(38,0)", nullable: false}',
        "  tags: array(string)",
        "  seen: timestamptz",
    ):
        assert line in text.splitlines(), text


def test_a_change_log_is_told_by_its_columns(of: Drafts) -> None:
    """Its key is by its name, since a record has many events; joins lead to it all the same."""
    own = "'c' AS _op, TIMESTAMPTZ '2026-01-01' AS _ts, i AS _pos, 'b' AS _batch"
    drafts = of(
        f"CREATE TABLE movie AS SELECT i // 2 AS movie_id, 'x' AS title, {own} FROM range(100) t(i)",
        f"CREATE TABLE task AS SELECT i // 3 AS task_id, i // 4 AS movie_id, {own} FROM range(100) t(i)",
    )
    lines = drafts["task"].splitlines()
    assert "primary_key: task_id # by its name, since rows are events" in lines
    assert "latest: true # it has the columns of a change log" in lines
    assert "_op" not in drafts["task"]
    assert joins(drafts["task"]) == ["movie: {by: movie_id} # 100 of 100 rows find one"]


def test_a_table_that_cannot_be_read_keeps_no_other_from_its_draft(of: Drafts) -> None:
    drafts = of(
        CUSTOMERS, "CREATE TABLE gone (a INT)", "CREATE VIEW v AS FROM gone", "DROP TABLE gone"
    )
    assert "# TODO: no key was found: `x.duckdb` cannot be read: " in drafts["v"]
    assert "primary_key: id #" in drafts["customers"]


# --- the command ------------------------------------------------------------------------------------

Said = tuple[int, str, str]


@pytest.fixture
def genesis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Said:
        code = run_command(arguments)
        return code, *capsys.readouterr()

    return run


def test_a_file_that_is_there_stays(
    genesis: Callable[..., Said], tpch: Path, tmp_path: Path
) -> None:
    """Each table has a file of its own; what somebody wrote is not written over."""
    (tmp_path / "definitions").mkdir()
    (tmp_path / "definitions" / "orders.yaml").write_text("mine")
    code, out, err = genesis("introspect", str(tpch / "parquet"), "--out", "definitions")
    assert (code, out) == (0, "")
    assert "definitions/orders.yaml is there, and stays as it is" in err
    assert (tmp_path / "definitions" / "orders.yaml").read_text() == "mine"
    assert sorted(file.stem for file in (tmp_path / "definitions").iterdir()) == sorted(KEYS)


def test_tables_are_chosen_by_name(genesis: Callable[..., Said], tpch: Path) -> None:
    """On stdout a draft is one YAML text; the file is as it was before."""
    file = tpch / "plain.duckdb"
    before = file.read_bytes()
    code, out, _ = genesis("introspect", str(file), "--table", "part*", "--table", "region")
    assert code == 0
    assert re.findall(r"^data_source: (\w+)", out, re.MULTILINE) == ["part", "partsupp", "region"]
    assert file.read_bytes() == before
    assert genesis("introspect", str(file), "--table", "nothing")[0] == 3


def test_no_password_is_shown(
    genesis: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither of an address on the command line, nor of one from the environment."""
    address = "postgresql://somebody:swordfish1@127.0.0.1:1/shop"
    monkeypatch.setenv("SHOP", address)
    (tmp_path / "genesis.yaml").write_text('sources: {shop: {postgres: "${env:SHOP}"}}')
    for place in (address, "${env:SHOP}", "shop"):
        code, out, err = genesis("introspect", place)
        assert code == 75, err
        assert "does not answer" in err
        assert "swordfish1" not in out + err


@pytest.mark.parametrize(
    ("content", "place", "code", "told"),
    [
        (b"no database", "x.duckdb", 3, "`x.duckdb` cannot be read"),
        (b"no parquet", "x.parquet", 3, "`x.parquet` cannot be read"),
        (None, "nothing", 64, "`nothing` does not exist"),
        (None, ".", 64, "there are no Parquet files in `.`"),
    ],
)
def test_what_is_no_place_is_refused(
    genesis: Callable[..., Said],
    tmp_path: Path,
    content: bytes | None,
    place: str,
    code: int,
    told: str,
) -> None:
    if content is not None:
        (tmp_path / place).write_bytes(content)
    ended, _, err = genesis("introspect", place)
    assert ended == code
    assert told in err


def test_files_of_parquet_are_looked_at_together(genesis: Callable[..., Said], tpch: Path) -> None:
    """With the joins between them; nothing else is."""
    files = [str(tpch / "parquet" / f"{name}.parquet") for name in ("nation", "region")]
    code, out, err = genesis("introspect", *files)
    assert code == 0, err
    assert "joins:\n  region: {by:" in out
    code, _, err = genesis("introspect", *files, "shop.duckdb")
    assert code == 64
    assert "`shop.duckdb` is no Parquet file, and only those are looked at together" in err


def test_a_source_of_the_project_is_asked_and_not_written_to(
    genesis: Callable[..., Said], database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its name; tables of all schemas, partitions as the one table that they are."""
    statements: Sequence[str] = (
        "CREATE SCHEMA shop",
        "CREATE TYPE shop.mood AS ENUM ('good')",
        "CREATE TABLE shop.customer (id uuid PRIMARY KEY, mood shop.mood NOT NULL, net numeric, e_mail text UNIQUE, seen inet)",
        "CREATE TABLE visit (id bigint, day date, customer uuid REFERENCES shop.customer, PRIMARY KEY (id, day)) PARTITION BY RANGE (day)",
        "CREATE TABLE shop.note AS SELECT 1 AS note_id, 'x' AS customer_id, 'good'::shop.mood AS mood_id",
        "CREATE TABLE visit_2026 PARTITION OF visit FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
    )
    with psycopg.connect(database, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())
    monkeypatch.setenv("SHOP", database)
    (tmp_path / "genesis.yaml").write_text('sources: {shop: {postgres: "${env:SHOP}"}}')
    code, out, err = genesis("introspect", "shop")
    assert code == 0, err
    visit, customer, note = out.split("---\n")
    assert "unique_keys: [[e_mail]] # declared" in customer
    assert "  mood: {type: string, nullable: false}" in customer
    assert "  net: decimal(38,9) # its digits are not declared" in customer
    assert "joins" not in note  # a text is no uuid
    assert "primary_key: [id, day] # declared" in visit
    assert "  customer_row: {data_source: customer, by: {customer: id}} # declared" in visit
