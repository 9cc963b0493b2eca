"""Every code has a page, and what the page says is true.

An example in YAML is checked: it has that problem alone, told in the page's own words (`--accept`
writes them anew), and none once the documents of the cure stand for those of their kind. What a page
quotes of other commands stands in the code's folder of `fixtures/errors`.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from genesis.cli import run_command
from genesis.cli.explain import Block, Page, parse_page
from genesis.compile.check import check_project
from genesis.console import show_problems
from genesis.errors import CODES, Problem, Problems
from genesis.load import load_files

FOLDER = Path(__file__).parents[1] / "genesis" / "pages"
ERRORS = Path(__file__).parent / "fixtures" / "errors"
PAGES = {file.stem: parse_page(file.read_text(encoding="utf-8")) for file in FOLDER.iterdir()}
WITH_EXAMPLE = [code for code, page in PAGES.items() if page.example]
WITH_QUOTE = [code for code, page in PAGES.items() if page.says and not page.example]


def test_pages_and_codes_are_equal() -> None:
    """Each code has its page, which opens with its meaning; no page is of a code that is gone."""
    assert {code: page.meaning for code, page in PAGES.items()} == CODES
    assert all(page.code == code for code, page in PAGES.items())


def test_every_page_has_a_cause_and_a_cure() -> None:
    """Whoever reads a page wants to know what to do."""
    assert [code for code, page in PAGES.items() if not (page.cause and page.cure)] == []


@pytest.mark.parametrize("code", sorted(WITH_EXAMPLE))
def test_an_example_has_its_problem(
    code: str, accept: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Just that one, in the words that the page shows."""
    page = PAGES[code]
    problems = _check(tmp_path, page.example)
    show_problems(problems, root=tmp_path)
    said = capsys.readouterr().err.rstrip() + "\n"

    if accept:
        before, _, after = page.text.partition("```text\n")
        text = before + "```text\n" + said + "```" + after.partition("```")[2]
        (FOLDER / f"{code}.md").write_text(text, encoding="utf-8")
    else:
        assert said == page.says
    assert [problem.code for problem in problems] == [code]


@pytest.mark.parametrize("code", sorted(WITH_EXAMPLE))
def test_a_cure_cures(code: str, tmp_path: Path) -> None:
    """The mended example has no problem, and no warning either."""
    assert _check(tmp_path, _cured(PAGES[code])) == []


@pytest.mark.parametrize("code", sorted(WITH_QUOTE))
def test_a_quote_is_of_a_session(code: str) -> None:
    """What no check can tell is quoted from the session that shows it."""
    shown = [file.read_text(encoding="utf-8") for file in ERRORS.joinpath(code).glob("*.txt")]
    assert any(PAGES[code].says in text for text in shown)


def test_a_code_without_a_command_has_no_example() -> None:
    """All but those whose folder says that no command brings them about."""
    bare = set(CODES) - {*WITH_EXAMPLE, *WITH_QUOTE}
    assert bare == {file.parent.name for file in ERRORS.glob("*/elsewhere.txt")}


def test_explain_prints_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    """Plainly: headings without marks, YAML indented instead of fenced."""
    assert run_command(["explain", "unknown-target"]) == 0
    assert capsys.readouterr().out.splitlines()[:9] == [
        "unknown-target: a name is no target of the project",
        "",
        "`--target`, or `default_target` in `genesis.yaml`, names no target of the project.",
        "",
        "Example",
        "",
        "    default_target: lokal",
        "    targets:",
        "      local:",
    ]


def test_explain_writes_json(capsys: pytest.CaptureFixture[str]) -> None:
    """The same parts, for an editor or a page."""
    assert run_command(["explain", "clear-secret", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["schema"], told["code"]) == ("genesis/code@1", "clear-secret")
    assert told["meaning"] == CODES["clear-secret"]
    assert list(told["example"]) == list(told["cured"]) == ["genesis.yaml"]


def test_an_unknown_code_is_told_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    """A code is copied from a problem, or typed from memory."""
    assert run_command(["explain", "unknown-feild"]) == 64
    assert "did you mean `unknown-field`?" in capsys.readouterr().err


def _check(root: Path, blocks: tuple[Block, ...]) -> list[Problem]:
    for block in blocks:
        (root / block.file).write_text(block.text, encoding="utf-8")
    problems = Problems()
    check_project(load_files(root, [root / "movies.yaml"], problems), problems)
    return list(problems)


def _cured(page: Page) -> tuple[Block, ...]:
    """The example, its documents replaced by those of the cure that are of the same kind."""
    cured = {block.file: block.text for block in page.cured}
    return tuple(
        Block(block.language, block.file, _replaced(block.text, cured.get(block.file, "")))
        for block in page.example
    )


def _replaced(example: str, cure: str) -> str:
    if not cure:
        return example
    mended = cure.split("---\n")
    kinds = {_kind(document) for document in mended}
    healthy = [document for document in example.split("---\n") if _kind(document) not in kinds]
    return "---\n".join([*mended, *healthy])


def _kind(document: str) -> str:
    """The first key, of a misspelt one the right word."""
    key = document.partition(":")[0]
    return "data_source" if key == "datasource" else key
