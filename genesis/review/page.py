"""A change as one HTML file: nothing else is loaded, no script runs, all of it can be read by keyboard.

It leaves nothing out. Whatever stands in a project's files is escaped, in one place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from genesis.html_file import escaped, html_file
from genesis.review.changed import Change
from genesis.review.comment import sql_diff, touched_text
from genesis.review.reviewed import Review, causes, sentences, summary
from genesis.review.row_changes import Cell, RowChange


def page(review: Review) -> str:
    """The whole file."""
    skip = '<a class="skip" href="#main">Skip to what changes</a>'
    return html_file(_title(review), _STYLE, "\n".join((skip, *_body(review))))


_STYLE = """:root { color-scheme: light dark; --text: #1b1f24; --back: #ffffff; --line: #8a9199; --soft: #f3f4f6;
  --plus: #0b5c26; --minus: #a40e26; --link: #0a4f9e; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e8eb; --back: #14171a; --line: #7d858d; --soft: #21262b;
  --plus: #7ee2a0; --minus: #ffa5ad; --link: #8cc2ff; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back); margin: 0 auto;
  max-width: 72rem; padding: 1rem; }
a { color: var(--link); } :focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.skip { position: absolute; left: -99rem; } .skip:focus { position: static; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; } caption { text-align: left; font-weight: 600; }
th, td { border: 1px solid var(--line); padding: .3rem .6rem; text-align: left; vertical-align: top; }
code, pre { font: .9em/1.45 ui-monospace, monospace; background: var(--soft); overflow-wrap: anywhere; }
pre { padding: .6rem; overflow-x: auto; } pre code { overflow-wrap: normal; }
ins { color: var(--plus); text-decoration: none; } del { color: var(--minus); text-decoration: none; }
section { border-top: 1px solid var(--line); margin-top: 1.5rem; } summary { cursor: pointer; padding: .3rem 0; }
@media print { details > * { display: block; } }
"""


def _title(review: Review) -> str:
    unknown = sum(change.kind == "unknown" for change in review.diff.changes)
    changes = len(review.diff.changes) - unknown
    said = [f"{unknown:,} cannot be told"] * bool(unknown)
    said += [f"{changes:,} changed", f"{review.diff.unchanged:,} as they were"]
    return f"genesis: {', '.join(said)}"


def _body(review: Review) -> Iterator[str]:
    changes = review.diff.changes
    yield f'<header><h1>{escaped(_title(review))}</h1>\n<p>{_code(review.base)} compared with {_code(review.head)}, as SQL for {_code(review.diff.dialect)}, by {_prose(review.compiler)}.</p>'  # fmt: skip
    yield "<p>A tracker is a sheet, a base or a file that genesis fills from data and keeps fresh. Nothing is written yet: what stands here happens at each tracker's first refresh after the merge.</p></header>"  # fmt: skip
    yield '<main id="main">'
    if not changes:
        yield "<p>No tracker changes.</p>"
    if review.repins:
        yield '<section aria-labelledby="compiler"><h2 id="compiler">Another version of what compiles</h2>'
        yield f"{_list(review.of_compiler())}</section>"
    yield from _risks(review)
    if changes:
        yield from _table(review)
    for number, change in enumerate(changes):
        yield from _section(review, change, number)
    if review.diff.touched:
        yield '<section aria-labelledby="nothing"><h2 id="nothing">Edited, and nothing changes</h2>'
        yield _list(touched_text(one) for one in review.diff.touched)
        yield "</section>"
    yield "</main>"


def _risks(review: Review) -> Iterator[str]:
    found = review.risks()
    if not found:
        return
    numbers = {change.name: number for number, change in enumerate(review.diff.changes)}

    def who(change: Change) -> str:
        title = escaped(" ".join(review.titled(change)))
        return f'<a href="#change-{numbers[change.name]}">{title}</a>, {_ask(change.owner)}'

    yield '<section aria-labelledby="first"><h2 id="first">Look at these first</h2><ul>'
    for mark, changes in found.items():
        sign = "Waits for a person" if mark.is_held else "Risk"
        if len(changes) == 1:
            yield f"<li><strong>{sign}:</strong> {who(changes[0])}: {_prose(mark.said)}</li>"
        else:
            yield f"<li><strong>{sign}, {len(changes)} trackers:</strong> {_prose(mark.said)}{_list_of(map(who, changes))}</li>"  # fmt: skip
    yield "</ul></section>"


def _ask(owner: str | None) -> str:
    return f"ask {_code(owner)}" if owner else "nobody is named as its owner"


def _table(review: Review) -> Iterator[str]:
    changes = review.diff.changes
    has_rows = any(review.rows(change) for change in changes)
    heads = ("Tracker", "Whom to ask", "What happens", *(["Rows"] if has_rows else []), "Where")
    yield '<div class="scroll" tabindex="0" role="region" aria-label="What changes"><table><caption>What changes</caption>'  # fmt: skip
    head = "".join(f'<th scope="col">{one}</th>' for one in heads)
    yield f"<thead><tr>{head}</tr></thead><tbody>"
    for number, change in enumerate(changes):
        rows = review.rows(change)
        cells = (
            _code(change.owner) if change.owner else "no owner is named",
            escaped(summary(change)),
            *([f"{rows.before:,} → {rows.after:,}" if rows else "not known"] if has_rows else []),
            _code(change.now.sink) if change.now.sink else "no tracker shows it",
        )
        title = f"{escaped(change.now.title)}<br>" if change.now.title else ""
        name = f'<th scope="row"><a href="#change-{number}">{title}{_code(change.name)}</a></th>'
        yield f"<tr>{name}{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
    yield "</tbody></table></div>"


def _section(review: Review, change: Change, number: int) -> Iterator[str]:
    yield f'<section id="change-{number}" aria-labelledby="title-{number}"><h2 id="title-{number}">{_code(change.name)}</h2>'  # fmt: skip
    title = f"{escaped(change.now.title)}. " if change.now.title else ""
    yield f"<p>{title}{escaped(summary(change).capitalize())}; {_ask(change.owner)}.</p>"
    yield _list([*sentences(change), *(f"because {cause}" for cause in causes(change))])
    looked = review.looked.get(change.name)
    if looked is not None and looked.refused is not None:
        yield f"<p>Its rows could not be looked at: {_code(looked.refused)}</p>"
    if lines := list(sql_diff(change)):
        yield f"<details open><summary>SQL</summary><pre tabindex=\"0\"><code>{chr(10).join(map(_line, lines))}</code></pre></details>"  # fmt: skip
    if (rows := review.rows(change)) is not None:
        yield from _rows(rows)
    yield "</section>"


def _rows(rows: RowChange) -> Iterator[str]:
    part = f"Of a sample of about {rows.share:.2%} of the rows: " if rows.is_sampled else ""
    how = f"told apart by {', '.join(map(_code, rows.key))}" if rows.key else "compared whole"
    counts = f"{rows.added:,} come, {rows.removed:,} go, {rows.changed:,} have other cells"
    yield f"<details open><summary>Rows</summary><p>{part}{counts}, {how}.</p>"
    if rows.columns:
        yield _list_of(f"{_code(label)}: {n:,} cells" for label, n in rows.columns)
    if rows.samples:
        yield '<div class="scroll" tabindex="0" role="region" aria-label="Sample rows"><table><caption>Some of these rows</caption><tbody>'  # fmt: skip
        for one in rows.samples:
            yield f'<tr><th scope="row">{one.kind}</th>{"".join(map(_cell, one.cells))}</tr>'
        yield "</tbody></table></div>"
    yield "</details>"


def _cell(cell: Cell) -> str:
    value = escaped(cell.value)
    if cell.was is not None:
        value = f"<del>{escaped(cell.was)}</del> → <ins>{value}</ins>"
    return f"<td>{escaped(cell.label)}: {value}</td>"


def _line(line: str) -> str:
    tag = {"+": "ins", "-": "del"}.get(line[:1])
    return f"<{tag}>{escaped(line)}</{tag}>" if tag else escaped(line)


def _list(sentences_of: Iterable[str]) -> str:
    return _list_of(map(_prose, sentences_of))


def _list_of(items: Iterable[str]) -> str:
    shown = "".join(f"<li>{item}</li>" for item in items)
    return f"<ul>{shown}</ul>" if shown else ""


def _code(text: str) -> str:
    return f"<code>{escaped(text)}</code>"


def _prose(said: str) -> str:
    """A sentence of ours, its code as such."""
    parts = said.split("`")
    return "".join(_code(part) if at % 2 else escaped(part) for at, part in enumerate(parts))
