"""Whole commands: exit codes, data on stdout, talk on stderr, and no traceback for anyone's mistake."""

from __future__ import annotations

import json
import os
import pty
import random
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import duckdb
import pytest

from genesis.cli import run_command
from genesis.console import FORMATS, show_problems, table_text
from genesis.errors import CODES, MAX_MISTAKES, Location, Problem

STUDIO = Path(__file__).parents[1]
MODULE = (sys.executable, "-m", "genesis")

FILM = "data_source: film\ntable: films\nprimary_key: film_id\nfields: {film_id: integer, title: string, made: date}\n"
FILMS = "input: films\nsource: film\nparameters: {since: {type: date, default: 1900-01-01}}\nfields: [title]\nfilters: ['made >= :since']\n"
TITLES = "input: titles\nsource: film\nfields: [title]\n"
BROKEN = "input: broken\nsource: film\nfields:\n  - tilte\n"


class Ended(NamedTuple):
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


Genesis = Callable[..., Ended]


@pytest.fixture
def genesis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Genesis:
    """Runs a command line in an empty folder, by the door that `genesis` itself goes through."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Ended:
        code = run_command(arguments)
        return Ended(code, *capsys.readouterr())

    return run


def write(folder: Path, **files: str) -> None:
    """Definitions and inputs by name; `genesis` is the project's own file."""
    for name, text in files.items():
        kind = "" if name == "genesis" else "definitions" if "data_source" in text else "inputs"
        (folder / kind).mkdir(exist_ok=True)
        (folder / kind / f"{name}.yaml").write_text(text, encoding="utf-8")


# --- check ----------------------------------------------------------------------------------------


def test_a_healthy_project(genesis: Genesis, tmp_path: Path) -> None:
    """The last line says what was looked at."""
    write(tmp_path, genesis="", film=FILM, films=FILMS)
    assert genesis("check") == (
        0,
        "",
        "checked 1 data source, 1 input, 0 workflows: 0 errors, 0 warnings\n",
    )


def test_a_warning_is_no_failure(genesis: Genesis, tmp_path: Path) -> None:
    """It is told, and the exit code is 0."""
    write(tmp_path, genesis="", film=FILM, titles=TITLES + "limit: 5\n")
    code, out, err = genesis("check")
    assert (code, out) == (0, "")
    assert "warning[limit-without-sort]" in err
    assert "0 errors, 1 warning\n" in err


def test_an_error_is_shown_with_its_line(genesis: Genesis, tmp_path: Path) -> None:
    """The format of the excerpt, character by character."""
    write(tmp_path, genesis="", film=FILM, broken=BROKEN)
    assert genesis("check").err == (
        "error[unknown-field]: unknown field `tilte` in data source `film`\n"
        " --> inputs/broken.yaml:4:5\n"
        "  |\n"
        "4 |   - tilte\n"
        "  |     ^^^^^ did you mean `title`?\n"
        "  = help: genesis check --fix writes `title`\n"
        "\n"
        "checked 1 data source, 1 input, 0 workflows: 1 error, 0 warnings\n"
        "for more about one: genesis explain unknown-field\n"
    )


def test_json(genesis: Genesis, tmp_path: Path) -> None:
    """`genesis/problems@1`, member by member, on stdout alone."""
    write(tmp_path, genesis="", film=FILM, broken=BROKEN)
    code, out, err = genesis("check", "--format", "json")
    assert (code, err) == (2, "")
    assert json.loads(out) == {
        "schema": "genesis/problems@1",
        "problems": [
            {
                "code": "unknown-field",
                "severity": "error",
                "message": "unknown field `tilte` in data source `film`",
                "hint": "did you mean `title`?",
                "file": "inputs/broken.yaml",
                "line": 4,
                "column": 5,
                "end_line": 4,
                "end_column": 10,
                "fix": {"line": 4, "column": 5, "end_line": 4, "end_column": 10, "text": "title"},
            }
        ],
    }


def test_concise(genesis: Genesis, tmp_path: Path) -> None:
    """One line per problem, the place first."""
    write(tmp_path, genesis="", film=FILM, broken=BROKEN + "limit: 1\n")
    assert genesis("check", "--format", "concise").out.splitlines() == [
        "inputs/broken.yaml:4:5: unknown field `tilte` in data source `film` [unknown-field] (did you mean `title`?)",
        "inputs/broken.yaml:5:1: warning: a `limit` without a `sort` keeps the rows whose keys come first [limit-without-sort] (say with `sort` which rows matter)",
    ]


def test_github(genesis: Genesis, tmp_path: Path) -> None:
    """Workflow commands: what would end a property or a line is escaped."""
    write(tmp_path, genesis="", film=FILM)
    (tmp_path / "inputs").mkdir()
    (tmp_path / "inputs/50%, or: less.yaml").write_text(BROKEN)
    assert genesis("check", "--format", "github").out == (
        "::error file=inputs/50%25%2C or%3A less.yaml,line=4,col=5,endLine=4,endColumn=10,title=unknown-field"
        "::unknown field `tilte` in data source `film`%0Adid you mean `title`?\n"
    )


def test_sarif(genesis: Genesis, tmp_path: Path) -> None:
    """The members that SARIF 2.1.0 requires, with a rule for every result."""
    write(tmp_path, genesis="", film=FILM, titles=TITLES + "limit: 5\n")
    (tmp_path / "inputs/größer als.yaml").write_text(BROKEN, encoding="utf-8")
    log = json.loads(genesis("check", "--format", "sarif").out)
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "genesis"
    rules = {rule["id"]: rule["shortDescription"]["text"] for rule in driver["rules"]}
    assert rules == {code: CODES[code] for code in ("limit-without-sort", "unknown-field")}
    assert [(r["ruleId"], r["level"]) for r in run["results"]] == [
        ("unknown-field", "error"),
        ("limit-without-sort", "warning"),
    ]
    assert all(result["message"]["text"] for result in run["results"])
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place == {
        "artifactLocation": {"uri": "inputs/gr%C3%B6%C3%9Fer%20als.yaml"},
        "region": {"startLine": 4, "startColumn": 5, "endLine": 4, "endColumn": 10},
    }


@pytest.mark.parametrize("format_", [name for name in FORMATS if name != "full"])
def test_formats_for_machines_of_a_healthy_project(
    format_: str, genesis: Genesis, tmp_path: Path
) -> None:
    """Nothing to tell is still a whole document, or no line at all."""
    write(tmp_path, genesis="", film=FILM, films=FILMS)
    code, out, err = genesis("check", "--format", format_)
    assert (code, err) == (0, "")
    assert out == "" if format_ in ("concise", "github") else json.loads(out)


def test_paths_limit_what_is_told(genesis: Genesis, tmp_path: Path) -> None:
    """All of the project is read, so a healthy file among broken ones is healthy."""
    write(tmp_path, genesis="", film=FILM, films=FILMS, broken=BROKEN)
    assert genesis("check", "inputs/films.yaml").code == 0
    assert genesis("check", "inputs/broken.yaml").code == 2
    assert genesis("check", "definitions").code == 0
    assert genesis("check", "inputs", "definitions").code == 2
    assert genesis("check", str(tmp_path)).code == 2
    assert genesis("check", "input").code == 64
    assert genesis("check", "/").code == 64


def test_a_project_is_found_upwards_or_named(
    genesis: Genesis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a folder below, from elsewhere with `-C`; files go by their place in the project."""
    write(tmp_path, genesis="", film=FILM, broken=BROKEN)
    elsewhere = tmp_path / "notes"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert " --> inputs/broken.yaml:4:5\n  |\n4 |   - tilte" in genesis("check").err
    assert genesis("check", "../inputs/broken.yaml").code == 2
    monkeypatch.chdir("/")
    assert genesis("check").code == 64
    assert "4 |   - tilte" in genesis("-C", str(tmp_path), "check").err
    assert genesis("-C", str(tmp_path / "nowhere"), "check").code == 64


# --- compile --------------------------------------------------------------------------------------


def test_compile_prints_sql_and_nothing_else(genesis: Genesis, tmp_path: Path) -> None:
    """One input is one statement; a file means the inputs in it."""
    write(tmp_path, genesis="", film=FILM, films=FILMS, titles=TITLES)
    by_name = genesis("compile", "films")
    assert (by_name.code, by_name.err) == (0, "")
    assert by_name.out.startswith("SELECT")
    assert by_name == genesis("compile", "inputs/films.yaml")
    assert by_name == genesis("compile", str(tmp_path / "inputs/films.yaml"))


def test_compile_several(genesis: Genesis, tmp_path: Path) -> None:
    """Statements apart, each under its name; `--all` is every one, in the order of names."""
    write(tmp_path, genesis="", film=FILM, films=FILMS, titles=TITLES)
    every = genesis("compile", "--all")
    assert re.findall(r"^-- (\w+)$", every.out, re.MULTILINE) == ["films", "titles"]
    assert every == genesis("compile", "films", "titles", "films")


def test_compile_into_files(genesis: Genesis, tmp_path: Path) -> None:
    """`--out` makes the folder, and stdout stays empty."""
    write(tmp_path, genesis="", film=FILM, films=FILMS, titles=TITLES)
    code, out, _ = genesis("compile", "--all", "--out", "build/sql")
    assert (code, out) == (0, "")
    written = (tmp_path / "build/sql/films.sql").read_text()
    assert written == genesis("compile", "films").out
    assert sorted(file.name for file in (tmp_path / "build/sql").iterdir()) == [
        "films.sql",
        "titles.sql",
    ]
    assert genesis("compile", "films", "--out", "definitions/film.yaml").code == 64


def test_what_is_broken_does_not_stop_what_is_whole(genesis: Genesis, tmp_path: Path) -> None:
    """The SQL of the healthy inputs is there, and the exit code tells of what was asked for."""
    write(
        tmp_path, genesis="", film=FILM, films=FILMS, broken=BROKEN, torn="input: torn\nfields: ["
    )
    assert genesis("compile", "films").code == 0
    every = genesis("compile", "--all")
    assert every.code == 2
    assert every.out == genesis("compile", "films").out
    assert "error[unknown-field]" in every.err
    assert "error[invalid-yaml]" in every.err
    for name, code in (("broken", "unknown-field"), ("torn", "invalid-yaml")):
        ended = genesis("compile", name)
        assert (ended.code, ended.out) == (2, "")
        assert f"error[{code}]" in ended.err
        assert "unknown-input" not in ended.err


@pytest.mark.parametrize(
    "selected",
    ["maker.name", "{field: made, format: day}", "{field: count(reels), name: reels}"],
)
def test_what_rests_on_something_broken_is_not_compiled(
    selected: str, genesis: Genesis, tmp_path: Path
) -> None:
    """A column is never left out in silence: the mistake that it rests on is told where it stands."""
    joins = "joins: {maker: {by: {film_id: maker_id}}, reels: {by: film_id}}\n"
    makers = "data_source: maker\ntable: m\nprimary_key: maker_id\nfieldz: {maker_id: integer}\n"
    reels = "data_source: reels\nextends: maker\n"
    formatters = "formatters:\n  day: {date: dd.MM.yyyy, number: 0}\n"
    write(tmp_path, genesis="", film=FILM + joins, makers=makers, reels=reels)
    (tmp_path / "definitions/formatters.yaml").write_text(formatters, encoding="utf-8")
    write(tmp_path, titles=TITLES, shown=f"input: shown\nsource: film\nfields: [title, {selected}]")
    code, out, err = genesis("compile", "shown")
    assert (code, out) == (2, "")
    assert "definitions/formatters.yaml:2:" in err
    assert "definitions/makers.yaml:4:1" in err
    assert genesis("compile", "titles")[0] == 0


def test_an_unknown_input_is_told_with_its_likeness(genesis: Genesis, tmp_path: Path) -> None:
    """Nothing is compiled where a name is none."""
    write(tmp_path, genesis="", film=FILM, films=FILMS)
    assert genesis("compile", "film", "films") == (
        2,
        "",
        "error[unknown-input]: unknown input `film`\n  = help: did you mean `films`?\n\n",
    )


def test_parameters_and_moments(genesis: Genesis, tmp_path: Path) -> None:
    """`--param` splits at the first `=`; `--as-of` fixes the clock."""
    write(tmp_path, genesis="", film=FILM, films=FILMS, titles=TITLES + "filters: [\"title = 'x' or made < today()\"]\n")  # fmt: skip
    assert "2026-11-23" in genesis("compile", "films", "--param", "since=2026-11-23").out
    assert "2026-11-23" in genesis("compile", "titles", "--as-of", "2026-11-23T12:00:00Z").out
    assert "2026-11-22" in genesis("compile", "titles", "--as-of", "2026-11-23T01:00+02:00").out
    assert genesis("compile", "films", "--param", "since=soon").code == 2
    assert genesis("compile", "films", "--param", "until=2026-11-23").code == 2
    assert genesis("compile", "films", "--param", "=x").code == 64
    for moment in ("soon", "2026-13-01", "0001-01-01T00:00+23:00", ""):
        assert genesis("compile", "titles", "--as-of", moment).code == 64


def test_dialects(genesis: Genesis, tmp_path: Path) -> None:
    """The target's unless one is named."""
    write(tmp_path, genesis="targets: {prod: {engine: {trino: {host: h, catalog: c, user: u}}}}\n", film=FILM, titles=TITLES + "filters: [\"date_diff('day', made, date '2026-11-23') > 1\"]\n")  # fmt: skip
    by_target, trino, duckdb = (
        genesis("compile", "titles", *dialect)
        for dialect in ((), ("--dialect", "trino"), ("--dialect", "duckdb"))
    )
    assert by_target == trino != duckdb
    assert genesis("compile", "titles", "--dialect", "mysql").code == 64
    assert genesis("--target", "local", "compile", "titles").code == 64


def test_without_a_project_file(genesis: Genesis, tmp_path: Path) -> None:
    """`--definitions` and `--inputs` are enough: the command line is stateless."""
    write(tmp_path, film=FILM, films=FILMS, titles=TITLES, broken=BROKEN)
    stateless = ("--definitions", "definitions", "--inputs")
    films = genesis("compile", "films", *stateless, "inputs")
    assert films.code == 0
    assert films == genesis("compile", "films", *stateless, "inputs/films.yaml")
    assert films == genesis("compile", "--all", *stateless, "inputs/films.yaml")
    assert films == genesis("compile", "inputs/films.yaml", "--definitions", "definitions")
    assert films == genesis("compile", "inputs/films.yaml", *stateless, "inputs")
    assert genesis("check", *stateless, "inputs").code == 2
    assert genesis("check", "inputs/films.yaml", *stateless, "inputs").code == 0
    assert " --> inputs/broken.yaml:4:5\n  |\n4 |" in genesis("check", *stateless, "inputs").err
    assert genesis("compile", "films", "--definitions", "nowhere").code == 64
    write(tmp_path, genesis="timezone: UTC\n")
    assert films == genesis("compile", "films", "--definitions", ".")


def test_a_check_says_where_more_may_be_wrong_than_it_tells(
    genesis: Genesis, tmp_path: Path
) -> None:
    """Of a file with few mistakes nothing is said."""
    many, few = (", ".join(f"a{n} +" for n in range(count)) for count in (MAX_MISTAKES + 1, 3))
    write(
        tmp_path,
        genesis="project: p\n",
        film=FILM,
        many=f"input: many\nsource: film\nfields: [{many}]\n",
    )
    write(tmp_path, few=f"input: few\nsource: film\nfields: [{few}]\n")
    *_, note, checked, _ = genesis("check").err.splitlines()
    assert (
        note
        == "note: `inputs/many.yaml` may have more mistakes than these 1,000: mend some, and check again"
    )
    assert checked == "checked 1 data source, 2 inputs, 0 workflows: 1003 errors, 0 warnings"
    assert "note: " not in genesis("check", "inputs/few.yaml").err


def test_broken_settings_stop_a_command_and_not_a_check(genesis: Genesis, tmp_path: Path) -> None:
    """All else rests on them; `check` still tells the rest."""
    write(tmp_path, genesis="timezon: UTC\n", film=FILM, films=FILMS, broken=BROKEN)
    compiled = genesis("compile", "films")
    assert (compiled.code, compiled.out) == (2, "")
    assert "unknown-field" not in compiled.err
    assert "error[unknown-key]: unknown key `timezon`" in compiled.err
    assert "unknown-field" in genesis("check").err


# --- the command line itself ----------------------------------------------------------------------


def test_help_lists_every_command(genesis: Genesis) -> None:
    """On stdout when it is asked for, on stderr when nothing was."""
    asked = genesis("--help")
    assert asked.code == 0
    for command in ("init", "check", "compile", "preview", "run", "schedule", "status", "schema"):
        assert re.search(rf"^  {command} ", asked.out, re.MULTILINE)
        page = genesis(command, "--help")
        assert page.code == 0
        assert page.out.count(f"genesis {command} ") >= 2, "a usage line and worked examples"
    assert genesis() == (64, "", asked.out)
    assert genesis("--version").out.startswith("genesis")


def test_a_mistyped_command_or_option(genesis: Genesis) -> None:
    """It is named with what it is like; where nothing is near, with where to look."""
    assert genesis("complie").err == (
        "error[wrong-usage]: there is no command `complie`\n  = help: did you mean `compile`?\n\n"
    )
    assert genesis("compile", "--dialekt", "trino").err == (
        "error[wrong-usage]: there is no option `--dialekt`\n  = help: did you mean `--dialect`?\n\n"
    )
    assert "`genesis --help` lists them" in genesis("frobnicate").err
    assert "`genesis check --help`" in genesis("check", "--frobnicate").err
    assert {genesis(*line).code for line in (["x"], ["-x"], ["check", "-x"], ["run"])} == {64}


def test_odd_arguments_end_with_a_message(genesis: Genesis, tmp_path: Path) -> None:
    """Names that no file can have, and files where folders should be."""
    write(tmp_path, genesis="", film=FILM, films=FILMS)
    for line in (
        ["compile", "x" * 5000],
        ["compile", "x" * 5000, "--definitions", "definitions"],
        ["compile", "\udcff"],
        ["check", "\udcff"],
        ["check", "x" * 5000],
        ["compile", "films", "--definitions", "x" * 5000],
        ["compile", ""],
        ["-C", "genesis.yaml", "check"],
        ["--target", "nowhere", "preview", "films"],
        ["ingest", "film", "definitions"],
        ["ingest", "flim", "genesis.yaml"],
        ["preview", "inputs"],
        ["status", "nobody"],
        ["schedule", "--explain", "nobody"],
        ["schedule", "nobody"],
        ["run", "films."],
    ):
        code, _, err = genesis(*line)
        assert code in (1, 2, 64), line
        assert err.startswith("error["), line
        assert "Traceback" not in err


@pytest.mark.parametrize(
    "line",
    [
        ["--target", "prod", "compile", "films"],
        ["compile", "films", "--target", "prod"],
        ["compile", "--target=prod", "films"],
    ],
)
def test_a_target_is_named_before_or_behind_the_command(
    genesis: Genesis, tmp_path: Path, line: list[str]
) -> None:
    """The target says which dialect is printed."""
    trino = "{trino: {host: localhost, catalog: lake, user: me}}"
    settings = f"targets: {{local: {{engine: {{duckdb: {{}}}}}}, prod: {{engine: {trino}}}}}"
    starts = "input: films\nsource: film\nfields: [{field: \"starts_with(title, 'A')\", name: a}]\n"
    write(tmp_path, genesis=settings, film=FILM, films=starts)
    code, sql, _ = genesis(*line)
    assert code == 0
    assert sql == genesis("compile", "films", "--dialect", "trino")[1]
    assert genesis("compile", "films", "--target")[0] == 64


def test_an_excerpt_is_as_long_as_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wide characters count twice, long lines are cut, and nothing speaks to the terminal."""
    cases = {
        "日本: x": (Location("f", 1, 5, 1, 6), "1 | 日本: x", "  |       ^"),
        "a\tb": (Location("f", 1, 3, 1, 4), "1 | a b", "  |   ^"),
        "x" * 300: (Location("f", 1, 151, 1, 153), f"1 | …{'x' * 120}…", f"  | {' ' * 61}^^"),
        "ab\x1b[31m\x07": (Location("f", 1, 1, 1, 3), "1 | ab�[31m�", "  | ^^"),
        "a\u2028b": (Location("f", 1, 3, 1, 4), "1 | a�b", "  |   ^"),
        "e\u0301x": (Location("f", 1, 3, 1, 4), "1 | e\u0301x", "  |  ^"),
        "ab": (Location("f", 1, 1, 2, 1), "1 | ab", "  | ^^"),
    }
    for line, (at, excerpt, carets) in cases.items():
        (tmp_path / "f").write_text(f"{line}\nnext", encoding="utf-8")
        show_problems([Problem("invalid-sql", "m", at)], root=tmp_path)
        assert capsys.readouterr().err.splitlines()[3:5] == [excerpt, carets]


def test_a_secret_is_not_repeated(genesis: Genesis, tmp_path: Path) -> None:
    """What `check` says is in the logs of every build."""
    write(tmp_path, genesis="sinks:\n  airtable: {token: pat123, endpont: x}\n")
    for format_ in FORMATS:
        _, out, err = genesis("check", "--format", format_)
        assert "clear-secret" in out + err
        assert "pat123" not in out + err


def test_tables_align() -> None:
    """Numbers end at the right, wide characters take two columns."""
    assert table_text(["a", "n"], [["日本", "1"], ["x", "23"]], right=[False, True]) == (
        "a      n\n----  --\n日本   1\nx     23"
    )


# --- processes ------------------------------------------------------------------------------------


def test_a_reader_that_has_enough_is_no_failure(tmp_path: Path) -> None:
    """`genesis compile --all | head -1`."""
    files = {f"i{n}": f"input: i{n}\nsource: film\nfields: [title, made]\n" for n in range(300)}
    write(tmp_path, genesis="", film=FILM, **files)
    with subprocess.Popen(
        [*MODULE, "compile", "--all"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"-- i0\n"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_rows_leave_nothing_else_behind(tmp_path: Path) -> None:
    """A preview says how many rows there are, and the engine has no last words."""
    with duckdb.connect(tmp_path / "films.duckdb") as duck:
        duck.execute("CREATE TABLE films AS SELECT 1 AS film_id, 'Ran' AS title")
    genesis = "targets: {local: {engine: {duckdb: {database: films.duckdb}}}}"
    write(tmp_path, genesis=genesis, film=FILM, titles=TITLES)
    command = [*MODULE, "preview", "titles", "--format", "csv"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == (b"title,_key_film_id\nRan,1\n", b"", 0)


def test_a_full_disk_is_told_as_one(tmp_path: Path) -> None:
    """`genesis compile titles > /dev/full`: no file has a name to blame."""
    write(tmp_path, genesis="", film=FILM, titles=TITLES)
    command = [*MODULE, "compile", "titles"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert b"the output, cannot be used: no space left on device" in done.stderr
    assert (b"`None`" in done.stderr, done.returncode) == (False, 1)


def test_an_interrupted_command_says_so(tmp_path: Path) -> None:
    """Ctrl-C while it reads: 130, and one word."""
    pipe = tmp_path / "slow.yaml"
    os.mkfifo(pipe)
    command = [*MODULE, "check", "--definitions", pipe]
    with (
        # What runs these tests in the background may ignore the signal, and so would the command.
        subprocess.Popen(
            command,
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        ) as process,
        pipe.open("wb"),  # opens when the command does
    ):
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert process.stderr.read() == b"\ninterrupted\n"
    assert process.returncode == 130


INTERRUPTED = """
import signal, sys
from genesis.__main__ import main

class Interruption:
    def find_spec(self, name, *_):
        if name == "genesis.cli.commands":
            exec("signal.raise_signal(signal.SIGINT); range(0)")

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Interruption())
main()
"""


def test_an_interrupted_import_says_so() -> None:
    """Also in an `exec`, by which dataclasses are made: Python would end itself by the signal."""
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (130, b"interrupted\n")


@pytest.mark.parametrize(
    ("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colour_is_for_terminals_that_want_it(
    environment: dict[str, str], coloured: bool, tmp_path: Path
) -> None:
    """Pipes never get any; neither does a terminal that says no."""
    write(tmp_path, genesis="", film=FILM, broken=BROKEN)
    variables = {"PATH": os.environ["PATH"], "TERM": "xterm", **environment}
    variables |= {k: v for k, v in os.environ.items() if k == "PYTHONPATH"}
    terminal, theirs = pty.openpty()
    subprocess.run([*MODULE, "check"], cwd=tmp_path, stderr=theirs, env=variables, check=False)
    os.close(theirs)
    shown = os.read(terminal, 10_000)
    os.close(terminal)
    assert (b"\x1b[" in shown) == coloured
    piped = subprocess.run([*MODULE, "check"], cwd=tmp_path, capture_output=True, check=False)
    assert b"\x1b[" not in piped.stderr


# --- anything at all ------------------------------------------------------------------------------


def _mutate(text: str, chance: random.Random) -> str:
    """The text after one slip of a hand."""
    lines = text.splitlines()
    at = chance.randrange(len(lines))
    words = re.findall(r"\w+", text)
    slip = chance.choice(
        ["drop", "double", "swap", "word", "character", "indent", "cut", "mark", "number"]
    )
    match slip:
        case "drop":
            del lines[at]
        case "double":
            lines.insert(at, lines[at])
        case "swap":
            other = chance.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
        case "word":
            one = chance.choice(re.findall(r"\w+", lines[at]) or [""])
            lines[at] = lines[at].replace(one, chance.choice(words), 1)
        case "character":
            place = chance.randrange(len(lines[at]) + 1)
            lines[at] = lines[at][:place] + lines[at][place + 1 :]
        case "indent":
            lines[at] = " " * chance.randrange(4) + lines[at].lstrip(" ")
        case "cut":
            lines[at] = lines[at][: chance.randrange(len(lines[at]) + 1)]
        case "mark":
            place = chance.randrange(len(lines[at]) + 1)
            mark = chance.choice("'\"()[]{}:,;.-+*/<>=!&|%@#\t\\?é日")
            lines[at] = lines[at][:place] + mark + lines[at][place:]
        case _:
            lines[at] = re.sub(r": .*", f": {chance.choice(['7', '-1.5', 'true', '~', '[]', '{}', '.nan'])}", lines[at])  # fmt: skip
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("seed", range(40))
def test_a_slip_of_a_hand_is_told_and_never_a_bug(
    seed: int, tmp_path: Path, genesis: Genesis
) -> None:
    """A quarter of the studio's files with a slip each: problems or none, in their files."""
    chance = random.Random(seed)
    for folder in ("definitions", "inputs", "workflows"):
        shutil.copytree(STUDIO / folder, tmp_path / folder)
    shutil.copy(STUDIO / "genesis.yaml", tmp_path)
    files = sorted(tmp_path.rglob("*.yaml"))
    for file in chance.sample(files, len(files) // 4):
        file.write_text(_mutate(file.read_text(encoding="utf-8"), chance), encoding="utf-8")
    code, out, err = genesis("check", "--format", "json")
    assert (code, err) in ((0, ""), (2, "")), err
    for problem in json.loads(out)["problems"]:
        lines = (tmp_path / problem["file"]).read_text(encoding="utf-8").split("\n")
        assert 1 <= problem["line"] <= len(lines)
        assert 1 <= problem["column"] <= len(lines[problem["line"] - 1]) + 1


def test_words_of_messages() -> None:
    """No full stop, no `you` but in `did you mean`, of everything that the folders show."""
    shown = (STUDIO / "tests/fixtures/errors").glob("*/*.txt")
    texts = [file.read_text(encoding="utf-8") for file in shown if file.name != "elsewhere.txt"]
    messages = re.findall(r"^(?:error|warning)\[[\w-]+\]: (.*)$", "\n".join(texts), re.MULTILINE)
    hints = re.findall(r"(?:\^|= help:) ([^\s^].*)$", "\n".join(texts), re.MULTILINE)
    assert len(messages) > len(CODES)
    for text in [*messages, *hints]:
        assert not text.endswith("."), text
        assert not re.search(r"\byour?\b", text.replace("did you mean", "")), text
        assert text.count("`") % 2 == 0, text
        assert text[0] == "`" or not text[0].isupper() or text.startswith("Conversion Error"), text
