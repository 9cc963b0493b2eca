"""Field masks: `sheets(properties.title,data.rowData)` chooses what an answer holds or a request sets.

A mask is a tree of names; a name with nothing below it means all of what it names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from genesis.testing.sheets.answers import Json, bad

Mask = dict[str, Any]
_TOKEN = re.compile(r"\s*([A-Za-z_*][A-Za-z0-9_]*|[().,/])\s*")


def parse_mask(text: str) -> Mask:
    """The tree of a mask. Raises `ApiError` for text that is no mask."""
    tokens = _tokens(text)
    mask = _names(tokens, text)
    if tokens:
        raise _malformed(text)
    return mask


def _tokens(text: str) -> list[str]:
    tokens, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if not match:
            raise _malformed(text)
        tokens.append(match[1])
        position = match.end()
    return tokens[::-1]


def _names(tokens: list[str], text: str) -> Mask:
    mask: Mask = {}
    while True:
        _path(tokens, mask, text)
        if not tokens or tokens[-1] != ",":
            return mask
        tokens.pop()


def _path(tokens: list[str], mask: Mask, text: str) -> None:
    while True:
        if not tokens or tokens[-1] in "().,/":
            raise _malformed(text)
        name = camel(tokens.pop())
        whole = mask.get(name) == {}
        mask = mask.setdefault(name, {})
        if tokens and tokens[-1] in "./":
            tokens.pop()
            mask = {} if whole else mask
            continue
        if tokens and tokens[-1] == "(":
            tokens.pop()
            below = _names(tokens, text)
            if not tokens or tokens.pop() != ")":
                raise _malformed(text)
            if not whole:
                mask.update(below)
            return
        mask.clear()
        return


def _malformed(text: str) -> Exception:
    return bad(f"Invalid field mask: {text}")


def camel(name: str) -> str:
    """`user_entered_value` is `userEnteredValue`: Google reads both."""
    head, *tail = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in tail)


def all_of(names: Iterable[str]) -> Mask:
    """The mask that names these, each with all that is below it."""
    return {name: {} for name in sorted(names)}


def chosen(mask: Mask, answer: Json) -> Json:
    """The part of an answer that a mask names."""
    part: Json = _chosen(mask, answer)
    return part


def _chosen(mask: Mask, value: Any) -> Any:
    if not mask:
        return value
    if isinstance(value, list):
        return [_chosen(mask, item) for item in value]
    if not isinstance(value, dict):
        return value
    if "*" in mask:
        return {name: _chosen(mask["*"], item) for name, item in value.items()}
    return {name: _chosen(mask[name], value[name]) for name in mask if name in value}


def below(mask: Mask, *path: str) -> Mask | None:
    """What a mask chooses below a path, or None when it chooses nothing there."""
    for name in path:
        if not mask:
            return mask
        if "*" in mask:
            mask = mask["*"]
        elif name in mask:
            mask = mask[name]
        else:
            return None
    return mask


def put(mask: Mask, old: Json | None, new: Json | None) -> Json | None:
    """`old` with what the mask names taken from `new`; what `new` lacks is cleared."""
    if not mask or "*" in mask:
        return new or None
    result, new = dict(old or {}), new or {}
    for name, deeper in mask.items():
        value = put(deeper, result.get(name), new.get(name)) if deeper else new.get(name)
        if value is None:
            result.pop(name, None)
        else:
            result[name] = value
    return result or None
