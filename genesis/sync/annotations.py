"""Columns that people fill in beside a report: made where they are missing, never written over.

The surprise: some of their cells are written after all. A row that comes back into the report, and
a column that somebody deleted, get what people had put there, as it was read last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from genesis.sync.changes import Annotation, Present, Relabel, Restore, Wanted


def new_annotations(wanted: Wanted, present: Present) -> tuple[Annotation, ...]:
    """The annotation columns that are missing, and will be made."""
    found = {column.name for column in present.annotations}
    return tuple(each for each in wanted.annotations if each.name not in found)


def annotation_relabels(wanted: Wanted, present: Present) -> Iterator[Relabel]:
    """Headers that were emptied, or whose definition changed, unless a person wrote another."""
    labels = {each.name: each.label for each in wanted.annotations}
    for column in present.annotations:
        label = labels.get(column.name, column.header)
        if column.header in ("", column.label) and column.header != label:
            yield Relabel(column.name, column.header, label)


def restores(
    wanted: Wanted, present: Present, *, staying: Iterable[str], inserted: Iterable[str]
) -> Iterator[Restore]:
    """What people had put beside rows that are new, and into columns that are made again."""
    every = [each.name for each in wanted.annotations]
    made = [each.name for each in new_annotations(wanted, present)]
    for keys, names in ((inserted, every), (staying, made)):
        for key in keys if names and wanted.remembered else ():
            cells = wanted.remembered.get(key, {})
            yield from (Restore(key, n, cells[n]) for n in names if cells.get(n) is not None)


def annotation_notes(wanted: Wanted, present: Present) -> Iterator[str]:
    """What people should hear about their columns."""
    for column in present.annotations:
        if column.header not in ("", column.label):
            yield f"header `{column.label}` was renamed to `{column.header}` and stays so"
    if present.exists and present.ours:
        for each in new_annotations(wanted, present):
            if any(cells.get(each.name) is not None for cells in wanted.remembered.values()):
                yield f"column `{each.label}` is gone; it is made again, as it was read last"
