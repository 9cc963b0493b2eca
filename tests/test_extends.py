"""What a data source inherits, and where mistakes in it are told; `cases/extends_...` shows the rows."""

from __future__ import annotations

from pathlib import Path

from genesis.compile.check import check_project
from genesis.errors import Problems
from genesis.load import load_files

BASE = """data_source: task
table: task
primary_key: task_id
latest: true
fields:
  task_id: integer
  title: string
"""


def _told(folder: Path, *files: str) -> list[str]:
    """What a check tells of files `0.yaml`, `1.yaml` and so on."""
    paths = []
    for number, text in enumerate(files):
        paths.append(folder / f"{number}.yaml")
        paths[-1].write_text(text, encoding="utf-8")
    problems = Problems()
    check_project(load_files(folder, paths, problems), problems)
    return [f"{problem.at} {problem.code}" for problem in problems]


def test_a_mistake_that_is_inherited_is_told_once_where_it_was_written(tmp_path: Path) -> None:
    heir = "data_source: late\nextends: task\n---\ndata_source: later\nextends: late\n"
    report = "input: tasks\nsource: later\nfields: [title, wrong]\n"
    wrong = BASE + "  wrong: {type: string, sql: upper(titel)}\n"
    assert _told(tmp_path, heir, wrong, report) == ["1.yaml:8:36 unknown-field"]


def test_a_mistake_in_what_is_written_anew_is_told_there(tmp_path: Path) -> None:
    heir = "data_source: late\nextends: task\nfields: {title: {type: string, sql: uper}}\n"
    assert _told(tmp_path, BASE, heir) == ["1.yaml:3:37 unknown-field"]


def test_a_query_in_place_of_the_table_cannot_be_a_change_log(tmp_path: Path) -> None:
    """Unless the heir says that it is none."""
    heir = "data_source: late\nextends: task\nsql: select 1 as task_id, 'x' as title\n"
    assert _told(tmp_path, BASE, heir) == ["0.yaml:4:1 not-supported"]
    assert _told(tmp_path, BASE, heir + "latest: false\n") == []


def test_a_base_that_is_unknown_is_told_with_the_nearest_name(tmp_path: Path) -> None:
    """What builds on the heir is not told again."""
    heir = "data_source: late\nextends: tusk\n---\ninput: report\nsource: late\nfields: [title]\n"
    assert _told(tmp_path, BASE, heir) == ["1.yaml:2:10 unknown-data-source"]


def test_a_circle_of_heirs_is_told_once(tmp_path: Path) -> None:
    one = "data_source: one\nextends: two\n"
    two = "data_source: two\nextends: one\n---\ndata_source: three\nextends: two\n"
    assert _told(tmp_path, one, two) == ["0.yaml:2:10 cycle"]
