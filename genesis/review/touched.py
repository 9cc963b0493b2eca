"""Definitions that were edited without effect: whom they would have reached, and why nothing changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from genesis.review.changed import Edit, Touched, Why
from genesis.review.pieces import FOR_PEOPLE, IN_SOURCES, Piece
from genesis.review.sides import Found, Side
from genesis.spec.formatter import BUILT_IN
from genesis.spec.model import Definition, Located

_KINDS = {
    "data source": "data_sources",
    "formatter": "formatters",
    "input": "inputs",
    "template": "templates",
    "workflow": "workflows",
}


def touched(
    before: Side, after: Side, edits: Mapping[Piece, Edit], same: Sequence[Found]
) -> Iterator[Touched]:
    """The edited definitions that are used by what stays the same, each with its users."""
    for kind, name, old, new in _on_both_sides(before, after):
        if old.text == new.text:
            continue
        users = [found for found in same if _uses(found, kind, name, after)]
        parts = [piece for piece in edits if _is_in(piece, kind, name)]
        at = new.locate_name() if isinstance(new, Definition) else new.locate_key()
        for why, parts_of, of in _whys(old, new, parts, users, after):
            names = tuple(sorted(found.name for found in of))
            if names:
                yield Touched(kind, name, why, names, parts_of, at)


def _on_both_sides(before: Side, after: Side) -> Iterator[tuple[str, str, Located, Located]]:
    for kind, key in _KINDS.items():
        old, new = getattr(before.project, key), getattr(after.project, key)
        for name, entry in new.items():
            if name in old and BUILT_IN.get(name) not in (entry, old[name]):
                yield kind, name, old[name], entry


def _uses(found: Found, kind: str, name: str, side: Side) -> bool:
    if kind == "workflow":
        return found.workflow is not None and found.workflow.name == name
    if kind == "template":
        workflow = found.workflow
        return workflow is not None and name in workflow.jobs[found.position].use
    return Piece(kind, name) in side.used(found.input)


def _is_in(piece: Piece, kind: str, name: str) -> bool:
    """Whether an edited piece is of a definition."""
    is_of_kind = piece.kind in IN_SOURCES if kind == "data source" else piece.kind == kind
    return is_of_kind and piece.owner == name


def _whys(
    old: Located, new: Located, parts: Iterable[Piece], users: Iterable[Found], side: Side
) -> Iterator[tuple[Why, tuple[str, ...], list[Found]]]:
    """Why a definition's edits have no effect, the parts that were edited, and on whom."""
    names = {piece: str(piece) for piece in parts}
    if not names:
        if old.written != new.written:
            keys = {*old.written, *new.written}
            keys = {key for key in keys if old.written.get(key) != new.written.get(key)}
            why: Why = "descriptions" if keys <= FOR_PEOPLE else "no effect"
            yield why, tuple(sorted(keys)), _with_other_jobs(old, new, users, keys)
        elif old.own_text != new.own_text:
            yield "comments", (), [*users]
        return
    groups: dict[tuple[str, ...], list[Found]] = {}
    for found in users:
        read = side.used(found.input)
        used = tuple(sorted(name for piece, name in names.items() if piece in read))
        groups.setdefault(used, []).append(found)
    for used, of in sorted(groups.items()):
        if used:
            yield "no effect", used, of
        else:
            yield "unused", tuple(sorted(names.values())), of


def _with_other_jobs(
    old: Located, new: Located, users: Iterable[Found], keys: set[str]
) -> list[Found]:
    """Of the trackers of a workflow in which only jobs were edited, those whose own job was."""
    if keys != {"jobs"}:
        return [*users]
    before, after = old.written["jobs"], new.written["jobs"]
    return [found for found in users if after[found.position] not in before]
