"""Problems and tables, for a person and for machines.

`full` is for people: an excerpt of the file with a caret, on stderr. The others are one text on
stdout: `concise` for grep, `json` (genesis/problems@1), `github` annotations, `sarif` 2.1.0. The
surprise: a file may hold anything, so an excerpt shows no control characters and no endless line.
"""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

from genesis.errors import CODES, Fix, Location, Problem
from genesis.mend import LINE_END, exact

FORMATS = ("full", "concise", "json", "github", "sarif")

_BOLD, _RED, _YELLOW, _BLUE, _RESET = "\033[1m", "\033[31m", "\033[33m", "\033[34m", "\033[0m"


def show_problems(problems: Iterable[Problem], *, root: Path | None = None) -> None:
    """Tell problems to a person, on stderr; `root` is where the files they name are found."""
    colour = has_colour(sys.stderr)
    told = tuple(problems)
    texts = _texts(told, root)
    files = {file: LINE_END.split(text) for file, text in texts.items()}
    told = _exact(told, texts)
    for problem in told:
        if problem.code == "clear-secret" and problem.at:
            _mask(files[problem.at.file], problem.at)
    for problem in told:
        lines = files[problem.at.file] if problem.at else ()
        print(_full(problem, lines, colour=colour), file=sys.stderr)  # noqa: T201


def write_problems(problems: Iterable[Problem], format_: str, *, root: Path | None = None) -> None:
    """Write problems for a machine, on stdout."""
    written = {"concise": concise, "json": _json, "github": _github, "sarif": _sarif}[format_]
    told = tuple(problems)
    text = written(_exact(told, _texts(told, root)))
    if text:
        print(text)  # noqa: T201


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """What shows a text in one line of a terminal, each over the one before, and nothing elsewhere."""
    stream = sys.stderr
    if not stream.isatty():
        yield lambda _: None
        return
    try:
        yield lambda text: print(f"\r\033[K{text}", end="", file=stream, flush=True)
    finally:
        print("\r\033[K", end="", file=stream, flush=True)


def has_colour(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _full(problem: Problem, source: Sequence[str], *, colour: bool) -> str:
    def paint(text: str, *codes: str) -> str:
        return "".join(codes) + text + _RESET if colour else text

    tint = _RED if problem.severity == "error" else _YELLOW
    head = f"{paint(f'{problem.severity}[{problem.code}]', _BOLD, tint)}{paint(f': {problem.message}', _BOLD)}"
    at, hint = problem.at, problem.hint
    if at is None:
        return head + (f"\n  = help: {hint}" if hint else "") + "\n"
    margin = " " * len(str(at.line))
    lines = [head, f"{margin}{paint('-->', _BLUE)} {at}"]
    if at.line > len(source):
        lines += [f"{margin} = help: {hint}"] if hint else []
        return "\n".join(lines) + "\n"
    bar = paint("|", _BLUE)
    line, carets = _excerpt(source[at.line - 1], at)
    lines += [
        f"{margin} {bar}",
        f"{paint(str(at.line), _BLUE)} {bar} {line}".rstrip(),
        f"{margin} {bar} {paint(carets + (f' {hint}' if hint else ''), tint)}",
    ]
    if problem.fix:
        lines.append(f"{margin} = help: genesis check --fix {problem.fix.does}")
    return "\n".join(lines) + "\n"


def _texts(problems: Iterable[Problem], root: Path | None) -> dict[str, str]:
    """The text of each file with a problem; nothing of one that cannot be read."""
    files = {problem.at.file for problem in problems if problem.at}
    return {file: _text((root or Path()) / file) for file in files}


def _text(file: Path) -> str:
    try:
        # Not `read_text`: it would make one of all line ends, and fixes keep them.
        return file.read_bytes().decode("utf-8-sig", errors="replace")
    except OSError:
        return ""


def _exact(problems: Iterable[Problem], texts: Mapping[str, str]) -> tuple[Problem, ...]:
    return tuple(exact(p, texts[p.at.file]) if p.at else p for p in problems)


def _mask(source: list[str], at: Location) -> None:
    """Blot out a secret: what is told ends up in logs."""
    for number in range(at.line, min(at.end_line, len(source)) + 1):
        line = source[number - 1]
        start = at.column - 1 if number == at.line else 0
        end = at.end_column - 1 if number == at.end_line else len(line)
        source[number - 1] = line[:start] + "*" * (end - start) + line[end:]


_WIDEST = 120  # characters of an excerpt
_BEFORE = 60  # of them before the place, where the line is longer


def _excerpt(source: str, at: Location) -> tuple[str, str]:
    """A line as a terminal can show it, and the carets under the place."""
    start = at.column - 1
    end = at.end_column - 1 if at.end_line == at.line else len(source)
    cut = start - _BEFORE if len(source) > _WIDEST and start > _BEFORE else 0
    # Cut first: thousands of problems may stand in one long line.
    line = source[cut : cut + _WIDEST]
    line = line if line.isprintable() else "".join(map(_shown, line))
    dots = "…" if cut else ""
    shown = dots + line + ("…" if len(source) > cut + _WIDEST else "")
    marked = line[start - cut : end - cut].rstrip()
    before = len(dots) + _width(line[: start - cut])
    return shown, " " * before + "^" * max(1, _width(marked))


def _shown(character: str) -> str:
    """A character, or what stands for one that would move the cursor or speak to the terminal."""
    if character == "\t":
        return " "
    return "�" if unicodedata.category(character) in ("Cc", "Zl", "Zp") else character


def _width(text: str) -> int:
    """Terminal cells of a text: wide characters take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def concise(problems: Sequence[Problem]) -> str:
    """Problems as text, a line each."""
    lines = []
    for problem in problems:
        place = f"{problem.at}: " if problem.at else ""
        kind = "warning: " if problem.severity == "warning" else ""
        hint = f" ({problem.hint})" if problem.hint else ""
        lines.append(f"{place}{kind}{problem.message} [{problem.code}]{hint}")
    return "\n".join(lines)


def _json(problems: Sequence[Problem]) -> str:
    return json.dumps(
        {"schema": "genesis/problems@1", "problems": [as_json(p) for p in problems]},
        indent=2,
        ensure_ascii=False,
    )


def as_json(problem: Problem) -> dict[str, Any]:
    """A problem as an entry of `genesis/problems@1`; with its `fix`, if it has one."""
    at = problem.at
    fix = {"fix": _fix_as_json(problem.fix)} if problem.fix else {}
    return {
        "code": problem.code,
        "severity": problem.severity,
        "message": problem.message,
        "hint": problem.hint,
        "file": at.file if at else None,
        "line": at.line if at else None,
        "column": at.column if at else None,
        "end_line": at.end_line if at else None,
        "end_column": at.end_column if at else None,
        **fix,
    }


def _fix_as_json(fix: Fix) -> dict[str, Any]:
    """The place whose characters are replaced, and the text that replaces them."""
    return {
        "line": fix.at.line,
        "column": fix.at.column,
        "end_line": fix.at.end_line,
        "end_column": fix.at.end_column,
        "text": fix.new,
    }


def _github(problems: Sequence[Problem]) -> str:
    """Workflow commands; their data escapes percents and line ends."""

    def escape(text: str) -> str:
        return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")

    def escape_property(text: str) -> str:
        return escape(text).replace(":", "%3A").replace(",", "%2C")

    lines = []
    for problem in problems:
        text = f"{problem.message}\n{problem.hint}" if problem.hint else problem.message
        at = problem.at
        place = (
            f"file={escape_property(at.file)},line={at.line},col={at.column},endLine={at.end_line},endColumn={at.end_column},"
            if at
            else ""
        )
        lines.append(f"::{problem.severity} {place}title={problem.code}::{escape(text)}")
    return "\n".join(lines)


def _sarif(problems: Sequence[Problem]) -> str:
    rules = sorted({problem.code for problem in problems})
    results = [
        {
            "ruleId": problem.code,
            "level": problem.severity,
            "message": {
                "text": f"{problem.message}. {problem.hint}" if problem.hint else problem.message
            },
            "locations": [_sarif_location(problem.at)] if problem.at else [],
            **({"fixes": [_sarif_fix(problem.fix)]} if problem.fix else {}),
        }
        for problem in problems
    ]
    driver = {
        "name": "genesis",
        "rules": [{"id": code, "shortDescription": {"text": CODES[code]}} for code in rules],
    }
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
        ],
    }
    return json.dumps(log, indent=2, ensure_ascii=False)


def _sarif_location(at: Location) -> dict[str, Any]:
    place = {"artifactLocation": {"uri": quote(at.file)}, "region": _sarif_region(at)}
    return {"physicalLocation": place}


def _sarif_region(at: Location) -> dict[str, Any]:
    return {
        "startLine": at.line,
        "startColumn": at.column,
        "endLine": at.end_line,
        "endColumn": at.end_column,
    }


def _sarif_fix(fix: Fix) -> dict[str, Any]:
    replacement = {
        "deletedRegion": _sarif_region(fix.at),
        "insertedContent": {"text": fix.new},
    }
    change = {
        "artifactLocation": {"uri": quote(fix.at.file)},
        "replacements": [replacement],
    }
    return {
        "description": {"text": f"genesis check --fix {fix.does}"},
        "artifactChanges": [change],
    }


def table_text(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[bool] = ()
) -> str:
    """Rows as aligned text; columns of numbers end at the right."""
    cells = [list(header), *(list(row) for row in rows)]
    widths = [max(_width(row[i]) for row in cells) for i in range(len(header))]
    aligned = [*right, *[False] * (len(header) - len(right))]

    def line(row: Sequence[str]) -> str:
        padded = (
            " " * (width - _width(cell)) + cell if to_right else cell + " " * (width - _width(cell))
            for cell, width, to_right in zip(row, widths, aligned, strict=True)
        )
        return "  ".join(padded).rstrip()

    rule = "  ".join("-" * width for width in widths)
    return "\n".join([line(cells[0]), rule, *(line(row) for row in cells[1:])])


_WIDEST_CELL = 40  # characters of a cell in a table


def shorten(text: str) -> str:
    """A cell's text on one line of a table."""
    text = " ".join(text.split())
    return text if len(text) <= _WIDEST_CELL else text[: _WIDEST_CELL - 1] + "…"


def cell_text(value: Any) -> str:
    """A value as people read it."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.isoformat(sep=" ", timespec="auto")
        case list():
            return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
