"""`genesis explain`: what a problem's code means, from its page.

Pages are Markdown files in `genesis/pages`, one for each code. The surprise: two codes (`cycle`,
`untyped`) look like names of inputs; they are codes.
"""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import dataclass
from importlib.resources import files

import click

from genesis.errors import CODES, Problem, UsageError, did_you_mean


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
@click.argument("subject", metavar="CODE")
@click.option(
    "--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def command(subject: str, format_: str) -> None:
    """Explain the CODE of a problem: its cause, an example, the cure.

    \b
    genesis explain fans-out
    genesis explain unknown-field --format json
    """
    page = read_page(subject)
    click.echo(_as_json(page) if format_ == "json" else _as_text(page))


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
