"""Tables and fields that are made: what a report needs and a base does not have yet.

A token without `schema.bases:write` makes nothing; then a person is told which fields to make.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import requests

from genesis.errors import Problem, SinkBusy, SinkError
from genesis.sinks.airtable.fields import (
    KEY,
    PRIMARY,
    STAMP,
    Layout,
    asked_kind,
    find_table,
    hidden_fields,
    layout_of,
    mark_of,
    new_field,
)
from genesis.sinks.airtable.present import AirtablePresent
from genesis.sync.changes import Changes, Tracker
from genesis.sync.encode import managed_columns

if TYPE_CHECKING:
    from pyairtable import Base

    from genesis.compile.statement import Column


def make_fields(base: Base, tracker: Tracker, changes: Changes, present: AirtablePresent) -> Layout:
    """The table's layout with a field for each column. Raises `access-refused`."""
    layout = present.layout
    missing = list(_missing(tracker, changes, present))
    if layout and not missing and not changes.relabels:
        return layout
    refused: requests.HTTPError | None = None
    try:
        _make(base, tracker, layout, missing)
        if layout:
            _relabel(base, changes, layout, tracker)
    except requests.HTTPError as error:
        if error.response.status_code in (403, 404):
            raise SinkError(_may_not_make(tracker, missing)) from error
        if error.response.status_code != 422:
            raise
        refused = error  # perhaps only because it was made already and the answer was lost
    table = find_table(base.schema(force=True), layout.table if layout else _name(tracker))
    made = layout_of(table, tracker, present.linked) if table else None
    if made and made.key and made.stamp and _is_whole(made, tracker):
        return made
    if refused:
        raise refused
    message = f"table `{_name(tracker)}` of tracker `{tracker.name}` changed while it was refreshed"
    raise SinkBusy(
        Problem("tracker-changed", message, hint="the next refresh makes what is missing")
    )


def _is_whole(layout: Layout, tracker: Tracker) -> bool:
    columns = len(managed_columns(tracker))
    return len(layout.kept) == columns and len(layout.asked) == len(tracker.annotations)


def _make(
    base: Base, tracker: Tracker, layout: Layout | None, missing: list[dict[str, Any]]
) -> None:
    if layout is None:
        _make_table(base, tracker, missing)
        return
    refused: requests.HTTPError | None = None
    for asked in missing:
        try:
            ask(base, "POST", f"{layout.table}/fields", asked)
        except requests.HTTPError as error:
            if error.response.status_code != 422:
                raise
            refused = refused or error
    if refused:
        raise refused


def describe(base: Base, table: str, text: str) -> None:
    """Say on the table what it is."""
    ask(base, "PATCH", table, {"description": text})


def _missing(
    tracker: Tracker, changes: Changes, present: AirtablePresent
) -> Iterator[dict[str, Any]]:
    layout = present.layout
    for column in managed_columns(tracker):
        if layout is None or column.name not in layout.kept:
            linked = present.linked.get(column.name)
            yield new_field(
                column,
                tracker,
                linked_table=linked.id if linked else None,
                options=_names(column, changes),
            )
    for each in tracker.annotations:
        if layout is None or each.name not in layout.asked:
            options = list(map(str, each.values))
            yield new_field(each.column, tracker, kind=asked_kind(each, tracker), options=options)
    there = {KEY: layout and layout.key, STAMP: layout and layout.stamp}
    yield from (asked for asked in hidden_fields(tracker.name) if not there[asked["name"]])


def _names(column: Column, changes: Changes) -> list[str]:
    """The values of a column in rows that are new: the options of a field that is."""
    at = [one.name for one in changes.columns].index(column.name)
    cells = [insert.cells[at] for insert in changes.inserts]
    cells += [update.cell for update in changes.updates if update.column == column.name]
    names = (name for cell in cells for name in (cell if isinstance(cell, tuple) else (cell,)))
    return list(dict.fromkeys(str(name) for name in names if name is not None))


def _make_table(base: Base, tracker: Tracker, fields: list[dict[str, Any]]) -> None:
    """A new table; its first field is what people see of a record elsewhere, and so a plain one."""
    first = next(one for one in fields if one["type"] in PRIMARY)
    ordered = [first, *(one for one in fields if one is not first)]
    provenance = "\n".join(tracker.note.splitlines()[:-1])  # all but the time of this refresh
    asked = {"name": _name(tracker), "fields": ordered, "description": provenance}
    ask(base, "POST", "", asked)


def _relabel(base: Base, changes: Changes, layout: Layout, tracker: Tracker) -> None:
    asked = [each.column for each in tracker.annotations]
    columns = {column.name: column for column in (*changes.columns, *asked)}
    fields = {**layout.kept, **layout.asked}
    for relabel in changes.relabels:
        new = {"name": relabel.label, "description": mark_of(columns[relabel.column], tracker)}
        ask(base, "PATCH", f"{layout.table}/fields/{fields[relabel.column].id}", new)


def ask(base: Base, method: str, path: str, body: dict[str, Any]) -> None:
    """One request about tables and fields, of which pyairtable knows not all."""
    tables = base.urls.tables
    base.api.request(method, tables / path if path else tables, json=body)


def _may_not_make(tracker: Tracker, missing: list[dict[str, Any]]) -> Problem:
    named = ", ".join(f"`{asked['name']}` ({asked['type']})" for asked in missing)
    return Problem(
        "access-refused",
        f"the token may not make what table `{_name(tracker)}` of tracker `{tracker.name}` lacks",
        hint=f"give it the scope `schema.bases:write` and its user the right to create; or make the"
        f" table with these fields by hand: {named}",
    )


def _name(tracker: Tracker) -> str:
    return tracker.place.airtable.table if tracker.place.airtable else ""
