"""A change as the comment of a pull request, in Markdown, for readers who have never seen genesis.

One comment, known by its first line, is edited anew each time. It holds at most `LIMIT` bytes, which no
service takes for too many characters: detail is dropped in a fixed order, told with where the whole is.
The surprise: nothing that stands in a project's files is Markdown here. Names are code wherever they
stand, so that they mention nobody, close no table and make no HTML.
"""

from __future__ import annotations

import difflib
import html
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from genesis.html_file import plain
from genesis.review.changed import Change, Touched, Version
from genesis.review.differences.difference import code
from genesis.review.reviewed import Review, causes, sentences, summary
from genesis.review.risks import Mark
from genesis.review.row_changes import RowChange, Sample

MARKER = "<!-- genesis diff -->"
LIMIT = 65_536
_NOTE = 600  # bytes for saying what was dropped
_LONGEST = 160  # characters of one name
_CELLS = 8  # cells of a row that is shown

Detail = Literal[
    "rows", "SQL", "explanations", "edits without effect", "lines of the table", "risks"
]
# What is dropped first stands first; of each, what stands last in the comment.
_DROPPED: tuple[Detail, ...] = (
    "rows", "SQL", "explanations", "edits without effect", "lines of the table", "risks",
)  # fmt: skip


@dataclass(frozen=True)
class _Piece:
    """Some lines; those with a `detail` may be dropped."""

    text: str
    detail: Detail | None = None

    @property
    def size(self) -> int:
        return len(self.text.encode("utf-8", "replace")) + 1


def comment(review: Review, whole: str, limit: int = LIMIT) -> str:
    """The comment; `whole` says in Markdown where the whole of it is, where something had to be dropped."""
    pieces = list(_pieces(review))
    left = limit - _NOTE - len(whole.encode()) - sum(piece.size for piece in pieces)
    dropped: set[int] = set()
    counts: dict[Detail, int] = {}
    for detail in _DROPPED:
        for at in reversed(range(len(pieces))):
            if left < 0 and pieces[at].detail == detail:
                dropped.add(at)
                left += pieces[at].size
                counts[detail] = counts.get(detail, 0) + 1
    lines = [piece.text for at, piece in enumerate(pieces) if at not in dropped]
    if counts:
        what = ", ".join(f"{detail} ({n})" for detail, n in counts.items())
        lines.append(f"\n_Left out, since a comment holds no more: {what}. The whole: {whole}_")
    return "\n".join(lines) + "\n"


def _pieces(review: Review) -> Iterator[_Piece]:
    changes = review.diff.changes
    yield _Piece(f"{MARKER}\n{_title(review)}\n")
    if changes:
        yield _Piece(_WHAT_IT_IS)
    yield from _compiler(review)
    if changes:
        yield from _risks(review)
        yield from _table(review)
        for change in changes:
            yield from _of_change(review, change)
    yield from _touched(review.diff.touched)
    yield _Piece(f"\n<sub>{_compared(review)}</sub>")


_AT_ONCE = 20  # trackers under one sentence: a comment that is too long loses it as a whole

_WHAT_IT_IS = (
    "A _tracker_ is a sheet, a base or a file that genesis fills from data and keeps fresh. Nothing is written yet:"
    " what stands here happens at each tracker's first refresh after the merge.\n"
)


def _title(review: Review) -> str:
    known = [change.subject for change in review.diff.changes if change.kind != "unknown"]
    unknown = len(review.diff.changes) - len(known)
    trackers, reports = known.count("tracker"), known.count("report")
    parts = [_many(trackers, "tracker")] * bool(trackers)
    parts += [_many(reports, "report without a tracker", "reports without a tracker")] * bool(
        reports
    )
    does = "change" if len(known) > 1 else "changes"
    said = [f"{_many(unknown, 'tracker')} cannot be told"] * bool(unknown)
    said += [f"{' and '.join(parts) or 'no tracker'} {does}"] * bool(parts or not unknown)
    rest = review.diff.unchanged
    said.append("1 stays as it is" if rest == 1 else f"{rest:,} stay as they are")
    return f"### genesis: {', '.join(said)}"


def _many(count: int, one: str, more: str | None = None) -> str:
    return f"{count:,} {one if count == 1 else more or f'{one}s'}"


def _compared(review: Review) -> str:
    sides = f"{_name(review.base)} with {_name(review.head)}"
    return (
        f"Compared: {sides}, as SQL for {_name(review.diff.dialect)}, by {prose(review.compiler)}."
    )


def _compiler(review: Review) -> Iterator[_Piece]:
    """Another version that is pinned: it stands above all, since it may reach every tracker."""
    told = [f"- {prose(one)}" for one in review.of_compiler()]
    if told:
        yield _Piece("\n".join(["**Another version of what compiles**\n", *told, ""]))


# --- risks and the table ------------------------------------------------------------------------


def _risks(review: Review) -> Iterator[_Piece]:
    found = review.risks()
    if not found:
        return
    yield _Piece("**Look at these first**\n")
    for mark, changes in found.items():
        who = [f"{' '.join(map(_name, review.titled(one)))}, {_ask(one.owner)}" for one in changes]
        for first in range(0, len(who), _AT_ONCE):
            yield _Piece(_risk(mark, who[first : first + _AT_ONCE]), "risks")
    yield _Piece("")


def _risk(mark: Mark, who: Sequence[str]) -> str:
    sign = "✋ waits for a person" if mark.is_held else "⚠️ risk"
    if len(who) == 1:
        return f"- {sign}: {who[0]}: {prose(mark.said)}"
    return "\n".join([f"- {sign}, {len(who)} trackers: {prose(mark.said)}", *(f"  - {each}" for each in who)])  # fmt: skip


def _ask(owner: str | None) -> str:
    return f"ask {_name(owner)}" if owner else "nobody is named as its owner"


def _table(review: Review) -> Iterator[_Piece]:
    changes = review.diff.changes
    has_rows = any(review.rows(change) for change in changes)
    heads = [
        "tracker",
        "whom to ask",
        "what happens",
        "columns",
        *(["rows"] if has_rows else []),
        "where",
    ]
    yield _Piece(f"| {' | '.join(heads)} |\n|{' --- |' * len(heads)}")
    for change in changes:
        cells = [
            _tracker(change),
            _in_table(change.owner) if change.owner else "no owner is named",
            summary(change),
            _columns(change),
            *([_counts(review.rows(change))] if has_rows else []),
            _in_table(change.now.sink) if change.now.sink else "no tracker shows it",
        ]
        yield _Piece(f"| {' | '.join(cells)} |", "lines of the table")


def _tracker(change: Change) -> str:
    title = change.now.title
    return f"{_in_table(title)}<br>{_in_table(change.name)}" if title else _in_table(change.name)


def _columns(change: Change) -> str:
    """The headers that come and go, or how many there are."""
    before, after = (_labels(side) for side in (change.before, change.after))
    if change.kind in ("added", "removed", "unknown"):
        return str(len(after or before))
    gone = [f"- {_in_table(label)}" for label in before if label not in after]
    new = [f"+ {_in_table(label)}" for label in after if label not in before]
    if not gone and not new:
        return f"the same {len(after)}"
    more = len(gone) + len(new) - _CELLS
    return ", ".join([*gone, *new][:_CELLS]) + (f" and {more} more" if more > 0 else "")


def _labels(version: Version | None) -> list[str]:
    return [column.label for column in version.columns if not column.hidden] if version else []


def _counts(rows: RowChange | None) -> str:
    if rows is None:
        return "not known"
    if rows.before == rows.after:
        return f"{rows.after:,}, as many as before"
    return f"{rows.before:,} → {rows.after:,} ({rows.after - rows.before:+,})"


# --- one tracker --------------------------------------------------------------------------------


def _of_change(review: Review, change: Change) -> Iterator[_Piece]:
    said = [f"- {prose(one)}" for one in sentences(change)]
    said += [f"- because {prose(one)}" for one in causes(change)]
    looked = review.looked.get(change.name)
    if looked is not None and looked.refused is not None:
        said.append(f"- its rows could not be looked at: {prose(code(looked.refused))}")
    if said:
        title = f" ({_name(change.now.title)})" if change.now.title else ""
        title += f", refreshed {_name(change.now.schedule)}" if change.now.schedule else ""
        yield _Piece("\n".join([f"\n**{_name(change.name)}**{title}", *said]), "explanations")
    lines = list(sql_diff(change))
    if lines:
        yield _Piece(_folded(f"SQL of {_tag(change.name)}", _fenced(lines)), "SQL")
    rows = review.rows(change)
    if rows is not None and (rows.samples or rows.is_sampled or not rows.key):
        shown = "\n".join(f"- {line}" for line in row_lines(rows))
        yield _Piece(_folded(f"rows of {_tag(change.name)}", shown), "rows")


def sql_diff(change: Change) -> Iterator[str]:
    """The lines of a unified diff of the SQL, without its header; none where one side could not be read."""
    if change.kind == "unknown":
        return
    old, new = (side.sql if side and side.sql else "" for side in (change.before, change.after))
    found = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=3)
    yield from (plain(line) for at, line in enumerate(found) if at > 1)


def row_lines(rows: RowChange) -> Iterator[str]:
    """What rows do, a line each, in Markdown."""
    told = [f"{_many(rows.added, 'row')} more", f"{_many(rows.removed, 'row')} less"]
    told += [f"{_many(rows.changed, 'row')} with other cells"] if rows.key else []
    of = f"of a sample of about {rows.share:.2%} of the rows: " if rows.is_sampled else ""
    by = f"told apart by {', '.join(_name(label) for label in rows.key)}"
    yield f"{of}{', '.join(told)}, {by if rows.key else 'compared whole, since they have no key in common'}"
    if rows.columns:
        cells = ", ".join(f"{_name(label)} ({n:,})" for label, n in rows.columns)
        yield f"cells that change: {cells}"
    yield from map(_sample, rows.samples)


def _sample(sample: Sample) -> str:
    shown = [
        f"{_name(cell.label)} {_name(cell.value)}"
        if cell.was is None
        else f"{_name(cell.label)} {_name(cell.was)} → {_name(cell.value)}"
        for cell in sample.cells[:_CELLS]
    ]
    more = len(sample.cells) - _CELLS
    return f"{sample.kind}: {', '.join(shown)}" + (f" and {more} more" if more > 0 else "")


def _folded(title: str, text: str) -> str:
    return f"\n<details><summary>{title}</summary>\n\n{text}\n\n</details>"


def _fenced(lines: Iterable[str]) -> str:
    """Lines of code; the fence is longer than any in them."""
    text = "\n".join(lines)
    ticks = max((len(found) for found in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, ticks + 1)
    return f"{fence}diff\n{text}\n{fence}"


# --- what has no effect -------------------------------------------------------------------------

WHY = {
    "comments": "only comments or formatting differ",
    "descriptions": "only words for people differ",
    "unused": "what was edited is used by none of them",
    "no effect": "what was edited gives them the same report",
}


def _touched(touched: tuple[Touched, ...]) -> Iterator[_Piece]:
    if touched:
        yield _Piece("\n**Edited, and nothing changes**\n")
    for one in touched:
        yield _Piece(f"- {prose(touched_text(one))}", "edits without effect")


def touched_text(one: Touched) -> str:
    """Why an edit has no effect, and on how many."""
    users = f"{_many(len(one.users), 'tracker')} that read it stay as they are"
    users = users.replace(
        "1 tracker that read it stay as they are", "1 tracker that reads it stays as it is"
    )
    parts = f" ({', '.join(map(code, one.parts))})" if one.parts else ""
    at = f" in {code(f'{one.at.file}:{one.at.line}')}" if one.at else ""
    return f"{one.kind} {code(one.name)}{at}: {WHY[one.why]}{parts}; {users}"


# --- text ---------------------------------------------------------------------------------------


def link(address: str) -> str:
    """A link to the whole; an address that could be more than one is code."""
    if re.fullmatch(r"https?://[\w.~:/?#@!$&*+,;=%-]+", address):
        return f"[the whole of it]({address})"
    return _name(address)


def _short(text: str) -> str:
    text = plain(" ".join(text.split())).strip() or "(empty)"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _name(text: str) -> str:
    """A name as code, outside of tables."""
    return f"`{_short(text.replace('`', _TICK))}`"


_TICK = "'"


def _in_table(text: str) -> str:
    """A name as code in a table, where a bar or a backslash before one would end the cell."""
    return _tag(text) if {"|", "\\"} & {*text} else _name(text)


def _tag(text: str) -> str:
    """A name as code in HTML, where Markdown is still read: no character of it may mean anything."""
    kept = (one if one.isalnum() or one == " " else f"&#{ord(one)};" for one in _short(text))
    return f"<code>{''.join(kept)}</code>"


def prose(said: str) -> str:
    """A sentence of ours in which code stands in back-ticks; what is not code has no other marks."""
    parts = said.split("`")
    if len(parts) % 2 == 0:  # none of ours: nobody paired them
        return _name(said)
    return "".join(_name(part) if at % 2 else _escaped(part) for at, part in enumerate(parts))


def _escaped(text: str) -> str:
    return re.sub(r"([\\*_\[\]|~])", r"\\\1", html.escape(plain(text), quote=False)).replace(
        "@", "&#64;"
    )
