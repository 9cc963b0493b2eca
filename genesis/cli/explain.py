"""`genesis explain`: what an input is made of and why; or what a problem's code means, from its page.

Pages are Markdown files in `genesis/pages`, one for each code. The surprise: two codes (`cycle`,
`untyped`) look like names of inputs; they are codes.
"""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import click

from genesis.cli.session import (
    Session,
    definitions_option,
    inputs_option,
    param_option,
    parse_parameters,
    pick_inputs,
    require_column,
)
from genesis.errors import CODES, Problem, Problems, UsageError, did_you_mean

if TYPE_CHECKING:
    from genesis.review.explain import Explanation
    from genesis.review.lineage import Lineage
    from genesis.spec.project import Project


@dataclass(frozen=True)
class Block:
    """A fenced piece of a page: YAML with the name of its file, or what a command says."""

    language: str
    file: str
    text: str


@dataclass(frozen=True)
class Page:
    """One code: its meaning in a sentence, its cause, an example of it, the cure."""

    code: str
    meaning: str
    text: str
    cause: str
    example: tuple[Block, ...]
    says: str
    cure: str
    cured: tuple[Block, ...]


@click.command("explain")
@click.argument("subject", metavar="INPUT|CODE")
@click.option("--column", metavar="C", help="The lineage of one column of the input instead.")
@click.option(
    "--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@param_option
@definitions_option
@inputs_option
@click.pass_obj
def command(
    session: Session,
    subject: str,
    column: str | None,
    format_: str,
    pairs: tuple[str, ...],
    definitions: tuple[Path, ...],
    inputs: tuple[Path, ...],
) -> None:
    """Explain an INPUT: its grain, each join and who asked for it, what was pruned;
    or the CODE of a problem: its cause, an example, the cure.

    \b
    genesis explain production_tracker
    genesis explain production_tracker --column is_late --format json
    genesis explain fans-out
    """
    if is_code(subject):
        if column is not None:
            message = f"`{subject}` is a code, and `--column` goes with an input"
            raise UsageError(Problem("wrong-usage", message))
        page = read_page(subject)
        click.echo(_as_json(page) if format_ == "json" else _as_text(page))
        return
    problems = Problems()
    named = (Path(subject),) if definitions and not inputs and Path(subject).is_file() else inputs
    project = session.load(problems, definitions, named)
    picked = pick_inputs(project, [subject], session.shown_root, problems)
    if len(picked) != 1:
        hint = f"name one: {', '.join(picked)}"
        message = f"`{subject}` defines {len(picked)} inputs"
        raise UsageError(Problem("wrong-usage", message, hint=hint))
    told = _of_input(project, picked[0], column, pairs)
    click.echo(_told_as_json(told) if format_ == "json" else _told_as_text(told))


def _of_input(
    project: Project, name: str, column: str | None, pairs: tuple[str, ...]
) -> Explanation | Lineage:
    """The explanation of an input, or the lineage of its column; no parameter need be given."""
    from genesis.compile.run import Run
    from genesis.review.explain import explain
    from genesis.review.lineage import lineages
    from genesis.review.report import Report

    run = Run(parse_parameters(pairs) if pairs else None)
    if column is None:
        return explain(Report(project, name, run))
    found = {one.column: one for one in lineages(project, name, run)}
    require_column(name, column, found)
    return found[column]


def _told_as_json(told: Explanation | Lineage) -> str:
    from genesis.review.facts import facts

    return json.dumps(facts(told), indent=2, ensure_ascii=False)


def _told_as_text(told: Explanation | Lineage) -> str:
    from genesis.review.explain import Explanation
    from genesis.review.words import explanation_text, lineage_text

    return explanation_text(told) if isinstance(told, Explanation) else lineage_text(told)


def is_code(subject: str) -> bool:
    """Whether a word is meant for a code: those have hyphens, and names of inputs have not."""
    return subject in CODES or "-" in subject


def read_page(code: str) -> Page:
    """The page of a code. Raises `UsageError` where there is no such code."""
    if code not in CODES:
        hint = did_you_mean(code, CODES) or "problems are told with their code: `error[CODE]`"
        raise UsageError(Problem("wrong-usage", f"there is no code `{code}`", hint=hint))
    return parse_page((files("genesis") / "pages" / f"{code}.md").read_text(encoding="utf-8"))


_SECTION = re.compile(r"^## (\w+)\n", re.MULTILINE)
_BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = "movies.yaml"  # of an example, where it names none
_WIDTH = 100


def parse_page(text: str) -> Page:
    """The parts of a page."""
    opening, *parts = _SECTION.split(text)
    title, _, cause = opening.removeprefix("# ").partition("\n")
    code, _, meaning = title.partition(": ")
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    blocks = {name: tuple(_blocks(section)) for name, section in sections.items()}
    example = blocks.get("Example", ())
    return Page(
        code=code,
        meaning=meaning,
        text=text,
        cause=cause.strip(),
        example=tuple(block for block in example if block.language == "yaml"),
        says="".join(block.text for block in example if block.language == "text"),
        cure=_BLOCK.sub("", sections["Cure"]).strip(),
        cured=blocks["Cure"],
    )


def _blocks(section: str) -> list[Block]:
    return [
        Block(language, file or _FILE, text) for language, file, text in _BLOCK.findall(section)
    ]


def _as_text(page: Page) -> str:
    """The page as a terminal shows it: what stands in fences is indented instead."""
    lines: list[str] = []
    is_fenced = False
    for line in page.text.splitlines():
        if line.startswith("```"):
            is_fenced = not is_fenced
        elif is_fenced:
            lines.append(f"    {line}".rstrip())
        else:
            plain = re.sub(r"^#+ ", "", line)
            lines += textwrap.wrap(plain, _WIDTH, break_on_hyphens=False) or [""]
    return "\n".join(lines)


def _as_json(page: Page) -> str:
    def texts(blocks: tuple[Block, ...]) -> dict[str, str]:
        return {block.file: block.text for block in blocks}

    told = {
        "schema": "genesis/code@1",
        "code": page.code,
        "meaning": page.meaning,
        "cause": page.cause,
        "example": texts(page.example),
        "says": page.says,
        "cure": page.cure,
        "cured": texts(page.cured),
    }
    return json.dumps(told, indent=2, ensure_ascii=False)
