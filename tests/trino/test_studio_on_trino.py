"""The studio's own reports: Trino gives the rows that DuckDB gives, in their order."""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genesis.cli import run_command
from genesis.compile.compiler import compile_input
from genesis.compile.run import Run
from genesis.demo import hard_cases
from genesis.demo.catalogue import films, places
from genesis.demo.dates import Calendar
from genesis.demo.history import studio_history
from genesis.demo.records import Change
from genesis.demo.studio import FOLDERS, SEED
from genesis.demo.wire import lines
from genesis.engines.duckdb import DuckDBEngine
from genesis.engines.trino import TrinoEngine
from genesis.lake.catalog import existing_table, find_catalog, table_identifier
from genesis.lake.ingest import ingest
from genesis.run.views import compared_views, refuse_other_views
from genesis.spec.project import Target
from tests.postgres import Postgres
from tests.sinks.entry_points import installed
from tests.trino.both import NOW, AskBoth, ask_both, project_in
from tests.trino.lakes import made_catalog

ROOT = Path(__file__).parents[2]
PROJECT = project_in(ROOT)
README = (ROOT / "README.md").read_text("utf-8")
PAGE = (ROOT / "docs" / "trino.md").read_text("utf-8")
INPUTS = sorted(PROJECT.inputs)
TODAY = date(2026, 11, 23)
RUN = Run(moment=datetime(2026, 11, 23, 20, tzinfo=UTC))


def block(language: str) -> str:
    """The page's fenced blocks of a language, one behind the other."""
    return "".join(re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE))


COMMANDS = block("sh").splitlines()

ONE_IN = 60  # generated productions
OF_A_PRODUCTION = ("production", "credit", "note", "schedule_day", "task", "vendor_contract")
NAMED_BY_THEM = {
    "invoice": "contract_id",
    "location": "location_id",
    "movie": "movie_id",
    "person": "person_id",
    "vendor": "vendor_id",
}


def some_changes() -> dict[str, list[Change]]:
    """A few productions with all that belongs to them, and every case that is written by hand."""
    calendar = Calendar(TODAY)
    changes = studio_history(SEED, calendar, films(), places())
    theirs = {
        source: [each for each in changes[source] if each.record.production_id % ONE_IN == 0]
        for source in OF_A_PRODUCTION
    }
    named = {
        value
        for found in theirs.values()
        for each in found
        for field, value in each.record._asdict().items()
        if field.endswith("_id")
    }
    others = {
        source: [each for each in changes[source] if getattr(each.record, field) in named]
        for source, field in NAMED_BY_THEM.items()
    }
    by_hand = hard_cases.planted(calendar, places())
    return {source: [*by_hand[source], *found] for source, found in (theirs | others).items()}


@dataclass(frozen=True)
class Studio:
    """The studio's project, moved to PostgreSQL and Trino as `docs/trino.md` says."""

    root: Path
    entry_points: str

    def target(self, name: str) -> Target:
        return project_in(self.root).settings.targets[name]

    def run(self, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.syspath_prepend(self.entry_points)
        command, *arguments = line.split()
        assert command == "genesis"
        assert run_command(["-C", str(self.root), *self._paths(arguments)]) == 0, line

    def _paths(self, arguments: list[str]) -> list[str]:
        """Files as they are named from somewhere else."""
        return [str(self.root / each) if "/" in each else each for each in arguments]


@pytest.fixture(scope="module")
def studio(
    trino_server: str, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("studio")
    for name in (*FOLDERS, "genesis.yaml"):
        copy = shutil.copytree if name in FOLDERS else shutil.copy
        copy(ROOT / name, folder / name)
    for source, changes in some_changes().items():
        file = folder / f"{source}.jsonl"
        file.write_text("".join(f"{line}\n" for line in lines(source, changes)), "utf-8")
        ingest(PROJECT.data_sources[source], [file], root=folder, target=Target(), now=NOW)
    database, catalog = postgres.new_database(), f"genesis_{uuid.uuid4().hex}"
    _add_targets(folder / "genesis.yaml", trino_server, catalog)
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setenv("LAKE_DB", database)
        stack.enter_context(made_catalog(trino_server, catalog, _properties(database, folder)))
        moved = Studio(folder, installed(tmp_path_factory.mktemp("site")))
        moved.run(COMMANDS[0], patch)
        yield moved


def _add_targets(file: Path, server: str, catalog: str) -> None:
    """What the page says, with the test's own server."""
    host, _, port = server.rpartition(":")
    own = f"host: {host}, port: {port}, catalog: {catalog}"
    targets = block("yaml").replace("host: trino.example.com, port: 8080, catalog: lake", own)
    assert own in targets
    file.write_text(re.sub(r"targets:\n(  .*\n)+", targets, file.read_text("utf-8")), "utf-8")


def _properties(database: str, folder: Path) -> dict[str, str]:
    """The page's, with the test's own database and folder."""
    user, _, address = database.removeprefix("postgresql://").partition("@")
    own = {
        "iceberg.jdbc-catalog.connection-url": f"jdbc:postgresql://{address}",
        "iceberg.jdbc-catalog.connection-user": user,
        "iceberg.jdbc-catalog.connection-password": "",
        "iceberg.jdbc-catalog.default-warehouse-dir": f"file://{folder}/.genesis/warehouse",
    }
    pairs = (line.split("=", 1) for line in block("properties").splitlines())
    properties = {key: own.get(key, value) for key, value in pairs}
    assert own.items() <= properties.items()
    assert properties.pop("connector.name") == "iceberg"
    return properties


@pytest.fixture(scope="module")
def ask(studio: Studio) -> Iterator[AskBoth]:
    """Both engines over one lake, as they run reports and trackers."""
    with (
        DuckDBEngine(studio.root, studio.target("shared")) as duckdb,
        TrinoEngine(studio.root, studio.target("trino")) as trino,
    ):
        yield partial(ask_both, PROJECT, duckdb, trino)


@pytest.mark.parametrize("name", INPUTS)
def test_equal_rows_in_equal_order(ask: AskBoth, name: str):
    duckdb, trino = ask(name, RUN)
    assert trino == duckdb


@pytest.fixture(scope="module")
def viewed(studio: Studio) -> Studio:
    """The studio with its views, as `genesis views apply` writes them."""
    with TrinoEngine(studio.root, studio.target("trino")) as engine:
        for each in compared_views(PROJECT, (), engine, "trino"):
            engine.make_view(each.view.name, each.view.reads, comment=each.view.mark)
    return studio


@pytest.mark.parametrize("name", ["production_tracker", "shooting_schedule", "vendor_contracts"])
def test_equal_rows_of_views(viewed: Studio, ask: AskBoth, name: str):
    """As `--views` has it."""
    with TrinoEngine(viewed.root, viewed.target("trino")) as engine:
        statement = compile_input(PROJECT, name, "trino", replace(RUN, views=True))
        refuse_other_views(PROJECT, statement, engine, "trino")
        assert engine.query(statement) == ask(name, RUN)[0]


@pytest.mark.parametrize("name", ["production_tracker", "shooting_schedule", "vendor_contracts"])
def test_equal_texts(ask: AskBoth, name: str):
    duckdb, trino = ask(name, replace(RUN, render="text"))
    assert trino == duckdb


def test_the_servers_own_clock(ask: AskBoth):
    """Committed SQL has no moment in it; it asks the engine what day it is at headquarters."""
    duckdb, trino = ask("shooting_schedule", Run())
    assert trino.schema == duckdb.schema


def test_the_pages_commands_run(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the tracker that Trino made is as DuckDB would make it."""
    for line in COMMANDS[1:]:
        studio.run(line, monkeypatch)
    assert (
        "= production_tracker.refresh_production_tracker"
        in capsys.readouterr().out.splitlines()[-1]
    )


def test_the_readme_shows_the_pages_commands() -> None:
    """No others, in no other order."""
    shown = re.findall(r"^\$ (genesis .*?)(?:  +#.*)?$", README, flags=re.MULTILINE)
    assert shown == COMMANDS


ANNOTATED = """\
workflow: contracts
jobs:
  - refresh: vendor_contracts
    to: {xlsx: {file: contracts.xlsx, tab: Contracts}}
    annotations: {verdict: {type: string}}
"""
VERDICTS = """\
data_source: verdict
table: annotations.contracts_refresh_vendor_contracts
primary_key: contract_id
latest: true
fields: {contract_id: integer, verdict: string}
---
input: verdicts
source: verdict
fields: [verdict]
"""


def test_what_people_say_is_a_table_on_trino(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Read back from a tracker that Trino filled, by a definition like any other."""
    (studio.root / "workflows" / "contracts.yaml").write_text(ANNOTATED)
    studio.run("genesis run contracts --target trino", monkeypatch)
    book = openpyxl.load_workbook(studio.root / "contracts.xlsx")
    header = [cell.value for cell in book["Contracts"][1]]
    book["Contracts"].cell(2, header.index("Verdict") + 1, "pay")
    book.save(studio.root / "contracts.xlsx")
    studio.run("genesis run contracts --target trino", monkeypatch)
    (studio.root / "definitions" / "verdict.yaml").write_text(VERDICTS)
    capsys.readouterr()
    studio.run("genesis preview verdicts --target trino --format csv", monkeypatch)
    assert capsys.readouterr().out.splitlines()[1].startswith("pay,")


UPKEEP = """\
workflow: upkeep_on_trino
jobs:
  - compact: vendor
"""


def test_compaction_by_hand_and_by_a_job(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trino writes the files, and the report that rests on both logs stays the same."""

    def rows() -> pa.Table:
        with TrinoEngine(studio.root, studio.target("trino")) as engine:
            return engine.query(compile_input(PROJECT, "vendor_contracts", "trino", RUN))

    before = rows()
    (studio.root / "workflows" / "upkeep_on_trino.yaml").write_text(UPKEEP)
    studio.run("genesis compact vendor_contract --target trino", monkeypatch)
    studio.run("genesis run upkeep_on_trino --target trino", monkeypatch)
    catalog = find_catalog(studio.root, studio.target("trino"))
    assert catalog is not None
    with closing(catalog):
        for source in ("vendor_contract", "vendor"):
            log = existing_table(
                catalog, table_identifier(PROJECT.data_sources[source].table or "")
            )
            (task,) = log.scan().plan_files()
            with pq.ParquetFile(task.file.file_path.removeprefix("file://")) as file:
                assert file.metadata.created_by.startswith("parquet-mr-trino")
    assert rows() == before
