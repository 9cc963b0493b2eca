"""The drafted data sources as files: new ones whole, and the project's own with lines added."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from genesis.lift.sources import Draft, Sources
from genesis.lift.yaml_text import flow, scalar

RAW = "# How a value is shown as the table has it, where its field has labels.\nformatters:\n  raw: {sql: value}\n"


def definition_files(sources: Sources, texts: Mapping[str, str], *, raw: bool) -> dict[str, str]:
    """The files that define what the project does not, by name; `texts` are the project's own."""
    files: dict[str, str] = {}
    for draft in sources.drafts.values():
        if not draft.is_changed:
            continue
        if draft.known is None:
            files[f"definitions/{draft.name}.yaml"] = new_text(draft)
        else:
            file = draft.known.file
            files[file] = _added(files.get(file, texts.get(file, "")), draft)
    if raw and "raw" not in sources.project.formatters:
        files["definitions/raw_formatter.yaml"] = RAW
    return files


def new_text(draft: Draft) -> str:
    """A data source that the project does not have."""
    read = f"sql: {scalar(draft.sql)}" if draft.sql else f"table: {scalar(draft.table)}"
    lines = [f"data_source: {draft.name}", read]
    key = draft.primary_key
    written = key[0] if len(key) == 1 else flow(key)
    if draft.is_sure:
        lines.append(f"primary_key: {written} # {draft.evidence}")
    else:
        lines += [
            f"# TODO(genesis import): is this its key? {draft.evidence}",
            f"primary_key: {written}",
        ]
    if draft.unique_keys:
        lines.append("unique_keys:")
        lines += [
            f"  - {flow(list(key))} # {evidence}" for key, evidence in draft.unique_keys.items()
        ]
    if draft.latest is not None:
        lines.append(f"latest: {{order_by: {flow(draft.latest)}}}")
    lines += ["fields:", *_fields(draft)]
    if draft.joins:
        lines += ["joins:", *_joins(draft)]
    return "\n".join(lines) + "\n"


def _fields(draft: Draft) -> list[str]:
    lines = []
    for name, made in draft.fields.items():
        keys = {key: value for key, value in made.items() if key != "todo"}
        text = flow(keys["type"]) if list(keys) == ["type"] else flow(keys)
        todo = f" # TODO(genesis import): {made['todo']}" if "todo" in made else ""
        lines.append(f"  {name}: {text}{todo}")
    return lines


def _joins(draft: Draft) -> list[str]:
    return [f"  {name}: {flow(_join_keys(name, made))}" for name, made in draft.joins.items()]


def _join_keys(name: str, made: Mapping[str, Any]) -> dict[str, Any]:
    by = made["by"]
    keys: dict[str, Any] = (
        {} if made["data_source"] == name else {"data_source": made["data_source"]}
    )
    if not by:
        return {**keys, **made["more"]}
    if all(here == there for here, there in by):
        names = [here for here, _ in by]
        keys["by"] = names[0] if len(names) == 1 else names
    else:
        keys["by"] = dict(by)
    return {**keys, **made["more"]}


def _added(text: str, draft: Draft) -> str:
    """A file of the project with what a data source lacks written into it."""
    lines = text.splitlines()
    start = next(
        n for n, line in enumerate(lines) if re.match(rf"data_source:\s*{draft.name}\b", line)
    )
    end = next((n for n in range(start, len(lines)) if lines[n].startswith("---")), len(lines))
    own = lines[start:end]
    for key, added in (
        ("fields", _fields(draft)),
        ("joins", _joins(draft)),
        ("unique_keys", _unique(draft)),
    ):
        if added:
            own = _written_into(own, key, added)
    return "\n".join([*lines[:start], *own, *lines[end:]]) + "\n"


def _unique(draft: Draft) -> list[str]:
    return [f"  - {flow(list(key))} # {evidence}" for key, evidence in draft.unique_keys.items()]


def _written_into(lines: list[str], key: str, added: list[str]) -> list[str]:
    note = "  # added by `genesis import sql`"
    for number, line in enumerate(lines):
        if match := re.match(rf"{key}:\s*([{{\[])?", line):
            if match[1] is None:
                return [*lines[: number + 1], note, *added, *lines[number + 1 :]]
            inside = ", ".join(one.partition(" # ")[0].strip().removeprefix("- ") for one in added)
            return [
                *lines[:number],
                f"{line[: match.end()]}{inside}, {line[match.end() :]}",
                *lines[number + 1 :],
            ]
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    return [*lines, f"{key}:", note, *added]
