"""What goes wrong leaves the old file as it was, says what it was, and the next refresh is whole."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genesis.errors import SinkBusy, SinkError
from genesis.sinks.workbook.package import Package

SCRIPT = Path(__file__).with_name("refreshing.py")


def run(*arguments: object) -> list[str]:
    """What the processes of a script said."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def temporary(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.endswith("genesis-tmp")]


def ids(path: Path) -> list[str]:
    return [str(row[0]) for row in openpyxl.load_workbook(path)["T"].iter_rows(2, values_only=True)]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user can enter, with a tracker of one row."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def test_killed_at_any_moment(folder: Path) -> None:
    """The file is the old one or the new one, and nothing stays behind."""
    assert run("together", folder, 1) == ["done"]
    before = (folder / "t.xlsx").read_bytes()
    said = run("die", folder)
    assert said[-1] == "done"
    killed = [line for line in said if line.startswith("killed")]
    assert len(killed) > 5
    assert any(".t.xlsx." in line for line in killed)
    assert temporary(folder) == []
    assert ids(folder / "t.xlsx") == ["k0", "a", "new"]
    assert (folder / "t.xlsx").read_bytes() != before


def test_a_full_disk(folder: Path) -> None:
    """No room for the new file: the old one stays, the half one goes."""
    run("together", folder, 1)
    before = (folder / "t.xlsx").read_bytes()
    assert run("full", folder) == ["tracker-unwritable"]
    assert (folder / "t.xlsx").read_bytes() == before
    assert temporary(folder) == []


def test_a_folder_that_cannot_be_written(folder: Path) -> None:
    """Replacing a file needs its folder."""
    run("together", folder, 1)
    before = (folder / "t.xlsx").read_bytes()
    folder.chmod(0o555)
    try:
        assert run("nobody", folder) == ["tracker-unwritable"]
    finally:
        folder.chmod(0o755)
    assert (folder / "t.xlsx").read_bytes() == before


def test_many_at_once(folder: Path) -> None:
    """Whoever comes second finds the file changed; nobody's row is lost."""
    said = run("together", folder, 6)
    assert set(said) <= {"done", "tracker-changed"}
    assert len(ids(folder / "t.xlsx")) == said.count("done") >= 1
    assert temporary(folder) == []


def test_a_read_only_file(desk: Any, film: Any) -> None:
    """A new file under its name would pass over its owner's wish, whoever may."""
    desk.refresh([film("a")])
    desk.path.chmod(0o444)
    before = desk.path.read_bytes()
    with pytest.raises(SinkError, match="it is read-only; it is as it was") as refused:
        desk.refresh([film("b")])
    assert refused.value.exit_code == 4
    assert desk.path.read_bytes() == before


@pytest.mark.parametrize(
    ("lock", "content", "told"),
    [
        ("~$production.xlsx", b"\x03Ann" + b" " * 50, "is open in Excel by Ann"),
        (
            ".~lock.production.xlsx#",
            b",Bob,host,01.01.2026 00:00,file:///;",
            "is open in LibreOffice",
        ),
        (".~lock.production.xlsx#", b"Bob B,bob,host,01.01.2026 00:00;", "in LibreOffice by Bob B"),
        ("~$production.xlsx", b"", "is open in Excel"),
    ],
)
def test_a_workbook_that_is_open(
    desk: Any, film: Any, lock: str, content: bytes, told: str
) -> None:
    """It passes by itself, so the refresh is tried again; looking is always possible."""
    desk.refresh([film("a")])
    desk.path.with_name(lock).write_bytes(content)
    assert desk.refresh([film("a")]).writes == 0
    with pytest.raises(SinkBusy, match="tracker-locked") as busy:
        desk.refresh([film("b")])
    assert busy.value.exit_code == 75
    assert told in str(busy.value)
    assert desk.shown()[0]["Id"] == "a"
    desk.path.with_name(lock).unlink()
    assert desk.refresh([film("b")]).writes == 1


@pytest.mark.parametrize("deed", ["save", "delete", "make"])
def test_a_file_that_changed_in_between(desk: Any, film: Any, deed: str) -> None:
    """Compare and swap: what was not read is not replaced."""
    if deed != "make":
        desk.refresh([film("a")])
    changes = desk.changes([film("b")])
    if deed == "delete":
        desk.path.unlink()
    else:
        desk.path.parent.mkdir(exist_ok=True)
        openpyxl.Workbook().save(desk.path)
    found = desk.path.read_bytes() if desk.path.exists() else None
    with pytest.raises(SinkBusy, match="tracker-changed"):
        desk.sink.apply(desk.tracker, changes)
    assert (desk.path.read_bytes() if desk.path.exists() else None) == found


@pytest.mark.parametrize("data", [b"", b"not a workbook", b"PK\x03\x04 cut off"])
def test_a_file_that_is_no_workbook(desk: Any, film: Any, data: bytes) -> None:
    """Left as it is: perhaps someone can mend it."""
    desk.path.parent.mkdir()
    desk.path.write_bytes(data)
    with pytest.raises(SinkError, match="tracker-unreadable"):
        desk.refresh([film("a")])
    assert desk.path.read_bytes() == data


def test_a_folder_in_the_file_s_place(desk: Any, film: Any) -> None:
    """Said as it is."""
    desk.path.mkdir(parents=True)
    with pytest.raises(SinkError, match="tracker-unreadable"):
        desk.refresh([film("a")])


def test_a_stale_temporary_file_goes(desk: Any, film: Any) -> None:
    """Also one whose tracker has odd characters in its name."""
    desk.refresh([film("a")])
    stale = desk.path.with_name(".production.xlsx.0badcafe.genesis-tmp")
    other = desk.path.with_name(".other.xlsx.0badcafe.genesis-tmp")
    for path in (stale, other):
        path.write_bytes(b"half")
    desk.refresh([film("b")])
    assert not stale.exists()
    assert other.exists()


def damage(content: bytes, data: st.DataObject) -> bytes:
    """Some bytes replaced by others."""
    changed = bytearray(content)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(changed)))
        changed[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    return bytes(changed)


@settings(max_examples=5000, phases=[__import__("hypothesis").Phase.generate], deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_damaged_workbooks_are_told_as_such(
    new_desk: Any, film: Any, workbook: Path, data: st.DataObject
) -> None:
    """Whatever is damaged, the zip or a part in it: a problem, never a crash."""
    whole = workbook.read_bytes()
    package = Package(whole)
    part = data.draw(st.sampled_from([None, *package]))
    if part is None:
        content = damage(whole, data)
    else:
        package.replace(part, damage(package.data(part), data))
        content = package.save()
    with tempfile.TemporaryDirectory() as name:
        desk = new_desk(Path(name))
        desk.path.parent.mkdir()
        desk.path.write_bytes(content)
        try:
            desk.refresh([film("a"), film("c")])
        except SinkError as error:
            codes = {problem.code for problem in error.problems}
            assert codes <= {"tracker-unreadable", "tracker-not-ours"}
            assert desk.path.read_bytes() == content


@pytest.fixture(scope="session")
def workbook(tmp_path_factory: Any, new_desk: Any, film: Any) -> Path:
    """A tracker's workbook."""
    desk = new_desk(tmp_path_factory.mktemp("workbook"))
    desk.refresh([film("a"), film("b")])
    return Path(desk.path)
