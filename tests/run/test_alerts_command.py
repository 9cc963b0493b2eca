"""`genesis alerts` on a project: what is wrong, a test that arrives, silence that somebody asks for."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from genesis.audit.decide import Decision, Difference
from genesis.cli import run_command
from genesis.run.audits import Audited
from genesis.run.ledger import Ledger
from genesis.schedule.alerting import Trouble
from tests.sinks.entry_points import installed
from tests.web_server import hook

SETTINGS = """
alerts:
  ops: {webhook: "${env:HOOK}", allow_private: true}
"""
FILES = {
    "genesis.yaml": SETTINGS,
    "definitions/item.yaml": "data_source: item\ntable: shop.item\nprimary_key: id\nfields: {id: integer}\n",
    "inputs/items.yaml": "input: items\nsource: item\nfields: [id]\n",
    "workflows/items.yaml": "workflow: items\njobs: [{refresh: items, to: {csv: {file: items.csv}}}]\n",
}
JOB = "items.refresh_items"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def shown(project: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    assert run_command(["-C", str(project), "alerts", *more]) == 0
    return capsys.readouterr().out


def test_a_test_arrives(
    project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """At the address that the secret holds."""
    monkeypatch.syspath_prepend(installed(tmp_path))
    with hook() as server:
        monkeypatch.setenv("HOOK", f"http://127.0.0.1:{server.port}/services/secretpath")
        assert shown(project, capsys, "--test", "ops") == "`ops` took the test\n"
        server.status, server.answer = 403, b"invalid /services/secretpath"
        assert run_command(["-C", str(project), "alerts", "--test", "ops"]) == 75
    assert len(server.calls) == 2
    told = capsys.readouterr().err
    assert "error[not-sent]: `127.0.0.1` answers 403: invalid ***" in told


def test_what_is_wrong_is_shown_once(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """However many are told of it; for machines too."""
    now = datetime.now(UTC)
    trouble = Trouble(JOB, "failing", "user", "no", ("ops", "team"), "engine `prod` is away")
    ledger = Ledger("sqlite:///.genesis/state.db", project)
    assert "nothing is wrong" in shown(project, capsys)
    ledger.alerts.hear([trouble], at=now - timedelta(hours=1))
    assert "not yet" in shown(project, capsys)
    ledger.alerts.collect(ledger.audits, at=now)
    text = shown(project, capsys)
    assert text.count(JOB) == 3  # one line of alerts, two messages that wait
    assert "ops, team" in text
    said = json.loads(shown(project, capsys, "--format", "json"))
    assert [each["receiver"] for each in said["alerts"]] == ["ops", "team"]
    assert [each["attempts"] for each in said["unsent"]] == [0, 0]
    ledger.close()


def test_a_job_is_muted_for_a_while(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One that there is."""
    assert shown(project, capsys, "--mute", JOB, "--for", "2h").startswith(
        f"`{JOB}` is muted until"
    )
    assert json.loads(shown(project, capsys, "--format", "json"))["muted"] == [JOB]
    assert run_command(["-C", str(project), "alerts", "--mute", "items.refresh_item"]) == 64
    assert f"did you mean `{JOB}`" in capsys.readouterr().err


def test_an_audit_that_fails_is_shown(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Since its first difference."""
    now = datetime.now(UTC)
    difference = Difference(("p1",), "missing", now - timedelta(days=1), now, 3, told=now)
    ledger = Ledger("sqlite:///.genesis/state.db", project)
    audited = Audited("end_to_end", "item", "failing", now, failing=(difference,))
    ledger.audits.keep(audited, Decision({difference.key: difference}), after=0)
    ledger.close()
    assert "audit.end_to_end" in shown(project, capsys)
    said = json.loads(shown(project, capsys, "--format", "json"))
    assert said["audits"][0]["since"] == (now - timedelta(days=1)).isoformat()
