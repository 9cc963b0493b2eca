"""What is checked again after an edit tells what a first check would tell, to the byte."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from genesis import document
from genesis.cli import run_command
from genesis.cli.findings import KeptValues
from genesis.compile.resolve import resolve
from genesis.compile.run import Run
from genesis.compile.sound import Sound
from genesis.compile.trackers import headings_of
from genesis.document import read_documents
from genesis.errors import Problems
from genesis.load import load_project
from genesis.spec.input import Input

FILES = {
    "genesis.yaml": "project: shop\nalerts: {ops: {email: ops@example.com}}\n",
    "definitions/orders.yaml": """\
data_source: orders
table: shop.orders
primary_key: order_id
latest: true
where: not is_test
fields:
  order_id: integer
  customer_id: integer
  status: {type: string, labels: {O: Open, F: Filled}}
  total: {type: "decimal(18,2)", format: money}
  ordered_on: date
  is_test: boolean
  rank: {type: integer, deprecated: use total}
  customer_name: {type: string, sql: customer.name}
  lines_open: {type: integer, sql: count(lines), where: not lines.returned}
joins:
  customer: {by: customer_id}
  lines: {data_source: line, by: order_id}
measures: {revenue: {sql: sum(total), format: money}}
sets: {core: [status, total, customer.name]}
""",
    "definitions/web_orders.yaml": """\
data_source: web_orders
extends: orders
table: shop.web_orders
fields: {browser: string, status: string}
""",
    "definitions/customer.yaml": """\
data_source: customer
table: shop.customer
primary_key: customer_id
fields: {customer_id: integer, name: string, nation_id: integer, joined: date}
joins: {nation: {by: nation_id}, orders: {by: customer_id}}
---
data_source: nation
table: shop.nation
primary_key: nation_id
fields: {nation_id: integer, name: string}
""",
    "definitions/line.yaml": """\
data_source: line
table: shop.line
primary_key: [order_id, number]
fields: {order_id: integer, number: integer, price: "decimal(18,2)", returned: boolean, note: string}
""",
    "definitions/formats.yaml": """\
formatters:
  money: {number: "$#,##0.00"}
  shout: {sql: "upper(value)", type: string}
""",
    "inputs/late.yaml": """\
input: late
source: orders
parameters: {since: {type: date, default: "2026-01-01"}}
fields:
  - order_id
  - {set: core, except: [status]}
  - {field: customer.nation.name, format: shout}
  - {field: "list(lines.note)", name: notes}
  - rank
filters: ["ordered_on >= :since", "status <> 'F'"]
sort: [total desc]
""",
    "inputs/web.yaml": """\
input: web
source: web_orders
fields: [order_id, browser, customer_name, lines_open, total]
limit: 10
""",
    "inputs/by_nation.yaml": """\
input: by_nation
source: customer
shape: summary
fields: [nation.name, {field: count(orders), name: orders}, {field: soundex(max(name)), name: odd, type: string}]
""",
    "inputs/lines.yaml": "input: lines\nsource: line\nfields: [order_id, number, price]\n",
    "workflows/daily.yaml": """\
workflow: daily
schedule: {every: 15m}
jobs:
  - refresh: late
    to: {xlsx: {file: late.xlsx, tab: Late}}
    annotations: {remark: {type: string}, checked: {type: boolean, label: Seen}}
  - {refresh: web, use: [shared]}
alerts: {on_failure: [ops]}
""",
    "workflows/shared.yaml": "templates: {shared: {to: {xlsx: {file: web.xlsx, tab: Web}}}}\n",
}
WORDS = [
    "order_id", "customer_id", "status", "total", "name", "orders", "customer", "nation", "lines", "line", "price", "core",
    "money", "shout", "late", "web", "remark", "shared", "integer", "string", "date", "note", "extends", "value", "latest", "sum",
]  # fmt: skip


def edit(root: Path, chance: Random) -> None:
    """Do to a random file what people do, well or badly."""
    files = sorted(file for file in root.rglob("*.yaml"))
    file = chance.choice(files)
    lines = file.read_text("utf-8").splitlines(keepends=True)
    line = chance.randrange(len(lines)) if lines else 0
    match chance.choice(("word", "word", "word", "line", "note", "remove", "move", "copy", "mend")):
        case "word" if lines:
            lines[line] = lines[line].replace(chance.choice(WORDS), chance.choice(WORDS), 1)
            file.write_text("".join(lines), "utf-8")
        case "line" if lines:
            file.write_text("".join(lines[:line] + lines[line + 1 :]), "utf-8")
        case "note":
            file.write_text("# a note\n" + "".join(lines), "utf-8")
        case "remove" if len(files) > 6 and file.name != "genesis.yaml":
            file.unlink()
        case "move" if file.name != "genesis.yaml":
            file.rename(file.with_name(f"{chance.choice(WORDS)}_{chance.randrange(9)}.yaml"))
        case "copy" if file.name != "genesis.yaml":
            shutil.copy(file, file.with_name(f"again_{file.name}"))
        case _:
            write(root, chance.choice(sorted(FILES)))


def write(root: Path, *names: str) -> None:
    """Write files as they are meant to be."""
    for name in names:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(FILES[name], "utf-8")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write(tmp_path, *FILES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def told(capfd: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """What `check` tells: its exit code, problems and counts."""

    def tell() -> str:
        code = run_command(["check"])
        output = capfd.readouterr()
        return f"{code}\n{output.out}{output.err}"

    return tell


def cold(project: Path, told: Callable[[], str]) -> str:
    """What is told where nothing is known."""
    kept, aside = project / ".genesis", project / ".aside"
    kept.rename(aside)
    answer = told()
    shutil.rmtree(kept)
    aside.rename(kept)
    return answer


STEPS = 25


@pytest.mark.parametrize("seed", range(8))
def test_after_any_edits_all_is_told_as_if_nothing_were_known(
    seed: int, project: Path, told: Callable[[], str]
) -> None:
    chance = Random(seed)
    told()
    for step in range(STEPS):
        for _ in range(chance.choice((1, 1, 2, 4))):
            edit(project, chance)
        assert told() == cold(project, told), f"step {step}"


@pytest.mark.parametrize("seed", range(20))
def test_what_is_sound_in_one_report_is_sound_in_another(seed: int, project: Path) -> None:
    """Problems and headings are those of each report alone."""
    chance = Random(seed)
    for number in range(12):
        (project / f"inputs/report_{number}.yaml").write_text(report(number, chance), "utf-8")
    edit(project, chance)
    loaded = load_project(project, Problems(), lenient=True)
    sound = Sound(loaded)
    for definition in loaded.inputs.values():
        together, alone = Problems(), Problems()
        own = resolve(definition, loaded, Run(parameters=None), alone)
        assert sound.check(definition, together) == (own and headings_of(own))
        assert [*together] == [*alone]


@pytest.mark.parametrize("seed", range(8))
def test_a_report_of_sound_parts_has_the_headings_that_it_would_have_alone(
    seed: int, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most of them are told without being resolved."""
    chance = Random(seed)
    for number in range(60):
        (project / f"inputs/report_{number}.yaml").write_text(sound_report(number, chance), "utf-8")
    loaded, resolved = load_project(project, Problems(), lenient=True), resolved_for(monkeypatch)
    sound = Sound(loaded)
    for definition in loaded.inputs.values():
        together, alone = Problems(), Problems()
        own = resolve(definition, loaded, Run(parameters=None), alone)
        assert sound.check(definition, together) == (own and headings_of(own))
        assert [*together] == [*alone]
    assert len(resolved) < 50


def resolved_for(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The reports that are resolved for being checked from now on."""
    resolved: list[str] = []

    def watch(definition: Input, *rest: object) -> object:
        resolved.append(definition.name)
        return resolve(definition, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("genesis.compile.sound.resolve", watch)
    return resolved


def sound_report(number: int, chance: Random) -> str:
    """A report of columns that are right by themselves; two may have one name or label, or be of one key."""
    fields = [f"  - {column}" for column in chance.sample(SOUND, chance.randint(1, 4))]
    lines = [
        f"input: report_{number}",
        f"source: {chance.choice(('orders', 'web_orders'))}",
        "fields:",
        *fields,
        chance.choice(("", "sort: [total]", "sort: [customer.name desc, order_id]")),
        chance.choice(("", "", "", "limit: 10")),
        chance.choice(("", "", "filters: [total > 5]")),
    ]
    return "\n".join(lines) + "\n"


SOUND = [
    "order_id", "total", "customer.name", "count(lines)", "{field: order_id, name: again}", "{field: order_id, label: Order}",
    "{field: customer.nation.name, label: Total}", "{field: status, label: Status}", "{set: core}", "{set: core, except: [total]}",
    "{field: status, name: again, format: shout}", "{field: sum(lines.price), default: 1, name: worth}",
]  # fmt: skip
COLUMNS = [
    "order_id", "total", "rank", "customer.name", "customer.nation.name", "count(lines)", "revenue", "lines.price", "nowhere",
    "{field: order_id, name: again}", "{field: total, label: Money}", "{field: total, name: again, format: shout}",
    "{field: total / :rate, name: share}", "{field: coalesce(status, :rate), name: status, type: string}",
    "{field: sum(lines.price), default: 1}", "{field: sum(lines.price), default: true}", "{set: core}", "{set: core, except: [total]}",
    "{field: sum(lines.price), where: lines.note > :rate}", "{field: list(lines.note), sort: [lines.number]}", "is_test", "customer_name",
]  # fmt: skip
FILTERS = ["total > :rate", "status <> 'F'", "not is_test", "ordered_on > 5", "any(lines.returned)", "lines.returned"]  # fmt: skip


def report(number: int, chance: Random) -> str:
    """An input whose columns other inputs have too."""
    lines = [
        f"input: report_{number}",
        f"source: {chance.choice(('orders', 'web_orders'))}",
        f"timezone: {chance.choice(('UTC', 'Asia/Tokyo'))}",
        f"parameters: {{rate: {{type: {chance.choice(('integer', 'string'))}, default: '5'}}}}",
        "fields:",
        *(f"  - {column}" for column in chance.sample(COLUMNS, 5)),
        "filters:",
        *(f"  - {condition}" for condition in chance.sample(FILTERS, 2)),
        f"sort: [{chance.choice(('total', 'order_id', 'customer.name'))}]",
    ]
    return "\n".join(lines) + "\n"


def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The inputs that are looked at from now on."""
    looked: list[str] = []
    check = Sound.check

    def watch(self: Sound, definition: Input, problems: Problems) -> object:
        looked.append(definition.name)
        return check(self, definition, problems)

    monkeypatch.setattr(Sound, "check", watch)
    return looked


@pytest.mark.parametrize(
    ("file", "reached"),
    [
        ("inputs/web.yaml", ["web"]),
        ("definitions/line.yaml", ["by_nation", "late", "lines", "web"]),
        ("definitions/web_orders.yaml", ["web"]),
        ("definitions/formats.yaml", ["by_nation", "late", "lines", "web"]),
        ("workflows/daily.yaml", []),
    ],
)
def test_an_edit_is_looked_at_where_it_reaches(
    file: str,
    reached: list[str],
    project: Path,
    told: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told()
    looked = looked_at(monkeypatch)
    (project / file).write_text(FILES[file] + "# more\n", "utf-8")
    told()
    assert sorted(looked) == reached


def test_what_was_undone_is_known(
    project: Path, told: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The findings of before stay a while."""
    first = told()
    (project / "inputs/web.yaml").write_text("input: web\nsource: line\nfields: [price]\n")
    told()
    looked = looked_at(monkeypatch)
    write(project, "inputs/web.yaml")
    (project / "workflows/more.yaml").write_text("workflow: more\njobs: [{compact: orders}]\n")
    assert told() != first
    assert looked == []


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"a": 1}', '{"a": [[["no-such-code", "", null, null, "error", null]], null]}']
)  # fmt: skip
def test_findings_that_cannot_be_read_are_none(
    text: str, project: Path, told: Callable[[], str]
) -> None:
    first = told()
    for file in (project / ".genesis/answers").iterdir():
        file.write_text(text + "\n-- whole\n", "utf-8")
    assert told() == first


def test_after_an_edit_only_its_text_is_parsed(
    project: Path, told: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told()
    parsed: list[str] = []
    read = document._simple_values

    def watch(text: str) -> list[object]:
        parsed.append(text)
        return read(text)

    monkeypatch.setattr(document, "_simple_values", watch)
    (project / "inputs/web.yaml").write_text(FILES["inputs/web.yaml"] + "# more\n", "utf-8")
    told()
    assert parsed == [FILES["inputs/web.yaml"] + "# more\n"]


@pytest.mark.parametrize(
    "text", ["a: [.nan, .inf, -.inf, -0.0, 1e22, 0x1F, 1, 1.0, '1', true, null, ~, on]", "b: \"\\U0001F600\\n\\u2028\"", "1\n--- []\n--- {c: {}}", f"d: {'9' * 400}"]
)  # fmt: skip
def test_kept_values_are_what_was_read(text: str, tmp_path: Path) -> None:
    first = KeptValues(tmp_path)
    values = [one.data for one in read_documents("f.yaml", text, Problems(), first)]
    first.write()
    later = KeptValues(tmp_path)
    assert repr(later.of(text, lambda _: pytest.fail("read again"))) == repr(values)


def test_the_findings_of_one_check_stay_few(project: Path, told: Callable[[], str]) -> None:
    """They are of the definitions that there are, and of as many from before."""
    for number in range(5):
        write(project, *FILES)
        for file in project.glob("*/*.yaml"):
            file.write_text(file.read_text("utf-8") + f"# {number}\n", "utf-8")
        told()
    (findings,) = (project / ".genesis/answers").glob("findings-*")
    kept = json.loads(findings.read_text("utf-8").removesuffix("\n-- whole\n"))
    assert 9 <= len(kept) <= 2 * 9
