"""The text of a PostgreSQL value -> what a change event may hold for a column's type. PURE.

Nothing is refused here: a text that does not fit the type stays a text, and the reader of events tells
why it is none. The surprise: so NaN and infinity, which PostgreSQL has for numbers and times, are
rejected there and never become NULL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from genesis.spec.types import Type

Parse = Callable[[str], Any]


def parser(type_: Type) -> Parse:
    """What makes of a text of PostgreSQL a value of a type, or leaves it for the reader to refuse."""
    match type_:
        case Type(name="integer"):
            return _integer
        case Type(name="float"):
            return _float
        case Type(name="boolean"):
            return _boolean
        case Type(name="array", item=Type() as item):
            return _array(parser(_innermost(item)))
        case _:
            return _text


def _innermost(type_: Type) -> Type:
    """The type of the items of arrays in arrays: PostgreSQL's have any number of dimensions."""
    return _innermost(type_.item) if type_.item else type_


def _text(text: str) -> Any:
    return text


# A `numeric` that is whole is an integer, whatever its scale.
_WHOLE = re.compile(r"(-?\d{1,40})(?:\.0*)?", re.ASCII)


def _integer(text: str) -> Any:
    whole = _WHOLE.fullmatch(text)
    return int(whole[1]) if whole else text


def _float(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def _boolean(text: str) -> Any:
    return {"t": True, "f": False, "true": True, "false": False}.get(text, text)


def _array(item: Parse) -> Parse:
    def parse(text: str) -> Any:
        try:
            return _Array(text, item).parsed()
        except _NotAnArray:
            return text

    return parse


class _NotAnArray(Exception):
    """A text that is no array of PostgreSQL."""


# `[0:1]={a,b}`: bounds stand before an array that does not count from 1.
_BOUNDS = re.compile(r"(?:\[-?\d+:-?\d+\])+=", re.ASCII)
_WORD = re.compile(r'[{},]|"(?:[^"\\]|\\.)*"|[^{},"]+', re.DOTALL)


class _Array:
    """An array's text: items between braces, quoted where they must be, `NULL` where they are not there."""

    def __init__(self, text: str, item: Parse) -> None:
        bounds = _BOUNDS.match(text)
        self._words = _words(text[bounds.end() :] if bounds else text)
        self._item = item

    def parsed(self) -> list[Any]:
        if next(self._words) != "{":
            raise _NotAnArray
        items = self._items()
        if next(self._words) != "":
            raise _NotAnArray
        return items

    def _items(self) -> list[Any]:
        items: list[Any] = []
        word = next(self._words)
        if word == "}":
            return items
        while True:
            items.append(self._items() if word == "{" else self._value(word))
            match next(self._words):
                case "}":
                    return items
                case ",":
                    word = next(self._words)
                case _:
                    raise _NotAnArray

    def _value(self, word: str) -> Any:
        if word in ("", "}", ","):
            raise _NotAnArray
        if word.startswith('"'):
            return self._item(re.sub(r"\\(.)", r"\1", word[1:-1], flags=re.DOTALL))
        return None if word == "NULL" else self._item(word)


def _words(text: str) -> Iterator[str]:
    """The words of an array's text, then empty ones for ever."""
    at = 0
    while at < len(text):
        word = _WORD.match(text, at)
        if word is None:
            raise _NotAnArray
        yield word[0]
        at = word.end()
    while True:
        yield ""
