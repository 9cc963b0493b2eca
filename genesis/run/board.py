"""The migration board: what became of each report, for a person, a machine and a browser."""

from __future__ import annotations

from collections import Counter
from typing import Any

from genesis.html_file import escaped, html_file
from genesis.run.importing import Imported, Outcome

ORDER = ("by hand", "drafted", "proven")


def counts(imported: Imported) -> dict[str, int]:
    """How many reports there are of each kind."""
    found = Counter(one.status for one in imported.outcomes)
    return {status: found[status] for status in ("proven", "drafted", "by hand")}


def as_text(imported: Imported) -> str:
    """A line per report, with what was compared or why not, and the counts."""
    lines = []
    for one in imported.outcomes:
        lines.append(f"{one.status:8} {_place(one)}: {_said(one)[0]}")
        lines += [f"{'':8} {more}" for more in _said(one)[1:]]
        if one.hint:
            lines.append(f"{'':8} hint: {one.hint}")
        lines += [f"{'':8} {row}" for row in _rows(one)]
    lines.append(", ".join(f"{number} {status}" for status, number in counts(imported).items()))
    return "\n".join(lines)


def as_json(imported: Imported) -> dict[str, Any]:
    """The board for machines."""
    return {
        "schema": "genesis/import@1",
        "counts": counts(imported),
        "reports": [_json(one) for one in imported.outcomes],
        "files": imported.files,
    }


def _json(one: Outcome) -> dict[str, Any]:
    proof = one.proof
    return {
        "file": one.file,
        "input": one.name if one.lifted else None,
        "status": one.status,
        "reasons": one.reasons,
        "hint": one.hint or None,
        "line": one.line,
        "column": one.column,
        "rows": proof.rows if proof and not proof.failed else None,
        "columns": list(proof.columns) if proof else None,
        "variants": proof.tried if proof else None,
        "equal_on_data": proof.on_data is None and not proof.failed if proof else None,
        "differing_variants": [what for what, _ in proof.on_variants] if proof else None,
        "notes": one.lifted.notes if one.lifted else [],
        "seconds": round(one.seconds, 3),
    }


def as_html(imported: Imported) -> str:
    """The board as one page that needs nothing else: what is left to do comes first."""
    numbers = counts(imported)
    outcomes = sorted(imported.outcomes, key=lambda one: (ORDER.index(one.status), one.file))
    rows = "\n".join(_html_row(one) for one in outcomes)
    summary = ", ".join(f"<b>{number}</b> {status}" for status, number in numbers.items())
    return html_file("Reports taken over", _STYLE, _BODY.format(summary=summary, rows=rows))


def _html_row(one: Outcome) -> str:
    said = "".join(f"<p>{escaped(text)}</p>" for text in _said(one))
    hint = f"<p class=hint>{escaped(one.hint)}</p>" if one.hint else ""
    differing = "".join(f"<pre>{escaped(row)}</pre>" for row in _rows(one))
    draft = (
        f"<details><summary>input</summary><pre>{escaped(one.text)}</pre></details>"
        if one.text
        else ""
    )
    sign = {"proven": "✓", "drafted": "◐", "by hand": "✎"}[one.status]
    return (
        f'<tr class="{one.status.replace(" ", "-")}"><td>{sign} {one.status}</td>'
        f"<td>{escaped(_place(one))}</td><td>{said}{hint}{differing}{draft}</td>"
        f"<td>{one.seconds:.2f} s</td></tr>"
    )


def _place(one: Outcome) -> str:
    return one.file if one.line is None else f"{one.file}:{one.line}:{one.column}"


def _said(one: Outcome) -> list[str]:
    if one.reasons:
        return one.reasons
    return [str(one.proof)] if one.proof else ["drafted"]


def _rows(one: Outcome) -> list[str]:
    """A few of the rows that differ."""
    proof = one.proof
    if proof is None or not (proof.on_data or proof.on_variants):
        return []
    difference = proof.on_data or proof.on_variants[0][1]
    shown = [("SQL  ", row) for row in difference.only_sql[:3]]
    shown += [("input", row) for row in difference.only_input[:3]]
    return [f"{side} {', '.join(map(str, row))}" for side, row in shown]


_STYLE = """:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
th, td { border-bottom: 1px solid #8886; padding: .5rem; text-align: left; vertical-align: top }
td:first-child { white-space: nowrap }
p { margin: 0 } .hint { font-style: italic }
pre { overflow-x: auto; margin: .3rem 0; font-size: 13px }
.proven td:first-child { border-left: 4px solid #2a8 }
.drafted td:first-child { border-left: 4px solid #c90 }
.by-hand td:first-child { border-left: 4px solid #c44 }
"""
_BODY = """<main><h1>Reports taken over</h1>
<p>{summary}</p>
<table><thead><tr><th scope="col">State</th><th scope="col">Report</th><th scope="col">What was compared, or why not</th><th scope="col">Time</th></tr></thead>
<tbody>
{rows}
</tbody></table></main>"""
