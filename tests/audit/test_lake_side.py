"""Audits of one table of the lake against another, with every strategy, and what is remembered."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genesis.cli import run_command
from genesis.errors import EngineBusy
from genesis.run.audits import Audits, run_audit
from genesis.run.ledger import Ledger
from genesis.run.state import State
from tests.audit.shops import NOON, Shop, keys

DEFINITIONS = """
data_source: product
table: products
primary_key: [shop, number]
fields: {shop: string, number: integer, name: string, price: "decimal(8,2)", since: date}
---
audit: shop
data_source: product
against: {table: others, key: [Shop, No], columns: {name: name, price: price}}
runs: 2
sla: 30m
alert: ops
---
audit: sums
data_source: product
against: {table: others, key: [Shop, No], columns: {name: name, price: price}}
strategy: checksums
---
audit: keys
data_source: product
against: {table: others, key: [Shop, No]}
"""
TABLES = """
CREATE TABLE products (shop VARCHAR, number BIGINT, name VARCHAR, price DECIMAL(8,2), since DATE);
CREATE TABLE others ("Shop" VARCHAR, "No" INTEGER, name VARCHAR, price DECIMAL(12,4));
"""


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop.made(tmp_path, DEFINITIONS, TABLES)


rows = st.dictionaries(
    st.tuples(st.sampled_from(["a", "b|", "~", "ä"]), st.integers(-2, 3)),
    st.tuples(
        st.sampled_from([None, "", "~", "|", "x", "X"]),
        st.sampled_from([None, "0", "0.5", "-1.25"]),
    ),
    max_size=12,
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10, deadline=None
)
@given(rows, rows)
def test_every_strategy_finds_just_what_differs(
    shop: Shop,
    here: dict[tuple[str, int], tuple[str | None, str | None]],
    there: dict[tuple[str, int], tuple[str | None, str | None]],
) -> None:
    """Composite keys, awkward texts, NULLs; decimals of another scale."""
    shop.change("DELETE FROM products; DELETE FROM others")
    if here:
        shop.change(
            "INSERT INTO products (shop, number, name, price) VALUES (?, ?, ?, ?)",
            [(*key, *values) for key, values in here.items()],
        )
    if there:
        shop.change(
            "INSERT INTO others VALUES (?, ?, ?, ?)",
            [(*key, *values) for key, values in there.items()],
        )
    one_side = dict.fromkeys(there.keys() - here.keys(), "missing")
    one_side |= dict.fromkeys(here.keys() - there.keys(), "extra")
    differs = {key: "differs" for key in here.keys() & there.keys() if here[key] != there[key]}
    for audit, expected in (
        ("shop", one_side | differs),
        ("sums", one_side | differs),
        ("keys", one_side),
    ):
        found = {(one.key[0], int(one.key[1] or "")): one.kind for one in shop.found(audit)}
        assert found == expected, audit


def test_it_says_which_columns_differ(shop: Shop) -> None:
    shop.change("INSERT INTO products VALUES ('a', 1, 'x', 1, NULL)")
    shop.change("INSERT INTO others VALUES ('a', 1, 'x', 2)")
    assert [one.columns for one in shop.found()] == [("price",)]


def test_an_alarm_is_told_once_and_an_all_clear_once(shop: Shop) -> None:
    """After two runs; with the exit code of an audit for as long as it lasts."""
    shop.change("INSERT INTO others VALUES ('a', 1, 'x', 2)")
    first, second, third = (shop.audited() for _ in range(3))
    shop.change("DELETE FROM others")
    healed, quiet = shop.audited(), shop.audited()
    runs = [first, second, third, healed, quiet]
    assert [run.state for run in runs] == ["watching", "failing", "failing", "agrees", "agrees"]
    assert [run.exit_code for run in runs] == [0, 5, 5, 0, 0]
    assert [keys(run.notices) for run in runs] == [
        [],
        [("alarm", ["a"])],
        [],
        [("all_clear", ["a"])],
        [],
    ]


def test_a_run_that_fails_neither_alarms_nor_clears(shop: Shop) -> None:
    """What was known before it is known after it, and the next run goes on from there."""
    shop.change("INSERT INTO others VALUES ('a', 1, 'x', 2)")
    shop.audited()
    shop.change("ALTER TABLE others RENAME TO away")
    failed = shop.audited()
    shop.change("ALTER TABLE away RENAME TO others")
    told = shop.audited()
    shop.change("ALTER TABLE others RENAME TO away")
    failed_again = shop.audited()
    assert [run.state for run in (failed, told, failed_again)] == ["failed", "failing", "failed"]
    assert failed.exit_code == 3
    assert failed.notices == failed_again.notices == ()
    assert [one.runs for one in told.failing] == [2]
    assert [one.key for one in failed_again.failing] == [("a", "1")]


def test_of_two_runs_at_once_the_later_changes_nothing(shop: Shop) -> None:
    """It would count a difference twice."""
    ledger = Ledger("sqlite:///state.db", shop.root)
    audit = shop.project.audits["shop"]
    seen = shop.audited().seen
    assert seen is not None

    def slowly(*_: object) -> object:
        shop.audited()
        return seen

    with pytest.raises(EngineBusy, match="another run of audit"):
        run_audit(audit, slowly, ledger.audits, now=NOON)  # type: ignore[arg-type]
    ledger.close()


def test_notices_wait_until_they_are_sent(shop: Shop) -> None:
    """With receivers, and as many keys as a person reads."""
    for number in range(30):
        shop.change(f"INSERT INTO others VALUES ('a', {number}, 'x', 2)")
    shop.audited()
    shop.audited()
    audits = Audits(State("sqlite:///state.db", shop.root))
    (notice,) = audits.unsent()
    assert (notice["kind"], notice["receivers"], notice["more"]) == ("alarm", ["ops"], 10)
    assert notice["text"] == "audit `shop`: 30 keys not as in the source (30 missing)"


def test_what_changed_lately_is_looked_at_later(tmp_path: Path) -> None:
    """`changed_at` tells: neither told nor cleared."""
    shop = Shop.made(
        tmp_path,
        """
data_source: day
table: days
primary_key: day
fields: {day: date, note: string}
---
audit: shop
data_source: day
against: {table: others, key: day, columns: {note: note}, changed_at: updated}
runs: 1
sla: 2h
""",
        """
CREATE TABLE days (day DATE, note VARCHAR);
CREATE TABLE others (day DATE, note VARCHAR, updated TIMESTAMPTZ);
INSERT INTO others VALUES ('2026-11-01', 'x', '2026-11-23 12:30:00+00')
""",
    )
    assert [shop.audited().state for _ in range(3)] == ["agrees", "agrees", "watching"]
    shop.change("UPDATE others SET updated = '2026-11-23 15:30:00+00'")
    run = shop.audited()  # it changed half an hour ago, and may be on its way
    assert [(one.key, one.runs) for one in run.watched] == [(("2026-11-01",), 1)]
    shop.change("INSERT INTO days VALUES ('2026-11-01', 'x')")
    assert shop.audited().watched == ()


def test_a_sensitive_key_is_not_shown(tmp_path: Path) -> None:
    """Something else stands for it, always the same."""
    shop = Shop.made(
        tmp_path,
        """
data_source: person
table: people
primary_key: email
fields: {email: {type: string, sensitivity: personal}}
---
audit: shop
data_source: person
against: {table: others, key: email}
""",
        "CREATE TABLE people (email VARCHAR);"
        "CREATE TABLE others AS SELECT 'ada@example.com' AS email",
    )
    (found,) = shop.found()
    assert str(found.key[0]).startswith("#")


def test_the_command_tells_and_writes_reports(
    shop: Shop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Text, JSON, Markdown and HTML; `--once` remembers nothing."""
    monkeypatch.chdir(shop.root)
    shop.change("INSERT INTO others VALUES ('<b>', 1, 'x', 2)")
    assert run_command(["audit", "shop"]) == 0
    assert "1 missing" in capsys.readouterr().out
    assert run_command(["audit", "shop", "--once", "--format", "json"]) == 5
    (entry,) = json.loads(capsys.readouterr().out)["audits"]
    assert (entry["state"], entry["found"]["missing"]) == ("failing", 1)
    assert entry["told"][0]["key"] == ["<b>", "1"]
    for file in ("a.html", "a.md"):
        run_command(["audit", "keys", "--report", file])
        assert "b" in (shop.root / file).read_text(encoding="utf-8")
    assert "<b>" not in (shop.root / "a.html").read_text(encoding="utf-8")
    capsys.readouterr()
    assert run_command(["audit", "keys", "--report", "nowhere/a.md"]) == 64
    assert "cannot write `nowhere/a.md`: no such file or directory" in capsys.readouterr().err


def test_one_that_is_broken_is_told_where_all_are_asked_for(
    shop: Shop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shop.root)
    broken = "audit: typo\ndata_source: product\nagainst: {table: others, kei: id}\n"
    (shop.root / "definitions" / "typo.yaml").write_text(broken, encoding="utf-8")
    assert run_command(["audit"]) == 2
    told = capsys.readouterr()
    assert "✓ shop" in told.out
    assert "audit `typo` is broken" in told.err
    assert run_command(["audit", "shop"]) == 0


def test_a_workflow_makes_audits(
    shop: Shop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What needs an audit that fails is skipped; status tells how it ended."""
    monkeypatch.chdir(shop.root)
    (shop.root / "workflows").mkdir()
    (shop.root / "workflows" / "w.yaml").write_text(
        """
workflow: w
jobs:
  - audit: shop
  - {audit: keys, needs: audit_shop}
""",
        encoding="utf-8",
    )
    shop.change("INSERT INTO others VALUES ('a', 1, 'x', 2)")
    shop.audited(after=timedelta(days=-9000))
    assert run_command(["run", "w"]) == 5
    out = capsys.readouterr().out
    assert "✗ w.audit_shop" in out
    assert "- w.audit_keys" in out
    assert run_command(["status"]) == 0
    assert "failing  just now  1 missing  product" in capsys.readouterr().out
