"""Reports in the style of hand-kept trackers: what becomes of each, and that nothing wrong is called proven."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from genesis.engines.copies import CopiesEngine
from genesis.run.board import as_html, as_json
from genesis.run.importing import Imported, Outcome, Script
from tests.lift.studio import FIXTURES, studio
from tests.lift.taking import take_over

FILES = sorted(FIXTURES.glob("*.sql"))
EXPECTED = {
    file.name: file.read_text("utf-8").splitlines()[0].removeprefix("-- ") for file in FILES
}


@pytest.fixture(scope="module")
def engine() -> Iterator[CopiesEngine]:
    """The studio's tables."""
    with studio() as made:
        yield made


@pytest.fixture(scope="module")
def imported(engine: CopiesEngine) -> dict[str, tuple[Imported, Outcome]]:
    """What became of all reports, those of one dialect in one call."""
    found = {}
    for dialect in ("trino", "duckdb"):
        names = [name for name, line in EXPECTED.items() if line.startswith(dialect)]
        scripts = [Script(name, (FIXTURES / name).read_text("utf-8")) for name in names]
        done = _taken(scripts, engine, dialect)
        found |= {one.file: (done, one) for one in done.outcomes}
    return found


def _taken(scripts: list[Script], engine: CopiesEngine, dialect: str = "trino") -> Imported:
    return take_over(
        scripts,
        engine,
        definitions=FIXTURES / "definitions",
        dialect=dialect,
        parameters={"region": "EMEA"},
    )


@pytest.mark.parametrize("name", EXPECTED)
def test_a_report_ends_as_its_first_line_says(
    name: str, imported: dict[str, tuple[Imported, Outcome]]
) -> None:
    """Proven, or by hand for a reason that is named, with the place."""
    _, status, *reason = re.split(": ", EXPECTED[name], maxsplit=2)
    outcome = imported[name][1]
    assert outcome.status == status, outcome.reasons
    if reason:
        assert reason[0] in outcome.reasons[0]
        assert outcome.line
        assert outcome.line > 1


def test_at_least_thirty_reports_and_four_of_five_proven() -> None:
    """Of those that the language has a meaning for."""
    proven = [line for line in EXPECTED.values() if line.endswith("proven")]
    assert len(EXPECTED) >= 30
    assert len(proven) >= 22


def test_labels_stay_as_they_were_written(imported: dict[str, tuple[Imported, Outcome]]) -> None:
    """Each header is the SQL's own, spelling and case."""
    lifted = imported["production_people.sql"][1].lifted
    assert lifted is not None
    assert [column.label for column in lifted.columns] == [
        "Code", "Film", "Line producer", "Director", "Director lives in", "Shoot start",
    ]  # fmt: skip


def test_reports_share_data_sources(imported: dict[str, tuple[Imported, Outcome]]) -> None:
    """Many reports over one table have one data source of it, and the project's own where that fits."""
    files = imported["open_tasks.sql"][0].files | imported["call_list.sql"][0].files
    tables = [
        match[1]
        for text in files.values()
        for match in re.finditer(r"^table: (\S+)$", text, re.MULTILINE)
    ]
    assert len(tables) == len(set(tables)) + 1  # the log of productions, with and without its tests
    assert "added by `genesis import sql`" in files["definitions/studio.yaml"]


# What a careless hand would do to a lifted input: each must be seen by the proof.
MISTAKES = [
    ("open_tasks_by_production", "count(tasks.task_id)", "count_distinct(tasks.status)"),
    ("open_tasks_by_production", "> 2", "> 1"),
    ("open_tasks", "NOT production_all.production_id IS NULL", "1 = 1"),
    ("production_people", "line_producer.full_name", "director.full_name"),
    ("latest_note", "last_note.text", "code"),
    ("no_contract", "none(", "any("),
    ("has_vfx", " AND vendor_contracts.signed", ""),
    ("vendor_spend", "shape: summary", "shape: summary\nlimit: 3"),
    ("tasks_by_department", "count_distinct(assignee_id)", "count(assignee_id)"),
    ("contract_totals", ", where: vendor_contracts.signed", ""),
    ("without_tasks", "none(", "not all("),
    ("invoices_due", "amount > 100", "amount >= 100"),
    ("vendor_list", "distinct: true, ", ""),
]


@pytest.mark.parametrize(("name", "right", "wrong"), MISTAKES)
def test_a_wrong_input_is_never_proven(
    name: str, right: str, wrong: str, engine: CopiesEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody's slip in the YAML shows in the rows, on the data or on a hostile copy of it."""
    from genesis.lift.report import Lifted

    written = Lifted.text
    changed = []

    def slipped(self: Lifted, types: dict[int, str] | None = None) -> str:
        text = written(self, types)
        changed.append(right in text)
        return text.replace(right, wrong, 1)

    monkeypatch.setattr(Lifted, "text", slipped)
    sql = (FIXTURES / f"{name}.sql").read_text("utf-8")
    dialect = sql[3:].partition(":")[0]
    (outcome,) = _taken([Script(f"{name}.sql", sql)], engine, dialect).outcomes
    assert all(changed)
    assert outcome.status != "proven"
    assert outcome.reasons


def test_an_inner_join_is_told_from_a_left_one_without_orphans() -> None:
    """The data has no orphan, so rows are equal; the copy without partners tells."""
    engine = CopiesEngine()
    engine.make("a", "SELECT 1 AS a_id, 1 AS b_id")
    engine.make("b", "SELECT 1 AS b_id, 'x' AS name")
    sql = "SELECT a.a_id, b.name FROM a JOIN b ON b.b_id = a.b_id"
    from genesis.lift.report import Lifted

    written = Lifted.text
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Lifted, "text", lambda one, types=None: written(replace(one, filters=[]), types)
        )
        (outcome,) = take_over([Script("r.sql", sql)], engine).outcomes
    assert outcome.proof is not None
    assert outcome.proof.on_data is None
    assert outcome.proof.on_variants
    assert outcome.status == "drafted"


def test_what_has_no_rows_anywhere_is_not_proven() -> None:
    """Nothing equals nothing, and says nothing."""
    engine = CopiesEngine()
    engine.make("a", "SELECT 1 AS a_id, 'x' AS kind")
    (outcome,) = take_over([Script("r.sql", "SELECT a_id FROM a WHERE 1 = 0")], engine).outcomes
    assert (outcome.status, outcome.proof is not None and outcome.proof.holds) == ("drafted", False)


def test_without_an_engine_reports_are_drafted() -> None:
    """What cannot be run is told as that."""
    sql = "SELECT t.task_id, t.title FROM task t WHERE t.status = 'DONE'"
    (outcome,) = take_over([Script("r.sql", sql)], None).outcomes
    assert outcome.status == "drafted"
    assert "no engine" in outcome.reasons[-1]


def test_the_board_tells_all_three_ends(imported: dict[str, tuple[Imported, Outcome]]) -> None:
    """As JSON with a schema, and as a page that loads nothing."""
    board = imported["call_list.sql"][0]
    told = as_json(board)
    assert told["schema"] == "genesis/import@1"
    assert sum(told["counts"].values()) == len(board.outcomes)
    page = as_html(board)
    assert "default-src 'none'" in page
    assert "://" not in page
    assert page.index("by hand") < page.index("call_list.sql")


# --- the command ----------------------------------------------------------------------------------

EXAMPLE = FIXTURES / "example"
PAGE = Path(__file__).parents[2] / "docs" / "import.md"


def _run(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """The command where no project is."""
    shutil.copytree(EXAMPLE, folder, dirs_exist_ok=True)
    command = [sys.executable, "-m", "genesis", "import", "sql", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def test_the_page_shows_what_the_command_prints(tmp_path: Path) -> None:
    """Its SQL, its YAML and its words are those of a run."""
    page = PAGE.read_text("utf-8")
    code, out, told = _run(tmp_path, "open_work.sql", "--data", "exports")
    assert code == 0
    assert (EXAMPLE / "open_work.sql").read_text("utf-8") in page
    assert out in page
    assert told in page


def test_drafts_overwrite_nothing(tmp_path: Path) -> None:
    """What is written once is refused the second time."""
    arguments = ("open_work.sql", "--data", "exports", "--out", "drafts")
    board = tmp_path / "board.html"
    assert _run(tmp_path, *arguments, "--report", str(board))[:2] == (0, "")
    assert sorted(f.name for f in (tmp_path / "drafts").rglob("*.yaml")) == [
        "open_work.yaml", "production.yaml", "task.yaml",
    ]  # fmt: skip
    assert "proven" in board.read_text("utf-8")
    code, _, told = _run(tmp_path, *arguments)
    assert code == 64
    assert "overwrite nothing" in told


def test_a_file_without_text_stops_none_of_the_others(tmp_path: Path) -> None:
    (tmp_path / "odd.sql").write_bytes(b"\xff\xfe")
    code, _, told = _run(tmp_path, "odd.sql", "open_work.sql", "--data", "exports")
    assert code == 1
    assert "by hand  odd.sql:1:1: it cannot be read: no UTF-8 text\n" in told
    assert told.endswith("1 proven, 0 drafted, 1 by hand\n")


def test_where_no_project_is_none_is_read(tmp_path: Path) -> None:
    """Definitions that lie about in the folder are neither used nor in the way of the drafts."""
    (tmp_path / "definitions").mkdir()
    (tmp_path / "definitions" / "all.yaml").write_text(
        "data_source: task\ntable: other.task\nprimary_key: id\nfields: {id: integer}\n"
    )
    code, out, told = _run(tmp_path, "open_work.sql", "--data", "exports")
    assert (code, "table: studio.task" in out) == (0, True), told
