"""Data sources as YAML that passes `genesis check`, with the evidence beside what was found. PURE."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from genesis.compile.identifiers import Names
from genesis.introspect.facts import Column, Parts, Table
from genesis.introspect.look import Found, Key, Link
from genesis.introspect.names import role, snake


def draft(tables: Sequence[Table], found: Found) -> dict[str, str]:
    """A text for each table, by the name of its data source."""
    names = Names()
    called = {table.parts: names.take(snake(table.name) or "table") for table in tables}
    fields = {table.parts: _field_names(table) for table in tables}
    return {
        called[table.parts]: "\n".join(_lines(table, found, called, fields)) + "\n"
        for table in tables
    }


def _field_names(table: Table) -> dict[str, str]:
    names = Names()
    return {
        column.name: names.take(snake(column.name) or f"column_{number}")
        for number, column in enumerate(table.columns, 1)
    }


def _lines(
    table: Table,
    found: Found,
    called: Mapping[Parts, str],
    fields: Mapping[Parts, Mapping[str, str]],
) -> Iterator[str]:
    own, key = fields[table.parts], found.keys[table.parts]
    if table.origin:
        yield _comment(f"drafted from {table.origin}")
    yield from (_comment(remark) for remark in found.remarks.get(table.parts, ()))
    yield f"data_source: {called[table.parts]}"
    yield f"table: {_text(table.called)}"
    yield from _key_lines(table, key, own)
    if table.is_log:
        yield "latest: true # it has the columns of a change log"
    yield from _unique_lines(table, key, own)
    yield "fields:"
    for column in table.columns:
        yield f"  {_field(column, own[column.name], is_key=column.name in key.columns)}"
    joins = list(_joins(table, found, called, fields))
    if joins:
        yield "joins:"
        yield from (f"  {line}" for line in joins)


def _key_lines(table: Table, key: Key, own: Mapping[str, str]) -> Iterator[str]:
    names = [own[name] for name in key.columns if name in own]
    readable = {own[column.name] for column in table.columns if column.type is not None}
    if key.is_guess or not readable.issuperset(names):
        why = key.why if key.is_guess else "a column of it is left out"
        yield _comment(f"TODO: no key was found: {why}")
        names = [name for name in names if name in readable] or sorted(readable)[:1] or ["TODO"]
        yield f"primary_key: {_listed(names)}"
    else:
        yield f"primary_key: {_listed(names)} # {_plain(key.why)}"


def _unique_lines(table: Table, key: Key, own: Mapping[str, str]) -> Iterator[str]:
    readable = {column.name for column in table.columns if column.type is not None}
    others = [each for each in table.unique_keys if each != key.columns and readable >= {*each}]
    if others:
        listed = ", ".join(f"[{', '.join(own[name] for name in each)}]" for each in others)
        yield f"unique_keys: [{listed}] # declared"


def _field(column: Column, name: str, *, is_key: bool) -> str:
    if column.type is None:
        return _comment(f"`{column.name}` is left out: there is no type for {column.declared}")
    type_ = str(column.type)
    quoted = f'"{type_}"' if "," in type_ else type_
    renamed = f", column: {_text(column.name)}" if column.name != name else ""
    needed = ", nullable: false" if not column.nullable and not is_key else ""
    unsure = " # its digits are not declared" if _is_unsure(column) else ""
    if renamed or needed:
        return f"{name}: {{type: {quoted}{renamed}{needed}}}{unsure}"
    return f"{name}: {type_}{unsure}"


def _is_unsure(column: Column) -> bool:
    return column.declared.lower() in ("numeric", "decimal")


# --- joins ------------------------------------------------------------------------------------------


def _joins(
    table: Table,
    found: Found,
    called: Mapping[Parts, str],
    fields: Mapping[Parts, Mapping[str, str]],
) -> Iterator[str]:
    """The rows that this one names, then those that name this one."""
    own, names = fields[table.parts].values(), Names(frozenset(fields[table.parts].values()))
    forth = [link for link in found.links if link.table == table.parts]
    for link in forth:
        several = sum(other.target == link.target for other in forth) > 1
        wish = _wish(table, link, called[link.target], several=several)
        wish = f"{wish}_row" if wish in own else wish
        yield _join(names.take(wish), called[link.target], _pairs(link, fields), link.why)
    back = [link for link in found.links if link.target == table.parts]
    for link in back:
        if link.table == link.target and link.to_one_back:
            continue
        several = sum(other.table == link.table for other in back) > 1
        source = called[link.table]
        by = "_".join(fields[link.table][name] for name in link.columns)
        is_plain = not several and link.table != link.target and source not in own
        name = names.take(source if is_plain else f"{source}_by_{by}")
        pairs = [(there, here) for here, there in _pairs(link, fields)]
        yield _join(name, source, pairs, "to one" if link.to_one_back else "to many")


def _wish(table: Table, link: Link, target: str, *, several: bool) -> str:
    """What a join is called: by the role of its column, where that says more than the table."""
    if len(link.columns) > 1:
        return target
    said = snake(role(table, link.columns[0]))
    return said if several or (said.endswith(target) and said != target) else target


def _pairs(link: Link, fields: Mapping[Parts, Mapping[str, str]]) -> list[tuple[str, str]]:
    here, there = fields[link.table], fields[link.target]
    return [(here[one], there[other]) for one, other in zip(link.columns, link.there, strict=True)]


def _join(name: str, target: str, pairs: Sequence[tuple[str, str]], why: str) -> str:
    if all(here == there for here, there in pairs):
        by = _listed([here for here, _ in pairs])
    else:
        by = f"{{{', '.join(f'{here}: {there}' for here, there in pairs)}}}"
    source = f"data_source: {target}, " if name != target else ""
    return f"{name}: {{{source}by: {by}}} # {_plain(why)}"


# --- YAML -------------------------------------------------------------------------------------------


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"[{', '.join(names)}]"


def _text(value: str) -> str:
    """A text as YAML takes any."""
    is_plain = re.fullmatch(r"[A-Za-z_][\w.-]*", value) and value not in _WORDS
    if is_plain:
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in quoted)


_WORDS = frozenset(word for w in ("true", "false", "null") for word in (w, w.title(), w.upper()))


def _comment(text: str) -> str:
    return f"# {_plain(text)}"


def _plain(text: str) -> str:
    """A text on one line, without what would speak to a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)


def together(texts: Iterable[str]) -> str:
    """Several drafts as one text."""
    return "---\n".join(texts)
