"""A run of an audit as a page for a person: text for a terminal, Markdown or HTML for a file. PURE."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from genesis.html_file import escaped, html_file

HEADER = ("key", "what", "columns", "first seen", "runs", "told")
_WHAT = {
    "missing": "missing here",
    "extra": "not in the source",
    "differs": "different",
}


def key_rows(audited: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A row for each key that differs, what was told first."""
    return [
        (
            ", ".join("NULL" if part is None else str(part) for part in one["key"]),
            _WHAT[one["kind"]],
            ", ".join(one["columns"]),
            _minute(one["first_seen"]),
            str(one["runs"]),
            _minute(one["told"]) if one["told"] else "not yet",
        )
        for one in (*audited["told"], *audited["watched"])
    ]


def in_markdown(audits: Sequence[Mapping[str, Any]]) -> str:
    """Audits as Markdown, with all keys that are known."""
    return "\n".join(line for audited in audits for line in _markdown(audited))


def _markdown(audited: Mapping[str, Any]) -> Iterator[str]:
    yield f"# {audited['audit']}: {audited['state']}\n"
    yield f"{_facts(audited)}\n"
    for problem in audited["problems"]:
        yield f"* {_cell(problem)}\n"
    if rows := key_rows(audited):
        yield f"| {' | '.join(HEADER)} |\n|{' --- |' * len(HEADER)}"
        yield from (f"| {' | '.join(map(_cell, row))} |" for row in rows)
        yield ""


def _cell(text: str) -> str:
    """A text that breaks no table and means nothing to Markdown."""
    return "".join(f"\\{c}" if c in r"\`*_[]<>|#" else c for c in " ".join(text.split()))


def in_html(audits: Sequence[Mapping[str, Any]]) -> str:
    """Audits as one page that needs nothing else."""
    sections = "\n".join(line for audited in audits for line in _html(audited))
    return html_file("genesis audit", _STYLE, sections)


def _html(audited: Mapping[str, Any]) -> Iterator[str]:
    name, state = escaped(audited["audit"]), escaped(audited["state"])
    yield f"<h1>{name} <span class={state}>{state}</span></h1>"
    yield f"<p>{escaped(_facts(audited))}</p>"
    for problem in audited["problems"]:
        yield f"<p class=problem>{escaped(problem)}</p>"
    if rows := key_rows(audited):
        yield "<table>"
        yield "".join(["<tr>", *(f"<th>{name}</th>" for name in HEADER), "</tr>"])
        for row in rows:
            yield "".join(["<tr>", *(f"<td>{escaped(cell)}</td>" for cell in row), "</tr>"])
        yield "</table>"


def _facts(audited: Mapping[str, Any]) -> str:
    """When, how, and how much of it is listed."""
    facts = [f"data source {audited['data_source']}", f"at {_minute(audited['at'])} UTC"]
    if audited["strategy"]:
        facts.append(f"by {audited['strategy']} in {audited['seconds']:.1f} s")
    found = audited["found"] or {}
    facts += [f"{found[kind]:,} {_WHAT[kind]}" for kind in _WHAT if found.get(kind)]
    listed = len(audited["told"]) + len(audited["watched"])
    if (total := sum(found.values())) > listed:
        facts.append(f"the first {listed:,} of {total:,} are listed")
    return "; ".join(facts)


def _minute(moment: str) -> str:
    return moment[:16].replace("T", " ")


_STYLE = """body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
h1 { font-size: 1.3rem; margin-top: 2rem }
span { border-radius: 4px; color: #fff; font-size: .8rem; padding: 2px 8px; background: #57606a }
.agrees { background: #1a7f37 } .failing, .failed { background: #b3261e } .watching { background: #9a6700 }
.problem { color: #b3261e }
table { border-collapse: collapse; width: 100% }
th, td { border-bottom: 1px solid #d0d7de; padding: 4px 8px; text-align: left }
td:first-child { font-family: ui-monospace, monospace }
@media (prefers-color-scheme: dark) { body { background: #0d1117; color: #e6edf3 } .problem { color: #ff8a80 } }
"""
